"""A second opinion on single hands, inside the graph of `lite`: the rest of MediaPipe's landmark network, unchanged.

`lite`'s trunk began as MediaPipe's and keeps its stem and first stages as they are, so the witness shares them and adds
only what comes after: stages that nobody trained further, and MediaPipe's own heads for landmarks, presence and side.
It has seen far more real hands than renders can show, `lite` knows pairs and depth; on real hands their errors
correlate by a half only, so the mean of both is better than either (docs/training.md has the figures).

The rule is fixed, nothing of it is trained. Where one hand is in the crop, and the witness sees it, is sure of its side
and says the side that `lite` says, places are the mean of both, each weighted by the inverse of its variance (that of
`lite` is the spread of its heat map), and depths hear the witness a little. Where two hands are there the witness has
no say; in between its say grows smoothly, so that no joint jumps. How near both are tells how sure a joint is.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from engines.networks.mobile_trunk import POOLED_CHANNELS, MobileTrunk, early_parameters
from engines.skeleton import JOINTS_PER_HAND, WRIST
from engines.spec import ROOTNET_AREA_MM2

SHARED_STAGES: Final = 4
"""Stages of the trunk that `lite` keeps as they came."""
INPUT_PX: Final = 224
"""The size that the landmark head was trained for; its answer is in these pixels whatever the features' size."""
_SIDE_SHARE: Final = 0.5
"""Of the witness in the hand's side."""
_VARIANCE_CELLS: Final = 4.0
"""The witness's own, in squares of `lite`'s heat-map cells: 2 cells of 8 px."""
_DEPTH_SHARE: Final = 0.2
"""Of what the witness counts in places, what it counts in depths: there `lite` is the better one (docs/training.md)."""
_DEPTH_GAIN: Final = 2.5
"""Its depth, in pixels of the crop, is so many times too flat: 2.5 to 3.3 where depths are known."""
_AGREEING: Final = 1.4
_APART: Final = -0.57
"""What agreement adds to the logit of a joint's confidence, and what each unit of log(1 + distance) takes away, in
pixels of a 256 px crop: more than 11 px apart make a joint less sure. Half of what held-out renders ask for, as
distances say less on real hands."""
_BOX_MM: Final = ROOTNET_AREA_MM2**0.5
"""The side of RootNet's box (`geometry.pinhole`)."""
_REPORT_PX: Final = 256


class Look(NamedTuple):
    """What the witness says of each crop; joints in our order, of the one hand that it sees."""

    joints_px: Tensor
    """(B, 21, 2) pixels of the crop, centre of its first pixel (0, 0)."""
    depth_px: Tensor
    """(B, 21) relative to the wrist, in pixels of the crop, as flat as MediaPipe says it."""
    presence: Tensor
    """(B,) probability of a hand."""
    rightness: Tensor
    """(B,) probability that it is a right one."""


class Joined(NamedTuple):
    """Both opinions as one."""

    joints_px: Tensor
    """(B, 42, 2) pixels of the crop."""
    depth_mm: Tensor
    """(B, 42) relative to the wrist."""
    agreement: Tensor
    """(B, 42) what to add to the logit of the joints' confidence."""


class Witness(nn.Module):
    """MediaPipe's landmark network from the shared stages on: their features (B, 40, h, w) -> Look.

    The rows of its landmark head stand in our order of joints (`training.lite.mediapipe_trunk` puts them there).
    """

    def __init__(self) -> None:
        super().__init__()
        trunk = MobileTrunk()
        self.stages = trunk.stages[SHARED_STAGES:]
        self.top = trunk.top
        self.landmarks = nn.Linear(POOLED_CHANNELS, 3 * JOINTS_PER_HAND)
        self.presence = nn.Linear(POOLED_CHANNELS, 1)
        self.rightness = nn.Linear(POOLED_CHANNELS, 1)
        self.register_buffer("shared", shared_parameters(trunk))
        self.requires_grad_(False)

    def forward(self, features: Tensor, input_px: int) -> Look:
        """Look at crops of `input_px` by the features that `lite`'s trunk has of them at stride 8."""
        for stage in self.stages:
            features = stage(features)
        pooled = self.top(features).mean((2, 3)).float()
        points = self.landmarks(pooled).unflatten(1, (JOINTS_PER_HAND, 3)) * (input_px / INPUT_PX)
        depth = points[..., 2] - points[:, WRIST : WRIST + 1, 2]
        sides = self.presence(pooled)[:, 0].sigmoid(), self.rightness(pooled)[:, 0].sigmoid()
        # MediaPipe's pixels count from the crop's edge, ours from the first pixel's centre
        return Look(points[..., :2] - 0.5, depth, *sides)


def shared_parameters(trunk: MobileTrunk) -> Tensor:
    """(N,) all numbers of the stages that a trunk and the witness share, as files of weights hold them."""
    return torch.cat([part.detach().flatten() for part in early_parameters(trunk, SHARED_STAGES)]).half()


def heard(look: Look, hand_probability: Tensor) -> Tensor:
    """(B, 2) which hands are there, the witness heard: where there is one hand, its side is the mean of both opinions.

    Of two hands the witness sees one, so where `lite` says two it has no say.
    """
    share = _ramp(look.presence, 0.5, 0.9) * _ramp(2 - hand_probability.sum(1), 0.3, 0.8)
    return hand_probability + _SIDE_SHARE * share[:, None] * (_sides(look) - hand_probability)


def say(look: Look, hand_probability: Tensor) -> Tensor:
    """(B, 2) from 0 to 1: how much the witness has to say of the right and of the left hand.

    All of presence, side and being alone must hold; each counts nothing below its first number and fully above its
    second.
    """
    alone = 1 - hand_probability.flip(1)
    return (
        _ramp(look.presence, 0.5, 0.9)[:, None]
        * _ramp(_sides(look), 0.5, 0.8)
        * _ramp(alone, 0.5, 0.9)
        * _ramp(hand_probability, 0.3, 0.7)
    )


def joined(
    look: Look, share: Tensor, joints_px: Tensor, depth_mm: Tensor, variance: Tensor, gamma: Tensor, input_px: int
) -> Joined:
    """What `lite` says with the witness's word: places (B, 42, 2), depths and variances (B, 42), gamma (B, 2).

    Variances are those of the heat maps, in squares of their cells. `share` is `say`'s. With RootNet's gamma a crop is
    gamma * 300 mm wide at the wrist, as gamma = z / k and k = 300 mm * f / side: focal length and side cancel out.
    """
    theirs_px = look.joints_px.repeat(1, 2, 1)
    mm_per_px = (gamma * (_BOX_MM / input_px)).repeat_interleave(JOINTS_PER_HAND, 1)
    theirs_mm = _DEPTH_GAIN * look.depth_px.repeat(1, 2) * mm_per_px
    allowed = share.repeat_interleave(JOINTS_PER_HAND, 1)
    weight = allowed * variance / (variance + _VARIANCE_CELLS)
    apart = theirs_px - joints_px
    distance = (apart * (_REPORT_PX / input_px)).square().sum(-1).clamp_min(1.0e-6).sqrt()
    return Joined(
        joints_px + weight[..., None] * apart,
        depth_mm + _DEPTH_SHARE * weight * (theirs_mm - depth_mm),
        allowed * (_AGREEING + _APART * distance.log1p()),
    )


def _sides(look: Look) -> Tensor:
    return torch.stack([look.rightness, 1 - look.rightness], 1)


def _ramp(value: Tensor, low: float, high: float) -> Tensor:
    return ((value - low) / (high - low)).clamp(0, 1)
