"""One hand as one crop shows it, read from the network's answer; when two are the same hand (any thread)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import Crop, transform
from engines.output import NetworkOutput
from engines.skeleton import HAND_SLICES, SIDES, Side

SAME_HAND: Final = 0.35
"""Two sets of joints closer than this share of the hand's size are the same hand seen twice."""


@dataclass(frozen=True)
class Observation:
    """One hand as one crop of this frame shows it."""

    side: Side
    """The hand's sticky name."""
    channel: Side
    """Which of the network's two hands it was read from."""
    output: NetworkOutput
    crop: Crop
    joints_px: NDArray[np.float64]
    """(21, 2) in the frame."""
    probability: float
    confidence: float
    """Mean confidence of the joints."""
    shared: bool
    """The crop holds both hands, so their relative depth is known."""


def observe(
    output: NetworkOutput, crop: Crop, input_px: int, side: Side, channel: Side, *, shared: bool = False
) -> Observation:
    """The hand that is called `side`, read from the network's hand `channel`."""
    joints_crop = output.joints_crop_px[HAND_SLICES[channel]].astype(np.float64)
    return Observation(
        side=side,
        channel=channel,
        output=output,
        crop=crop,
        joints_px=transform(crop.image_from_crop(input_px), joints_crop),
        probability=float(output.hand_probability[SIDES.index(channel)]),
        confidence=float(output.joint_confidence[HAND_SLICES[channel]].mean()),
        shared=shared,
    )


def without_doubles(seen: list[Observation]) -> list[Observation]:
    """If two crops show the same hand, keep the surer one; in a shared crop hands may well lie on each other."""
    if len(seen) != len(SIDES) or seen[0].shared:
        return seen
    a, b = seen
    if hand_distance(a.joints_px, b.joints_px) > SAME_HAND:
        return seen
    return [a if a.probability >= b.probability else b]


def hand_distance(a_px: NDArray[np.float64], b_px: NDArray[np.float64]) -> float:
    """Mean distance of equal joints (21, 2) of two hands, in sizes of the larger one."""
    size = max(np.ptp(a_px, axis=0).max(), np.ptp(b_px, axis=0).max())
    return float(np.linalg.norm(a_px - b_px, axis=1).mean() / max(size, 1.0))
