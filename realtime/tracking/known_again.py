"""Which hand a detector found: one that is followed and was out of sight, one lost a moment ago, or a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from engines.skeleton import Side, other_side
from realtime.messages import HandBox
from realtime.tracking.next_crop import apart_px, hand_px, near
from realtime.tracking.person import can_be, same_body
from realtime.tracking.track import Track, found


def name_for(box: HandBox, tracks: Mapping[Side, Track], lost: Mapping[Side, Track], t_s: float) -> Side | None:
    """What a found hand is called; None if it cannot be one of the person who is followed."""
    back = [side for side, one in lost.items() if side not in tracks and near(box.crop, one.crop)]
    if back:
        return box.side if box.side in back else back[0]
    side = box.side if box.side not in tracks else other_side(box.side)
    possible = all(same_body(box, track) for track in tracks.values())
    return side if possible and (side not in lost or can_be(box, lost[side], t_s)) else None


def moved(tracks: Mapping[Side, Track], boxes: Sequence[HandBox], t_s: float) -> dict[Side, Track]:
    """Followed hands that were not seen of late, where the detector finds them."""
    seen_now = [track.crop for track in tracks.values() if not track.missed]
    free = [box for box in boxes if not any(near(box.crop, crop) for crop in seen_now)]
    there: dict[Side, Track] = {}
    for side, track in tracks.items():
        box = _box_of(side, track, free, t_s) if track.missed else None
        if box is not None:
            free = [one for one in free if one is not box]
            there[side] = replace(again(found(box.crop, t_s), track), began_s=track.began_s)
    return there


def _box_of(side: Side, track: Track, boxes: Sequence[HandBox], t_s: float) -> HandBox | None:
    """The hand around where a track was looked for, whatever it is called; else the next one of its name in reach.

    A fast hand leaves its crop between two pictures: found beside it, it is no new hand.
    """
    around = [box for box in boxes if apart_px(box.crop, track.crop) < 0.5 * max(map(hand_px, (box.crop, track.crop)))]
    in_reach = [box for box in boxes if box.side == side and can_be(box, track, t_s)]
    possible = sorted(around, key=lambda box: box.side != side) or sorted(
        in_reach, key=lambda box: apart_px(box.crop, track.crop)
    )
    return possible[0] if possible else None


def again(new: Track, before: Track | None) -> Track:
    """A new track that knows of its side what the lost one knew."""
    if before is None:
        return new
    return replace(new, rightness_s=before.rightness_s, judged_s=before.judged_s)
