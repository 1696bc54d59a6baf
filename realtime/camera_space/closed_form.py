"""Absolute depth of a wrist from 2.5D and the lengths of bones: a closed form and its standard deviation (any thread).

Iqbal et al., *Hand Pose Estimation via Latent 2.5D Heatmap Regression*, ECCV 2018, section 3.2: joint j lies at depth
Z + d_j on the line of sight r_j through its pixel, so the vector of a bone is linear in the wrist's depth Z,
v = a Z + c with a = r_child - r_parent and c = d_child r_child - d_parent r_parent, and a bone of known length L gives
the quadratic |a Z + c|^2 = L^2. There it is one bone; here all twenty: their quadratics summed are the start, and
Gauss-Newton then weighs each by how well it is known. A bone that points at the camera says next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import BONE_CHILD, BONE_PARENT

TYPICAL_HAND_MM: Final = 178.0
"""Wrist to middle fingertip along the bones, of adults (they have 178 +- 10); `lite`'s factor is made for such a hand
(`training.lite.factor`).
"""
PROPORTIONS: Final = np.array(
    [0.156, 0.176, 0.194, 0.214]  # thumb, from the tip's bone to the wrist's
    + [0.124, 0.139, 0.234, 0.466]  # index
    + [0.127, 0.164, 0.246, 0.465]  # middle: sums to about 1
    + [0.122, 0.152, 0.220, 0.447]  # ring
    + [0.106, 0.109, 0.169, 0.429]  # little
)
"""(20,) bones in the order of `BONES` as shares of the hand's length; medians of the rendered people."""
LENGTH_SIGMA: Final = 0.07
"""Standard deviation of a bone's share from hand to hand, relative to it."""
NEAREST_MM: Final = 50.0
FARTHEST_MM: Final = 5000.0
"""No hand is nearer to a camera, or farther from it; whatever gives a depth keeps to that."""
_ITERATIONS: Final = 12
_SMALL_STEP_MM: Final = 0.1
"""A step this small is the last one: depths are known to centimetres."""
_LARGEST_STEP: Final = 0.4

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sight:
    """A hand's joints as seen: where they are, relative to the wrist, and how sure that is."""

    rays: Floats
    """(21, 2) normalised camera coordinates, as `engines.geometry.pinhole.rays` gives them."""
    relative_mm: Floats
    """(21,) depth relative to the wrist."""
    ray_sigma: Floats
    """(21,) standard deviation of `rays` in each coordinate."""
    relative_sigma_mm: Floats
    """(21,) standard deviation of `relative_mm`; 0 for the wrist."""


@dataclass(frozen=True)
class DepthEstimate:
    """A depth along the camera's axis and its standard deviation."""

    depth_mm: float
    sigma_mm: float


def bones_of(hand_length_mm: float) -> Floats:
    """(20,) lengths in mm of a hand of typical proportions, in the order of `BONES`."""
    return PROPORTIONS * hand_length_mm


def closed_form_depth(sight: Sight, lengths_mm: Floats) -> DepthEstimate:
    """Depth of the wrist at which bones of `lengths_mm` (20,) fit best to what was seen.

    The sigma follows from those of the sight and from LENGTH_SIGMA; that all bones may be longer or shorter together
    is not in it.
    """
    a, c = _bone_vectors(sight)
    depth = _start(a, c, lengths_mm)
    information = 0.0
    ray_variance = sight.ray_sigma[BONE_CHILD] ** 2 + sight.ray_sigma[BONE_PARENT] ** 2
    depth_variance = sight.relative_sigma_mm[BONE_CHILD] ** 2 + sight.relative_sigma_mm[BONE_PARENT] ** 2
    for _ in range(_ITERATIONS):
        bones = a * depth + c  # (20, 3)
        error = (bones**2).sum(axis=1) - lengths_mm**2
        across, along = (bones[:, :2] ** 2).sum(axis=1), bones[:, 2] ** 2
        seen = depth**2 * ray_variance
        # Of a squared length: what is linear in the errors, what is quadratic, and the bone's own.
        variance = 4 * (across * seen + along * depth_variance) + 4 * seen**2 + 2 * depth_variance**2
        variance += 4 * lengths_mm**4 * LENGTH_SIGMA**2
        slope = 2 * (bones * a).sum(axis=1)
        information = float((slope**2 / variance).sum())
        step = float((slope * error / variance).sum()) / max(information, 1e-12)
        before, largest = depth, _LARGEST_STEP * depth
        depth = min(max(depth - min(max(step, -largest), largest), NEAREST_MM), FARTHEST_MM)
        if abs(depth - before) < _SMALL_STEP_MM:
            break
    return DepthEstimate(depth, information**-0.5 if information > 1e-12 else FARTHEST_MM)


def _bone_vectors(sight: Sight) -> tuple[Floats, Floats]:
    """A and c (20, 3) of the bones' vectors a Z + c."""
    lines = np.concatenate([sight.rays, np.ones((len(sight.rays), 1))], axis=1)
    at_wrist = lines * sight.relative_mm[:, None]
    return lines[BONE_CHILD] - lines[BONE_PARENT], at_wrist[BONE_CHILD] - at_wrist[BONE_PARENT]


def _start(a: Floats, c: Floats, lengths_mm: Floats) -> float:
    """The positive root of the bones' summed quadratics, or their minimum where noise leaves no root."""
    square, half, rest = (a**2).sum(), (a * c).sum(), (c**2).sum() - (lengths_mm**2).sum()
    root = np.sqrt(max(half**2 - square * rest, 0.0))
    depth = (root - half) / max(square, 1e-12)
    return float(np.clip(depth, NEAREST_MM, FARTHEST_MM))
