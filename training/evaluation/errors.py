"""The errors of every sample, before anything is averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import Crop
from engines.geometry.pinhole import Intrinsics
from engines.skeleton import HAND_SLICES, SWAP_HANDS, WRISTS
from training.datasets.sample import LabelledSample
from training.evaluation.metrics import aligned_errors, hands_mm, joint_errors, relative_root_error
from training.evaluation.predictions import Predictions

REPORT_PX = 256
"""2D errors are given in pixels of a crop of this side."""


@dataclass(frozen=True)
class Errors:
    """N samples; NaN where nothing can be compared."""

    joint_mm: NDArray[np.float64]
    """(N, 42) wrists aligned, back-projected with the absolute depth that was asked for."""
    joint_true_depth_mm: NDArray[np.float64]
    """(N, 42) the same with the true depth."""
    aligned_mm: NDArray[np.float64]
    """(N, 42) after Procrustes alignment of each hand, from the true depth."""
    joint_px: NDArray[np.float64]
    """(N, 42) in pixels of a 256 px crop."""
    relative_root_mm: NDArray[np.float64]
    """(N,) MRRPE."""
    wrist_depth_mm: NDArray[np.float64]
    """(N, 2) the network's own absolute depth less the true one."""
    confidence: NDArray[np.float64]
    """(N, 42)."""
    hand_probability: NDArray[np.float64]
    """(N, 2)."""
    hand_present: NDArray[np.bool_]
    """(N, 2)."""
    handedness_known: NDArray[np.bool_]
    """(N,)."""
    interacting: NDArray[np.bool_]
    """(N,)."""

    def of(self, rows: Sequence[int]) -> Errors:
        """The errors of some of the samples."""
        which = list(rows)
        return Errors(**{column.name: getattr(self, column.name)[which] for column in fields(self)})


@dataclass(frozen=True)
class _Row:
    """`Errors` of one sample."""

    joint_mm: NDArray[np.float64]
    joint_true_depth_mm: NDArray[np.float64]
    aligned_mm: NDArray[np.float64]
    joint_px: NDArray[np.float64]
    relative_root_mm: float
    wrist_depth_mm: NDArray[np.float64]
    confidence: NDArray[np.float64]
    hand_probability: NDArray[np.float64]
    hand_present: NDArray[np.bool_]
    handedness_known: bool
    interacting: bool


@dataclass(frozen=True)
class _Answer:
    """The answer to one sample, its hands in the rows where the labels are."""

    joints_px: NDArray[np.float64]
    joint_depth_mm: NDArray[np.float64]
    confidence: NDArray[np.float64]
    own_root_mm: NDArray[np.float64]
    left_minus_right_mm: float
    hand_probability: NDArray[np.float64]


def measure(
    samples: Sequence[LabelledSample], found: Predictions, crops: Sequence[Crop], root_depth_mm: NDArray | None
) -> Errors:
    """Errors of predictions in the order of the samples.

    `root_depth_mm` (N, 2) is the absolute depth of the right and the left wrist to back-project with; None takes the
    labels. `crops` give the scale of 2D errors.
    """
    rows = []
    for i, crop in enumerate(crops):
        sample = samples[i]
        rows.append(_row(sample, _answer(sample, found, i), crop, None if root_depth_mm is None else root_depth_mm[i]))
    return Errors(**{column.name: np.array([getattr(row, column.name) for row in rows]) for column in fields(Errors)})


def _answer(sample: LabelledSample, found: Predictions, row: int) -> _Answer:
    joints, hands = np.arange(42), np.arange(2)
    if _other_side(sample, found.hand_probability[row]):
        joints, hands = SWAP_HANDS, hands[::-1]
    return _Answer(
        joints_px=found.joints_px[row][joints],
        joint_depth_mm=found.joint_depth_mm[row][joints],
        confidence=found.joint_confidence[row][joints],
        own_root_mm=found.root_depth_mm[row][hands],
        left_minus_right_mm=float(found.left_minus_right_root_mm[row]),
        hand_probability=found.hand_probability[row],
    )


def _other_side(sample: LabelledSample, probability: NDArray) -> bool:
    """Whether the answer takes a hand of untold side for the other one than the rows it is labelled in."""
    untold = not sample.handedness_known and sample.hand_present.sum() == 1
    return bool(untold and np.argmax(probability) != np.argmax(sample.hand_present))


def _row(sample: LabelledSample, answer: _Answer, crop: Crop, root_mm: NDArray | None) -> _Row:
    off_px = np.linalg.norm(answer.joints_px - sample.joints_px, axis=-1) * (REPORT_PX / crop.side_px)
    flat = _Row(
        joint_mm=np.full(42, np.nan),
        joint_true_depth_mm=np.full(42, np.nan),
        aligned_mm=np.full(42, np.nan),
        joint_px=np.where(sample.joint_px_valid, off_px, np.nan),
        relative_root_mm=np.nan,
        wrist_depth_mm=np.full(2, np.nan),
        confidence=np.where(sample.joint_px_valid, answer.confidence, np.nan),
        hand_probability=answer.hand_probability,
        hand_present=sample.hand_present,
        handedness_known=sample.handedness_known,
        interacting=sample.interacting,
    )
    return flat if sample.intrinsics is None else _with_depth(flat, sample, answer, root_mm, sample.intrinsics)


def _with_depth(
    flat: _Row, sample: LabelledSample, answer: _Answer, root_mm: NDArray | None, intrinsics: Intrinsics
) -> _Row:
    """The row of a sample with 3D labels."""
    valid, truth = sample.joint_cam_valid, sample.joints_cam_mm
    true_root = truth[list(WRISTS), 2]
    root = true_root if root_mm is None else root_mm
    with_true = hands_mm(answer.joints_px, answer.joint_depth_mm, true_root, intrinsics)
    with_given = hands_mm(answer.joints_px, answer.joint_depth_mm, root, intrinsics)
    wrists = valid[list(WRISTS)]
    pair = sample.interacting and bool(wrists.all())
    return replace(
        flat,
        joint_mm=joint_errors(with_given, truth, valid),
        joint_true_depth_mm=joint_errors(with_true, truth, valid),
        aligned_mm=aligned_errors(with_true, truth, valid),
        relative_root_mm=_relative_root(sample, answer, float(root[0]), intrinsics) if pair else np.nan,
        wrist_depth_mm=np.where(wrists, answer.own_root_mm - true_root, np.nan),
    )


def _relative_root(sample: LabelledSample, answer: _Answer, right_root_mm: float, intrinsics: Intrinsics) -> float:
    return relative_root_error(
        answer.joints_px,
        answer.joint_depth_mm,
        answer.left_minus_right_mm,
        right_root_mm,
        sample.joints_cam_mm,
        intrinsics,
    )


def labelled_hands(samples: Sequence[LabelledSample]) -> int:
    """Hands with at least one labelled joint."""
    return sum(int(sample.joint_px_valid[rows].any()) for sample in samples for rows in HAND_SLICES.values())
