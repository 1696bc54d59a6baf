"""Contact sheets: labels, and what was found, drawn over the pictures (OpenCV)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.geometry.crop import Crop, extract, transform
from engines.skeleton import BONES, FINGER_TIPS, HAND_SLICES, SIDES
from training.datasets.sample import LabelledSample, read_picture
from training.evaluation.predictions import Predictions

TILE_PX = 256
WHITE, BLUE, ORANGE = (255, 255, 255), (255, 150, 60), (40, 160, 255)
_COLUMNS = 8
_MARGIN = 1.2
"""A tile shows a little more than the network's crop."""


def labels_sheet(samples: Sequence[LabelledSample], path: Path, count: int = 40) -> None:
    """Labelled joints of evenly picked samples: blue right, orange left, white where the side is not told."""
    tiles = []
    for i in np.linspace(0, len(samples) - 1, min(count, len(samples))).astype(int):
        tile, tile_from_image = _tile(samples[i], samples[i].crop())
        draw_labels(tile, samples[i], tile_from_image)
        caption(tile, f"{samples[i].annotation_id} {samples[i].sequence}"[:34])
        tiles.append(tile)
    save_sheet(tiles, path)


def answers_sheet(
    samples: Sequence[LabelledSample], found: Predictions, rows: Sequence[int], path: Path, captions: Sequence[str]
) -> None:
    """Found joints in colour over the labelled ones in white, for the named rows."""
    tiles = []
    for i, text in zip(rows, captions, strict=True):
        tile, tile_from_image = _tile(samples[i], samples[i].crop())
        draw_labels(tile, samples[i], tile_from_image, colour=WHITE)
        for hand, (side, colour) in enumerate(zip(SIDES, (BLUE, ORANGE), strict=True)):
            if found.hand_probability[i, hand] > 0.5:
                points = transform(tile_from_image, found.joints_px[i, HAND_SLICES[side]])
                draw_hand(tile, points, np.ones(21, bool), colour)
        caption(tile, text)
        tiles.append(tile)
    save_sheet(tiles, path)


def draw_labels(
    tile: NDArray[np.uint8],
    sample: LabelledSample,
    tile_from_image: NDArray,
    colour: tuple[int, int, int] | None = None,
) -> None:
    """The labelled hands of a sample, in place."""
    for side, own in zip(SIDES, (BLUE, ORANGE), strict=True):
        rows = HAND_SLICES[side]
        shown = colour or (own if sample.handedness_known else WHITE)
        draw_hand(tile, transform(tile_from_image, sample.joints_px[rows]), sample.joint_px_valid[rows], shown)


def draw_hand(tile: NDArray[np.uint8], points: NDArray, valid: NDArray, colour: tuple[int, int, int]) -> None:
    """Bones between valid joints (21, 2), dots at joints without a drawn bone and at the tips, in place."""
    fixed = np.clip(np.rint(points * 8), -30000, 30000).astype(int)
    joined = set()
    for a, b in BONES:
        if valid[a] and valid[b]:
            cv2.line(tile, fixed[a].tolist(), fixed[b].tolist(), colour, 1, cv2.LINE_AA, 3)
            joined |= {a, b}
    for j in np.flatnonzero(valid):
        if j in FINGER_TIPS or j not in joined:
            cv2.circle(tile, fixed[j].tolist(), 20, colour, -1, cv2.LINE_AA, 3)


def save_sheet(tiles: list[NDArray[np.uint8]], path: Path) -> None:
    """Tiles of one size, in rows; raises UserError if the file cannot be written."""
    columns = min(_COLUMNS, max(1, len(tiles)))
    tiles = tiles + [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    sheet = np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = cv2.imwrite(str(path), sheet)
    except (OSError, cv2.error) as error:
        raise UserError(f"{path}: the picture cannot be written ({error})") from error
    if not written:
        raise UserError(f"{path}: the picture cannot be written")


def _tile(sample: LabelledSample, crop: Crop) -> tuple[NDArray[np.uint8], NDArray]:
    """A square of the picture and the matrix that leads into it."""
    wider = Crop(crop.center_px, crop.side_px * _MARGIN, crop.angle_rad)
    return extract(read_picture(sample.picture), wider, TILE_PX), wider.crop_from_image(TILE_PX)


def caption(tile: NDArray[np.uint8], text: str) -> None:
    """A line of text in the tile's upper corner, in place."""
    for colour, thickness in (((0, 0, 0), 3), (WHITE, 1)):
        cv2.putText(tile, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, thickness, cv2.LINE_AA)
