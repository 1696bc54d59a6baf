"""One hand laid round a part of the other before its fingers close (numpy; any thread)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import Side
from training.synth.hand.model import HandState, Placement
from training.synth.hand.poses import JointAngles
from training.synth.hand.shape import HandShape
from training.synth.pair.arms import sample_fingers
from training.synth.pair.plan import KNUCKLES, PairPlan, facing, in_order
from training.synth.person.appearance import unit


def grasp(
    rng: np.random.Generator, shape: HandShape, holder: Side, held: HandState, start_mm: NDArray, end_mm: NDArray
) -> PairPlan:
    """A plan in which `holder` closes round what runs from (3,) to (3,) of the other hand."""
    axis = unit(end_mm - start_mm)
    inward = np.array([1.0 if holder == "right" else -1.0, -0.2, 0.0])
    fingers = inward - inward @ axis * axis + rng.normal(0, 0.25) * axis
    normal = unit(np.cross(axis, fingers)) * rng.choice([-1.0, 1.0])
    angles = sample_fingers(rng, shape, "open").fingers_deg.copy()
    angles[0] = rng.normal((4, -8, 10, 10), 6)
    rotation = facing(fingers, -normal)
    grip = HandState(holder, JointAngles(angles, np.zeros(3)).limited(), Placement(np.zeros(3), rotation))
    knuckles = grip.skeleton(shape).joints_mm[list(KNUCKLES)].mean(axis=0)
    grip = grip.moved(start_mm + rng.random() * (end_mm - start_mm) - knuckles)
    return in_order(
        grip, held, normal, most_mm=70.0, curl=(holder,), curl_most_deg=rng.uniform(120, 185), thumbs=(holder,)
    )
