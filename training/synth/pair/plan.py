"""What a plan of two hands consists of, and how a hand is put into it (numpy only; any thread)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engines.skeleton import SIDES, WRIST, Side
from training.synth.hand.model import HandSkeleton, HandState, Placement
from training.synth.hand.poses import JointAngles
from training.synth.hand.shape import HandShape
from training.synth.person.appearance import unit

KNUCKLES: Final = (7, 11, 15, 19)
PALM_JOINTS: Final = (*KNUCKLES, WRIST)


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
    curl: tuple[Side, ...] = ()
    """Hands whose fingers then bend until they touch."""
    curl_most_deg: float = 150.0
    thumbs: tuple[Side, ...] = ()
    """Hands whose thumb is then laid where there is room for it."""
    apart_mm: float = 0.0
    """Extra distance after contact."""
    turn: bool = True
    """Turn the pair as a whole, as the stance has it."""
    elbows: tuple[Side, ...] = SIDES
    """Hands whose forearm is still to be chosen."""


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


def palm_center(hand: HandSkeleton) -> NDArray[np.float64]:
    """(3,) middle of the palm."""
    return hand.joints_mm[list(PALM_JOINTS)].mean(axis=0)
