"""Whose hands are being followed, and in which crops: acquire, follow, merge, split, rename, lose (one thread).

The unit is a crop, not a hand. Two near hands share one crop, because only there is their relative depth visible;
hands apart have a crop each. The next crop comes from the joints of the last frame, moved on by their velocity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import Crop, crop_around, upright_angle_rad
from engines.output import NetworkOutput
from engines.skeleton import SIDES, Side
from realtime.config import TrackerSettings
from realtime.messages import HandBox
from realtime.tracking.next_crop import near, overlap, own_crop, shared_crop
from realtime.tracking.observation import SAME_HAND, Observation, hand_distance, observe, without_doubles

_EVIDENCE_MEMORY: Final = 0.9
"""How much of the evidence for a side is kept from frame to frame."""
_TURN_EVIDENCE: Final = 2.0
"""Evidence against a hand's name that it takes to rename it; the most that can gather is 10."""
_SHARED_CONFIDENCE: Final = 0.5
"""In a crop of two hands each is smaller and partly hidden: so much of the confidence asked for will do."""
_COMPANION_PROBABILITY: Final = 0.8
"""How sure the network must be of both hands in a crop around one of them to follow the other too."""
_HIDDEN_PATIENCE: Final = 4
"""A hand that vanishes beside the other one is rather hidden than gone: so many times longer it is kept."""
_LONGEST_STEP_S: Final = 0.1
"""Velocities are trusted for so long."""


@dataclass(frozen=True)
class CropPlan:
    """A crop to run the network on, and the tracks that are expected in it."""

    crop: Crop
    sides: tuple[Side, ...]


@dataclass
class _Track:
    crop: Crop
    joints_px: NDArray[np.float64] | None = None
    velocity_px_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    t_s: float = 0.0
    evidence: float = 0.0
    """Positive for right, negative for left."""
    missed: int = 0


class HandTracker:
    """Follows at most one right and one left hand; `plan`, run the network, `update`, for every frame.

    With `most_hands` 1 it follows whichever hand was found first, also where its crop shows both.
    """

    def __init__(self, settings: TrackerSettings, input_px: int, most_hands: int = len(SIDES)) -> None:
        self._settings = settings
        self._input_px = input_px
        self._most_hands = most_hands
        self._tracks: dict[Side, _Track] = {}
        self._merged = False
        self._pair_crop: Crop | None = None

    @property
    def sides(self) -> tuple[Side, ...]:
        """Hands that are being followed."""
        return tuple(side for side in SIDES if side in self._tracks)

    def reset(self) -> None:
        """Forget both hands."""
        self._tracks.clear()
        self._merged = False
        self._pair_crop = None

    def acquire(self, boxes: Sequence[HandBox]) -> None:
        """Start tracks for hands the detector found where none is followed yet."""
        for box in boxes:
            if len(self._tracks) >= self._most_hands or any(
                near(box.crop, track.crop) for track in self._tracks.values()
            ):
                continue
            side = box.side if box.side not in self._tracks else _other(box.side)
            self._tracks[side] = _Track(box.crop)

    def plan(self, t_s: float) -> list[CropPlan]:
        """The crops of the frame at `t_s`: none, one, or one for each of two hands apart."""
        predicted = {side: _predicted(track, t_s) for side, track in self._tracks.items()}
        known = [joints for joints in predicted.values() if joints is not None]
        if len(known) == len(SIDES):
            limit = self._settings.split_overlap if self._merged else self._settings.merge_overlap
            self._merged = overlap(known[0], known[1]) > limit
        else:
            self._merged = False
        if self._merged:
            self._pair_crop = shared_crop(known, self._pair_crop)
            return [CropPlan(self._pair_crop, SIDES)]
        self._pair_crop = None
        return [CropPlan(self._own_crop(side, predicted[side]), (side,)) for side in self.sides]

    def update(self, plans: Sequence[CropPlan], outputs: Sequence[NetworkOutput], t_s: float) -> list[Observation]:
        """Take the network's answers to the plan; returns the hands seen in this frame."""
        seen: list[Observation] = []
        for plan, output in zip(plans, outputs, strict=True):
            seen += self._shared(plan, output) if len(plan.sides) > 1 else self._single(plan, output)
        seen = without_doubles(seen) + self._companion(plans, outputs)
        by_side = {observation.side: observation for observation in seen}
        for side in self.sides:
            self._follow(side, by_side.get(side), t_s)
        renamed = self._rename()
        return [replace(one, side=renamed.get(one.side, one.side)) for one in seen]

    def _own_crop(self, side: Side, joints: NDArray[np.float64] | None) -> Crop:
        track = self._tracks[side]
        if joints is not None:
            track.crop = own_crop(joints, track.crop, self._settings.crop_smoothing)
        return track.crop

    def _single(self, plan: CropPlan, output: NetworkOutput) -> list[Observation]:
        """A crop around one hand: read it from the channel that is surer, whatever the hand is called."""
        side = plan.sides[0]
        right, left = (float(p) for p in output.hand_probability)
        track = self._tracks[side]
        track.evidence = _EVIDENCE_MEMORY * track.evidence + (right - left)
        channel: Side = "right" if right > left else "left"
        if min(right, left) > 0.5:
            channel = side
        return self._seen(observe(output, plan.crop, self._input_px, side, channel))

    def _shared(self, plan: CropPlan, output: NetworkOutput) -> list[Observation]:
        """A crop around both hands: each is read from its own channel."""
        both = [observe(output, plan.crop, self._input_px, side, side, shared=True) for side in SIDES]
        return [one for observation in both for one in self._seen(observation)]

    def _companion(self, plans: Sequence[CropPlan], outputs: Sequence[NetworkOutput]) -> list[Observation]:
        """The other hand, if only one is followed and its crop clearly shows both: no detector finds clasped hands."""
        if len(self._tracks) != 1 or self._most_hands == 1 or not plans:
            return []
        plan, output = plans[0], outputs[0]
        if min(output.hand_probability) < _COMPANION_PROBABILITY:
            return []
        side = plan.sides[0]
        own, other = (observe(output, plan.crop, self._input_px, name, name) for name in (side, _other(side)))
        sure = other.confidence >= 2 * self._settings.lose_confidence
        if not sure or hand_distance(own.joints_px, other.joints_px) < SAME_HAND:
            return []
        self._tracks[other.side] = _Track(plan.crop)
        return [other]

    def _seen(self, observation: Observation) -> list[Observation]:
        """What is too unsure to be followed counts as not seen: its joints would draw the crop together to a point."""
        enough = self._settings.lose_confidence * (_SHARED_CONFIDENCE if observation.shared else 1.0)
        sure = observation.confidence >= enough
        return [observation] if sure and observation.probability >= self._settings.lose_probability else []

    def _follow(self, side: Side, observation: Observation | None, t_s: float) -> None:
        """Move a track on, or count a miss and in the end lose it."""
        track = self._tracks[side]
        if observation is None:
            track.missed += 1
            patience = self._settings.lose_after_frames * (_HIDDEN_PATIENCE if self._merged else 1)
            if track.missed >= patience or track.joints_px is None:
                del self._tracks[side]
            return
        if track.joints_px is not None and t_s > track.t_s:
            velocity = (observation.joints_px - track.joints_px).mean(axis=0) / (t_s - track.t_s)
            track.velocity_px_s = 0.5 * track.velocity_px_s + 0.5 * velocity
        track.joints_px, track.t_s, track.missed = observation.joints_px, t_s, 0
        if observation.shared:
            joints = observation.joints_px
            track.crop = crop_around(joints, upright_angle_rad([joints], track.crop.angle_rad))

    def _rename(self) -> dict[Side, Side]:
        """Exchange names once the evidence against them is strong; returns old name -> new name."""
        against = {side: (-1 if side == "right" else 1) * track.evidence for side, track in self._tracks.items()}
        if not against or min(against.values()) < _TURN_EVIDENCE:
            return {}
        self._tracks = {_other(side): track for side, track in self._tracks.items()}
        return {side: _other(side) for side in against}


def _other(side: Side) -> Side:
    return "left" if side == "right" else "right"


def _predicted(track: _Track, t_s: float) -> NDArray[np.float64] | None:
    """Where the joints will be at `t_s`, if they have been seen."""
    if track.joints_px is None:
        return None
    return track.joints_px + track.velocity_px_s * min(max(t_s - track.t_s, 0.0), _LONGEST_STEP_S)
