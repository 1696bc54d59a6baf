"""From the errors of all samples to the figures of a report."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.errors import Errors
from training.evaluation.metrics import (
    average_precision,
    end_point_error,
    handedness_share,
    mean_per_joint,
    mpjpe,
    share_of_distances,
)
from training.evaluation.reliability import RIGHT_PX, Reliability, reliability

"""A joint is right within so many pixels of a 256 px crop."""


@dataclass(frozen=True)
class Figures:
    """What one way of looking gave; NaN where the data set cannot tell."""

    samples: int
    hands: int
    """Hands with labelled joints."""
    mpjpe_mm: float
    """Mean of the 42 joints' means, wrists aligned, back-projected with the absolute depth that was asked for."""
    mpjpe_single_mm: float
    mpjpe_interacting_mm: float
    mrrpe_mm: float
    """Left wrist from right wrist, interacting samples."""
    epe_mm: float
    """As `mpjpe_mm`, right and left hands taken for the same 21 joints (STB, RHD)."""
    error_2d_px: float
    """Mean 2D distance in pixels of a 256 px crop."""
    under_10_px: float
    root_relative_mm: float
    """Mean 3D distance, wrists aligned, back-projected with the true wrist depth (the wrist counts, with 0)."""
    aligned_mm: float
    """The same after Procrustes alignment."""
    wrist_depth_mm: float
    """Mean absolute error of the wrist's distance, from RootNet's factor."""
    wrist_depth_bias_mm: float
    handedness: float
    """Share with both flags right at 0.5."""
    ap_right: float
    ap_left: float
    ap_h: float
    """Average precision of the two flags, and their mean."""
    hand_found: float
    """Share of present hands whose flag is up."""
    other_absent: float
    """Share of absent hands whose flag is down."""
    confidence: float
    """Mean confidence the network gave its joints."""


def figures(errors: Errors, hands: int) -> Figures:
    """All figures; `hands` is the number of labelled hands."""
    known = errors.handedness_known
    probability, present = errors.hand_probability[known], errors.hand_present[known]
    precision = [average_precision(probability[:, h], present[:, h]) for h in (0, 1)]
    single, pairs = errors.joint_mm[~errors.interacting], errors.joint_mm[errors.interacting]
    return Figures(
        samples=len(known),
        hands=hands,
        mpjpe_mm=mpjpe(errors.joint_mm),
        mpjpe_single_mm=mpjpe(single),
        mpjpe_interacting_mm=mpjpe(pairs),
        mrrpe_mm=mean(errors.relative_root_mm),
        epe_mm=end_point_error(errors.joint_mm),
        error_2d_px=mean(errors.joint_px),
        under_10_px=share_of_distances(errors.joint_px, RIGHT_PX),
        root_relative_mm=mean(errors.joint_true_depth_mm),
        aligned_mm=mean(errors.aligned_mm),
        wrist_depth_mm=mean(np.abs(errors.wrist_depth_mm)),
        wrist_depth_bias_mm=mean(errors.wrist_depth_mm),
        handedness=handedness_share(probability, present),
        ap_right=precision[0],
        ap_left=precision[1],
        ap_h=mean(np.array(precision)),
        hand_found=mean((probability > 0.5)[present].astype(float)),
        other_absent=mean((probability <= 0.5)[~present].astype(float)),
        confidence=mean(errors.confidence),
    )


def reliability_of(errors: Errors) -> Reliability:
    """Mean confidence against the share of joints that are right, over all joints that have both."""
    known = np.isfinite(errors.confidence) & np.isfinite(errors.joint_px)
    return reliability(errors.confidence[known], errors.joint_px[known] < RIGHT_PX)


def per_joint(errors: Errors) -> NDArray[np.float64]:
    """(2, 42) mean error of each joint: mm with wrists aligned, and px of a 256 px crop."""
    return np.stack([mean_per_joint(errors.joint_mm), mean_per_joint(errors.joint_px)])


def mean(values: NDArray) -> float:
    """Mean of what is a number; NaN if nothing is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # "mean of empty slice" is what NaN says
        return float(np.nanmean(values)) if values.size else float("nan")
