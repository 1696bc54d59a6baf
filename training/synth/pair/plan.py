"""What a plan of two hands consists of, and how a hand is put into it (numpy only; any thread)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engines.skeleton import SIDES, WRIST, Side, other_side
from training.synth.hand.model import HandSkeleton, HandState, Placement
from training.synth.hand.poses import JointAngles
from training.synth.hand.shape import HandShape
from training.synth.person.appearance import unit

KNUCKLES: Final = (7, 11, 15, 19)
MIDDLE_JOINTS: Final = (6, 10, 14, 18)
"""Of the four fingers."""
PALM_JOINTS: Final = (*KNUCKLES, WRIST)
UP: Final = np.array([0.0, -1, 0])
DOWN: Final = np.array([0.0, 1, 0])
CAMERA: Final = np.array([0.0, 0, -1])
PERSON: Final = np.array([0.0, 0, 1])


@dataclass(frozen=True)
class PairPlan:
    """Two hands before contact."""

    right: HandState
    left: HandState
    slide: NDArray[np.float64]
    """(3,) unit direction in which the left hand gives way."""
    into_pocket: bool = False
    """Stop at the first place without collision, between the fingers, rather than beyond the last one."""
    start_mm: float = 0.0
    """Shift along `slide` at which sliding begins; negative: the hands come from apart."""
    most_mm: float = 240.0
    """Largest slide that still is what the plan wanted."""
    settle_deg: float = 0.0
    """How far the left hand may then turn to lie on the right one (`settle.py`)."""
    curl: tuple[Side, ...] = ()
    """Hands whose fingers then bend until they touch."""
    curl_most_deg: float = 150.0
    curl_fingers: tuple[int, ...] = (1, 2, 3, 4)
    """Which of their fingers (1 index .. 4 little) bend."""
    soft_mm: float = 0.0
    """How much more than usual flesh gives way, as between fingers that squeeze each other aside."""
    thumbs: tuple[Side, ...] = ()
    """Hands whose thumb is then laid where there is room for it."""
    apart_mm: float = 0.0
    """Extra distance after contact."""
    turn: bool = True
    """Turn the pair as a whole, as the stance has it."""
    front: bool = False
    """Before a camera: turned a little only, elbows out to both sides."""
    elbows: tuple[Side, ...] = SIDES
    """Hands whose forearm is still to be chosen."""

    def turned(self, rotation: NDArray[np.float64]) -> PairPlan:
        """Both hands turned as one by a rotation (3, 3) about the origin."""
        right, left = (state.turned(rotation, np.zeros(3)) for state in (self.right, self.left))
        return replace(self, right=right, left=left, slide=rotation @ self.slide)


def inward(side: Side) -> NDArray[np.float64]:
    """(3,) towards the person's middle."""
    return np.array([1.0 if side == "right" else -1.0, 0, 0])


def about(direction: ArrayLike, rng: np.random.Generator, spread: float) -> NDArray[np.float64]:
    """(3,) a unit vector near a direction."""
    return unit(np.asarray(direction, np.float64) + rng.normal(0, spread, 3))


def roles(rng: np.random.Generator) -> tuple[Side, Side]:
    """Who acts and who is acted upon."""
    first: Side = SIDES[rng.integers(2)]
    return first, other_side(first)


def facing(fingers: ArrayLike, palm: ArrayLike) -> NDArray[np.float64]:
    """(3, 3) camera_from_hand of a hand whose fingers point along one and whose palm looks along another direction."""
    along = unit(np.asarray(fingers, np.float64))
    normal = np.asarray(palm, np.float64)
    normal = unit(normal - normal @ along * along)
    return np.stack([np.cross(along, normal), along, normal], axis=1)


def hand_about(side: Side, angles: JointAngles, rotation: NDArray, center_mm: ArrayLike, shape: HandShape) -> HandState:
    """A hand turned by (3, 3) with the middle of its palm at (3,)."""
    state = HandState(side, angles, Placement(np.zeros(3), rotation))
    return state.moved(np.asarray(center_mm) - palm_center(state.skeleton(shape)))


def thumb_beside(rng: np.random.Generator, angles: JointAngles) -> JointAngles:
    """The thumb in the plane of the palm, out of the way of what the palm touches."""
    fingers = angles.fingers_deg.copy()
    fingers[0] = rng.normal((2, -22, -2, 0), (7, 3, 5, 6))
    fingers[1:, 0] = np.minimum(fingers[1:, 0], 6)
    fingers[1:, 2:] *= 0.6
    return JointAngles(fingers, angles.wrist_deg).limited()


def in_order(moving: HandState, fixed: HandState, away: NDArray, **fields: Any) -> PairPlan:
    """A plan in which `moving` gives way along `away`, whichever side it is; `fields` are those of `PairPlan`."""
    if moving.side == "left":
        return PairPlan(fixed, moving, away, **fields)
    return PairPlan(moving, fixed, -away, **fields)


def palm_center(hand: HandSkeleton) -> NDArray[np.float64]:
    """(3,) middle of the palm."""
    return hand.joints_mm[list(PALM_JOINTS)].mean(axis=0)
