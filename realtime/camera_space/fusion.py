"""From the network's 2.5D to camera space: absolute depths and the relative-depth rule (numpy; one thread).

Moon et al., ECCV 2020, section 5: the right hand stands where RootNet puts its wrist; the left wrist stands at the
right one's depth plus z(R->L) where both are seen in one crop, and at RootNet's own depth otherwise. Where the rule
switches, the step is blended away over a short time: a hand does not jump because a box was drawn otherwise.
`realtime.camera_space.wrist_depth` has other depths than RootNet's to offer; a known hand length scales the whole hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from engines.geometry.pinhole import Intrinsics, backproject
from engines.skeleton import HAND_SLICES, SIDES, Side
from realtime.camera_space.closed_form import NEAREST_MM, DepthEstimate
from realtime.camera_space.wrist_depth import RELATIVE_SIGMA_MM, DepthMethod, leaning, measured_depth, size_factor
from realtime.messages import HandPose
from realtime.tracking.observation import Observation

_FORGET_S: Final = 0.5
"""A hand unseen for this long starts without a blend."""
_LARGEST_STEP: Final = 0.15
"""A step of more than this share of the depth is a mistake put right, not a change of view: it is taken at once."""


@dataclass(frozen=True)
class Blend:
    """A wrist's last depth, and what is left of the step at the last switch of the rule."""

    rule: str
    depth_mm: float
    t_s: float
    offset_mm: float = 0.0
    since_s: float = 0.0


@dataclass(frozen=True)
class FusionState:
    """What a fusion remembers of both hands."""

    blends: Mapping[Side, Blend] = field(default_factory=dict)


class DepthFusion:
    """Turns the observations of one frame into hands in camera space; `state` is all that it remembers."""

    def __init__(
        self,
        blend_s: float,
        method: DepthMethod = "root",
        hand_length_mm: float | None = None,
        *,
        leans: bool = False,
    ) -> None:
        """`hand_length_mm`: wrist to middle fingertip along the bones, of both hands; None if it is not known.

        `leans`: an unsure hand's depth leans on the other one's (`wrist_depth.leaning`).
        """
        self._leans = leans
        self._blend_s = blend_s
        self._method: DepthMethod = method
        self._hand_length_mm = hand_length_mm
        self.state = FusionState()

    def reset(self) -> None:
        """Forget past depths."""
        self.state = FusionState()

    def exchange_names(self) -> None:
        """What was known of the right hand is the left one's, and the other way round: they had been called wrongly."""
        known = self.state.blends
        self.state = FusionState({a: known[b] for a, b in zip(SIDES, SIDES[::-1], strict=True) if b in known})

    def __call__(self, seen: Sequence[Observation], t_s: float, intrinsics: Intrinsics) -> tuple[HandPose, ...]:
        """Hands of the frame at `t_s`, right before left."""
        by_side = {observation.side: observation for observation in seen}
        blends = dict(self.state.blends)
        poses: list[HandPose] = []
        right: DepthEstimate | None = None
        apart = self._apart(by_side, intrinsics)
        for side in SIDES:
            if side not in by_side:
                continue
            one = by_side[side]
            wrist, source = apart[side] if side in apart else self._wrist(one, right, intrinsics)
            rule = f"{source}-shared" if one.shared else source
            blend, left = self._blended(blends.get(side), rule, wrist.depth_mm, t_s)
            blends[side] = blend
            wrist = replace(wrist, depth_mm=blend.depth_mm)
            right = wrist if side == "right" else right
            source = "blend" if left > 0 and blend.offset_mm != 0 else source
            poses.append(hand_pose(one, wrist, source, intrinsics, size_factor(self._hand_length_mm)))
        self.state = FusionState(blends)
        return tuple(poses)

    def _apart(
        self, by_side: Mapping[Side, Observation], intrinsics: Intrinsics
    ) -> dict[Side, tuple[DepthEstimate, str]]:
        """Depths and sources of two hands in crops of their own, an unsure one leaning on the other; else nothing."""
        if not self._leans or len(by_side) < 2 or any(one.shared for one in by_side.values()):
            return {}
        own = {
            side: measured_depth(one, self._method, self._hand_length_mm, intrinsics) for side, one in by_side.items()
        }
        sure = {side: one.confidence for side, one in by_side.items()}
        pairs = zip(SIDES, SIDES[::-1], strict=True)
        return {a: (leaning(own[a][0], sure[a], own[b][0], sure[b]), own[a][1]) for a, b in pairs}

    def _wrist(
        self, one: Observation, right: DepthEstimate | None, intrinsics: Intrinsics
    ) -> tuple[DepthEstimate, str]:
        """Depth of a wrist and where it came from; `right` is that of the right wrist in the same frame."""
        if one.shared and one.side == "left" and right is not None:
            factor = size_factor(self._hand_length_mm)
            relative_mm = one.output.left_minus_right_root_mm * factor
            # The network may have taken one for the other, and the hands keep their names.
            depth_mm = max(right.depth_mm + (relative_mm if one.channel == "left" else -relative_mm), NEAREST_MM)
            return DepthEstimate(depth_mm, float(np.hypot(right.sigma_mm, RELATIVE_SIGMA_MM * factor))), "relative"
        return measured_depth(one, self._method, self._hand_length_mm, intrinsics)

    def _blended(self, last: Blend | None, rule: str, depth_mm: float, t_s: float) -> tuple[Blend, float]:
        """Depth without a jump at a switch of the rule, and the share of the step that is left in it."""
        if last is None or not 0 <= t_s - last.t_s <= _FORGET_S:
            return Blend(rule, depth_mm, t_s), 0.0
        if rule != last.rule:
            step = last.depth_mm - depth_mm
            last = replace(
                last, rule=rule, since_s=t_s, offset_mm=step if abs(step) < _LARGEST_STEP * depth_mm else 0.0
            )
        left = max(1 - (t_s - last.since_s) / self._blend_s, 0.0) if self._blend_s > 0 else 0.0
        return replace(last, depth_mm=depth_mm + left * last.offset_mm, t_s=t_s), left


def hand_pose(
    one: Observation, wrist: DepthEstimate, source: str, intrinsics: Intrinsics, factor: float = 1.0
) -> HandPose:
    """A hand in camera space from its pixels and its root-relative depths, which are multiplied with `factor`."""
    rows = HAND_SLICES[one.channel]
    depth_mm = np.maximum(wrist.depth_mm + one.output.joint_depth_mm[rows] * factor, NEAREST_MM)
    return HandPose(
        side=one.side,
        joints_cam_mm=backproject(one.joints_px, depth_mm, intrinsics).astype(np.float32),
        joints_px=one.joints_px.astype(np.float32),
        confidence=one.output.joint_confidence[rows],
        hand_probability=one.probability,
        root_depth_from=source,
        root_depth_sigma_mm=wrist.sigma_mm,
    )
