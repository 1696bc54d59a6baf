"""Whose hands are taken up where there are several people: an order, and what one body cannot do (any thread)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from engines.skeleton import SIDES, Side
from realtime.config import Person
from realtime.messages import HandBox
from realtime.tracking.next_crop import apart_px, hand_px
from realtime.tracking.track import Track, looks_like

_ARM_SPAN: Final = 9.0
"""Two hands of one body are not farther from each other than so many hands: a span of 1.7 m over 0.18 m."""
_ARM_DEPTH: Final = 3.5
"""Nor is one so many times larger in the picture: one arm's length away and drawn back, each open or closed."""
_SPEED: Final = 15.0
"""Hands a second that a hand moves at most while nobody sees it: 2.7 m/s."""
_AT_ONCE: Final = 1.0
"""... and hands that are allowed at once: a box of a detector is not exactly a crop of ours."""
_SURE_SIDE: Final = 0.7
"""Two hands that look like the same side so much are of two people ..."""
_NOT_TOUCHING: Final = 2.0
"""... if they are so many hands apart: near ones are taken for each other."""


def in_order(boxes: Sequence[HandBox], person: Person) -> list[HandBox]:
    """The hands in the order in which they are taken up: the nearest to the camera, the largest in the picture, or as
    the detector gives them, the surest first.

    How near a hand is shows in its palm, whatever its fingers do.
    """
    if person == "first":
        return list(boxes)
    return sorted(boxes, key=lambda box: -(box.palm_px if person == "nearest" else box.crop.side_px))


def same_body(box: HandBox, followed: Track) -> bool:
    """Whether a found hand can be the other hand of the person whose one hand is followed."""
    a, b = hand_px(box.crop), hand_px(followed.crop)
    within_reach = apart_px(box.crop, followed.crop) <= _ARM_SPAN * max(a, b)
    return within_reach and max(a, b) <= _ARM_DEPTH * min(a, b)


def can_be(box: HandBox, lost: Track, t_s: float) -> bool:
    """Whether a found hand can be one that was lost from sight at most a moment ago: it is not too far away."""
    reach = _AT_ONCE + _SPEED * (t_s - lost.seen_s)
    return apart_px(box.crop, lost.crop) <= reach * max(hand_px(box.crop), hand_px(lost.crop))


def stranger(tracks: Mapping[Side, Track]) -> Side | None:
    """The younger of two followed hands, if both are right or both are left ones: it is another person's."""
    if len(tracks) != len(SIDES):
        return None
    a, b = tracks["right"], tracks["left"]
    touching = apart_px(a.crop, b.crop) < _NOT_TOUCHING * max(hand_px(a.crop), hand_px(b.crop))
    if touching or not any(min(looks_like(a, side), looks_like(b, side)) >= _SURE_SIDE for side in SIDES):
        return None
    return "right" if a.began_s > b.began_s else "left"
