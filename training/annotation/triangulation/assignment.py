"""Which hand each view means: left and right kept apart across views (numpy; any thread).

A view may exchange hands, or see one and misname it. So names are votes only: what belongs together is what meets in
space. Any two hands of two views make a hypothesis; the one that most views support is a hand, and so is the best of
what it leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import BONES, JOINTS_PER_HAND
from training.annotation.triangulation.observations import Observations
from training.annotation.triangulation.pairs import deviations, midpoints, view_pairs
from training.annotation.triangulation.robust import known_median

MOST_PAIRS: Final = 30
SUPPORT: Final = 4.0
"""A view supports a hand if its median joint is within so many sigmas."""
_SPAN_MM: Final = (40.0, 330.0)
"""From the wrist to the farthest joint of a hand, children's and wrong guesses' edges."""
_NAME_WEIGHT: Final = 0.25
"""What agreeing names add to the support of a pair of views."""
_CHILD, _PARENT = (np.array(ends) for ends in zip(*BONES, strict=True))


@dataclass(frozen=True, eq=False)
class Assigned:
    """Observations with hands named alike in all views; a hand that no other view supports is left out."""

    seen: Observations
    renamed: NDArray[np.bool_]
    """(M, V, 2) hands (right, left as named now) that the view had called the other one."""
    alone: NDArray[np.bool_]
    """(M, V, 2) hands, as the view named them, that no other view agrees with."""


def assign(seen: Observations, seed: int = 0) -> Assigned:
    """Sort the hands of every moment."""
    candidates = _Candidates.of(seen)
    pairs = view_pairs(len(seen.rig), MOST_PAIRS, np.random.default_rng(seed))
    free = candidates.there.copy()
    first, votes_a = _best_hand(seen, candidates, free, pairs)
    free &= ~_one_hot(first)
    second, votes_b = _best_hand(seen, candidates, free, pairs)
    return _named(seen, candidates, (first, second), (votes_a, votes_b))


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Hands of every view as two slots, (M, V, 2, 21, ...)."""

    sights: NDArray[np.float64]
    sigma_px: NDArray[np.float64]
    there: NDArray[np.bool_]
    """(M, V, 2)."""
    probability: NDArray[np.float64]
    """(M, V, 2)."""

    @classmethod
    def of(cls, seen: Observations) -> _Candidates:
        shape = (*seen.sigma_px.shape[:2], 2, JOINTS_PER_HAND)
        sights, sigma = seen.sights.reshape(*shape, 2), seen.sigma_px.reshape(shape)
        there = np.isfinite(sights).all(axis=-1).sum(axis=-1) >= JOINTS_PER_HAND // 3
        return cls(sights, sigma, there, seen.probability)


def _best_hand(
    seen: Observations, candidates: _Candidates, free: NDArray[np.bool_], pairs: NDArray
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The best supported hand of the free ones: (M, V) each view's slot, -1 for none; (M, 2) votes for a side."""
    moments, views = free.shape[:2]
    best = np.full(moments, 0.0)
    chosen = np.full((moments, views), -1, np.int64)
    for a, b in pairs:
        for slot_a in (0, 1):
            for slot_b in (0, 1):
                rows = np.flatnonzero(free[:, a, slot_a] & free[:, b, slot_b])
                if not len(rows):
                    continue
                points = midpoints(
                    seen.rig[a], seen.rig[b], candidates.sights[rows, a, slot_a], candidates.sights[rows, b, slot_b]
                )
                support, slots = _support(seen, candidates, free, rows, points)
                own = slots[:, a] == slot_a
                own &= slots[:, b] == slot_b
                named = (np.array([slot_a, slot_b])[None] == slots[:, [a, b]]).all(axis=1) & (slot_a == slot_b)
                score = np.where(own & _plausible(points), support + _NAME_WEIGHT * named, 0.0)
                better = score > best[rows]
                best[rows[better]] = score[better]
                chosen[rows[better]] = slots[better]
    counted = (chosen >= 0).sum(axis=1) >= 2
    chosen[~counted] = -1
    votes = np.zeros((moments, 2))
    for slot in (0, 1):
        votes[:, slot] = np.where(chosen == slot, candidates.probability[:, :, slot], 0.0).sum(axis=1)
    return chosen, votes


def _support(
    seen: Observations, candidates: _Candidates, free: NDArray, rows: NDArray, points: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(R,) how much the views agree with hands (R, 21, 3), and (R, V) by which of their slots, -1 for none."""
    off = []
    for slot in (0, 1):
        sigma = candidates.sigma_px[rows, :, slot]
        distance = deviations(seen.rig, points, candidates.sights[rows, :, slot], sigma)
        middle = known_median(np.where(free[rows, :, slot, None], distance, np.nan), axis=-1)
        off.append(np.where(np.isfinite(middle), middle, np.inf))
    apart = np.stack(off, axis=-1)
    slots = apart.argmin(axis=-1)
    nearest = np.take_along_axis(apart, slots[..., None], axis=-1)[..., 0]
    agrees = nearest < SUPPORT
    support = np.where(agrees, 1.0 - 0.5 * (np.where(agrees, nearest, 0.0) / SUPPORT) ** 2, 0.0).sum(axis=-1)
    return support, np.where(agrees, slots, -1)


def _plausible(points: NDArray) -> NDArray[np.bool_]:
    """(R,) whether joints (R, 21, 3) span what a hand may."""
    with np.errstate(invalid="ignore"):
        span = known_median(np.linalg.norm(points - points[:, -1:], axis=-1), axis=-1)
        bones = known_median(np.linalg.norm(points[:, _CHILD] - points[:, _PARENT], axis=-1), axis=-1)
        return np.asarray((span > _SPAN_MM[0]) & (span < _SPAN_MM[1]) & (bones > 8) & (bones < 90))


def _one_hot(slots: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.stack([slots == 0, slots == 1], axis=-1)


def _named(
    seen: Observations,
    candidates: _Candidates,
    hands: tuple[NDArray[np.int64], NDArray[np.int64]],
    votes: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> Assigned:
    """Name each hand by its votes; two hands never have one name."""
    lead = [v[:, 0] - v[:, 1] for v in votes]  # positive: right
    there = [(hand >= 0).any(axis=1) for hand in hands]
    first_is_right = np.where(there[1], lead[0] - lead[1] >= 0, lead[0] >= 0)
    shape = candidates.there.shape
    out_px, out_sights = (np.full((*shape[:2], 42, 2), np.nan) for _ in range(2))
    out_sigma, probability = np.full((*shape[:2], 42), np.nan), np.zeros(shape)
    renamed, alone = np.zeros(shape, bool), candidates.there.copy()
    for k, hand in enumerate(hands):
        side = np.where(first_is_right, k, 1 - k)
        moments, views = np.nonzero(hand >= 0)
        slots, sides = hand[moments, views], side[moments]
        source = slots[:, None] * JOINTS_PER_HAND + np.arange(JOINTS_PER_HAND)
        target = sides[:, None] * JOINTS_PER_HAND + np.arange(JOINTS_PER_HAND)
        at_source = moments[:, None], views[:, None], source
        at_target = moments[:, None], views[:, None], target
        for out, found in ((out_px, seen.joints_px), (out_sights, seen.sights), (out_sigma, seen.sigma_px)):
            out[at_target] = found[at_source]
        probability[moments, views, sides] = candidates.probability[moments, views, slots]
        renamed[moments, views, sides] = slots != sides
        alone[moments, views, slots] = False
    return Assigned(Observations(seen.rig, out_px, out_sigma, out_sights, probability), renamed, alone)
