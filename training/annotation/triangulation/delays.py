"""Cameras whose pictures are older than their stamps say: what they would have seen at the moment (numpy; any thread).

A picture that is `delay` old shows the hand where it was; where it is at the moment stands in a later one: places are
interpolated between pictures. A hand without a picture on both sides keeps its place, with a sigma widened by the
motion that is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import HAND_SLICES
from training.annotation.triangulation.hands import Hands
from training.annotation.triangulation.health import LATE_SHARE, judge_cameras
from training.annotation.triangulation.observations import Observations, sights_of

_ROUNDS = 3
_STEP = 0.7
"""Estimating all cameras at once overshoots: each is measured against others that are late themselves."""
_FARTHEST_SIZES = 1.0
"""A hand that jumps by more than its own size between pictures is another one, or misnamed."""


def without_delays(seen: Observations, t_s: NDArray[np.float64], delays_s: Sequence[float]) -> Observations:
    """The observations as if no camera had a delay; `delays_s` for each camera, positive for pictures that are old."""
    joints, sigma = seen.joints_px.copy(), seen.sigma_px.copy()
    for view, delay in enumerate(delays_s):
        if delay:
            for rows in HAND_SLICES.values():
                own = seen.joints_px[:, view, rows], seen.sigma_px[:, view, rows]
                joints[:, view, rows], sigma[:, view, rows] = _shifted(*own, t_s, delay)
    return replace(seen, joints_px=joints, sigma_px=sigma, sights=sights_of(seen.rig, joints))


def _shifted(joints: NDArray, sigma: NDArray, t_s: NDArray, delay: float) -> tuple[NDArray, NDArray]:
    """A hand's places (M, 21, 2) and sigmas (M, 21) at t + delay."""
    wanted = t_s + delay
    after = np.clip(np.searchsorted(t_s, wanted, side="right"), 1, len(t_s) - 1)
    before = after - 1
    share = np.clip((wanted - t_s[before]) / (t_s[after] - t_s[before]), 0, 1)[:, None]
    start, end = joints[before], joints[after]
    apart = np.linalg.norm(end - start, axis=-1).mean(axis=1)
    size = np.ptp(start, axis=1).max(axis=-1)
    with np.errstate(invalid="ignore"):
        linked = apart < _FARTHEST_SIZES * size  # False for a hand that one of them lacks
    mixed = start + share[..., None] * (end - start)
    unknown = np.abs(delay) / (t_s[after] - t_s[before]) * np.where(np.isfinite(size), size, 0.0) * 0.5
    wide = np.hypot(sigma, unknown[:, None])
    mixed_sigma = np.hypot((1 - share) * sigma[before], share * sigma[after]) + 0.1 * np.where(linked, apart, 0.0)[
        :, None
    ] * (4 * share * (1 - share))
    return (
        np.where(linked[:, None, None], mixed, joints),
        np.where(linked[:, None], mixed_sigma, wide),
    )


def as_shown(hands: Hands, view: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Joints (M, 42, 3) as the pictures of a view show them, and which of them are labels there (M, 42).

    For a camera with a delay these are the joints a little earlier, interpolated between moments.
    """
    delay = float(hands.delays_s[view])
    if not delay or len(hands.t_s) < 2:
        return hands.joints_mm, hands.accepted
    wanted = hands.t_s - delay
    after = np.clip(np.searchsorted(hands.t_s, wanted, side="right"), 1, len(hands.t_s) - 1)
    before = after - 1
    share = (wanted - hands.t_s[before]) / (hands.t_s[after] - hands.t_s[before])
    inside = (share > -1e-9) & (share < 1 + 1e-9)
    start, end = hands.joints_mm[before], hands.joints_mm[after]
    mixed = start + share[:, None, None] * (end - start)
    known = inside[:, None] & hands.accepted[before] & hands.accepted[after]
    return np.where(known[..., None], mixed, hands.joints_mm), known


def estimate_delays(seen: Observations, t_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """(V,) seconds by which each camera is late, zero for those within a quarter of a frame of the others."""
    delays = np.zeros(len(seen.rig))
    if len(seen.rig) < 3 or len(t_s) < 3:
        return delays  # two cameras cannot tell which of them is late
    step_s = float(np.median(np.diff(t_s)))
    for _ in range(_ROUNDS):
        health = judge_cameras(without_delays(seen, t_s, delays.tolist()), t_s)
        left = np.array([one.delay_ms / 1e3 if one.delay_explains > 0.02 else 0.0 for one in health])
        delays = delays + _STEP * np.nan_to_num(left)
        delays -= np.median(delays)
    return np.where(np.abs(delays) > LATE_SHARE * step_s, delays, 0.0)
