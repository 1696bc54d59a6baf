"""Which two hands of some sets become a pair, and how they meet: at random, or as the hands of a rendered picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import SIDES, Side
from training.banks.real_bank import RealBank
from training.composed.arrangements import Arrangement, Gallery
from training.composed.cutouts import Cutout, cut_out, mirrored, with_room
from training.composed.pairs import composed_pair
from training.pseudo.labelling import Labelled

Draw = Callable[[np.random.Generator], Labelled | str]
"""A pair, or why there is none this time."""

_OF_ONE_SET: Final = 0.7
"""Chance that both hands are from one set: mostly of one person, one camera, one room."""
_NEAREST, _ALIKE = 6, 0.88
"""Of so many hands of a set, posed most like a rendered one, one is drawn; less alike they may not be."""
_NOT_TOLD: Final = "not told from what is around it"


class AtRandom:
    """`draw(rng)` -> any two hands, laid somehow, or why there are none."""

    def __init__(self, banks: Sequence[RealBank], alone: Sequence[NDArray[np.int64]]) -> None:
        """`alone` are rows of each bank that show one hand."""
        self._banks, self._alone = banks, alone

    def __call__(self, rng: np.random.Generator) -> Labelled | str:
        """One try."""
        first, second = (cut_out(self._banks[k], int(rng.choice(self._alone[k]))) for k in self._sets(rng))
        if first is None or second is None:
            return _NOT_TOLD
        return composed_pair(first, second, rng) or "no place at the other hand"

    def _sets(self, rng: np.random.Generator) -> tuple[int, int]:
        """Of which sets both hands are."""
        sizes = np.array([len(rows) for rows in self._alone])
        weights = sizes / sizes.sum()
        of = int(rng.choice(len(sizes), p=weights))
        return of, of if rng.random() < _OF_ONE_SET else int(rng.choice(len(sizes), p=weights))


class AsRendered:
    """`draw(rng)` -> two hands that are posed, and lie, as those of a rendered picture, or why there are none."""

    def __init__(
        self, banks: Sequence[RealBank], alone: Sequence[NDArray[np.int64]], like: Sequence[Arrangement]
    ) -> None:
        """`alone` are rows of each bank that show one hand."""
        self._banks, self._like = banks, like
        self._galleries = [Gallery.of(bank, rows) for bank, rows in zip(banks, alone, strict=True)]

    def __call__(self, rng: np.random.Generator) -> Labelled | str:
        """One try."""
        like = self._like[rng.integers(len(self._like))]
        sides = [SIDES[k] for k in rng.permutation(len(SIDES))]
        posed = [self._posed(like.joints_px[SIDES.index(side)], side) for side in sides]
        of = _sets_of_both(posed, rng)
        if of is None:
            return "no hands are posed like that"
        first, second = (
            self._cut(k, int(rng.choice(one[k])), side) for k, one, side in zip(of, posed, sides, strict=True)
        )
        if first is None or second is None:
            return _NOT_TOLD
        return composed_pair(first, second, rng, like) or "too little would be seen"

    def _posed(self, joints_px: NDArray, side: Side) -> dict[int, NDArray[np.int64]]:
        """Of each set that has some, the rows whose hands are posed most like that."""
        alike = {k: gallery.alike(joints_px, side) for k, gallery in enumerate(self._galleries)}
        best = {k: np.argsort(-found)[:_NEAREST] for k, found in alike.items()}
        kept = {k: rows[alike[k][rows] > _ALIKE] for k, rows in best.items()}
        return {k: self._galleries[k].rows[rows] for k, rows in kept.items() if len(rows)}

    def _cut(self, of: int, row: int, side: Side) -> Cutout | None:
        """The hand as one of that side, with room around it."""
        hand = cut_out(self._banks[of], row)
        if hand is None:
            return None
        return with_room(hand if hand.side == side else mirrored(hand))


def _sets_of_both(posed: list[dict[int, NDArray[np.int64]]], rng: np.random.Generator) -> tuple[int, int] | None:
    """Of which sets both hands are, of those that have hands posed as they are to be."""
    first, second = posed
    if not first or not second:
        return None
    common = [k for k in first if k in second]
    if common and rng.random() < _OF_ONE_SET:
        of = int(rng.choice(common))
        return of, of
    return int(rng.choice(list(first))), int(rng.choice(list(second)))
