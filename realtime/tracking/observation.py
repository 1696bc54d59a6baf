"""One hand as one crop shows it, read from the network's answer; when two are the same hand (any thread)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import Crop, transform
from engines.output import NetworkOutput
from engines.skeleton import FINGER_BASES, HAND_SLICES, SIDES, WRIST, Side, other_side

SAME_HAND: Final = 0.35
"""Two sets of joints closer than this share of the hand's size are the same hand seen twice."""
NAME_COUNTS: Final = 0.25
"""The network's name for a hand in a shared crop outweighs such a distance, in hands."""
_UNSURE_HAND: Final = 0.5
"""Likewise, in a crop of both hands where the network is not sure of each ..."""
_BOTH_ARE_THERE: Final = 0.8
"""... by so much."""

Places = Mapping[Side, NDArray[np.float64] | None]
"""Where the joints (21, 2) px of each followed hand must be, if they were ever seen."""


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


def assigned(both: Sequence[Observation], places: Places) -> list[Observation]:
    """Observations of a shared crop, each with the name of the hand that must be there, or exchanged.

    The network's names hold, unless the hands clearly lie where the other ones were: for a moment it takes one for the
    other, or sees one of them in both channels.
    """
    if any(place is None for place in places.values()):
        return list(both)
    as_named, crossed = (sum(distance_to(one, places[name(one)]) for one in both) for name in (_own, _others))
    if as_named - crossed <= NAME_COUNTS * len(both):
        return list(both)
    return [replace(one, side=_others(one)) for one in both]


def one_each(there: Sequence[Observation], places: Places) -> list[Observation]:
    """If both observations are of one hand, keep that of the track which must be there.

    In a shared crop hands may well lie on each other: there the network is sure of each; where it wavers whether one
    hand is the right or the left one, it says both with probabilities that sum to one.
    """
    if len(there) != len(SIDES):
        return list(there)
    a, b = there
    distance = hand_distance(a.joints_px, b.joints_px)
    if a.shared and (distance > _UNSURE_HAND or min(a.probability, b.probability) >= _BOTH_ARE_THERE):
        return [a, b]
    if not a.shared and distance > SAME_HAND:
        return [a, b]
    new = [one for one in there if places[one.side] is None]
    if len(new) == 1:
        return [one for one in there if one is not new[0]]
    return [min(there, key=lambda one: distance_to(one, places[one.side]) - NAME_COUNTS * one.probability)]


def rightness(one: Observation) -> float:
    """How much an observed hand looks like a right one: 1, or a left one: -1."""
    right, left = (float(p) for p in one.output.hand_probability)
    if one.shared or min(right, left) > 0.5:
        return one.probability if one.channel == "right" else -one.probability
    return right - left


def palm_shows(one: Observation, size_px: tuple[int, int]) -> bool:
    """Whether the wrist or a knuckle lies in the picture of (width, height): fingers alone do not tell a hand."""
    palm = one.joints_px[[*FINGER_BASES, WRIST]]
    return bool(((palm > -0.5) & (palm < np.array(size_px) - 0.5)).all(axis=1).any())


def hand_distance(a_px: NDArray, b_px: NDArray) -> float:
    """Mean distance of equal joints (21, 2) of two hands, in sizes of the larger one."""
    size = max(np.ptp(a_px, axis=0).max(), np.ptp(b_px, axis=0).max())
    return float(np.linalg.norm(a_px - b_px, axis=1).mean() / max(size, 1.0))


def distance_to(one: Observation, place: NDArray[np.float64] | None) -> float:
    """In hands, of an observation from where a hand must be; 0 for one that was never seen."""
    return 0.0 if place is None else hand_distance(one.joints_px, place)


def _own(one: Observation) -> Side:
    return one.side


def _others(one: Observation) -> Side:
    return other_side(one.side)
