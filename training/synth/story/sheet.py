"""Frames of a clip with their joints drawn, on one picture: to be looked at (OpenCV; any thread)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.skeleton import BONES, HAND_SLICES, SIDES, Side

TILES: Final = 24
_COLUMNS: Final = 6
_TILE_PX: Final = (320, 240)
_COLOURS: Final[dict[Side, tuple[int, int, int]]] = {"right": (80, 255, 80), "left": (255, 80, 255)}


def clip_sheet(clip: Path, target: Path, tiles: int = TILES) -> None:
    """Write evenly picked frames of a clip, right joints green, left ones magenta, as a JPEG."""
    with np.load(clip.with_suffix(".npz"), allow_pickle=False) as truth:
        joints, present, times = truth["joints_px"], truth["hand_present"], truth["t_s"]
    picks = np.linspace(0, len(times) - 1, min(tiles, len(times))).astype(int)
    capture, shown = cv2.VideoCapture(str(clip)), []
    for index in range(int(picks[-1]) + 1):
        good, frame = capture.read()
        if good and index in picks:
            shown.append(_tile(frame, joints[index], present[index], float(times[index])))
    capture.release()
    shown += [np.zeros_like(shown[0])] * (-len(shown) % _COLUMNS)
    rows = [np.hstack(shown[k : k + _COLUMNS]) for k in range(0, len(shown), _COLUMNS)]
    cv2.imwrite(str(target), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 88])


def _tile(frame: NDArray, joints_px: NDArray, present: NDArray, t_s: float) -> NDArray[np.uint8]:
    scale = np.array(_TILE_PX) / frame.shape[1::-1]
    tile = cv2.resize(frame, _TILE_PX, interpolation=cv2.INTER_AREA)
    for side, there in zip(SIDES, present, strict=True):
        points = np.rint(((joints_px[HAND_SLICES[side]] + 0.5) * scale - 0.5) * 16).astype(int)
        for child, parent in BONES if there else ():
            ends = tuple(map(int, points[parent])), tuple(map(int, points[child]))
            cv2.line(tile, *ends, _COLOURS[side], 1, cv2.LINE_AA, 4)
    cv2.putText(
        tile, f"{t_s:.1f} s", (5, _TILE_PX[1] - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA
    )
    return np.asarray(tile, np.uint8)
