"""Smoothing of hands: still hands stand still, fast hands hardly lag (numpy only; one thread).

Three things are smoothed apart, because their noise differs: where the joints are in the picture, their depth
relative to the wrist, and the wrist's own depth. Joints in millimetres are put together again from these, so depth
noise never shakes a hand sideways and the overlay stays on the picture.

A hand that is not seen for a moment keeps its filters. What it did meanwhile is bridged where the moment was short;
after a longer one, up to `max_gap_s`, it glides from where it was to where it is, as fast as its filters let any step
through, instead of jumping there. What comes back elsewhere, or later, starts afresh.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics, backproject
from engines.skeleton import SIDES, WRIST, Side
from realtime.camera_space.one_euro import FilterState, one_euro
from realtime.config import SmoothingSettings
from realtime.messages import HandPose

_BRIDGED_S: Final = 0.1
"""A gap of up to this is taken as motion that went on unseen."""
_ELSEWHERE: Final = 1.0
"""A hand that comes back farther away than this, in its own sizes, starts afresh."""


@dataclass(frozen=True)
class HandFilters:
    """What the three filters of a hand remember."""

    image: FilterState
    relative_depth: FilterState
    wrist_depth: FilterState


@dataclass(frozen=True)
class SmootherState:
    """What a smoother remembers: the time of its last frame, and both hands' filters."""

    t_s: float = -np.inf
    hands: Mapping[Side, HandFilters] = field(default_factory=dict)


class HandSmoother:
    """Smooths the hands of successive frames; `state` is all that the coming results depend on."""

    def __init__(self, settings: SmoothingSettings) -> None:
        self._max_gap_s = settings.max_gap_s
        filters = settings.image, settings.relative_depth, settings.wrist_depth
        self._image, self._relative_depth, self._wrist_depth = (
            partial(one_euro, settings=one, derivative_cutoff_hz=settings.derivative_cutoff_hz) for one in filters
        )
        self.state = SmootherState()

    def reset(self) -> None:
        """Forget both hands."""
        self.state = SmootherState()

    def exchange_names(self) -> None:
        """What was known of the right hand is the left one's, and the other way round: they had been called wrongly."""
        known = self.state.hands
        exchanged = {name: known[was] for name, was in zip(SIDES, SIDES[::-1], strict=True) if was in known}
        self.state = replace(self.state, hands=exchanged)

    def __call__(self, hands: tuple[HandPose, ...], t_s: float, intrinsics: Intrinsics) -> tuple[HandPose, ...]:
        """Smooth the hands of the frame at `t_s`.

        The result's `joints_px` is the projection of its `joints_cam_mm`.
        """
        known = {side: one for side, one in self.state.hands.items() if 0 <= t_s - one.image.t_s <= self._max_gap_s}
        for hand in hands:
            known[hand.side] = self._filtered(hand, known.get(hand.side), t_s, intrinsics)
        self.state = SmootherState(t_s, known)
        return tuple(_smoothed(hand, known[hand.side], intrinsics) for hand in hands)

    def _filtered(self, hand: HandPose, last: HandFilters | None, t_s: float, intrinsics: Intrinsics) -> HandFilters:
        step_s: float | None = None
        if last is not None and self.state.t_s > last.image.t_s:  # it was not seen in the frame before
            if _is_elsewhere(hand.joints_px, last.image.value):
                last = None
            elif t_s - last.image.t_s > _BRIDGED_S:
                step_s = t_s - self.state.t_s
        image, relative, wrist = (last.image, last.relative_depth, last.wrist_depth) if last else (None,) * 3
        depth_mm = hand.joints_cam_mm[:, 2:].astype(np.float64)
        wrist = self._wrist_depth(wrist, depth_mm[WRIST], t_s, step_s=step_s)
        relative = self._relative_depth(relative, depth_mm - depth_mm[WRIST], t_s, step_s=step_s)
        mm_per_px = float(wrist.value[0]) / intrinsics.fx
        image = self._image(image, hand.joints_px, t_s, mm_per_unit=mm_per_px, step_s=step_s)
        return HandFilters(image, relative, wrist)


def _smoothed(hand: HandPose, filters: HandFilters, intrinsics: Intrinsics) -> HandPose:
    joints_px = filters.image.value
    depth_mm = (filters.wrist_depth.value + filters.relative_depth.value)[:, 0]
    joints_cam_mm = backproject(joints_px, depth_mm, intrinsics).astype(np.float32)
    return replace(hand, joints_cam_mm=joints_cam_mm, joints_px=joints_px.astype(np.float32))


def _is_elsewhere(joints_px: NDArray, before_px: NDArray[np.float64]) -> bool:
    """Whether a hand (21, 2) is too far from where it was to be drawn from there to here."""
    size = max(float(np.ptp(before_px, axis=0).max()), 1.0)
    return float(np.linalg.norm(joints_px.mean(axis=0) - before_px.mean(axis=0))) > _ELSEWHERE * size
