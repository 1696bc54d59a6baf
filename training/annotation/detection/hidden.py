"""Which joints a view can hardly see, because a finger of either hand is in front (numpy; any thread).

Detectors name a place for hidden joints too, and on rendered rigs they are two to three times as far off there, in
views from one side all alike. Where the hands are known in space, it is known who hides whom: bones are taken for
round bars.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import BONE_CHILD, BONE_PARENT, JOINTS_PER_HAND, WRIST

_FINGER_MM: Final = 8.0
_PALM_MM: Final = 11.0
"""Radius of a bone's bar; the palm is made of the bones that end at the wrist."""
_BEHIND_MM: Final = 4.0
"""A joint is hidden by what is so much nearer than touching."""
_STEPS: Final = np.linspace(0, 1, 9)
_CHILD, _PARENT = (np.concatenate([ends, ends + JOINTS_PER_HAND]) for ends in (BONE_CHILD, BONE_PARENT))
_RADIUS_MM: Final = np.where(np.concatenate([BONE_PARENT, BONE_PARENT]) == WRIST, _PALM_MM, _FINGER_MM)
_OWN: Final = (_CHILD[None] == np.arange(42)[:, None]) | (_PARENT[None] == np.arange(42)[:, None])
"""(42, 40) bones that end at a joint, which do not hide it."""

Floats = NDArray[np.float64]


def covered_mm(hands_mm: Floats) -> Floats:
    """(42,) how deep each joint of both hands (42, 3) in a camera's frame lies inside the outline of a bone before it.

    Negative: so far beside the nearest; minus infinity where nothing is in front. Unknown joints hide nothing.
    """
    ends = hands_mm[_CHILD], hands_mm[_PARENT]
    bars = ends[0][:, None] + _STEPS[:, None] * (ends[1] - ends[0])[:, None]  # (40, 9, 3)
    distance = np.linalg.norm(hands_mm, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        sight = hands_mm / distance[:, None]
        along = np.einsum("bsk,jk->jbs", bars, sight)
        beside = np.sqrt(np.maximum((bars**2).sum(-1)[None] - along**2, 0.0))
        radius = _RADIUS_MM[None, :, None]
        before = (distance[:, None, None] - along > radius + _BEHIND_MM) & ~_OWN[..., None]
        inside = np.where(before & np.isfinite(beside), radius - beside, -np.inf)
    return np.asarray(inside.max(axis=(1, 2)))


def widened(sigma_px: Floats, covered: Floats) -> Floats:
    """Sigmas (...) of joints that are covered so deep (...), mm: up to 1.75 times as wide.

    Twice that widening would place joints of many views better still (by 2 %), and reject far more of two views'.
    """
    return np.asarray(sigma_px * (1 + 0.5 * np.clip((covered + 5.0) / 8.0, 0.0, 1.5)))
