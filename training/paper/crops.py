"""One training crop from a labelled picture, moved as in the released code of InterNet and RootNet (numpy)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import Crop, extract, transform
from engines.geometry.pinhole import rootnet_k
from engines.skeleton import SWAP_HANDS, WRIST, WRISTS
from engines.spec import PAPER
from training.datasets.sample import LabelledSample, read_picture


@dataclass(frozen=True)
class Augmentation:
    """How far a training crop is moved and its colours changed."""

    shift: float = 0.0
    """Largest shift along each axis, in sides of the box, all equally likely."""
    scale: float = 0.0
    """Standard deviation of the side's factor, cut at one deviation."""
    roll_deg: float = 0.0
    """Standard deviation of the turn, cut at two deviations."""
    roll_share: float = 0.6
    """Share of samples that are turned at all."""
    flip: float = 0.0
    """Share of mirrored samples; both hands change their names."""
    colour: float = 0.0
    """Each colour channel is multiplied by 1 +- this, all equally likely."""


AS_IT_IS = Augmentation()


@dataclass(frozen=True)
class TrainingCrop:
    """A crop of side S and all that InterNet and RootNet can learn from it; weights are 0 or 1."""

    picture: NDArray[np.uint8]
    """(S, S, 3) BGR."""
    gain: NDArray[np.float32]
    """(3,) factors of red, green and blue."""
    joints_crop_px: NDArray[np.float32]
    """(42, 2)."""
    joint_depth_mm: NDArray[np.float32]
    """(42,) relative to the hand's wrist."""
    place_weight: NDArray[np.float32]
    """(42,) 1 where the joint is labelled and lies in the crop."""
    volume_weight: NDArray[np.float32]
    """(42,) 1 where its depth is known as well, and within InterNet's range."""
    hand_present: NDArray[np.float32]
    """(2,) right, left."""
    hands_weight: np.float32
    """1 where it is known which hands are there."""
    left_minus_right_root_mm: np.float32
    pair_weight: np.float32
    """1 where both wrists are labelled, lie in the crop, and their distance in depth is within InterNet's range."""
    root_depth_mm: NDArray[np.float32]
    """(2,) absolute depth of the right and the left wrist."""
    root_depth_weight: NDArray[np.float32]
    """(2,) 1 where the wrist lies in the crop and its depth is known."""
    k_mm: np.float32
    """RootNet's distance measure of the crop; 1 without intrinsics."""


@dataclass(frozen=True)
class _Scene:
    """A picture with its labels, mirrored or not."""

    picture: NDArray[np.uint8]
    center_px: NDArray[np.float64]
    joints_px: NDArray[np.float64]
    depth_mm: NDArray[np.float64]
    px_valid: NDArray[np.bool_]
    cam_valid: NDArray[np.bool_]
    present: NDArray[np.bool_]


def training_crop(
    sample: LabelledSample, size_px: int, augmentation: Augmentation, rng: np.random.Generator
) -> TrainingCrop:
    """Draw one crop; raises UserError naming a picture that cannot be read."""
    scene = _scene(sample, mirrored=rng.random() < augmentation.flip)
    side = sample.crop().side_px
    shift = rng.uniform(-augmentation.shift, augmentation.shift, 2) * side
    scale = 1 + augmentation.scale * float(np.clip(rng.standard_normal(), -1, 1))
    roll = np.deg2rad(augmentation.roll_deg) * float(np.clip(rng.standard_normal(), -2, 2))
    turned = rng.random() < augmentation.roll_share
    gain = rng.uniform(1 - augmentation.colour, 1 + augmentation.colour, 3)
    x, y = scene.center_px + shift
    crop = Crop((float(x), float(y)), side * scale, float(roll) if turned else 0.0)
    return _labelled(sample, scene, crop, size_px, gain.astype(np.float32))


def _scene(sample: LabelledSample, mirrored: bool) -> _Scene:
    picture = read_picture(sample.picture)
    center = np.array(sample.crop().center_px)
    joints, depth = sample.joints_px, sample.joints_cam_mm[:, 2]
    if not mirrored:
        valid, known = sample.joint_px_valid, sample.joint_cam_valid
        return _Scene(picture, center, joints, depth, valid, known, sample.hand_present)
    last = picture.shape[1] - 1
    return _Scene(
        picture=np.ascontiguousarray(picture[:, ::-1]),
        center_px=np.array([last - center[0], center[1]]),
        joints_px=np.stack([last - joints[:, 0], joints[:, 1]], axis=1)[SWAP_HANDS],
        depth_mm=depth[SWAP_HANDS],
        px_valid=sample.joint_px_valid[SWAP_HANDS],
        cam_valid=sample.joint_cam_valid[SWAP_HANDS],
        present=sample.hand_present[::-1],
    )


def _labelled(
    sample: LabelledSample, scene: _Scene, crop: Crop, size_px: int, gain: NDArray[np.float32]
) -> TrainingCrop:
    joints = transform(crop.crop_from_image(size_px), scene.joints_px)
    inside = ((joints >= 0) & (joints < size_px)).all(axis=1)
    roots = scene.depth_mm[list(WRISTS)]
    relative = scene.depth_mm - np.repeat(roots, WRIST + 1)
    rooted = (inside & scene.cam_valid)[list(WRISTS)]
    between = float(roots[1] - roots[0])
    pair = bool(rooted.all() and scene.present.all() and _in_range(between))
    k = 1.0
    if sample.intrinsics is not None:
        k = float(rootnet_k(crop.side_px, sample.intrinsics.fx, sample.intrinsics.fy))
    return TrainingCrop(
        picture=extract(scene.picture, crop, size_px),
        gain=gain,
        joints_crop_px=joints.astype(np.float32),
        joint_depth_mm=(relative * scene.cam_valid).astype(np.float32),
        place_weight=(inside & scene.px_valid).astype(np.float32),
        volume_weight=(inside & scene.cam_valid & _in_range(relative)).astype(np.float32),
        hand_present=scene.present.astype(np.float32),
        hands_weight=np.float32(sample.handedness_known),
        left_minus_right_root_mm=np.float32(between if pair else 0.0),
        pair_weight=np.float32(pair),
        root_depth_mm=roots.astype(np.float32),
        root_depth_weight=rooted.astype(np.float32),
        k_mm=np.float32(k),
    )


def _in_range(depth_mm: NDArray[np.float64] | float) -> NDArray[np.bool_]:
    half = PAPER.depth_range_mm / 2
    return np.asarray((depth_mm >= -half) & (depth_mm < half))
