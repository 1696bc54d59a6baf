"""Single hands as people hold them: elbow, forearm direction, turn of the forearm, wrist, fingers (numpy; any thread).

Person frame: as a camera that the person faces sees it, so x leads to the person's left, y down, z away from that
camera towards the person; mm. Everything is drawn for the right hand; a left hand is its mirror image at x = 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import Side
from training.synth.hand.contact import SELF_TOLERANCE_MM, self_gap_mm
from training.synth.hand.model import MIRROR, HandState, Placement, hand_from_forearm, hand_skeleton
from training.synth.hand.poses import DIP_PER_PIP, GESTURES, MODES, JointAngles, sample_angles
from training.synth.hand.seen import sample_seen
from training.synth.hand.shape import HandShape
from training.synth.hand.shapes import SHAPES, sample_shape
from training.synth.person.appearance import unit

Stance = Literal["raised", "table"]
"""Hands held up before the body, or lying on or working at a table."""

SHAPE_SHARE: Final = 0.30
"""Share of hands that make a named hand shape (`shapes.SHAPES`), more or less."""
SEEN_SHARE: Final = 0.30
"""Share of hands in a pose like one that was seen (`seen.py`)."""
GESTURE_SHARE: Final = 0.18
"""Share of the others that make a gesture of `GESTURES`, a little off; the rest is drawn from `sample_angles`."""
WRIST_DEVIATION_DEG: Final = (20.0, 8.0, 9.0)
_RAISE_DEG: Final[dict[Stance, tuple[float, float]]] = {"raised": (48.0, 27.0), "table": (5.0, 20.0)}
_TRIES: Final = 12


def sample_fingers(rng: np.random.Generator, shape: HandShape, mode: str | None = None) -> JointAngles:
    """Finger and wrist angles that do not run the hand into itself; `mode` is in `MODES`, `GESTURES` or `SHAPES`."""
    draw = _posing(rng, mode)  # the kind is drawn once: rejections must not make fists rare
    angles = GESTURES["relaxed"]
    for _ in range(_TRIES):
        angles = _with_random_wrist(rng, draw())
        if self_gap_mm(hand_skeleton(shape, angles, _ANYWHERE, "right")) > SELF_TOLERANCE_MM:
            return angles
    return GESTURES["relaxed"].with_wrist(angles.wrist_deg)


def _posing(rng: np.random.Generator, mode: str | None) -> Callable[[], JointAngles]:
    """What draws fingers of a mode: a named shape, a pose that was seen, a gesture or angles finger by finger."""
    kind = rng.random() if mode is None else 1.0
    name = mode if mode in SHAPES and mode not in MODES else None
    if kind < SHAPE_SHARE:
        name = str(rng.choice(list(SHAPES)))
    if name is not None:
        return lambda: sample_shape(rng, name)
    if kind < SHAPE_SHARE + SEEN_SHARE:
        return lambda: sample_seen(rng)
    return lambda: _one_pose(rng, mode)


def sample_arm(
    rng: np.random.Generator, shape: HandShape, side: Side, stance: Stance, angles: JointAngles | None = None
) -> HandState:
    """A hand near the origin of the person frame on a forearm that comes from where the person's elbow may be.

    Random fingers, unless the angles of hand and wrist are given.
    """
    angles = angles or sample_fingers(rng, shape)
    forearm = forearm_frame(_forearm_direction(rng, stance), _pronation_deg(rng, stance))
    placement = Placement(np.zeros(3), forearm @ hand_from_forearm(angles.wrist_deg).T)
    return HandState(side, angles, placement if side == "right" else placement.mirrored())


def forearm_frame(direction: NDArray, supination_deg: float) -> NDArray[np.float64]:
    """(3, 3) axes (radial, distal, palmar) in the person frame of a right forearm along the unit `direction`.

    At 0 degrees the palm looks forward when the forearm is upright and down when it points forward; supination turns
    the thumb up and out.
    """
    lateral = np.array([1.0, 0, 0]) - direction[0] * direction
    lateral = unit(lateral) if np.linalg.norm(lateral) > 0.1 else unit(np.cross(direction, [0.0, -1, 0]))
    palmar = np.cross(lateral, direction)
    turn = np.radians(supination_deg)
    palmar = np.cos(turn) * palmar + np.sin(turn) * np.cross(direction, palmar)
    return np.stack([np.cross(direction, palmar), direction, palmar], axis=1)


def sample_elbow(rng: np.random.Generator, wrist_mm: NDArray, side: Side, stance: Stance) -> NDArray[np.float64]:
    """(3,) mm: where the elbow may be of a hand whose wrist is at (3,) in the person frame."""
    if stance == "raised":
        offset = np.array([rng.uniform(-240, -20), rng.uniform(120, 330), rng.uniform(-40, 240)])
    else:
        offset = np.array([rng.uniform(-220, 10), rng.uniform(-30, 130), rng.uniform(140, 320)])
    return wrist_mm + (offset if side == "right" else offset * MIRROR)


def sample_wide_elbow(rng: np.random.Generator, wrist_mm: NDArray, side: Side) -> NDArray[np.float64]:
    """As `sample_elbow`, of hands that are brought together in front: the elbows stand out to both sides."""
    offset = np.array([rng.uniform(-320, -110), rng.uniform(-20, 240), rng.uniform(0, 200)])
    return wrist_mm + (offset if side == "right" else offset * MIRROR)


_ANYWHERE: Final = Placement(np.zeros(3), np.eye(3))


def _one_pose(rng: np.random.Generator, mode: str | None) -> JointAngles:
    gesture = None
    if rng.random() < GESTURE_SHARE:
        gesture = str(rng.choice(list(GESTURES))) if mode is None else mode
    return sample_angles(rng, mode) if gesture is None else _jittered(rng, GESTURES[gesture])


def _with_random_wrist(rng: np.random.Generator, angles: JointAngles) -> JointAngles:
    return angles.with_wrist(rng.normal(0, WRIST_DEVIATION_DEG)).limited()


def _jittered(rng: np.random.Generator, angles: JointAngles) -> JointAngles:
    fingers = angles.fingers_deg + rng.normal(0, 4, (5, 4))
    fingers[1:, 3] = DIP_PER_PIP * fingers[1:, 2]
    return JointAngles(fingers, angles.wrist_deg)


def _forearm_direction(rng: np.random.Generator, stance: Stance) -> NDArray[np.float64]:
    """(3,) from elbow to wrist of a right arm: up or level, forwards, a little to the middle."""
    raise_rad = np.radians(np.clip(rng.normal(*_RAISE_DEG[stance]), -55, 100))
    inward_rad = np.radians(np.clip(rng.normal(22, 32), -60, 100))
    level = np.cos(raise_rad)
    return np.array([level * np.sin(inward_rad), -np.sin(raise_rad), -level * np.cos(inward_rad)])


def _pronation_deg(rng: np.random.Generator, stance: Stance) -> float:
    """Turn of the forearm for `forearm_frame`: palm forward or down, sideways, or to the person; any in between."""
    kind = rng.choice(4, p=[0.40, 0.14, 0.16, 0.30] if stance == "raised" else [0.45, 0.18, 0.12, 0.25])
    if kind == 3:
        return float(rng.uniform(-35, 195))
    return float(rng.normal((0, 85, 175)[kind], 20))
