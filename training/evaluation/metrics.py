"""Errors of predicted hands against labelled ones (numpy). All take whole data sets, NaN where nothing is labelled.

MPJPE, MRRPE, EPE and the handedness share are computed as the released evaluation of InterHand2.6M does (Moon et al.,
ECCV 2020); average precision is the paper's AP_h.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics, backproject
from engines.skeleton import HAND_SLICES, WRIST, WRISTS


def mean_distance(predicted: NDArray, truth: NDArray) -> float:
    """Mean Euclidean distance over all joints that are labelled, in the unit of the arguments (..., D)."""
    return float(np.nanmean(np.linalg.norm(predicted - truth, axis=-1)))


def share_under(predicted: NDArray, truth: NDArray, threshold: float) -> float:
    """Share of labelled joints (..., D) closer than `threshold`: PCK."""
    return share_of_distances(np.linalg.norm(predicted - truth, axis=-1), threshold)


def share_of_distances(distance: NDArray, threshold: float) -> float:
    """Share of the finite distances (...) under `threshold`; NaN if there is none."""
    known = distance[np.isfinite(distance)]
    return float(np.mean(known < threshold)) if known.size else float("nan")


def root_relative(joints: NDArray, wrist: int = WRIST) -> NDArray:
    """Joints (N, 21, 3) moved so that the wrist is the origin, as the released evaluation does."""
    return joints - joints[:, wrist : wrist + 1]


def procrustes_aligned(predicted: NDArray, truth: NDArray) -> NDArray:
    """(N, J, 3) predictions moved, turned and scaled onto the truth; least squares (Umeyama, 1991)."""
    aligned = np.empty_like(predicted)
    for i, (p, t) in enumerate(zip(predicted, truth, strict=True)):
        p0, t0 = p - p.mean(0), t - t.mean(0)
        u, s, vt = np.linalg.svd(p0.T @ t0)
        sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
        rotation = (u * sign) @ vt
        scale = (s * sign).sum() / max(float((p0**2).sum()), 1.0e-12)
        aligned[i] = scale * p0 @ rotation + t.mean(0)
    return aligned


def hands_mm(joints_px: NDArray, joint_depth_mm: NDArray, root_mm: NDArray, intrinsics: Intrinsics) -> NDArray:
    """(42, 3) camera space of 2.5D hands: pixels (42, 2), depths (42,) from the wrist, wrist depths (2,)."""
    return backproject(joints_px, joint_depth_mm + np.repeat(root_mm, WRIST + 1), intrinsics)


def joint_errors(predicted_mm: NDArray, truth_mm: NDArray, valid: NDArray) -> NDArray[np.float64]:
    """(42,) distances of joints (42, 3) after moving each hand to its own wrist; NaN where not valid (42,)."""
    errors = np.full(42, np.nan)
    for rows in HAND_SLICES.values():
        off = root_relative(predicted_mm[None, rows])[0] - root_relative(truth_mm[None, rows])[0]
        errors[rows] = np.linalg.norm(off, axis=-1)
    return np.where(valid, errors, np.nan)


def aligned_errors(predicted_mm: NDArray, truth_mm: NDArray, valid: NDArray) -> NDArray[np.float64]:
    """(42,) distances of joints (42, 3) after aligning each hand; NaN where not valid (42,) or under 3 joints are."""
    errors = np.full(42, np.nan)
    for rows in HAND_SLICES.values():
        known = np.arange(42)[rows][valid[rows]]
        if len(known) >= 3:
            aligned = procrustes_aligned(predicted_mm[None, known], truth_mm[None, known])[0]
            errors[known] = np.linalg.norm(aligned - truth_mm[known], axis=-1)
    return errors


def relative_root_error(
    joints_px: NDArray,
    joint_depth_mm: NDArray,
    left_minus_right_mm: float,
    right_root_mm: float,
    truth_mm: NDArray,
    intrinsics: Intrinsics,
) -> float:
    """MRRPE of one sample: the left wrist's place from the right one's, the right's absolute depth given for both.

    Arguments: predicted joints (42, 2) px and depths (42,), predicted z(R->L), right wrist's absolute depth, labels
    (42, 3) mm. What a network says of a wrist's depth relative to itself counts, as in the released code.
    """
    wrists = list(WRISTS)
    depths = joint_depth_mm[wrists] + np.array([right_root_mm, right_root_mm + left_minus_right_mm])
    right, left = backproject(joints_px[wrists], depths, intrinsics)
    labelled = truth_mm[WRISTS[1]] - truth_mm[WRISTS[0]]
    return float(np.linalg.norm(left - right - labelled))


def mean_per_joint(errors: NDArray) -> NDArray[np.float64]:
    """(J,) mean over the samples of errors (N, J), each joint over the samples that have it; NaN if none has."""
    known = np.isfinite(errors)
    total = np.where(known, errors, 0.0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def mpjpe(errors: NDArray) -> float:
    """Mean over the joints of each joint's mean over the samples (N, 42); NaN without samples.

    The released code does the same and stops at a joint that no sample has; here such a joint is left out.
    """
    per_joint = mean_per_joint(errors)
    return float(np.nanmean(per_joint)) if np.isfinite(per_joint).any() else float("nan")


def end_point_error(errors: NDArray) -> float:
    """EPE of STB and RHD from errors (N, 42): `mpjpe` with right and left hands taken for the same 21 joints."""
    return mpjpe(np.concatenate([errors[:, :21], errors[:, 21:]]))


def handedness_share(probability: NDArray, present: NDArray) -> float:
    """Share of samples whose two flags (N, 2) are both on the right side of 0.5; 0.5 itself is wrong."""
    if not len(probability):
        return float("nan")
    return float(np.where(present, probability > 0.5, probability < 0.5).all(axis=1).mean())


def average_precision(score: NDArray, positive: NDArray) -> float:
    """Area under precision over recall, the samples (N,) taken by falling score; equal scores come in together.

    NaN if there is no positive sample.
    """
    if not positive.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(positive[order])
    last_of_score = np.r_[np.diff(score[order]) != 0, True]
    hits, taken = hits[last_of_score], (np.arange(len(score)) + 1)[last_of_score]
    gained = np.diff(np.r_[0, hits])
    return float((gained * hits / taken).sum() / hits[-1])
