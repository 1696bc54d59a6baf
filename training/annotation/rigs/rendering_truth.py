"""What is true of a rendered rig, in the form of triangulated hands (numpy; any thread)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.annotation.cameras.camera import Rig
from training.annotation.triangulation.hands import ACCEPTED, MACHINE, Hands


def exact_hands(rig: Rig, joints_mm: NDArray, t_s: NDArray) -> Hands:
    """Truth as hands: every joint accepted, no error anywhere."""
    moments = len(joints_mm)
    by_view = (moments, len(rig), 42)
    return Hands(
        joints_mm=joints_mm,
        sigma_mm=np.zeros((moments, 42)),
        reason=np.full((moments, 42), ACCEPTED, np.int8),
        error_px=np.zeros(by_view, np.float32),
        used=np.ones(by_view, bool),
        source=np.full((moments, 42), MACHINE, np.int8),
        t_s=t_s,
        delays_s=np.zeros(len(rig)),
    )
