"""Batches of composed frames, each decided by its place in the run alone."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from engines.errors import UserError
from training.banks.bank import HandBank
from training.banks.banks import BankMix, BankT
from training.banks.real_bank import RealBank
from training.datasets.synthetic import PHOTO_SUFFIXES
from training.lite.backgrounds import squares_of
from training.pairs.frames import Framed, Sizes, blank_frame, paste, shown, visible_area
from training.pairs.losses import PairLabels, stacked
from training.pairs.palm_features import PalmFeatures
from training.pairs.pieces import Piece, real_piece, rendered_piece
from training.pairs.settings import PairDataSettings
from training.pairs.targets import target_maps

_HELD_OUT_PHOTOS: Final = 5
"""One in so many, by its name."""
_TRIES: Final = 8
"""To draw both hands, or one, as wanted."""
KEPT: Final = 250
"""Batches that are learnt from again."""
_SECOND: Final = 0.45
"""Share of frames with hands that show those of two pieces."""


@dataclass(frozen=True)
class PairBatch:
    """What the trunk sees in frames, and what is in them."""

    at_8: Tensor
    """(B, 256, 24, 24) bfloat16."""
    at_16: Tensor
    """(B, 512, 12, 12) bfloat16."""
    labels: PairLabels

    def rows(self, part: slice) -> PairBatch:
        """A part of the batch."""
        return PairBatch(self.at_8[part], self.at_16[part], self.labels.rows(part))


@dataclass(frozen=True)
class Sources:
    """What frames are made of."""

    rendered: BankMix[HandBank]
    real: BankMix[RealBank] | None
    photos: NDArray[np.uint8]
    """(N, S, S, 3) RGB."""


def load_photos(root: Path, *, held_out: bool) -> NDArray[np.uint8]:
    """(N, S, S, 3) squares of the photographs below `root` that are, or are not, held out; UserError if none are."""
    paths = [path for path in sorted(root.rglob("*")) if path.suffix.lower() in PHOTO_SUFFIXES | {".hdr", ".exr"}]
    chosen = [path for path in paths if (zlib.crc32(path.name.encode()) % _HELD_OUT_PHOTOS == 0) == held_out]
    rng = np.random.default_rng(0)
    squares = [square for path in chosen for square in squares_of(path, rng)]
    if not squares:
        raise UserError(f"{root}: too few photographs; set data.backgrounds to a folder of pictures without hands")
    return np.stack(squares)


def compose(sources: Sources, data: PairDataSettings, rng: np.random.Generator) -> Framed:
    """One frame at random; its picture is ready for the detector."""
    framed = blank_frame(sources.photos[rng.integers(len(sources.photos))], rng)
    area, sizes = visible_area(rng), Sizes(data.smallest, data.largest)
    count = 0 if rng.random() < data.empty else 1 + int(rng.random() < _SECOND)
    for _ in range(count):
        piece = _piece(sources, data, rng)
        if piece.present.any():
            paste(framed, piece, area, sizes, rng)
    framed.rgb = shown(framed, area, rng)
    return framed


def draw_batch(
    sources: Sources, data: PairDataSettings, count: int, place: tuple[int, ...], features: PalmFeatures, device: str
) -> PairBatch:
    """`count` frames; `place` is what the random numbers depend on."""
    rng = np.random.default_rng(place)
    frames = [compose(sources, data, rng) for _ in range(count)]
    labels = stacked([target_maps(framed.targets, framed.unknown) for framed in frames], device)
    at_8, at_16 = features(np.stack([framed.rgb for framed in frames]), device)
    return PairBatch(at_8.bfloat16(), at_16.bfloat16(), labels)


def place_of(step: int, repeats: int, seed: int) -> int:
    """Which batch a step learns from: a new one at every `repeats`-th, else one of the last few hundred."""
    if step % repeats == 0:
        return step
    newest = step // repeats
    back = int(np.random.default_rng((seed, step)).integers(0, min(newest + 1, KEPT)))
    return (newest - back) * repeats


def _piece(sources: Sources, data: PairDataSettings, rng: np.random.Generator) -> Piece:
    if sources.real is not None and rng.random() < data.real:
        bank, row = _row(sources.real, rng)
        return real_piece(bank, row)
    wanted = bool(rng.random() < data.pairs)
    tries = [_row(sources.rendered, rng) for _ in range(_TRIES)]
    fit = [(bank, row) for bank, row in tries if bank.hand_present[row].all() == wanted]
    return rendered_piece(*(fit or tries)[0])


def _row(mix: BankMix[BankT], rng: np.random.Generator) -> tuple[BankT, int]:
    shares = np.array(mix.shares)
    bank = mix.parts[int(np.searchsorted(np.cumsum(shares) / shares.sum(), rng.random()))]
    return bank, int(rng.integers(len(bank)))
