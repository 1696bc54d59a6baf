"""Error against the number of views: figure 4 of the paper (numpy; one thread).

For v = 2 ... V views: v cameras are drawn at random, their detections triangulated as always, and the distance of every
joint from the truth averaged; again for every draw. The truth is the renderer's, or, where nothing better is there, the
solution from all views, which flatters large v: at V the error is zero by construction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.annotation.triangulation.hands import Hands
from training.annotation.triangulation.observations import Observations
from training.annotation.triangulation.robust import known_mean, known_median
from training.annotation.triangulation.solve import SolveSettings, solve

PAPER_MM: Final = 2.78
PAPER_VIEWS: Final = 90


@dataclass(frozen=True)
class ViewsRow:
    """What v views gave, over all draws."""

    views: int
    draws: int
    mean_mm: float
    """Mean over draws of the mean distance of accepted joints."""
    deviation_mm: float
    """Standard deviation of that mean over draws: what the choice of views does."""
    median_mm: float
    """Median distance of single joints."""
    accepted: float
    """Share of the true joints that were accepted."""
    all_mean_mm: float
    """As `mean_mm`, of all joints that were placed at all, rejected ones too."""


def error_by_views(
    seen: Observations,
    truth: Hands,
    draws: int,
    settings: SolveSettings,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> list[ViewsRow]:
    """One row for each number of views."""
    rng = np.random.default_rng([seed, 17])
    views = len(seen.rig)
    rows = []
    for v in range(2, views + 1):
        found = [_errors(seen.of_views(chosen), truth, settings) for chosen in _drawn(views, v, draws, rng)]
        rows.append(_row(v, found, truth))
        say(f"views {v:3d}: {rows[-1].mean_mm:.2f} mm")
    return rows


def table(rows: list[ViewsRow]) -> str:
    """The rows as text, beside the paper's figure."""
    lines = [
        f"{'views':>5}{'draws':>7}{'mean mm':>9}{'+- mm':>7}{'median mm':>11}{'accepted':>10}{'all joints mm':>15}"
    ]
    lines += [
        f"{r.views:5d}{r.draws:7d}{r.mean_mm:9.2f}{r.deviation_mm:7.2f}{r.median_mm:11.2f}{r.accepted:10.1%}"
        f"{r.all_mean_mm:15.2f}"
        for r in rows
    ]
    return "\n".join([*lines, f"the paper's annotator, {PAPER_VIEWS} views of its studio: {PAPER_MM} mm"])


def _drawn(views: int, v: int, draws: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Different choices of v views: all there are, or so many at random."""
    if comb(views, v) <= draws:
        return list(combinations(range(views), v))
    chosen: set[tuple[int, ...]] = set()
    while len(chosen) < draws:
        chosen.add(tuple(sorted(int(k) for k in rng.choice(views, v, replace=False))))
    return sorted(chosen)


def _errors(seen: Observations, truth: Hands, settings: SolveSettings) -> tuple[NDArray, NDArray]:
    """(M, 42) distances in mm, NaN where the truth or the joint is not known, and which joints were accepted."""
    hands = solve(seen, truth.t_s, settings).hands
    off = np.linalg.norm(hands.joints_mm - truth.labelled_mm, axis=-1)
    return off, hands.accepted & np.isfinite(off)


def _row(v: int, found: list[tuple[NDArray, NDArray]], truth: Hands) -> ViewsRow:
    means = np.array([known_mean(np.where(accepted, off, np.nan)) for off, accepted in found])
    single = np.concatenate([off[accepted] for off, accepted in found])
    return ViewsRow(
        views=v,
        draws=len(found),
        mean_mm=known_mean(means),
        deviation_mm=float(np.nanstd(means)) if np.isfinite(means).any() else float("nan"),
        median_mm=float(known_median(single)),
        accepted=float(np.mean([accepted.sum() for _, accepted in found]) / max(int(truth.accepted.sum()), 1)),
        all_mean_mm=known_mean(np.array([known_mean(off) for off, _ in found])),
    )
