"""Letting a network look at labelled pictures.

Twice: once in the upright crop of the labelled box, as the paper does, and once in a crop turned by the first answer,
as the tracker does from its second frame on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engines.answers import answers
from engines.contract import Backend
from engines.geometry.crop import Crop, crop_around, extract, transform, upright_angle_rad
from engines.geometry.pinhole import rootnet_k
from engines.output import NetworkOutput
from engines.skeleton import HAND_SLICES, SIDES, Side
from training.datasets.sample import LabelledSample, read_picture
from training.evaluation.predictions import Predictions


def look(backend: Backend, samples: Sequence[LabelledSample], crops: Sequence[Crop], what: str) -> Predictions:
    """Run the network on one crop of every sample; `what` names the progress bar."""
    rows = [
        _look_at(backend, samples[i], crop)
        for i, crop in enumerate(tqdm(crops, desc=what, unit="picture", disable=None, leave=False))
    ]
    joints, outputs, depths = zip(*rows, strict=True)
    return Predictions(
        annotation_id=np.array([samples[i].annotation_id for i in range(len(samples))], np.int64),
        joints_px=np.stack(joints),
        joint_depth_mm=np.stack([output.joint_depth_mm for output in outputs]).astype(np.float64),
        left_minus_right_root_mm=np.array([output.left_minus_right_root_mm for output in outputs], np.float64),
        hand_probability=np.stack([output.hand_probability for output in outputs]).astype(np.float64),
        joint_confidence=np.stack([output.joint_confidence for output in outputs]).astype(np.float64),
        root_depth_mm=np.stack(depths),
    )


def turned_crops(samples: Sequence[LabelledSample], found: Predictions) -> list[Crop]:
    """The labelled joints' box again, in the axes in which the hands of an answer point up."""
    return [_turned(samples[i], found, i) for i in range(len(found))]


def _look_at(backend: Backend, sample: LabelledSample, crop: Crop) -> tuple[NDArray, NetworkOutput, NDArray]:
    """Joints in pixels of the picture (42, 2), the answer, and the wrists' own depths (2,)."""
    picture = read_picture(sample.picture)
    cut, one_hand = extract(picture, crop, backend.input_px)[None], not sample.hand_present.all()
    output = answers(backend, cut, [crop], sample.intrinsics, one_hand=one_hand)[0]
    joints = transform(crop.image_from_crop(backend.input_px), output.joints_crop_px.astype(np.float64))
    depth = np.full(2, np.nan)
    if sample.intrinsics is not None:
        k = float(rootnet_k(crop.side_px, sample.intrinsics.fx, sample.intrinsics.fy))
        depth = output.root_depth_factor.astype(np.float64) * k
    return joints, output, depth


def _turned(sample: LabelledSample, found: Predictions, row: int) -> Crop:
    angle = upright_angle_rad([found.joints_px[row, HAND_SLICES[side]] for side in _sides(sample, found, row)])
    return crop_around(sample.joints_px[sample.joint_px_valid], angle)


def _sides(sample: LabelledSample, found: Predictions, row: int) -> list[Side]:
    """The hands whose directions turn the crop: those labelled, or the likeliest one where the side is not told."""
    if sample.handedness_known or sample.hand_present.all():
        return [side for side, there in zip(SIDES, sample.hand_present, strict=True) if there]
    return [SIDES[int(np.argmax(found.hand_probability[row]))]]
