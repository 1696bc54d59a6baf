"""Whose hands are being followed, and in which crops: acquire, follow, merge, split, rename, lose (one thread).

The unit is a crop, not a hand. Two near hands share one crop, because only there is their relative depth visible;
hands apart have a crop each. The next crop comes from the joints of the last frame, moved on by their velocity. A
track follows a place: what the network calls the hand there counts as evidence for a name, and the name changes only
when the evidence of the last second is against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import Crop
from engines.output import NetworkOutput
from engines.skeleton import SIDES, Side, other_side
from realtime.config import TrackerSettings
from realtime.messages import HandBox, Proposed
from realtime.tracking.known_again import again, moved, name_for
from realtime.tracking.next_crop import near, overlap, own_crop, shared_crop
from realtime.tracking.observation import (
    SAME_HAND,
    Observation,
    Places,
    assigned,
    hand_distance,
    observe,
    one_each,
    palm_shows,
    rightness,
)
from realtime.tracking.person import in_order, stranger
from realtime.tracking.track import Track, found, judged, looks_like, predicted, seen
from realtime.tracking.trial import is_proof, sure_hand, sure_pair, worth_a_look

_TURN: Final = 0.35
"""How much the followed hands must look like the other side's, each on average, to be renamed."""
_SHARED_CONFIDENCE: Final = 0.5
"""In a crop of two hands each is smaller and partly hidden: so much of the confidence asked for will do."""
_COMPANION_PROBABILITY: Final = 0.8
"""How sure the network must be of both hands in a crop around one of them to follow the other too."""
_HIDDEN_PATIENCE: Final = 4
"""A hand that vanishes beside the other one is rather hidden than gone: so many times longer it is kept."""
_LEAST_MISSES: Final = 2
"""However slow the camera, one picture without a hand is no loss."""
_REMEMBER_S: Final = 0.5
"""A hand found where one was lost so long ago is that one, and nobody else's takes its place."""
_AVOID_S: Final = 2.0
"""For so long another person's hand is not taken up again."""


@dataclass(frozen=True)
class CropPlan:
    """A crop to run the network on, and the tracks that are expected in it."""

    crop: Crop
    sides: tuple[Side, ...]
    trial: Proposed | None = None
    """A detector proposes it; nobody is followed there yet, and what is there must be sure."""


@dataclass(frozen=True)
class Sighting:
    """The hands seen in a frame."""

    hands: tuple[Observation, ...]
    exchanged: bool = False
    """The names were found to be wrong in this frame: who remembers something of a hand by its name exchanges them."""


@dataclass(frozen=True)
class TrackerState:
    """What a tracker remembers."""

    tracks: Mapping[Side, Track] = field(default_factory=dict)
    lost: Mapping[Side, Track] = field(default_factory=dict)
    """Hands that were followed until a moment ago."""
    stranger: Track | None = None
    """Another person's hand that was followed for a while."""
    merged: bool = False
    pair_crop: Crop | None = None
    planned_s: float = 0.0
    trials: tuple[Proposed, ...] = ()
    """Where hands may be: each is looked at in crops that a frame has free, once, or a doubtful pair twice."""


class HandTracker:
    """Follows at most one right and one left hand; `plan`, run the network, `update`, for every frame.

    With `most_hands` 1 it follows whichever hand was found first, also where its crop shows both. `state` is all that
    it remembers.
    """

    def __init__(self, settings: TrackerSettings, input_px: int, most_hands: int = len(SIDES)) -> None:
        self._settings = settings
        self._input_px = input_px
        self._most_hands = most_hands
        self.size_px: tuple[int, int] | None = None
        """The pictures' width and height, as soon as they are known."""
        self.state = TrackerState()

    @property
    def sides(self) -> tuple[Side, ...]:
        """Hands that are being followed."""
        return tuple(side for side in SIDES if side in self.state.tracks)

    @property
    def held(self) -> int:
        """How many of them were seen lately, so that no detector need look for them."""
        return sum(track.missed < _LEAST_MISSES for track in self.state.tracks.values())

    def reset(self) -> None:
        """Forget both hands."""
        self.state = TrackerState()

    def acquire(self, found_there: Sequence[HandBox | Proposed], t_s: float) -> None:
        """Start tracks for hands that a detector found at `t_s`, where none is followed yet; try what is proposed."""
        boxes = [one for one in found_there if isinstance(one, HandBox)]
        tracks = dict(self.state.tracks)
        lost = _remembered(self.state.lost, t_s)
        avoided = self.state.stranger
        if avoided is not None and not 0 <= t_s - avoided.seen_s <= _AVOID_S:
            avoided = None
        tracks |= moved(tracks, boxes, t_s)
        taken = [*tracks.values(), *([avoided] if avoided else [])]
        for box in in_order(boxes, self._settings.person):
            if len(tracks) >= self._most_hands or any(near(box.crop, track.crop) for track in taken):
                continue
            side = name_for(box, tracks, lost, t_s)
            if side is not None:
                tracks[side] = again(found(box.crop, t_s), lost.get(side))  # known until the new one is seen
                taken.append(tracks[side])
        proposed = [one for one in found_there if isinstance(one, Proposed)]
        pairs = [one for one in self.state.trials if one.seen]
        trials = tuple(pairs) or worth_a_look(proposed, list(tracks.values()), self._most_hands)
        self.state = replace(self.state, tracks=tracks, lost=lost, stranger=avoided, trials=trials)

    def plan(self, t_s: float) -> list[CropPlan]:
        """The crops of the frame at `t_s`: none, one, or one for each of two hands apart."""
        state, tracks = self.state, dict(self.state.tracks)
        places = {side: predicted(track, t_s) for side, track in tracks.items()}
        known = [joints for joints in places.values() if joints is not None]
        limit = self._settings.split_overlap if state.merged else self._settings.merge_overlap
        merged = len(known) == len(SIDES) and overlap(known[0], known[1]) > limit
        pair_crop: Crop | None = None
        if merged:
            pair_crop = shared_crop(known, state.pair_crop, max(t_s - state.planned_s, 0.0))
            plans = [CropPlan(pair_crop, SIDES)]
        else:
            tracks = {side: self._with_crop(track, places[side], t_s) for side, track in tracks.items()}
            plans = [CropPlan(tracks[side].crop, (side,)) for side in SIDES if side in tracks]
        free = len(SIDES) - len(tracks)  # a frame has two crops; what finds no room is tried in the next one
        plans += [CropPlan(one.crop, one.sides, trial=one) for one in state.trials[:free]]
        trials = state.trials[free:] if free else ()
        self.state = replace(state, tracks=tracks, merged=merged, pair_crop=pair_crop, planned_s=t_s, trials=trials)
        return plans

    def update(self, plans: Sequence[CropPlan], outputs: Sequence[NetworkOutput], t_s: float) -> Sighting:
        """Take the network's answers to the plan."""
        places = {side: predicted(track, t_s) for side, track in self.state.tracks.items()}
        there: list[Observation] = []
        pair: list[Observation] = []
        single: list[HandBox | None] = []
        least = self._settings.lose_confidence
        for plan, output in zip(plans, outputs, strict=True):
            if plan.trial and len(plan.sides) > 1:
                pair = sure_pair(plan.crop, output, self._input_px, places, _SHARED_CONFIDENCE * least)
                if pair and not plan.trial.seen and not is_proof(pair):
                    self.state = replace(self.state, trials=(replace(plan.trial, seen=True), *self.state.trials))
                    pair = []
                continue
            if plan.trial:
                single.append(sure_hand(plan.crop, output, self._input_px, least))
                continue
            read = self._shared if len(plan.sides) > 1 else self._single
            there += [one for one in read(plan, output, places) if self._is_sure(one)]
        there = one_each(there, places)
        companion = None if pair else self._companion(plans, outputs)
        tracks = dict(self.state.tracks)
        if pair:
            there = pair
            tracks = {one.side: tracks.get(one.side) or found(one.crop, t_s) for one in pair}
            self.state = replace(self.state, merged=True, pair_crop=pair[0].crop)
        if companion is not None:
            there.append(companion)
            tracks[companion.side] = found(companion.crop, t_s)
        by_side = {one.side: one for one in there}
        followed = {side: self._followed(track, by_side.get(side), t_s) for side, track in tracks.items()}
        kept = {side: track for side, track in followed.items() if track is not None}
        gone = {side: track for side, track in tracks.items() if followed[side] is None and track.joints_px is not None}
        strange = None if self.state.merged else stranger(kept)
        avoided = self.state.stranger if strange is None else kept.pop(strange)
        lost = {side: track for side, track in {**self.state.lost, **gone}.items() if side not in kept}
        # A hand that has just been lost still tells what the other one cannot be.
        exchanged = bool(kept) and _are_misnamed({**_remembered(lost, t_s), **kept})
        kept, lost = (_exchanged(some, exchanged) for some in (kept, lost))
        self.state = replace(self.state, tracks=kept, lost=lost, stranger=avoided)
        if any(single):
            self.acquire([one for one in single if one is not None], t_s)
        hands = [replace(one, side=other_side(one.side)) if exchanged else one for one in there]
        return Sighting(tuple(hands), exchanged)

    def _with_crop(self, track: Track, joints: NDArray[np.float64] | None, t_s: float) -> Track:
        if joints is None:
            return track
        step_s = max(t_s - track.crop_s, 0.0)
        return replace(track, crop=own_crop(joints, track.crop, step_s, self._settings.crop_smoothing_s), crop_s=t_s)

    def _single(self, plan: CropPlan, output: NetworkOutput, places: Places) -> list[Observation]:
        """A crop around one hand: read it from the channel that is surer, whatever the hand is called.

        Where the crop shows both hands, it is the one that lies where this one must be.
        """
        side = plan.sides[0]
        right, left = (float(p) for p in output.hand_probability)
        place = places[side]
        if min(right, left) <= 0.5:
            return [observe(output, plan.crop, self._input_px, side, "right" if right > left else "left")]
        both = [observe(output, plan.crop, self._input_px, side, channel) for channel in (side, other_side(side))]
        if place is None:
            return both[:1]
        return [min(both, key=lambda one: hand_distance(one.joints_px, place))]

    def _shared(self, plan: CropPlan, output: NetworkOutput, places: Places) -> list[Observation]:
        """A crop around both hands: each is read from its own channel, unless that clearly shows the other one."""
        both = [observe(output, plan.crop, self._input_px, side, side, shared=True) for side in SIDES]
        return assigned([one for one in both if self._is_sure(one)], places)

    def _companion(self, plans: Sequence[CropPlan], outputs: Sequence[NetworkOutput]) -> Observation | None:
        """The other hand, if only one is followed and its crop clearly shows both: no detector finds clasped hands."""
        if len(self.state.tracks) != 1 or self._most_hands == 1 or not plans:
            return None
        plan, output = plans[0], outputs[0]
        if plan.trial or min(output.hand_probability) < _COMPANION_PROBABILITY:
            return None
        side = plan.sides[0]
        own, other = (observe(output, plan.crop, self._input_px, name, name) for name in (side, other_side(side)))
        sure = other.confidence >= 2 * self._settings.lose_confidence and self._is_sure(other)
        return other if sure and hand_distance(own.joints_px, other.joints_px) >= SAME_HAND else None

    def _is_sure(self, one: Observation) -> bool:
        """What is too unsure to be followed counts as not seen: its joints would draw the crop together to a point.

        Nor is a hand seen of which only fingers are left in the picture: their joints are made up with great certainty.
        """
        if self.size_px is not None and not palm_shows(one, self.size_px):
            return False
        enough = self._settings.lose_confidence * (_SHARED_CONFIDENCE if one.shared else 1.0)
        return one.confidence >= enough and one.probability >= self._settings.lose_probability

    def _followed(self, track: Track, one: Observation | None, t_s: float) -> Track | None:
        """The track moved on, or a miss counted; None if it is lost now."""
        if one is not None:
            return seen(judged(track, rightness(one), t_s), one.joints_px, t_s, shared=one.shared)
        if track.joints_px is None:
            return None
        patience_s = self._settings.lose_after_s * (_HIDDEN_PATIENCE if self.state.merged else 1)
        missed = track.missed + 1
        return None if missed >= _LEAST_MISSES and t_s - track.seen_s >= patience_s else replace(track, missed=missed)


def _remembered(lost: Mapping[Side, Track], t_s: float) -> dict[Side, Track]:
    return {side: track for side, track in lost.items() if 0 <= t_s - track.seen_s <= _REMEMBER_S}


def _are_misnamed(tracks: Mapping[Side, Track]) -> bool:
    """Whether the hands look like those of the other side: of two, one is right and one is left."""
    against = sum(looks_like(track, other_side(side)) for side, track in tracks.items())
    return against >= _TURN * len(tracks)


def _exchanged(tracks: dict[Side, Track], exchange: bool) -> dict[Side, Track]:
    return {other_side(side): track for side, track in tracks.items()} if exchange else tracks
