"""Triangulated hands drawn into the cameras' pictures, to be looked at (OpenCV; one thread)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.skeleton import BONES, HAND_SLICES, SIDES
from training.annotation.recordings.recording import Recording
from training.annotation.triangulation.delays import as_shown
from training.annotation.triangulation.hands import Hands

_COLOUR: Final = {"right": (60, 170, 255), "left": (255, 190, 60)}
_REJECTED: Final = (60, 60, 230)
_SHIFT: Final = 4
_FACTOR: Final = 2
_TILE_PX: Final = (640, 480)


def frames_of(recording: Recording, view: int, moments: Sequence[int]) -> dict[int, NDArray[np.uint8]]:
    """Pictures of some moments of one camera."""
    wanted = {int(recording.frames[m, view]): m for m in moments if recording.frames[m, view] >= 0}
    found: dict[int, NDArray[np.uint8]] = {}
    for frame in recording.pictures(view):
        if frame.index in wanted:
            found[wanted[frame.index]] = frame.image_bgr
        if len(found) == len(wanted):
            break
    return found


def draw_hands(picture: NDArray[np.uint8], joints_px: NDArray, accepted: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A copy, twice as large, with joints (42, 2): bones of accepted joints in the hand's colour, others red dots."""
    drawn = cv2.resize(picture, None, fx=_FACTOR, fy=_FACTOR, interpolation=cv2.INTER_CUBIC)
    for side in SIDES:
        joints, good = joints_px[HAND_SLICES[side]], accepted[HAND_SLICES[side]]
        there = np.isfinite(joints).all(axis=-1) & (np.abs(np.nan_to_num(joints)) < 20_000).all(axis=-1)
        for child, parent in BONES:
            if there[child] and there[parent] and good[child] and good[parent]:
                cv2.line(drawn, _at(joints[child]), _at(joints[parent]), _COLOUR[side], 2, cv2.LINE_AA, _SHIFT)
        for joint in np.flatnonzero(there):
            colour = (255, 255, 255) if good[joint] else _REJECTED
            cv2.circle(drawn, _at(joints[joint]), 3 << _SHIFT, colour, 1, cv2.LINE_AA, _SHIFT)
    return drawn


def write_reprojections(recording: Recording, hands: Hands, folder: Path, moments: Sequence[int]) -> list[Path]:
    """`moment-NNNN.png`: all views of a moment side by side, each cut to where the hands are."""
    pictures = [frames_of(recording, view, moments) for view in range(len(recording.rig))]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror})") from error
    shown = [as_shown(hands, view) for view in range(len(recording.rig))]
    paths = []
    for moment in moments:
        tiles = []
        for view, camera in enumerate(recording.rig):
            if moment not in pictures[view]:
                continue
            joints, good = camera.project(shown[view][0][moment]), shown[view][1][moment]
            drawn = draw_hands(pictures[view][moment], joints, good)
            tiles.append(_cut(drawn, joints[good], camera.name))
        paths.append(folder / f"moment-{moment:04d}.png")
        cv2.imwrite(str(paths[-1]), _grid(tiles))
    return paths


def _cut(
    drawn: NDArray[np.uint8], joints_px: NDArray, name: str, size: tuple[int, int] = (640, 480)
) -> NDArray[np.uint8]:
    """The part around the hands, or the whole picture, at one size."""
    height, width = drawn.shape[:2]
    size = _TILE_PX
    inside = joints_px[np.isfinite(joints_px).all(axis=-1)] * _FACTOR
    inside = inside[((inside >= 0) & (inside < [width, height])).all(axis=-1)]
    low, high = np.zeros(2), np.array([width, height], float)
    if len(inside):
        middle, extent = (inside.min(0) + inside.max(0)) / 2, np.ptp(inside, axis=0).max() * 0.7 + 40
        low, high = middle - extent * np.array([4 / 3, 1]), middle + extent * np.array([4 / 3, 1])
    x0, y0 = np.clip(low, 0, [width - 2, height - 2]).astype(int)
    x1, y1 = np.clip(high, [x0 + 2, y0 + 2], [width, height]).astype(int)
    part = drawn[y0:y1, x0:x1]
    scale = min(size[0] / part.shape[1], size[1] / part.shape[0])
    part = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    tile = np.zeros((size[1], size[0], 3), np.uint8)
    tile[: min(part.shape[0], size[1]), : min(part.shape[1], size[0])] = part[: size[1], : size[0]]
    cv2.putText(tile, name, (10, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 2, cv2.LINE_AA)
    return tile


def _grid(tiles: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    columns = int(np.ceil(np.sqrt(len(tiles))))
    blank = np.zeros_like(tiles[0])
    padded = [*tiles, *[blank] * (-len(tiles) % columns)]
    return np.vstack([np.hstack(padded[k : k + columns]) for k in range(0, len(padded), columns)])


def _at(point: NDArray) -> tuple[int, int]:
    """Fixed-point pixel of the enlarged copy."""
    x, y = ((point + 0.5) * _FACTOR - 0.5) * (1 << _SHIFT)
    return round(float(x)), round(float(y))
