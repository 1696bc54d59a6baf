"""Hands that touch as a hand touches its mirror image: fingers meet at the plane between both (numpy; any thread).

Worked out for the right hand and the plane that looks against +x; the left hand is its mirror image. Fingers bend until
their flesh reaches the plane, so that all of them meet their partners, which drawn angles never do.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from training.synth.hand.contact import hand_capsules
from training.synth.hand.model import HandState, Placement
from training.synth.hand.poses import LOWER_DEG, UPPER_DEG, JointAngles
from training.synth.hand.shape import HandShape
from training.synth.hand.shapes import hand_shape

_HALVINGS: Final = 7
_FLAT: Final = hand_shape("flat_thumb_out").fingers_deg[0]
_OPPOSED: Final = hand_shape("pinch_all").fingers_deg[0]
_ROLL_DEG: Final = 45.0


def reach_mm(angles: JointAngles, rotation: NDArray, shape: HandShape) -> NDArray[np.float64]:
    """(5,) largest x of the flesh of each finger's two outer phalanges, wrist of the right hand at 0."""
    capsules = hand_capsules(HandState("right", angles, Placement(np.zeros(3), rotation)).skeleton(shape), False)
    far = np.maximum(capsules.start_mm[:, 0], capsules.end_mm[:, 0]) + capsules.radius_mm
    return np.array([far[(capsules.finger == f) & (capsules.phalanx > 0)].max() for f in range(5)])


def fingers_to_plane(
    angles: JointAngles, rotation: NDArray, shape: HandShape, plane_mm: float, column: int, most_deg: float
) -> JointAngles:
    """Each finger's flexion in a column (0 base, 2 middle joint) changed by up to +-`most_deg` so that it ends at x.

    A finger that cannot reach the plane comes as near as it may.
    """
    low, high = np.full(4, -most_deg), np.full(4, most_deg)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        beyond = reach_mm(_bent(angles, column, middle), rotation, shape)[1:] > plane_mm
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return _bent(angles, column, low)


def _bent(angles: JointAngles, column: int, by_deg: NDArray) -> JointAngles:
    fingers = angles.fingers_deg.copy()
    fingers[1:, column] = np.clip(fingers[1:, column] + by_deg, LOWER_DEG[1:, column], UPPER_DEG[1:, column])
    return JointAngles(fingers, angles.wrist_deg)


def thumb_to_plane(angles: JointAngles, rotation: NDArray, shape: HandShape, plane_mm: float) -> JointAngles:
    """The thumb somewhere between flat and opposed so that it ends at x = plane, or as near as it may."""
    shares = np.linspace(0, 1, 9)
    trials = [_with_thumb(angles, share) for share in shares]
    reaches = np.array([reach_mm(trial, rotation, shape)[0] for trial in trials])
    inside = np.where(reaches <= plane_mm + 1, reaches, -np.inf)
    return trials[int(np.argmax(inside))] if np.isfinite(inside).any() else trials[int(np.argmin(reaches))]


def _with_thumb(angles: JointAngles, share: float) -> JointAngles:
    fingers = angles.fingers_deg.copy()
    fingers[0] = (1 - share) * _FLAT + share * _OPPOSED
    return JointAngles(fingers, angles.wrist_deg)


def rolled(angles: JointAngles, rotation: NDArray, shape: HandShape) -> NDArray[np.float64] | None:
    """The rotation turned about z so that thumb and fingers reach equally far; None where no small turn does it."""
    low, high = -_ROLL_DEG, _ROLL_DEG

    def excess(turn_deg: float) -> float:
        far = reach_mm(angles, Rotation.from_euler("z", turn_deg, degrees=True).as_matrix() @ rotation, shape)
        return float(far[1:].max() - far[0])

    if excess(low) * excess(high) > 0:
        return None
    rising = excess(high) > 0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if (excess(middle) > 0) == rising else (middle, high)
    return np.asarray(Rotation.from_euler("z", (low + high) / 2, degrees=True).as_matrix() @ rotation)


def both(angles: JointAngles, rotation: NDArray, aside_mm: NDArray) -> tuple[HandState, HandState]:
    """The right hand and its mirror image, moved aside against each other by (3,) mm."""
    right = HandState("right", angles, Placement(np.zeros(3), rotation))
    return right.moved(aside_mm / 2), HandState("left", angles, right.placement.mirrored()).moved(-aside_mm / 2)
