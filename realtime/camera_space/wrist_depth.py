"""How far away a wrist is: RootNet's factor, the closed form, or both, each with its standard deviation (any thread).

Every number below was measured on rendered hands that no training saw and checked on webcam pictures; `python -m
training.depth` prints both, docs/calibration.md discusses them.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics, rays, rootnet_k, undistorted_side_px
from engines.skeleton import HAND_SLICES, SIDES, WRIST
from realtime.camera_space.closed_form import (
    NEAREST_MM,
    TYPICAL_HAND_MM,
    DepthEstimate,
    Sight,
    bones_of,
    closed_form_depth,
)
from realtime.tracking.observation import Observation

DepthMethod = Literal["root", "closed", "fused"]
UNKNOWN_SIZE: Final = 0.13
"""Standard deviation of a hand's size about the typical one, as a share: of people of all ages. It goes into every
depth as long as the hand's length is not known, whatever the method: a hand of twice the size looks like one near."""
RELATIVE_SIGMA_MM: Final = 52.0
"""Of the left wrist's depth relative to the right one's, where both are seen in one crop."""
_SURE: Final = 0.6
"""Mean confidence of a hand's joints above which its depth is as sure as it says: of real hands seen by four cameras,
2 % are more than 150 mm off then, below 0.3 more than half are (docs/annotation.md)."""
_EQUALLY_FAR: Final = 0.3
"""Standard deviation of the logarithm of the ratio of both wrists' depths, for a person before a camera."""
_CLOSED_FACTOR: Final = 1.1
"""Errors of neighbouring joints go together; the closed form's sigma takes them for independent."""


def size_factor(hand_length_mm: float | None) -> float:
    """What depths and root-relative depths are multiplied with, for a hand of known length; 1 for an unknown one."""
    return 1.0 if hand_length_mm is None else hand_length_mm / TYPICAL_HAND_MM


def measured_depth(
    one: Observation, method: DepthMethod, hand_length_mm: float | None, intrinsics: Intrinsics
) -> tuple[DepthEstimate, str]:
    """Depth of an observed wrist and its source: "rootnet", "known_size", "closed_form" or "fused".

    With a `hand_length_mm` (wrist to middle fingertip along the bones) RootNet's depth is scaled by it.
    """
    size_share = 0.0 if hand_length_mm is not None else UNKNOWN_SIZE
    if method == "root":
        own = _root(one, hand_length_mm, intrinsics)
        return _with_share(own, size_share), "rootnet" if hand_length_mm is None else "known_size"
    closed = _closed(one, hand_length_mm, intrinsics)
    if method == "closed":
        return _with_share(closed, size_share), "closed_form"
    return _with_share(fused(_root(one, hand_length_mm, intrinsics), closed), size_share), "fused"


def fused(a: DepthEstimate, b: DepthEstimate) -> DepthEstimate:
    """Two independent estimates, weighted by their inverse variances.

    Logarithms are averaged: both have errors that grow with the depth, and in millimetres the nearer one would win.
    """
    information = [(one.depth_mm / one.sigma_mm) ** 2 for one in (a, b)]
    total = sum(information)
    log_depth = (information[0] * np.log(a.depth_mm) + information[1] * np.log(b.depth_mm)) / total
    depth_mm = float(np.exp(log_depth))
    return DepthEstimate(depth_mm, depth_mm * total**-0.5)


def leaning(own: DepthEstimate, confidence: float, other: DepthEstimate, others_confidence: float) -> DepthEstimate:
    """The depth of a hand of whose joints the network is unsure, leaning on the other hand's; a sure one is its own.

    Of a hand behind a cup or a board the crop holds a few fingertips, which are taken for a whole hand twice as far
    away. A person's hands are about equally far, though: their depths' ratio is normal in its logarithm. What doubt
    there is about a hand's size grows with how far its mean confidence is below `_SURE`.
    """
    doubt, others_doubt = (max(0.0, _SURE - one) for one in (confidence, others_confidence))
    if doubt == 0:
        return own
    share = doubt**2 / (doubt**2 + others_doubt**2 + _EQUALLY_FAR**2)
    depth_mm = own.depth_mm * (other.depth_mm / own.depth_mm) ** share
    left = doubt * (1 - share) ** 0.5
    return DepthEstimate(depth_mm, depth_mm * float(np.hypot(own.sigma_mm / own.depth_mm, left)))


def sight_of(one: Observation, intrinsics: Intrinsics, factor: float = 1.0) -> Sight:
    """What the closed form needs of an observation; relative depths are multiplied with `factor`."""
    rows = HAND_SLICES[one.channel]
    doubt = 1.0 - np.clip(one.output.joint_confidence[rows].astype(np.float64), 0.0, 1.0)
    side = _side_px(one, intrinsics) / np.sqrt(intrinsics.fx * intrinsics.fy)
    relative_sigma_mm = (16.0 + 22.0 * doubt) * factor
    relative_sigma_mm[WRIST] = 0.0
    return Sight(
        rays=rays(one.joints_px, intrinsics),
        relative_mm=_to_wrist(one.output.joint_depth_mm[rows]) * factor,
        ray_sigma=(0.012 + 0.08 * doubt**1.5) * side,
        relative_sigma_mm=relative_sigma_mm,
    )


def _to_wrist(depth_mm: NDArray) -> NDArray[np.float64]:
    relative = depth_mm.astype(np.float64)
    return relative - relative[WRIST]


def _root(one: Observation, hand_length_mm: float | None, intrinsics: Intrinsics) -> DepthEstimate:
    """RootNet's factor times its distance measure k, scaled to the hand; size apart, it is the surer the joints are."""
    gamma = float(one.output.root_depth_factor[SIDES.index(one.channel)])
    k = float(rootnet_k(_side_px(one, intrinsics), intrinsics.fx, intrinsics.fy))
    depth = max(gamma * k * size_factor(hand_length_mm), NEAREST_MM)
    return DepthEstimate(depth, depth * (0.06 + 0.1 * (1.0 - one.confidence) ** 1.5))


def _closed(one: Observation, hand_length_mm: float | None, intrinsics: Intrinsics) -> DepthEstimate:
    length_mm = TYPICAL_HAND_MM if hand_length_mm is None else hand_length_mm
    found = closed_form_depth(sight_of(one, intrinsics, size_factor(hand_length_mm)), bones_of(length_mm))
    return DepthEstimate(found.depth_mm, _CLOSED_FACTOR * found.sigma_mm)


def _side_px(one: Observation, intrinsics: Intrinsics) -> float:
    return undistorted_side_px(one.crop.center_px, one.crop.side_px, intrinsics)


def _with_share(one: DepthEstimate, share: float) -> DepthEstimate:
    return DepthEstimate(one.depth_mm, float(np.hypot(one.sigma_mm, share * one.depth_mm)))
