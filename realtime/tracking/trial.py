"""Places where a detector that is often wrong sees a hand, or two that touch: each is looked at (any thread).

The crop goes through the network beside those of the hands that are followed, which notice nothing. Whether there are
hands is the network's word: its flags tell, as a single hand seldom raises both, nor a place without hands any. A pair
of which one hand is much less sure than the other is believed when two pictures show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from engines.geometry.crop import Crop, crop_around, upright_angle_rad
from engines.output import NetworkOutput
from engines.skeleton import SIDES, Side, other_side
from realtime.messages import HandBox, Proposed
from realtime.tracking.next_crop import apart_px, near
from realtime.tracking.observation import NAME_COUNTS, Observation, Places, distance_to, observe
from realtime.tracking.track import Track

_WITHIN: Final = 0.4
"""Of a pair's crop, from its middle: a followed hand whose crop lies farther off is not one of the pair."""
_MOST_SINGLE: Final = 2
"""Single hands that are tried, the surest ones."""
_CLEAR: Final = 0.6
"""Where one hand of a pair is seen so clearly, confidence of its joints, ..."""
_LIKEWISE: Final = 0.35
"""... the other one's must be so large a share of it: chins beside a hand are taken for the second one."""
_ALIKE: Final = 0.5
"""... and where it is less than this share, a single picture is no proof: an arm may look like a hand for a moment."""
_IS_THERE: Final = 0.9
"""Probability of a hand, ..."""
_SURE_JOINTS: Final = 3.0
"""... and how many times surer than those that are lost the joints of a single one must be."""
_FILLS: Final = 0.35
"""The joints extend over at least so much of the crop: else it shows something else ..."""
_EQUAL: Final = 0.3
"""... and the smaller hand of two over so much of the larger one's extent."""


def worth_a_look(proposed: Sequence[Proposed], tracks: Sequence[Track], most_hands: int) -> tuple[Proposed, ...]:
    """Those that may show a hand which is not followed yet, in the order in which they are tried: a pair first.

    `proposed` comes with the surest first.
    """
    if len(tracks) >= min(most_hands, len(SIDES)):
        return ()
    pairs = [one for one in proposed if len(one.sides) == len(SIDES) <= most_hands and _shows(one.crop, tracks)]
    singles: list[Proposed] = []
    for one in proposed:
        others = [*(track.crop for track in tracks), *(other.crop for other in singles)]
        if len(one.sides) == 1 and not any(near(one.crop, other) for other in others):
            singles.append(one)
    return (*pairs[:1], *singles[:_MOST_SINGLE])


def sure_pair(
    crop: Crop, output: NetworkOutput, input_px: int, places: Places, least_confidence: float
) -> list[Observation]:
    """Both hands of a crop in which a detector sees two that touch, if the network is sure of them; else nothing.

    Where one is followed already, it keeps its name: the hand that lies where it must be is it.
    """
    both = [observe(output, crop, input_px, side, side, shared=True) for side in SIDES]
    if min(one.probability for one in both) < _IS_THERE or not _fill(both, crop):
        return []
    less, more = sorted(one.confidence for one in both)
    if less < least_confidence or (more > _CLEAR and less < _LIKEWISE * more):
        return []
    crossed = [replace(one, side=other_side(one.side)) for one in both]
    return crossed if _farther(both, places) - _farther(crossed, places) > NAME_COUNTS else both


def is_proof(pair: Sequence[Observation]) -> bool:
    """Whether one picture of both hands will do."""
    less, more = sorted(one.confidence for one in pair)
    return less >= _ALIKE * more


def sure_hand(crop: Crop, output: NetworkOutput, input_px: int, least_confidence: float) -> HandBox | None:
    """The hand in a crop in which a detector sees one, as if the palm detector had found it; None if unsure."""
    right, left = (float(p) for p in output.hand_probability)
    side: Side = "right" if right > left else "left"
    one = observe(output, crop, input_px, side, side)
    unsure = one.confidence < _SURE_JOINTS * least_confidence or not _fill([one], crop)
    if one.probability < _IS_THERE or unsure:
        return None
    return HandBox(side, crop_around(one.joints_px, upright_angle_rad([one.joints_px])), one.probability)


def _shows(crop: Crop, tracks: Sequence[Track]) -> bool:
    """Whether a pair's crop can show all that are followed."""
    return all(apart_px(crop, track.crop) < _WITHIN * crop.side_px for track in tracks)


def _farther(hands: Sequence[Observation], places: Places) -> float:
    """Distance of the hands from where those that are followed must be."""
    return sum(distance_to(one, places.get(one.side)) for one in hands)


def _fill(hands: Sequence[Observation], crop: Crop) -> bool:
    """Whether hands are as large as they are in a crop of theirs."""
    joints = np.concatenate([one.joints_px for one in hands])
    sizes = [float(np.ptp(one.joints_px, axis=0).max()) for one in hands]
    return float(np.ptp(joints, axis=0).max()) >= _FILLS * crop.side_px and min(sizes) >= _EQUAL * max(sizes)
