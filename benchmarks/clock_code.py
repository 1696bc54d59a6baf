"""A clock as a code of squares that a camera can read: drawn, found again in a picture, and read (pure functions).

Two markers (ArUco) tell where the panel lies, also aslant; between them stand 24 squares, black for 1: sixteen bits of
milliseconds, then eight that check them. A picture taken while the code changed, or with something drawn over it, does
not pass the check and tells nothing.
"""

from __future__ import annotations

import zlib
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 360, 100
"""Size of the panel, its own pixels."""
WRAP_MS: Final = 1 << 16
"""The clock begins again after so long."""
_MARKER_PX: Final = 80
_MARKERS_AT: Final = ((10, 10), (270, 10))
_COLUMNS, _ROWS = 8, 3
_SQUARE_PX: Final = 20
_SQUARES_AT: Final = (100, 20)
_DICTIONARY: Final = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)

Place = NDArray[np.float64]
"""(3, 3) the picture's pixels from the panel's."""


def draw(now_s: float) -> NDArray[np.uint8]:
    """The panel (100, 360, 3) at that time of a clock."""
    panel = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for name, (x, y) in enumerate(_MARKERS_AT):
        panel[y : y + _MARKER_PX, x : x + _MARKER_PX] = cv2.aruco.generateImageMarker(_DICTIONARY, name, _MARKER_PX)
    bits = _bits(int(now_s * 1e3) % WRAP_MS).reshape(_ROWS, _COLUMNS)
    squares = np.kron(255 * (1 - bits), np.ones((_SQUARE_PX, _SQUARE_PX), np.uint8))
    x, y = _SQUARES_AT
    panel[y : y + squares.shape[0], x : x + squares.shape[1]] = squares
    return np.repeat(panel[..., None], 3, axis=2)


def find(image_bgr: NDArray[np.uint8]) -> Place | None:
    """Where the panel lies in a picture (H, W, 3), if both markers are seen; of several, the first found."""
    detector = cv2.aruco.ArucoDetector(_DICTIONARY)
    corners, names, _ = detector.detectMarkers(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY))
    seen = {} if names is None else {int(name): c[0] for c, name in zip(corners, names.ravel(), strict=True)}
    if not {0, 1} <= set(seen):
        return None
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (_MARKER_PX - 1.0)
    panel = np.concatenate([square + at for at in _MARKERS_AT])
    place, _ = cv2.findHomography(panel, np.concatenate([seen[0], seen[1]]).astype(np.float64))
    return None if place is None else np.asarray(place, np.float64)


def read(image_bgr: NDArray[np.uint8], place: Place) -> int | None:
    """Milliseconds of the clock, 0 to 65535, that the panel shows; None if it cannot be read."""
    grey = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
    panel = cv2.warpPerspective(grey, place, (WIDTH, HEIGHT), flags=cv2.INTER_AREA | cv2.WARP_INVERSE_MAP)
    x, y = _SQUARES_AT
    white = np.median(panel[y - 12 : y - 4, x : x + _COLUMNS * _SQUARE_PX])
    black = np.median([panel[my + 3 : my + 7, mx + 10 : mx + 70] for mx, my in _MARKERS_AT])
    squares = panel[y : y + _ROWS * _SQUARE_PX, x : x + _COLUMNS * _SQUARE_PX].astype(np.float64)
    middles = squares.reshape(_ROWS, _SQUARE_PX, _COLUMNS, _SQUARE_PX)[:, 6:14, :, 6:14].mean(axis=(1, 3))
    bits = (middles.ravel() < (float(white) + float(black)) / 2).astype(np.uint8)
    shown_ms = int(np.packbits(bits[:16]).view(">u2")[0])
    return shown_ms if np.array_equal(bits, _bits(shown_ms)) else None


def age_ms(shown_ms: int, now_s: float) -> float:
    """How long ago the clock showed that, less than a minute."""
    return (now_s * 1e3 - shown_ms) % WRAP_MS


def _bits(shown_ms: int) -> NDArray[np.uint8]:
    data = shown_ms.to_bytes(2, "big")
    return np.unpackbits(np.frombuffer(data + bytes([zlib.crc32(data) & 0xFF]), np.uint8))
