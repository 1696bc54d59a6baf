"""Pictures of a calibration board through a known lens, for the tests of what finds it again."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics
from realtime.calibration.board import Board
from realtime.calibration.sheet import FOOT_MM, PX_PER_MM, draw_sheet

SIZE = (640, 480)
LENS = Intrinsics(520.0, 524.0, 330.0, 232.0, distortion=(-0.24, 0.07, 0.0012, -0.0008))
MATRIX = np.array([[LENS.fx, 0, LENS.cx], [0, LENS.fy, LENS.cy], [0, 0, 1.0]])
_OVERSAMPLE = 2


def poses(count: int, seed: int = 1) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Rotations (3,) and places (3,) mm of the board's middle: all over the picture, tilted in all directions."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        z = rng.uniform(330, 480)
        column, row = (i % 4 - 1.5) / 1.5, (i // 4 % 3 - 1) / 1.0
        place = np.array([column * 0.42 * z, row * 0.30 * z, z])
        turn = np.array([rng.uniform(-0.65, 0.65), rng.uniform(-0.65, 0.65), rng.uniform(-0.4, 0.4)])
        found.append((turn, place))
    return found


def picture_of(board: Board, turn: NDArray, place: NDArray, blur: float = 0.6, noise: float = 2.0) -> NDArray[np.uint8]:
    """(480, 640, 3) what the lens shows of the board's page, traced back from every pixel."""
    page = _page(board)
    axes = cv2.Rodrigues(turn)[0]
    lines = _lines_of_sight() @ axes  # in the board's frame
    origin = -axes.T @ place
    reach = -origin[2] / lines[:, 2]
    page_mm = origin[:2] + lines[:, :2] * reach[:, None]
    middle = np.array([page.shape[1], page.shape[0] - FOOT_MM * PX_PER_MM]) / 2
    page_px = (page_mm * PX_PER_MM + middle - 0.5).astype(np.float32)
    page_px = page_px.reshape(SIZE[1] * _OVERSAMPLE, SIZE[0] * _OVERSAMPLE, 2)
    small = cv2.remap(page, page_px, None, cv2.INTER_LINEAR, borderValue=150)
    small = cv2.resize(small, SIZE, interpolation=cv2.INTER_AREA).astype(np.float64)
    small = cv2.GaussianBlur(small, (0, 0), blur) * 0.8 + 20
    small += np.random.default_rng(3).normal(0, noise, small.shape)
    return cv2.cvtColor(np.clip(small, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)


@lru_cache
def _page(board: Board) -> NDArray[np.uint8]:
    """The page, a little soft: a pixel of the picture covers several of it."""
    return np.asarray(cv2.GaussianBlur(draw_sheet(board, "a4"), (0, 0), 4), np.uint8)


@lru_cache
def _lines_of_sight() -> NDArray[np.float64]:
    """(N, 3) through every pixel of the oversampled picture."""
    width, height = (n * _OVERSAMPLE for n in SIZE)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    pixels = (np.stack([x, y], axis=-1).reshape(-1, 1, 2) + 0.5) / _OVERSAMPLE - 0.5
    seen = cv2.undistortPoints(pixels.astype(np.float64), MATRIX, np.array(LENS.distortion))[:, 0]
    return np.concatenate([seen, np.ones((len(seen), 1))], axis=1)
