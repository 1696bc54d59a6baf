"""Depths of joints along the line of sight through a crop's centre, and along the camera's axis (numpy; any thread).

A crop does not show where in the picture it was cut, so a network cannot know how far its line of sight is turned from
the camera's axis: off to the side of a picture a hand looks as the same hand in the middle does, turned. What the crop
can tell is how much farther than the wrist a joint is along the crop's own line of sight, and the left wrist than the
right one. With r the unit vector of that line, p = ((x - cx) / fx, (y - cy) / fy, 1) the joint's own, and s = r . p, a
joint at depth z on the camera's axis lies at s z along the line of sight. At 30 degrees, the edge of a usual webcam,
the two differ by up to half of the hand's extent across.

The same holds for RootNet's factor. A hand at the distance d along a line of sight at the angle t from the axis covers
an area fx fy A / (d^2 cos^3 t) of the picture: the picture is stretched towards its edges. So a crop can tell
gamma = d / (k cos^-1.5 t), where k is RootNet's measure of the crop; z / k would differ by up to 16 % between the
middle and the edge of a usual webcam's picture.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import Crop, transform
from engines.geometry.pinhole import Intrinsics, rays, rootnet_k, undistorted_side_px
from engines.output import NetworkOutput
from engines.skeleton import JOINTS_PER_HAND, WRISTS

_LEAST_SHARE: Final = 0.2
"""Nothing that a crop shows lies farther from its line of sight; a hand that is not there may be said to."""
Floats = NDArray[np.float64]


def shares_along(joints_px: NDArray, center_px: NDArray, intrinsics: Intrinsics) -> Floats:
    """The factors s of joints (..., 2) in pixels of the picture, for the line of sight through `center_px` (2,)."""
    sight = np.append(rays(np.asarray(center_px, np.float64), intrinsics), 1.0)
    slopes = rays(joints_px.astype(np.float64), intrinsics)
    along: Floats = (slopes @ sight[:2] + 1.0) / np.linalg.norm(sight)
    return np.maximum(along, _LEAST_SHARE)


def stretch(center_px: NDArray, intrinsics: Intrinsics) -> float:
    """How much farther along its line of sight a hand is than k makes it, cos^-1.5 of that line's angle from the axis.

    `center_px` (2,) is the crop's centre in pixels of the picture.
    """
    slopes = rays(np.asarray(center_px, np.float64), intrinsics)
    return float((slopes @ slopes + 1.0) ** 0.75)


def axis_from_ray(relative_mm: NDArray, shares: NDArray, wrist_mm: NDArray) -> Floats:
    """Depths relative to the wrist along the axis from those along the line of sight.

    `relative_mm` and `shares` (42,), `wrist_mm` (2,) the wrists' depths along the axis, right and left.
    """
    wrists = np.repeat(wrist_mm.astype(np.float64), JOINTS_PER_HAND)
    own = np.repeat(shares[list(WRISTS)], JOINTS_PER_HAND)
    depth: Floats = (own * wrists + relative_mm) / shares - wrists
    return depth


def with_axis_depths(output: NetworkOutput, crop: Crop, input_px: int, intrinsics: Intrinsics) -> NetworkOutput:
    """The answer for a crop with its depths and RootNet's factors along the camera's axis: wrist depth = gamma * k.

    Where the wrists are along the axis, the network's own wrist depths will do.
    """
    joints_px = transform(crop.image_from_crop(input_px), output.joints_crop_px.astype(np.float64))
    side_px = undistorted_side_px(crop.center_px, crop.side_px, intrinsics)
    center_px = np.array(crop.center_px)
    shares = shares_along(joints_px, center_px, intrinsics)
    k_mm = float(rootnet_k(side_px, intrinsics.fx, intrinsics.fy))
    factor = output.root_depth_factor * stretch(center_px, intrinsics) / shares[list(WRISTS)]
    wrist_mm = factor * k_mm
    depth = axis_from_ray(output.joint_depth_mm, shares, wrist_mm)
    root = _root_on_axis(float(output.left_minus_right_root_mm), shares[list(WRISTS)], wrist_mm)
    return replace(
        output,
        joint_depth_mm=depth.astype(np.float32),
        left_minus_right_root_mm=root,
        root_depth_factor=factor.astype(np.float32),
    )


def _root_on_axis(relative_mm: float, shares: NDArray, wrist_mm: NDArray) -> float:
    """The left wrist's depth minus the right one's along the axis, from that along the line of sight."""
    right, left = shares
    return float((right * wrist_mm[0] + relative_mm) / left - wrist_mm[0])
