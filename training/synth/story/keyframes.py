"""Two hands that come in, gesture, cross, clasp, part and leave: keyframes made into motion (any thread).

Contact is solved once at the start: fingers bend until they rest on the other hand, thumbs give way to passing
fingers, and hands that would run into each other are moved apart, all as smooth curves over time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engines.skeleton import SIDES, Side
from training.synth.hand.contact import CONTACT_TOLERANCE_MM, curl_until_touch, slide_apart_mm
from training.synth.hand.model import HandSkeleton, HandState, Placement, hand_skeleton, wrist_towards
from training.synth.hand.poses import DIP_PER_PIP, GESTURES, JointAngles
from training.synth.hand.shape import HandShape
from training.synth.story.keys import DURATION_S, POSE_KEYS, TOGETHER_S, WRIST_KEYS, WristKey
from training.synth.story.motion import KeyedRotations, KeyedValues, Sway, bump, smooth_upper_envelope
from training.synth.story.thumb import THUMB_OUT_DEG, thumb_share

FACING: Final = np.diag([1.0, -1.0, -1.0])
"""Turn from hand frame to camera frame of a hand whose palm faces the camera, fingers up."""

_CLASPED_AT_S: Final = 8.2
_PUSH_OUT_MM: Final = CONTACT_TOLERANCE_MM - 0.5
"""Fingers that bend stop at the tolerance itself; only what is deeper than this moves the hands apart."""
_WAVE_HZ, _WAVE_DEG = 2.0, 13.0


class Curve:
    """A densely sampled curve (N,) over times (N,), read linearly; its ends hold outside."""

    def __init__(self, times_s: NDArray, values: NDArray) -> None:
        self._times, self._values = times_s, values

    def at(self, t_s: float) -> float:
        """Value at a time in seconds."""
        return float(np.interp(t_s, self._times, self._values))


_UNMOVED: Final = Curve(np.array([0.0, DURATION_S]), np.zeros(2))


class Story:
    """The motion of both hands over `DURATION_S`; the same seed and shape give the same motion."""

    def __init__(self, shape: HandShape, seed: int = 0, step_s: float = 1 / 60) -> None:
        self._shape = shape
        rng = np.random.default_rng(seed)
        self._positions = {s: KeyedValues(*_columns(WRIST_KEYS[s], 0, 1)) for s in SIDES}
        self._rotations = {s: KeyedRotations(*_rotation_keys(WRIST_KEYS[s])) for s in SIDES}
        self._wander = {s: Sway.sample(rng, [3, 2.5, 4, 1.5, 1.2, 1.2]) for s in SIDES}
        self._finger_wander = {s: Sway.sample(rng, np.full(9, 1.3)) for s in SIDES}
        self._common = Sway.sample(rng, [3, 3, 4])
        self._apart = _UNMOVED
        self._thumb_out = dict.fromkeys(SIDES, _UNMOVED)
        self._fingers = {s: _finger_track(s, GESTURES["fold"]) for s in SIDES}
        self._apart = self._keep_apart(step_s)
        for side in SIDES:
            self._fingers[side] = _finger_track(side, self._clasp(side))
        for side in SIDES:
            self._thumb_out[side] = self._keep_thumb_out(side, step_s)
        self._apart = self._keep_apart(step_s)

    def at(self, t_s: float) -> tuple[HandState, HandState]:
        """Right and left hand at a time in seconds."""
        right, left = (self._state(side, t_s) for side in SIDES)
        return right, left

    def _state(self, side: Side, t_s: float) -> HandState:
        """The hand with its wrist turned so that the forearm comes from the elbow."""
        together = bump(t_s, TOGETHER_S[0], TOGETHER_S[1], 0.6)
        wander = self._wander[side].at(t_s) * (1 - together)
        wrist = self._positions[side].at(t_s) + wander[:3]
        wave = _WAVE_DEG * np.sin(2 * np.pi * _WAVE_HZ * t_s) * bump(t_s, 1.2, 2.3, 0.35) if side == "right" else 0.0
        tremble = Rotation.from_euler("xyz", wander[3:] + [0, 0, wave], degrees=True)
        placement = Placement(wrist, (tremble * self._rotations[side].at(t_s)).as_matrix())
        fingers = self._fingers[side].at(t_s)
        fingers[0] += self._thumb_out[side].at(t_s) * (THUMB_OUT_DEG - fingers[0])
        fingers = fingers + (1 - together) * finger_offsets(self._finger_wander[side].at(t_s))
        angles = JointAngles(fingers, wrist_towards(elbow_of(wrist), placement, "right")).limited()
        placement = placement.mirrored() if side == "left" else placement
        sign = -1.0 if side == "right" else 1.0
        shift = together * self._common.at(t_s) + [sign * 0.5 * float(self._apart.at(t_s)), 0, 0]
        return HandState(side, angles, Placement(placement.wrist_cam_mm + shift, placement.camera_from_hand))

    def _clasp(self, side: Side) -> JointAngles:
        """The fold with its fingers bent on until they rest on the other hand."""
        right, left = self.at(_CLASPED_AT_S)
        own, other = (right, left) if side == "right" else (left, right)

        def skeleton_of(angles: JointAngles) -> HandSkeleton:
            return hand_skeleton(self._shape, angles, own.placement, side)

        return curl_until_touch(
            own.angles, skeleton_of, other.skeleton(self._shape), CONTACT_TOLERANCE_MM + 0.5, 100.0, (0.5, 3.0)
        )

    def _keep_thumb_out(self, side: Side, step_s: float) -> Curve:
        """How far the thumb must go aside, smoothly, while fingers bend or straighten past it."""
        times = np.arange(0.0, DURATION_S, 2 * step_s)
        needed = [thumb_share(self._state(side, float(t)), self._shape) for t in times]
        return Curve(times, smooth_upper_envelope(np.array(needed), round(0.05 / step_s)))

    def _keep_apart(self, step_s: float) -> Curve:
        """How far the hands must give way sideways, smoothly, so that no contact goes too deep."""
        self._apart = _UNMOVED
        times = np.arange(TOGETHER_S[0], TOGETHER_S[1], step_s)
        needed = []
        for t in times:
            right, left = (state.skeleton(self._shape) for state in self.at(float(t)))
            needed.append(slide_apart_mm(right, left, np.array([1.0, 0.0, 0.0]), _PUSH_OUT_MM, into_pocket=True))
        return Curve(times, smooth_upper_envelope(np.array(needed), round(0.1 / step_s)))


def turned_by(yaw_deg: float, lean_deg: float, roll_deg: float) -> Rotation:
    """Camera frame from the frame of a right hand: palm to the other hand, tips to the camera, tips to +x."""
    tilt = Rotation.from_euler("z", roll_deg, degrees=True) * Rotation.from_euler("x", lean_deg, degrees=True)
    return tilt * Rotation.from_matrix(FACING) * Rotation.from_euler("y", yaw_deg, degrees=True)


def elbow_of(wrist_mm: NDArray) -> NDArray[np.float64]:
    """(3,) where the elbow of a right hand is whose wrist is at (3,), of a person before a webcam."""
    return np.array([-230, 420, 700]) + np.array([0.4, 0.8, 0.6]) * (wrist_mm - [-150, 80, 550])


def finger_offsets(wander: NDArray) -> NDArray[np.float64]:
    """(5, 4) small offsets: base flexion of all fingers, abduction or middle flexion of four."""
    offsets = np.zeros((5, 4))
    offsets[:, 0] = wander[:5]
    offsets[1:, 2] = 1.5 * wander[5:]
    offsets[1:, 3] = DIP_PER_PIP * offsets[1:, 2]
    return offsets


def _columns(keys: Sequence[tuple], *which: int) -> list[list]:
    return [[key[k] for key in keys] for k in which]


def _rotation_keys(keys: Sequence[WristKey]) -> tuple[list[float], list[Rotation]]:
    return [key[0] for key in keys], [turned_by(*key[2]) for key in keys]


def _finger_track(side: Side, clasp: JointAngles) -> KeyedValues:
    gestures = {**GESTURES, "clasp": clasp}
    times, names = _columns(POSE_KEYS[side], 0, 1)
    return KeyedValues(times, [gestures[name].fingers_deg for name in names])
