"""The boards a camera is calibrated with, and finding them in a picture: ChArUco and plain chessboard (OpenCV)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.sources.pictures import turned_back

BoardKind = Literal["charuco", "chessboard"]
FEWEST_CORNERS: Final = 8
DICTIONARY: Final = "DICT_5X5_250"
_MARKER_SHARE: Final = 0.75
"""Side of a marker in its square."""
_REFINE_SHARE: Final = 0.11
"""Half the window of the refinement, in squares: no marker reaches into it."""


@dataclass(frozen=True)
class View:
    """The board as one picture shows it."""

    name: str
    corners_px: NDArray[np.float32]
    """(N, 2) pixels of the picture."""
    corners_mm: NDArray[np.float32]
    """(N, 3) the same corners on the board, z = 0."""


@dataclass(frozen=True)
class Board:
    """`columns` x `rows` squares of `square_mm`."""

    kind: BoardKind
    columns: int = 6
    rows: int = 8
    square_mm: float = 30.0
    dictionary: str = DICTIONARY
    """OpenCV's name of the markers' dictionary; ours unless the board was made by another program."""
    inverted: bool = False
    """White on black."""

    def __post_init__(self) -> None:
        """Raise UserError for a board that cannot be."""
        if not (3 <= self.columns <= 20 and 3 <= self.rows <= 20 and 1 <= self.square_mm <= 1000):
            raise UserError(
                f"a board of {self.columns}x{self.rows} squares of {self.square_mm:g} mm: 3x3 to 20x20, 1 mm up"
            )
        if not (self.dictionary.startswith("DICT_") and hasattr(cv2.aruco, self.dictionary)):
            raise UserError(f"dictionary {self.dictionary!r} is unknown to OpenCV; its names are like {DICTIONARY}")
        if self.kind == "chessboard" and self.columns % 2 == self.rows % 2:
            raise UserError(
                "a chessboard with both sides odd, or both even, looks the same upside down: take 6x9 squares"
            )

    @cached_property
    def pattern(self) -> cv2.aruco.CharucoBoard:
        """OpenCV's description of the ChArUco board, millimetres."""
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, self.dictionary))
        marker_mm = self.square_mm * _MARKER_SHARE
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square_mm, marker_mm, dictionary)

    def find(self, image_bgr: NDArray[np.uint8], name: str) -> View | None:
        """The board's inner corners, below one pixel; None if fewer than eight of them are found, or in one line."""
        grey = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
        grey = cv2.bitwise_not(grey) if self.inverted else grey
        view = self._find_charuco(grey, name) if self.kind == "charuco" else self._find_chessboard(grey, name)
        if view is None or len(view.corners_px) < FEWEST_CORNERS:
            return None
        spread = view.corners_mm[:, :2] - view.corners_mm[:, :2].mean(axis=0)
        return view if np.linalg.svd(spread, compute_uv=False)[1] > self.square_mm / 2 else None

    def is_mirrored(self, image_bgr: NDArray[np.uint8]) -> bool:
        """Whether the picture, in which the board was not found, is a mirror's: the markers read backwards.

        A plain chessboard looks the same in a mirror, so it never tells.
        """
        return self.kind == "charuco" and self.find(turned_back(image_bgr), "mirrored") is not None

    def _find_charuco(self, grey: NDArray, name: str) -> View | None:
        corners_px, ids, _, _ = self._detector.detectBoard(grey)
        if ids is None or corners_px is None:
            return None
        corners_mm = np.asarray(self.pattern.getChessboardCorners(), np.float32)[ids.ravel()]
        return View(name, _refined(grey, corners_px.reshape(-1, 2).astype(np.float32)), corners_mm)

    def _find_chessboard(self, grey: NDArray, name: str) -> View | None:
        inner = (self.columns - 1, self.rows - 1)
        found, corners_px = cv2.findChessboardCornersSB(grey, inner, flags=cv2.CALIB_CB_NORMALIZE_IMAGE)
        if not found:
            return None
        x, y = np.meshgrid(np.arange(1, self.columns), np.arange(1, self.rows))
        corners_mm = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1) * self.square_mm
        return View(name, corners_px.reshape(-1, 2).astype(np.float32), corners_mm.astype(np.float32))

    @cached_property
    def _detector(self) -> cv2.aruco.CharucoDetector:
        return cv2.aruco.CharucoDetector(self.pattern)


def _refined(grey: NDArray, corners_px: NDArray[np.float32]) -> NDArray[np.float32]:
    """The corners once more below one pixel: OpenCV up to 4.12 gives ChArUco's half a pixel off (its issue 25539)."""
    apart = np.linalg.norm(corners_px[:, None] - corners_px[None], axis=-1)
    nearest = float(np.median(np.sort(apart, axis=1)[:, 1])) if len(apart) > 1 else 0.0
    half = int(np.clip(round(_REFINE_SHARE * nearest), 2, 8))
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 0.005)
    refined = cv2.cornerSubPix(grey, corners_px.reshape(-1, 1, 2).copy(), (half, half), (-1, -1), stop)
    return np.asarray(refined, np.float32).reshape(-1, 2)


def parse_squares(text: str) -> tuple[int, int]:
    """Columns and rows of "6x8". Raises ValueError if it is not so written."""
    columns, rows = text.lower().split("x")
    return int(columns), int(rows)
