"""Hands that move while the shutter is open (numpy; any thread).

Moments are in seconds from the middle of the exposure, which is when the labels hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engines.geometry.pinhole import Intrinsics, project
from training.synth.hand.model import MIRROR, HandState, Placement, hand_from_forearm
from training.synth.hand.poses import LOWER_DEG, UPPER_DEG, JointAngles
from training.synth.hand.shape import HandShape
from training.synth.person.appearance import unit

MOVING_SHARE: Final = 0.08
FASTEST_M_S: Final = (0.15, 1.5)
"""Range of the speed of a picture's fastest joint."""
EXPOSURE_S: Final = (1 / 100, 1 / 30)
MOST_PATH_PX: Final = 40.0
"""Of any joint during an exposure; what would go farther is slowed down."""
FREE_MODES: Final = ("single", "near", "side")
"""Where hands do not touch each other, so that each moves for itself and its fingers too."""


@dataclass(frozen=True)
class HandMotion:
    """How one hand moves; rates hold during the whole exposure."""

    velocity_mm_s: NDArray[np.float64]
    """(3,)."""
    spin_rad_s: NDArray[np.float64]
    """(3,) of the whole arm about the pivot."""
    pivot_mm: NDArray[np.float64]
    """(3,)."""
    fingers_deg_s: NDArray[np.float64]
    """(5, 4)."""
    wrist_deg_s: NDArray[np.float64]
    """(3,) of the hand on its forearm."""

    def scaled(self, factor: float) -> HandMotion:
        """The same motion, faster or slower."""
        rates = {name: getattr(self, name) * factor for name in _RATES}
        return replace(self, **rates)

    def at(self, state: HandState, moment_s: float) -> HandState:
        """The hand at a moment; unchanged in the middle of the exposure."""
        if moment_s == 0:
            return state
        fingers = state.angles.fingers_deg + self.fingers_deg_s * moment_s
        fingers = np.where(self.fingers_deg_s == 0, fingers, np.clip(fingers, LOWER_DEG, UPPER_DEG))
        angles = JointAngles(fingers, state.angles.wrist_deg + self.wrist_deg_s * moment_s)
        wrist_turn = hand_from_forearm(state.angles.wrist_deg) @ hand_from_forearm(angles.wrist_deg).T
        if state.side == "left":
            wrist_turn = wrist_turn * np.outer(MIRROR, MIRROR)
        bent = Placement(state.placement.wrist_cam_mm, state.placement.camera_from_hand @ wrist_turn)
        turn = Rotation.from_rotvec(self.spin_rad_s * moment_s).as_matrix()
        shift = self.pivot_mm - turn @ self.pivot_mm + self.velocity_mm_s * moment_s
        return HandState(state.side, angles, bent).turned(turn, shift)


_RATES: Final = ("velocity_mm_s", "spin_rad_s", "fingers_deg_s", "wrist_deg_s")


@dataclass(frozen=True)
class Exposure:
    """An exposure and what happens in it."""

    seconds: float
    motions: tuple[HandMotion, ...]
    """One for each hand of the picture."""
    path_px: float
    """Longest way of a joint in the picture."""

    def at(self, states: Sequence[HandState], share: float) -> tuple[HandState, ...]:
        """The hands at -0.5 .. 0.5 of the exposure."""
        return tuple(m.at(state, share * self.seconds) for m, state in zip(self.motions, states, strict=True))

    def shares(self) -> NDArray[np.float64]:
        """Middles of the sub-frames, an odd number of them, in shares of the exposure; the middle one is first."""
        count = 5 if self.path_px < 20 else 7
        moments = (np.arange(count) - count // 2) / count
        return moments[np.argsort(np.abs(moments), kind="stable")]


def sample_exposure(
    rng: np.random.Generator,
    states: Sequence[HandState],
    shape: HandShape,
    intrinsics: Intrinsics,
    mode: str,
    fingers_hold: Sequence[bool],
) -> Exposure:
    """A random motion; hands in contact or with an object between them move as one.

    `fingers_hold` tells for each hand whether its fingers stay (round an object, or because a ring is on them).
    """
    free = mode in FREE_MODES
    whole = replace(_motion(rng, states[0], shape, False), wrist_deg_s=np.zeros(3))
    motions = [
        _motion(rng, s, shape, not hold) if free else whole for s, hold in zip(states, fingers_hold, strict=True)
    ]
    seconds = float(np.exp(rng.uniform(*np.log(EXPOSURE_S))))
    wanted_mm_s = 1000 * float(np.exp(rng.uniform(*np.log(FASTEST_M_S))))
    trial = Exposure(1e-3, tuple(motions), 0.0)
    factor = wanted_mm_s * 1e-3 / max(_path(trial, states, shape, None, 2), 1e-6)
    exposure = Exposure(seconds, tuple(m.scaled(factor) for m in motions), 0.0)
    path = _path(exposure, states, shape, intrinsics, 9)
    if path > MOST_PATH_PX:
        exposure = replace(exposure, seconds=seconds * MOST_PATH_PX / path)
        path = _path(exposure, states, shape, intrinsics, 9)
    return replace(exposure, path_px=path)


def _motion(rng: np.random.Generator, state: HandState, shape: HandShape, fingers_move: bool) -> HandMotion:
    """Rates of a plausible mixture; their common scale comes later."""
    fingers = np.zeros((5, 4))
    if fingers_move:
        together = rng.normal(0, 200)
        fingers[:, [0, 2]] = together * rng.uniform(0.3, 1.0) + rng.normal(0, 60, (5, 2))
        fingers[0] *= 0.4
        fingers[1:, 3] = 0.6 * fingers[1:, 2]
        fingers *= rng.random() < 0.6
    return HandMotion(
        velocity_mm_s=unit(rng.normal(0, 1, 3)) * rng.uniform(50, 600),
        spin_rad_s=unit(rng.normal(0, 1, 3)) * rng.uniform(0, 2.5),
        pivot_mm=state.skeleton(shape).elbow_mm,
        fingers_deg_s=fingers,
        wrist_deg_s=rng.normal(0, [150, 60, 120]) * (rng.random() < 0.7),
    )


def _path(
    exposure: Exposure, states: Sequence[HandState], shape: HandShape, intrinsics: Intrinsics | None, count: int
) -> float:
    """Longest way of a joint, in mm or, for a camera, in pixels."""
    places = []
    for share in np.linspace(-0.5, 0.5, count):
        joints = np.vstack([s.skeleton(shape).joints_mm for s in exposure.at(states, float(share))])
        places.append(joints if intrinsics is None else project(joints, intrinsics))
    return float(np.linalg.norm(np.diff(np.stack(places), axis=0), axis=-1).sum(axis=0).max())
