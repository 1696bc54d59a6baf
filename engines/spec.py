"""Numbers of each network's input and output: the only home of input sizes, normalisation and ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Readout = Literal["expectation", "refined", "argmax"]
"""How joints are read out of heat maps: mean under a softmax (`lite`), the maximum refined below one voxel, or the bare
maximum as in InterNet's released code (steps of 4 px and 6.25 mm).
"""


@dataclass(frozen=True)
class NetworkSpec:
    """What a preset's network takes and gives.

    Pictures go in as RGB divided by 255, shape (B, 3, input_px, input_px), float32; the released InterNet applies no
    ImageNet mean and deviation, and neither does `lite`. RootNet and mmpose's InterNet apply theirs inside.
    """

    preset: str
    input_px: int
    heatmap_stride: int
    depth_range_mm: float = 400.0
    """Root-relative depth of the joints and of the left wrist spans -range/2 .. range/2."""
    depth_bins: int = 64
    readout: Readout = "expectation"
    depth_along_ray: bool = False
    """Whether joints' depths are along the line of sight through the crop's centre (`engines.geometry.ray_depth`), not
    along the camera's axis as published."""
    second_look: bool = False
    """Whether a single crop is looked at twice (`engines.second_look`); published networks run as published."""
    witness: bool = False
    """Whether MediaPipe's landmark network goes along as a second opinion on single hands (`networks.witness`)."""
    root_depth_inside: bool = False
    """Whether RootNet's factor comes out of the network itself, so that no RootNet of its own goes with it."""
    confidence_fitted: bool = False
    """Whether a joint's confidence is fitted to how far off it may be; published networks give the height of a peak."""


LITE: Final = NetworkSpec(
    preset="lite",
    input_px=224,
    heatmap_stride=8,
    depth_along_ray=True,
    second_look=True,
    witness=True,
    root_depth_inside=True,
    confidence_fitted=True,
)
PAPER: Final = NetworkSpec(preset="paper", input_px=256, heatmap_stride=4, readout="refined")
PAPER_ARGMAX: Final = NetworkSpec(preset="paper-argmax", input_px=256, heatmap_stride=4, readout="argmax")

PAPER_PEAK: Final = 255.0
"""Height of the blob that the released InterNet was trained to put on a joint."""
PAPER_SIGMA: Final = 2.5
"""Standard deviation of that blob in voxels."""
ROOTNET_AREA_MM2: Final = 300.0 * 300.0
"""A_real of RootNet for hands: the real area that the square box of a hand is taken to cover."""
IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)
"""Of RGB / 255: RootNet's input, and InterNet's as mmpose trained it."""

INPUT_NAME: Final = "crops_bgr"
"""Input of every deployed network: (B, S, S, 3) uint8 BGR crops."""
OUTPUT_NAMES: Final = (
    "joints_crop_px",
    "joint_depth_mm",
    "joint_confidence",
    "hand_probability",
    "left_minus_right_root_mm",
    "root_depth_factor",
)
"""Outputs of every deployed network, in this order.

joints_crop_px (B, 42, 2): x, y in pixels of the crop, centre of its top left pixel is (0, 0).
joint_depth_mm (B, 42): depth relative to the wrist of the same hand.
joint_confidence (B, 42): probability that the joint is right, 0..1.
hand_probability (B, 2): right, left.
left_minus_right_root_mm (B, 1): depth of the left wrist minus depth of the right wrist.
root_depth_factor (B, 2): RootNet's gamma, right and left; wrist depth = gamma * k.
"""
