"""Whose hands are taken up where there are several people: an order, and what one body cannot do (any thread)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from realtime.config import Person
from realtime.messages import HandBox
from realtime.tracking.next_crop import apart_px, hand_px
from realtime.tracking.track import Track, looks_like

_ARM_SPAN: Final = 9.0
"""Two hands of one body are not farther from each other than so many hands: a span of 1.7 m over 0.18 m."""
_ARM_DEPTH: Final = 2.2
"""Nor is one so many times larger in the picture: stretched out and drawn back before a camera at arm's length."""
_SPEED: Final = 15.0
"""Hands a second that a hand moves at most while nobody sees it: 2.7 m/s."""
_AT_ONCE: Final = 1.0
"""... and hands that are allowed at once: a box of a detector is not exactly a crop of ours."""
_GROWTH: Final = 1.6
"""A hand that comes back within a second is not so many times larger or smaller."""
_SURE_SIDE: Final = 0.6
"""A followed hand that looked like its side at least so much is of that side."""


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


def same_side(box: HandBox, followed: Track) -> bool:
    """Whether a found hand is surely of the side of the followed one, so that it is another body's."""
    return box.score >= _SURE_SIDE and looks_like(followed, box.side) >= _SURE_SIDE


def can_be(box: HandBox, lost: Track, t_s: float) -> bool:
    """Whether a found hand can be one that was lost from sight: not too far away, not of another size."""
    a, b = hand_px(box.crop), hand_px(lost.crop)
    reach = (_AT_ONCE + _SPEED * (t_s - lost.seen_s)) * max(a, b)
    return apart_px(box.crop, lost.crop) <= reach and max(a, b) <= _GROWTH * min(a, b)


def is_back(box: HandBox, lost: Track) -> bool:
    """Whether a found hand lies where one was lost, so that it is that one, whatever the detector calls it."""
    return apart_px(box.crop, lost.crop) <= _AT_ONCE * hand_px(lost.crop) and can_be(box, lost, lost.seen_s)
