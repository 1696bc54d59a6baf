"""Joint angles of a hand: limits, named gestures, random poses (numpy only; any thread).

Angles in degrees. Fingers: flexion at the base, abduction at the base (positive towards the thumb), flexion of the
middle and of the end joint. Thumb: flexion and abduction of the carpometacarpal joint relative to the rest pose,
flexion of the two other joints. Wrist: flexion, deviation (positive radial), twist of the forearm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

LOWER_DEG: Final = np.array([[-28.0, -25, -12, -18]] + 4 * [[-22.0, -18, -3, -6]])
UPPER_DEG: Final = np.array([[28.0, 25, 55, 80]] + 4 * [[90.0, 18, 105, 75]])
WRIST_LOWER_DEG: Final = np.array([-65.0, -28, -25])
WRIST_UPPER_DEG: Final = np.array([65.0, 22, 25])
DIP_PER_PIP: Final = 0.62
SPREAD_SHARE: Final = np.array([1.0, 0.15, -0.55, -1.15])
"""How far index, middle, ring and little finger go aside when the hand spreads."""


@dataclass(frozen=True)
class JointAngles:
    """The pose of one hand."""

    fingers_deg: NDArray[np.float64]
    """(5, 4) thumb to little finger: base flexion, base abduction, middle flexion, end flexion."""
    wrist_deg: NDArray[np.float64]
    """(3,) flexion, deviation, twist."""

    def limited(self) -> JointAngles:
        """The same pose inside the joint limits; abduction fades as the base flexes."""
        fingers = np.clip(self.fingers_deg, LOWER_DEG, UPPER_DEG)
        most = 18 * abduction_freedom(fingers[1:, 0])
        fingers[1:, 1] = np.clip(fingers[1:, 1], -most, most)
        return JointAngles(fingers, np.clip(self.wrist_deg, WRIST_LOWER_DEG, WRIST_UPPER_DEG))

    def with_wrist(self, wrist_deg: ArrayLike) -> JointAngles:
        """The same fingers with another wrist."""
        return JointAngles(self.fingers_deg, np.asarray(wrist_deg, np.float64))


def abduction_freedom(base_flexion_deg: NDArray) -> NDArray:
    """Share of the abduction range that is left at a flexion of the finger's base: 1 straight, 0.15 from 70 degrees."""
    return 1 - 0.85 * np.clip(base_flexion_deg / 70, 0, 1)


def curled(curl: ArrayLike, spread_deg: float, thumb_deg: ArrayLike, hook: float = 0.0) -> JointAngles:
    """Pose from four finger curls (0 straight .. 1 fist), a spread and the thumb's four angles; straight wrist.

    `hook` moves the curl from the base (negative: hook) to the middle joints (positive: table top).
    """
    curl = np.asarray(curl, np.float64)
    fingers = np.zeros((5, 4))
    fingers[0] = thumb_deg
    fingers[1:, 0] = -8 + 88 * np.clip(curl * (1 + hook), 0, 1.05)
    fingers[1:, 2] = 2 + 98 * np.clip(curl * (1 - hook), 0, 1.05)
    fingers[1:, 3] = DIP_PER_PIP * fingers[1:, 2]
    fingers[1:, 1] = SPREAD_SHARE * spread_deg * abduction_freedom(fingers[1:, 0])
    return JointAngles(fingers, np.zeros(3)).limited()


def _pinch() -> JointAngles:
    """Thumb and index finger tip to tip, the other fingers loosely open."""
    pose = curled([0.0, 0.22, 0.16, 0.12], 4, (27, 23.5, 20, 58))
    pose.fingers_deg[1] = 61, 13, 46.4, DIP_PER_PIP * 46.4
    return pose.limited()


def _fold() -> JointAngles:
    """Fingers spread and bent at the base, ready to slide between those of the other hand."""
    pose = curled([0.0, 0.0, 0.0, 0.0], 0, (0, 10, 10, 10))
    pose.fingers_deg[1:, 0] = 43
    pose.fingers_deg[1:, 1] = 8.2 * SPREAD_SHARE
    pose.fingers_deg[1:, 2] = 24.5
    pose.fingers_deg[1:, 3] = DIP_PER_PIP * 24.5
    return pose.limited()


GESTURES: Final[dict[str, JointAngles]] = {
    "open": curled([0.05, 0.04, 0.05, 0.07], 6, (-6, 4, 8, 6)),
    "spread": curled([0.03, 0.02, 0.03, 0.05], 13, (-16, 8, 2, 0)),
    "relaxed": curled([0.22, 0.27, 0.32, 0.36], 3, (2, 0, 14, 16)),
    "fist": curled([0.95, 0.96, 0.96, 0.95], 1, (24, 20, 53, 50)),
    "point": curled([0.02, 0.90, 0.93, 0.92], 0, (28, -2, 16, 61)),
    "two": curled([0.03, 0.02, 0.92, 0.92], 9, (28, 16, 51, 43)),
    "three": curled([0.04, 0.03, 0.05, 0.92], 8, (27, 2, 50, 55)),
    "four": curled([0.05, 0.04, 0.05, 0.06], 8, (24, -14, 38, 40)),
    "pinch": _pinch(),
    "fold": _fold(),
}
"""Gestures by name; `sample_angles` gives random ones."""


def _chain(rng: np.random.Generator) -> NDArray:
    """Curls of four fingers of which each mostly follows its neighbour."""
    curl = rng.random(4)
    for finger in range(1, 4):
        if rng.random() < 0.7:
            curl[finger] = np.clip(0.65 * curl[finger - 1] + 0.35 * rng.random() + rng.normal(0, 0.12), 0, 1)
    return curl


def _point(rng: np.random.Generator) -> NDArray:
    bent = rng.random(4) < [0.15, 0.5, 0.85, 0.8]
    return np.where(bent, rng.uniform(0.7, 1, 4), rng.uniform(0, 0.12, 4))


_CURLS: Final[dict[str, tuple[float, Callable[[np.random.Generator], NDArray]]]] = {
    "open": (0.12, lambda rng: rng.normal(0.05, 0.06) + rng.normal(0, 0.03, 4)),
    "relaxed": (0.22, lambda rng: rng.uniform(0.15, 0.5) + np.arange(4) * rng.uniform(0, 0.06)),
    "fist": (0.10, lambda rng: rng.uniform(0.85, 1) + rng.normal(0, 0.04, 4)),
    "free": (0.36, _chain),
    "point": (0.08, _point),
    "pinch": (0.06, lambda rng: np.r_[rng.uniform(0.45, 0.6), rng.uniform(0.1, 0.7) + rng.normal(0, 0.08, 3)]),
    "spread": (0.06, lambda rng: rng.normal(0.03, 0.05, 4)),
}
MODES: Final = tuple(_CURLS)


def sample_angles(rng: np.random.Generator, mode: str | None = None) -> JointAngles:
    """A random pose; `mode` is one of `MODES`, by default drawn with their usual shares."""
    mode = mode or str(rng.choice(MODES, p=[share for share, _ in _CURLS.values()]))
    curl = np.clip(_CURLS[mode][1](rng), 0, 1)
    spread = rng.uniform(8, 16) if mode == "spread" else rng.uniform(-3, 9)
    pose = curled(curl, spread, _sample_thumb(rng, mode), hook=float(np.clip(rng.normal(0, 0.28), -0.6, 0.6)))
    fingers = pose.fingers_deg.copy()
    fingers[1:, 0] += rng.normal(0, 5, 4)
    fingers[1:, 1] += rng.normal(0, 3, 4)
    fingers[1:, 2] = np.clip(fingers[1:, 2] + rng.normal(0, 5, 4), LOWER_DEG[1:, 2], UPPER_DEG[1:, 2])
    fingers[1:, 3] = DIP_PER_PIP * fingers[1:, 2] + np.clip(rng.normal(0, 3.5, 4), -7, 7)
    return JointAngles(fingers, rng.normal(0, [25, 10, 12])).limited()


def _sample_thumb(rng: np.random.Generator, mode: str) -> NDArray:
    if mode == "fist":
        return rng.uniform([5, -15, 10, 10], [25, 10, 45, 70])
    if mode == "pinch":
        return rng.uniform([8, 0, 10, 10], [22, 20, 30, 40])
    return rng.normal([0, 0, 12, 18], [14, 12, 16, 24])
