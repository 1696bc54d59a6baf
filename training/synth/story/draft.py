"""Keyframes of two hands and what lies over them, made into motion (numpy and scipy; any thread).

A draft is in the person frame: as a camera that the person faces sees it, half a metre before the hands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from engines.skeleton import SIDES, Side
from training.synth.hand.model import MIRROR, HandState, Placement, wrist_towards
from training.synth.hand.poses import JointAngles
from training.synth.story.keyframes import elbow_of, finger_offsets
from training.synth.story.motion import KeyedRotations, KeyedValues, Sway, bump
from training.synth.story.thumb import THUMB_OUT_DEG

_RAMP_S: Final = 0.25
"""How long a hand's own sway takes to die down."""


@dataclass(frozen=True)
class Key:
    """Where a hand is at a moment; its wrist angles follow from where the elbow is."""

    t_s: float
    state: HandState


@dataclass(frozen=True)
class Contact:
    """A stretch of time in which the hands meet and sway as one; they give way to each other along a direction."""

    start_s: float
    end_s: float
    direction: NDArray[np.float64]
    """(3,) unit, from the right to the left hand."""
    push_mm: CubicSpline | None = None
    """How far the hands must be moved apart, over time."""


@dataclass(frozen=True)
class Draft:
    """A story so far; every key lies behind those before it."""

    keys: Mapping[Side, tuple[Key, ...]]
    still: tuple[tuple[float, float], ...] = ()
    """Start and end of stretches in which nothing moves at all."""
    contacts: tuple[Contact, ...] = ()
    thumb_out: Mapping[Side, CubicSpline] = field(default_factory=dict)
    """Share of the way to the thumb's outer place, over time."""

    @property
    def end_s(self) -> float:
        """When the last key is."""
        return max(keys[-1].t_s for keys in self.keys.values())

    def last(self, side: Side) -> HandState:
        """Where a hand is at its last key."""
        return self.keys[side][-1].state

    def then(self, moves: Mapping[Side, list[tuple[float, HandState]]]) -> Draft:
        """More keys: seconds after the present end, and states; a hand without any waits where it is."""
        start = self.end_s
        longest = max(after for own in moves.values() for after, _ in own)
        keys = {}
        for side in SIDES:
            own = [Key(start + after, state) for after, state in moves.get(side, [])]
            last = own[-1].state if own else self.last(side)
            waits = [Key(start, self.last(side))] if self.keys[side][-1].t_s < start else []
            ends = [] if own and own[-1].t_s >= start + longest else [Key(start + longest, last)]
            keys[side] = (*self.keys[side], *waits, *own, *ends)
        return replace(self, keys=keys)


@dataclass(frozen=True)
class Sways:
    """Slow wander of each hand and its fingers, and of both hands together while they touch."""

    hand: Mapping[Side, Sway]
    fingers: Mapping[Side, Sway]
    common: Sway

    @staticmethod
    def sample(rng: np.random.Generator) -> Sways:
        """Random sways of a few millimetres and degrees."""
        hand = {side: Sway.sample(rng, [3, 2.5, 4, 1.5, 1.2, 1.2]) for side in SIDES}
        return Sways(hand, {side: Sway.sample(rng, np.full(9, 1.3)) for side in SIDES}, Sway.sample(rng, [3, 3, 4]))


class DraftMotion:
    """A draft's hands at any time, in the person frame."""

    def __init__(self, draft: Draft, sways: Sways) -> None:
        self._draft, self._sways = draft, sways
        self._tracks = {side: _tracks(draft.keys[side]) for side in SIDES}

    def at(self, t_s: float) -> tuple[HandState, HandState]:
        """Right and left hand."""
        draft = self._draft
        moving = 1 - sum(bump(t_s, start, end, _RAMP_S) for start, end in draft.still)
        together = sum(bump(t_s, c.start_s, c.end_s, _RAMP_S) for c in draft.contacts)
        shift = moving * together * self._sways.common.at(t_s)
        right, left = (self._state(side, t_s, moving * (1 - together)).moved(shift) for side in SIDES)
        apart = sum((_push(contact, t_s) for contact in draft.contacts), np.zeros(3))
        return right.moved(-apart / 2), left.moved(apart / 2)

    def _state(self, side: Side, t_s: float, swaying: float) -> HandState:
        positions, rotations, fingers_at = self._tracks[side]
        wander = swaying * self._sways.hand[side].at(t_s)
        tremble = Rotation.from_euler("xyz", wander[3:], degrees=True)
        placement = Placement(positions.at(t_s) + wander[:3], (tremble * rotations.at(t_s)).as_matrix())
        fingers = fingers_at.at(t_s)
        if side in self._draft.thumb_out:
            share = float(np.clip(self._draft.thumb_out[side](t_s), 0, 1))
            fingers[0] += share * (THUMB_OUT_DEG - fingers[0])
        fingers = fingers + finger_offsets(swaying * self._sways.fingers[side].at(t_s))
        return on_forearm(HandState(side, JointAngles(fingers, np.zeros(3)), placement))


def on_forearm(state: HandState) -> HandState:
    """The hand with its wrist bent so that the forearm comes from the elbow, within the joint limits."""
    side, placement = state.side, state.placement
    wrist_mm = placement.wrist_cam_mm
    elbow = elbow_of(wrist_mm) if side == "right" else elbow_of(wrist_mm * MIRROR) * MIRROR
    return HandState(side, state.angles.with_wrist(wrist_towards(elbow, placement, side)).limited(), placement)


def _tracks(keys: tuple[Key, ...]) -> tuple[KeyedValues, KeyedRotations, KeyedValues]:
    times = [key.t_s for key in keys]
    return (
        KeyedValues(times, [key.state.placement.wrist_cam_mm for key in keys]),
        KeyedRotations(times, [Rotation.from_matrix(key.state.placement.camera_from_hand) for key in keys]),
        KeyedValues(times, [key.state.angles.fingers_deg for key in keys]),
    )


def _push(contact: Contact, t_s: float) -> NDArray[np.float64]:
    if contact.push_mm is None or not contact.start_s <= t_s <= contact.end_s:
        return np.zeros(3)
    return max(float(contact.push_mm(t_s)), 0.0) * contact.direction
