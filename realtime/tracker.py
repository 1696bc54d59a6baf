"""Which crops to look at next, and whose hand is in them: acquire, follow, merge, split, lose (one thread).

The unit is a crop, not a hand. Two near hands share one crop, because only there is their relative depth visible;
hands apart have a crop each. The next crop comes from the joints of the last frame, moved on by their velocity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from engines.crop import BOX_FACTOR, Crop, crop_around, transform, upright_angle_rad
from engines.output import NetworkOutput
from engines.skeleton import HAND_SLICES, SIDES, Side
from realtime.config import TrackerSettings
from realtime.messages import HandBox

_EVIDENCE_MEMORY = 0.9
"""How much of the evidence for a side is kept from frame to frame."""
_TURN_EVIDENCE = 2.0
"""Evidence against a hand's name that it takes to rename it; the most that can gather is 10."""
_SAME_HAND = 0.35
"""Two sets of joints closer than this share of the hand's size are the same hand seen twice."""
_SMALLEST_CROP_PX = 12.0
_SHRINK = 0.9
"""A crop shrinks at most this far in a frame: unsure joints lie closer together than the hand is large."""
_SHRINK_SHARED = 0.96
_SHARED_CONFIDENCE = 0.5
"""In a crop of two hands each is smaller and partly hidden: so much of the confidence asked for will do."""
_COMPANION_PROBABILITY = 0.8
"""How sure the network must be of both hands in a crop around one of them to follow the other too."""
_HIDDEN_PATIENCE = 4
"""A hand that vanishes beside the other one is rather hidden than gone: so many times longer it is kept."""


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
                _near(box.crop, track.crop) for track in self._tracks.values()
            ):
                continue
            side = box.side if box.side not in self._tracks else _other(box.side)
            self._tracks[side] = _Track(box.crop)

    def plan(self, t_s: float) -> list[CropPlan]:
        """The crops of the frame at `t_s`: none, one, or one for each of two hands apart."""
        predicted = {side: self._predict(track, t_s) for side, track in self._tracks.items()}
        known = [joints for joints in predicted.values() if joints is not None]
        if len(known) == len(SIDES):
            limit = self._settings.split_overlap if self._merged else self._settings.merge_overlap
            self._merged = _overlap(known[0], known[1]) > limit
        else:
            self._merged = False
        if self._merged:
            self._pair_crop = self._shared_crop(known)
            return [CropPlan(self._pair_crop, SIDES)]
        self._pair_crop = None
        return [CropPlan(self._own_crop(side, predicted[side]), (side,)) for side in self.sides]

    def update(self, plans: Sequence[CropPlan], outputs: Sequence[NetworkOutput], t_s: float) -> list[Observation]:
        """Take the network's answers to the plan; returns the hands seen in this frame."""
        seen: list[Observation] = []
        for plan, output in zip(plans, outputs, strict=True):
            seen += self._shared(plan, output) if len(plan.sides) > 1 else self._single(plan, output)
        seen = _without_doubles(seen) + self._companion(plans, outputs)
        by_side = {observation.side: observation for observation in seen}
        for side in self.sides:
            self._follow(side, by_side.get(side), t_s)
        renamed = self._rename()
        return [replace(one, side=renamed.get(one.side, one.side)) for one in seen]

    def _predict(self, track: _Track, t_s: float) -> NDArray[np.float64] | None:
        if track.joints_px is None:
            return None
        ahead_s = min(max(t_s - track.t_s, 0.0), 0.1)
        return track.joints_px + track.velocity_px_s * ahead_s

    def _shared_crop(self, hands_px: list[NDArray[np.float64]]) -> Crop:
        """The crop around both hands; it shrinks slowly, see `_SHRINK`."""
        before = self._pair_crop
        crop = crop_around(np.concatenate(hands_px), upright_angle_rad(hands_px, before.angle_rad if before else 0.0))
        return replace(crop, side_px=max(crop.side_px, _SHRINK_SHARED * before.side_px)) if before else crop

    def _own_crop(self, side: Side, joints: NDArray[np.float64] | None) -> Crop:
        """A hand's own crop; its side length follows slowly, because RootNet's depth shakes with it."""
        track = self._tracks[side]
        if joints is None:
            return track.crop
        crop = crop_around(joints, upright_angle_rad([joints], track.crop.angle_rad))
        keep = self._settings.crop_smoothing
        side_px = float(np.exp(keep * np.log(track.crop.side_px) + (1 - keep) * np.log(crop.side_px)))
        side_px = max(side_px, _SMALLEST_CROP_PX, crop.side_px / 1.25, _SHRINK * track.crop.side_px)
        track.crop = replace(crop, side_px=side_px)
        return track.crop

    def _joints(self, output: NetworkOutput, channel: Side, crop: Crop) -> NDArray[np.float64]:
        joints_crop = output.joints_crop_px[HAND_SLICES[channel]].astype(np.float64)
        return transform(crop.image_from_crop(self._input_px), joints_crop)

    def _single(self, plan: CropPlan, output: NetworkOutput) -> list[Observation]:
        """A crop around one hand: read it from the channel that is surer, whatever the hand is called."""
        side = plan.sides[0]
        right, left = (float(p) for p in output.hand_probability)
        track = self._tracks[side]
        track.evidence = _EVIDENCE_MEMORY * track.evidence + (right - left)
        channel: Side = "right" if right > left else "left"
        if min(right, left) > 0.5:
            channel = side
        probability = max(right, left) if channel != side else (right if side == "right" else left)
        joints = self._joints(output, channel, plan.crop)
        confidence = _confidence(output, channel)
        return self._seen(Observation(side, channel, output, plan.crop, joints, probability, confidence, shared=False))

    def _shared(self, plan: CropPlan, output: NetworkOutput) -> list[Observation]:
        """A crop around both hands: each is read from its own channel."""
        seen: list[Observation] = []
        for side, probability in zip(SIDES, output.hand_probability, strict=True):
            joints = self._joints(output, side, plan.crop)
            confidence = _confidence(output, side)
            seen += self._seen(
                Observation(side, side, output, plan.crop, joints, float(probability), confidence, shared=True)
            )
        return seen

    def _companion(self, plans: Sequence[CropPlan], outputs: Sequence[NetworkOutput]) -> list[Observation]:
        """The other hand, if only one is followed and its crop clearly shows both: no detector finds clasped hands."""
        if len(self._tracks) != 1 or self._most_hands == 1 or not plans:
            return []
        plan, output = plans[0], outputs[0]
        side = _other(plan.sides[0])
        if min(output.hand_probability) < _COMPANION_PROBABILITY:
            return []
        own, joints = (self._joints(output, channel, plan.crop) for channel in (plan.sides[0], side))
        confidence, probability = _confidence(output, side), float(output.hand_probability[SIDES.index(side)])
        if confidence < 2 * self._settings.lose_confidence or _distance(own, joints) < _SAME_HAND:
            return []
        self._tracks[side] = _Track(plan.crop)
        return [Observation(side, side, output, plan.crop, joints, probability, confidence, shared=False)]

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


def _confidence(output: NetworkOutput, channel: Side) -> float:
    return float(output.joint_confidence[HAND_SLICES[channel]].mean())


def _other(side: Side) -> Side:
    return "left" if side == "right" else "right"


def _near(a: Crop, b: Crop) -> bool:
    """The centres are closer than half a hand."""
    distance = np.hypot(a.center_px[0] - b.center_px[0], a.center_px[1] - b.center_px[1])
    return bool(distance < 0.5 * min(a.side_px, b.side_px) / BOX_FACTOR)


def _overlap(a_px: NDArray[np.float64], b_px: NDArray[np.float64]) -> float:
    """Intersection of the annotation boxes of two hands over the smaller one's area."""
    boxes = []
    for joints in (a_px, b_px):
        low, high = joints.min(axis=0), joints.max(axis=0)
        grow = 0.1 * (high - low)
        boxes.append((low - grow, high + grow))
    (low_a, high_a), (low_b, high_b) = boxes
    common = np.clip(np.minimum(high_a, high_b) - np.maximum(low_a, low_b), 0, None).prod()
    return float(common / max(min((high_a - low_a).prod(), (high_b - low_b).prod()), 1.0))


def _without_doubles(seen: list[Observation]) -> list[Observation]:
    """If two crops show the same hand, keep the surer one; in a shared crop hands may well lie on each other."""
    if len(seen) != len(SIDES) or seen[0].shared:
        return seen
    a, b = seen
    if _distance(a.joints_px, b.joints_px) > _SAME_HAND:
        return seen
    return [a if a.probability >= b.probability else b]


def _distance(a_px: NDArray[np.float64], b_px: NDArray[np.float64]) -> float:
    """Mean distance of equal joints of two hands, in sizes of the larger one."""
    size = max(np.ptp(a_px, axis=0).max(), np.ptp(b_px, axis=0).max())
    return float(np.linalg.norm(a_px - b_px, axis=1).mean() / max(size, 1.0))
