"""Places where a detector that is often wrong sees a hand, or two that touch: each is looked at once (any thread).

The crop goes through the network beside those of the hands that are followed, which notice nothing. Whether there are
hands is the network's word: its flags tell, as a single hand does not raise both, nor a place without hands any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from engines.geometry.crop import Crop, crop_around, upright_angle_rad
from engines.output import NetworkOutput
from engines.skeleton import SIDES, Side
from realtime.messages import HandBox, Proposed
from realtime.tracking.next_crop import apart_px, near
from realtime.tracking.observation import BOTH_ARE_THERE, NAME_COUNTS, Observation, Places, hand_distance, observe
from realtime.tracking.track import Track

_WITHIN: Final = 0.4
"""Of a pair's crop, from its middle: a followed hand whose crop lies farther off is not one of the pair."""
_ONE_IS_THERE: Final = 0.8
"""Probability of a single hand, ..."""
_SURE_JOINTS: Final = 2.0
"""... and how many times surer than those that are lost its joints must be."""
_FILLS: Final = 0.35
"""The joints extend over at least so much of the crop: else it shows something else ..."""
_EQUAL: Final = 0.3
"""... and the smaller hand of two over so much of the larger one's extent."""


def worth_a_look(proposed: Sequence[Proposed], tracks: Sequence[Track], most_hands: int) -> tuple[Proposed, ...]:
    """Those that may show a hand which is not followed yet, as many as a frame has crops for; a pair comes first.

    `proposed` comes with the surest first.
    """
    free = min(most_hands, len(SIDES)) - len(tracks)
    if free <= 0:
        return ()
    for one in proposed:
        shows_ours = all(apart_px(one.crop, track.crop) < _WITHIN * one.crop.side_px for track in tracks)
        if len(one.sides) == len(SIDES) <= most_hands and shows_ours:
            return (one,)
    chosen: list[Proposed] = []
    for one in proposed:
        others = [*(track.crop for track in tracks), *(other.crop for other in chosen)]
        if len(one.sides) == 1 and not any(near(one.crop, other) for other in others):
            chosen.append(one)
    return tuple(chosen[:free])


def sure_pair(
    crop: Crop, output: NetworkOutput, input_px: int, places: Places, least_confidence: float
) -> list[Observation]:
    """Both hands of a crop in which a detector sees two that touch, if the network is sure of them; else nothing.

    Where one is followed already, it keeps its name: the hand that lies where it must be is it.
    """
    both = [observe(output, crop, input_px, side, side, shared=True) for side in SIDES]
    if min(one.probability for one in both) < BOTH_ARE_THERE or not _fill(both, crop):
        return []
    if min(one.confidence for one in both) < least_confidence:
        return []
    known = {side: place for side, place in places.items() if place is not None}
    crossed = [replace(one, side=_other(one.side)) for one in both]
    return crossed if _farther(both, known) - _farther(crossed, known) > NAME_COUNTS else both


def sure_hand(crop: Crop, output: NetworkOutput, input_px: int, least_confidence: float) -> HandBox | None:
    """The hand in a crop in which a detector sees one, as if the palm detector had found it; None if unsure."""
    right, left = (float(p) for p in output.hand_probability)
    side: Side = "right" if right > left else "left"
    one = observe(output, crop, input_px, side, side)
    unsure = one.confidence < _SURE_JOINTS * least_confidence or not _fill([one], crop)
    if one.probability < _ONE_IS_THERE or unsure:
        return None
    return HandBox(side, crop_around(one.joints_px, upright_angle_rad([one.joints_px])), one.probability)


def _farther(hands: Sequence[Observation], known: Places) -> float:
    """Distance of the hands from where those that are followed must be."""
    places = [(one, known.get(one.side)) for one in hands]
    return sum(hand_distance(one.joints_px, place) for one, place in places if place is not None)


def _fill(hands: Sequence[Observation], crop: Crop) -> bool:
    """Whether hands are as large as they are in a crop of theirs."""
    joints = np.concatenate([one.joints_px for one in hands])
    sizes = [float(np.ptp(one.joints_px, axis=0).max()) for one in hands]
    return float(np.ptp(joints, axis=0).max()) >= _FILLS * crop.side_px and min(sizes) >= _EQUAL * max(sizes)


def _other(side: Side) -> Side:
    return "left" if side == "right" else "right"
