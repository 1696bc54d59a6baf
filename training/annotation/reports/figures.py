"""The figures of a triangulated recording, as numbers and as text (numpy; any thread)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engines.skeleton import FINGERS, HAND_SLICES, JOINT_NAMES, SIDES
from realtime.camera_space.bone_lengths import hand_length
from training.annotation.triangulation.hands import ACCEPTED, NOT_SEEN, REASONS
from training.annotation.triangulation.health import CameraHealth
from training.annotation.triangulation.robust import known_mean, known_median
from training.annotation.triangulation.solve import Solution


@dataclass(frozen=True)
class Figures:
    """How a recording went; errors in pixels are of accepted joints, NaN where there is none."""

    moments: int
    hands: dict[str, int]
    """Moments in which a side has accepted joints."""
    accepted: float
    """Share of the joints of hands that any camera saw."""
    reasons: dict[str, int]
    error_px: float
    """Median over accepted joints and the views that they were made from."""
    error_all_px: float
    """The same over all views that saw the joint, those left out as outliers too."""
    error_mean_px: float
    camera_error_px: dict[str, float]
    joint_error_px: dict[str, float]
    camera_used: dict[str, float]
    """Share of what a camera saw of accepted joints that agreed."""
    sigma_mm: float
    """Median standard deviation of accepted joints, as the views' own sigmas imply."""
    bone_spread_mm: float
    """Mean over bones of the robust deviation of their length over the recording."""
    bone_spread_share: float
    hand_length_mm: dict[str, float]
    """Wrist to middle fingertip along median bones."""
    renamed: int
    """Hands that a view had called by the other name."""
    alone: int
    """Hands that one view saw and no other agreed with."""
    one_view: int
    """Moments in which a side was seen by one view only."""


def figures_of(solution: Solution, names: Sequence[str]) -> Figures:
    """Figures of a solution; `names` of the cameras."""
    hands = solution.hands
    accepted = hands.accepted
    kept = np.where(hands.used & accepted[:, None], hands.error_px, np.nan)
    every = np.where(accepted[:, None], hands.error_px, np.nan)
    seen = hands.reason != NOT_SEEN
    saw = np.isfinite(every)
    return Figures(
        moments=len(accepted),
        hands={side: int(accepted[:, HAND_SLICES[side]].any(axis=1).sum()) for side in SIDES},
        accepted=float(accepted.sum() / max(int(seen.sum()), 1)),
        reasons={REASONS[k]: int((hands.reason == k).sum()) for k in range(len(REASONS)) if k != ACCEPTED},
        error_px=float(known_median(kept)),
        error_all_px=float(known_median(every)),
        error_mean_px=known_mean(kept),
        camera_error_px={name: float(known_median(kept[:, v])) for v, name in enumerate(names)},
        joint_error_px={name: float(known_median(kept[:, :, [j, 21 + j]])) for j, name in enumerate(JOINT_NAMES)},
        camera_used={
            name: float(np.isfinite(kept[:, v]).sum() / max(int(saw[:, v].sum()), 1)) for v, name in enumerate(names)
        },
        sigma_mm=float(known_median(np.where(accepted, hands.sigma_mm, np.nan))),
        bone_spread_mm=known_mean(solution.length_spread_mm),
        bone_spread_share=known_mean(solution.length_spread_mm / solution.lengths_mm),
        hand_length_mm={side: hand_length(solution.lengths_mm[k]) for k, side in enumerate(SIDES)},
        renamed=int(solution.assigned.renamed.sum()),
        alone=int(solution.assigned.alone.sum()),
        one_view=int(_only_one(solution).sum()),
    )


def report_text(figures: Figures, health: Sequence[CameraHealth]) -> str:
    """The report as lines of text."""
    f = figures
    lines = [
        f"moments     {f.moments}; right hand in {f.hands['right']}, left in {f.hands['left']}",
        f"accepted    {f.accepted:.1%} of the joints that were seen; not: "
        + ", ".join(f"{name} {count}" for name, count in f.reasons.items() if count),
        f"error       {f.error_px:.2f} px median of accepted joints ({f.error_mean_px:.2f} mean; all views "
        f"{f.error_all_px:.2f}); sigma {f.sigma_mm:.1f} mm",
        f"bones       {f.bone_spread_mm:.1f} mm spread ({f.bone_spread_share:.1%}); hand length right "
        f"{f.hand_length_mm['right']:.0f}, left {f.hand_length_mm['left']:.0f} mm",
        f"names       {f.renamed} hands renamed by the other views, {f.alone} that no other view agrees with",
        "",
        f"{'camera':16}{'error px':>10}{'agrees':>9}{'against others px':>19}{'delay ms':>10}",
    ]
    for one in health:
        lines.append(
            f"{one.name:16}{f.camera_error_px[one.name]:10.2f}{f.camera_used[one.name]:9.0%}"
            f"{one.residual_px:19.1f}{one.delay_ms:10.0f}"
        )
    lines += ["", "error px by joint, base to tip: " + _joint_words(f.joint_error_px)]
    problems = [one.problem for one in health if one.problem]
    if f.one_view:
        problems.append(f"{f.one_view} hands are seen by one view only: no joint of them can be placed")
    return "\n".join([*lines, *(["", *(f"warning: {problem}" for problem in problems)] if problems else [])])


def as_tree(figures: Figures, health: Sequence[CameraHealth]) -> dict[str, Any]:
    """Plain values, ready for JSON."""
    return {**asdict(figures), "cameras": [asdict(one) for one in health]}


def _joint_words(errors: dict[str, float]) -> str:
    fingers = [f"{finger} " + " ".join(f"{errors[f'{finger}{k}']:.1f}" for k in (1, 2, 3, 4)) for finger in FINGERS]
    return "; ".join([f"wrist {errors['wrist']:.1f}", *fingers])


def _only_one(solution: Solution) -> np.ndarray:
    """(M, 2) sides that exactly one view saw, no other view agreeing."""
    alone = solution.assigned.alone.any(axis=1)
    there = np.isfinite(solution.assigned.seen.joints_px[..., 0]).reshape(*alone.shape[:1], -1, 2, 21).any(axis=(1, 3))
    return np.asarray(alone & ~there)
