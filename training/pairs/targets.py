"""What the pair detector should answer for a frame: heat maps of centres, boxes and directions (numpy)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.pair_spec import CELL_PX, CELLS, KINDS, Kind
from training.pairs.frames import Target

_SPREAD: Final = 0.1
"""Standard deviation of a centre, in sides of its box, ..."""
_LEAST_SPREAD: Final = 0.6
"""... and at least in cells."""
_DESCRIBES: Final = 0.4
"""Cells so near a centre tell its box, too."""


@dataclass(frozen=True)
class TargetMaps:
    """For each kind and cell; h = w = `pair_spec.CELLS`."""

    heat: NDArray[np.float32]
    """(3, h, w) 1 at a centre, falling off around it."""
    taught: NDArray[np.float32]
    """(3, h, w) 0 where it is not known whether there is a centre."""
    boxes: NDArray[np.float32]
    """(3, 6, h, w) offset x, y, log size x, y, up x, y, as `PairMaps` has them."""
    weight: NDArray[np.float32]
    """(3, h, w) how much the box is to be told here."""
    up_known: NDArray[np.float32]
    """(3, h, w)."""


def target_maps(targets: Sequence[Target], unknown: dict[Kind, list[NDArray[np.float32]]]) -> TargetMaps:
    """The maps of one frame."""
    shape = (len(KINDS), CELLS, CELLS)
    maps = TargetMaps(
        np.zeros(shape, np.float32),
        np.ones(shape, np.float32),
        np.zeros((len(KINDS), 6, CELLS, CELLS), np.float32),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
    )
    for kind, boxes in unknown.items():
        for box in boxes:
            left, top = np.floor(box[:2] / CELL_PX).clip(0, CELLS).astype(int)
            right, bottom = np.ceil(box[2:] / CELL_PX).clip(0, CELLS).astype(int)
            maps.taught[KINDS.index(kind), top:bottom, left:right] = 0
    for target in targets:
        _draw(maps, target)
    return maps


def _draw(maps: TargetMaps, target: Target) -> None:
    k = KINDS.index(target.kind)
    centre, size = cells_of(target.box_px)
    spread = np.maximum(_SPREAD * size, _LEAST_SPREAD)
    x, y = np.arange(CELLS) - centre[0], np.arange(CELLS) - centre[1]
    hottest = np.rint(centre).clip(0, CELLS - 1)
    from_cell = np.arange(CELLS)[:, None] - hottest
    bell = np.exp(-0.5 * (from_cell / spread) ** 2)
    heat = (bell[:, 1][:, None] * bell[:, 0]).astype(np.float32)  # exactly 1 in the centre's own cell
    own = (heat >= _DESCRIBES) & (heat > maps.heat[k])
    maps.weight[k][own] = heat[own]
    maps.up_known[k][own] = float(np.any(target.up))
    log_size = np.log(size.clip(0.25))
    values = [-x[None, :], -y[:, None], log_size[0], log_size[1], target.up[0], target.up[1]]
    for row, value in enumerate(values):
        maps.boxes[k, row][own] = np.broadcast_to(value, heat.shape)[own]
    maps.taught[k][heat >= _DESCRIBES] = 1
    np.maximum(maps.heat[k], heat, out=maps.heat[k])


def cells_of(box_px: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre and size (2,) of a box in cells; whole numbers are the middles of cells."""
    box = (np.asarray(box_px, np.float64) + 0.5) / CELL_PX
    return 0.5 * (box[:2] + box[2:]) - 0.5, box[2:] - box[:2]
