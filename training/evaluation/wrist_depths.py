"""Absolute wrist depths by every method of the live program, on labelled pictures, and whether their sigmas hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from engines.geometry.crop import Crop
from engines.geometry.pinhole import Intrinsics, rootnet_k
from engines.output import NetworkOutput
from engines.skeleton import HAND_SLICES, JOINTS_PER_HAND, SIDES, WRIST, Side
from realtime.camera_space.bone_lengths import bone_lengths, hand_length
from realtime.camera_space.closed_form import TYPICAL_HAND_MM, DepthEstimate
from realtime.camera_space.wrist_depth import DepthMethod, measured_depth
from realtime.tracking.observation import Observation
from training.datasets.sample import LabelledSample
from training.evaluation.predictions import Predictions

METHODS: Final[tuple[DepthMethod, ...]] = ("root", "closed", "fused")
FOUND: Final = 0.5
"""A hand counts if the network gives it at least this probability."""


@dataclass(frozen=True)
class SeenHand:
    """A labelled hand and what the network saw of it."""

    observation: Observation
    intrinsics: Intrinsics
    true_mm: float
    """Depth of the labelled wrist."""
    length_mm: float
    """Wrist to middle fingertip along the labelled bones."""


@dataclass(frozen=True)
class DepthFigures:
    """Errors of wrist depths against the truth, logarithms where a share is meant."""

    hands: int
    bias: float
    """Median error as a share of the depth; negative is too near."""
    spread: float
    """1.4826 times the median distance from that: the standard deviation, if there were no outliers."""
    rms: float
    mean_mm: float
    median_mm: float
    per_sigma: float
    """Root mean square of error over the sigma that went with it; 1 if the sigmas are right."""


def seen_hands(samples: Sequence[LabelledSample], found: Predictions, crops: Sequence[Crop]) -> list[SeenHand]:
    """Every wholly labelled hand that the network finds."""
    return [hand for i, crop in enumerate(crops) for hand in _of_sample(samples[i], found, i, crop)]


def estimates(
    hands: Sequence[SeenHand], method: DepthMethod, lengths_mm: Sequence[float | None]
) -> list[DepthEstimate]:
    """Depths as the live program finds them, with each hand's length or without."""
    return [
        measured_depth(hand.observation, method, length, hand.intrinsics)[0]
        for hand, length in zip(hands, lengths_mm, strict=True)
    ]


def figures(hands: Sequence[SeenHand], found: Sequence[DepthEstimate]) -> DepthFigures:
    """All figures of one method."""
    truth = np.array([hand.true_mm for hand in hands])
    depth, sigma = np.array([one.depth_mm for one in found]), np.array([one.sigma_mm for one in found])
    share = np.log(depth / truth)
    bias = float(np.median(share))
    return DepthFigures(
        hands=len(hands),
        bias=bias,
        spread=1.4826 * float(np.median(np.abs(share - bias))),
        rms=float(np.sqrt(np.mean(share**2))),
        mean_mm=float(np.abs(depth - truth).mean()),
        median_mm=float(np.median(np.abs(depth - truth))),
        per_sigma=float(np.sqrt(np.mean(np.square(share / (sigma / depth))))),
    )


def compare(hands: Sequence[SeenHand], one_person: bool) -> dict[str, DepthFigures]:
    """Each method without the hand's length and with it; where all pictures are of one person, also calibrated.

    Calibrated is as with `--calibrate-hand`: a tenth of the pictures gives the length, the others are judged.
    """
    lengths = [hand.length_mm for hand in hands]
    known = [float(np.median(lengths))] * len(hands) if one_person else lengths
    table = {}
    for name, given in (("", [None] * len(hands)), (", known size", known)):
        for method in METHODS:
            table[f"{method}{name}"] = figures(hands, estimates(hands, method, given))
    if one_person:
        held, rest = hands[::10], [hand for i, hand in enumerate(hands) if i % 10]
        root = estimates(held, "root", [None] * len(held))
        length = TYPICAL_HAND_MM * float(np.median([h.true_mm / r.depth_mm for h, r in zip(held, root, strict=True)]))
        for method in METHODS:
            table[f"{method}, calibrated"] = figures(rest, estimates(rest, method, [length] * len(rest)))
    return table


def _of_sample(sample: LabelledSample, found: Predictions, row: int, crop: Crop) -> Iterator[SeenHand]:
    if sample.intrinsics is None:
        return
    for side in SIDES:
        rows = HAND_SLICES[side]
        if not sample.joint_cam_valid[rows].all() or found.hand_probability[row, SIDES.index(side)] < FOUND:
            continue
        truth = sample.joints_cam_mm[rows]
        observation = _observation(side, found, row, crop, sample.intrinsics, bool(sample.hand_present.all()))
        yield SeenHand(observation, sample.intrinsics, float(truth[WRIST, 2]), hand_length(bone_lengths(truth)))


def _observation(
    side: Side, found: Predictions, row: int, crop: Crop, intrinsics: Intrinsics, shared: bool
) -> Observation:
    """What the tracker would have handed on."""
    rows = HAND_SLICES[side]
    k = float(rootnet_k(crop.side_px, intrinsics.fx, intrinsics.fy))
    output = NetworkOutput(
        joints_crop_px=np.zeros((2 * JOINTS_PER_HAND, 2), np.float32),
        joint_depth_mm=found.joint_depth_mm[row].astype(np.float32),
        joint_confidence=found.joint_confidence[row].astype(np.float32),
        hand_probability=found.hand_probability[row].astype(np.float32),
        left_minus_right_root_mm=float(found.left_minus_right_root_mm[row]),
        root_depth_factor=(found.root_depth_mm[row] / k).astype(np.float32),
    )
    return Observation(
        side=side,
        channel=side,
        output=output,
        crop=crop,
        joints_px=found.joints_px[row, rows],
        probability=float(found.hand_probability[row, SIDES.index(side)]),
        confidence=float(found.joint_confidence[row, rows].mean()),
        shared=shared,
    )
