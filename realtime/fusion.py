"""From the network's 2.5D to camera space: absolute depths and the relative-depth rule (numpy; one thread).

Moon et al., ECCV 2020, section 5: the right hand stands where RootNet puts its wrist; the left wrist stands at the
right one's depth plus z(R->L) where both are seen in one crop, and at RootNet's own depth otherwise. Where the rule
switches, the step is blended away over a short time: a hand does not jump because a box was drawn otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engines.pinhole import Intrinsics, backproject, rootnet_k
from engines.skeleton import HAND_SLICES, SIDES, Side
from realtime.messages import HandPose
from realtime.tracker import Observation

_NEAREST_MM = 50.0
_FORGET_S = 0.5
"""A hand unseen for this long starts without a blend."""
_LARGEST_STEP = 0.15
"""A step of more than this share of the depth is a mistake put right, not a change of view: it is taken at once."""


@dataclass
class _Blend:
    """What is left of the step at the last switch of the rule."""

    rule: str
    depth_mm: float
    t_s: float
    offset_mm: float = 0.0
    since_s: float = 0.0


class DepthFusion:
    """Turns the observations of one frame into hands in camera space."""

    def __init__(self, blend_s: float) -> None:
        self._blend_s = blend_s
        self._blends: dict[Side, _Blend] = {}

    def reset(self) -> None:
        """Forget past depths."""
        self._blends.clear()

    def __call__(self, seen: Sequence[Observation], t_s: float, intrinsics: Intrinsics) -> tuple[HandPose, ...]:
        """Hands of the frame at `t_s`, right before left."""
        by_side = {observation.side: observation for observation in seen}
        poses: list[HandPose] = []
        right_depth_mm = None
        for side in SIDES:
            if side not in by_side:
                continue
            one = by_side[side]
            depth_mm, rule = wrist_depth_mm(one, right_depth_mm, intrinsics)
            depth_mm, source = self._blended(side, depth_mm, rule, t_s)
            right_depth_mm = depth_mm if side == "right" else right_depth_mm
            poses.append(hand_pose(one, depth_mm, source, intrinsics))
        return tuple(poses)

    def _blended(self, side: Side, depth_mm: float, rule: str, t_s: float) -> tuple[float, str]:
        """Depth without a jump at a switch of the rule, and where it came from."""
        blend = self._blends.get(side)
        if blend is None or not 0 <= t_s - blend.t_s <= _FORGET_S:
            self._blends[side] = _Blend(rule, depth_mm, t_s)
            return depth_mm, _source(rule)
        if rule != blend.rule:
            step = blend.depth_mm - depth_mm
            blend.rule, blend.since_s = rule, t_s
            blend.offset_mm = step if abs(step) < _LARGEST_STEP * depth_mm else 0.0
        left = 1 - (t_s - blend.since_s) / self._blend_s if self._blend_s > 0 else 0.0
        blending = left > 0 and blend.offset_mm != 0
        blend.depth_mm = depth_mm + max(left, 0.0) * blend.offset_mm
        blend.t_s = t_s
        return blend.depth_mm, "blend" if blending else _source(rule)


def wrist_depth_mm(one: Observation, right_depth_mm: float | None, intrinsics: Intrinsics) -> tuple[float, str]:
    """Absolute depth of a wrist and the rule that gave it: "rootnet-own", "rootnet-shared" or "relative"."""
    if one.shared and one.side == "left" and right_depth_mm is not None:
        return max(right_depth_mm + one.output.left_minus_right_root_mm, _NEAREST_MM), "relative"
    gamma = float(one.output.root_depth_factor[SIDES.index(one.channel)])
    depth = gamma * float(rootnet_k(one.crop.side_px, intrinsics.fx, intrinsics.fy))
    return max(depth, _NEAREST_MM), "rootnet-shared" if one.shared else "rootnet-own"


def hand_pose(one: Observation, wrist_mm: float, source: str, intrinsics: Intrinsics) -> HandPose:
    """A hand in camera space from its pixels and its root-relative depths."""
    rows = HAND_SLICES[one.channel]
    depth_mm = np.maximum(wrist_mm + one.output.joint_depth_mm[rows], _NEAREST_MM)
    return HandPose(
        side=one.side,
        joints_cam_mm=backproject(one.joints_px, depth_mm, intrinsics).astype(np.float32),
        joints_px=one.joints_px.astype(np.float32),
        confidence=one.output.joint_confidence[rows],
        hand_probability=one.probability,
        root_depth_from=source,
    )


def _source(rule: str) -> str:
    return "relative" if rule == "relative" else "rootnet"
