"""A clip with ground truth against what was found in it: how often hands are followed, and how far off they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics
from engines.npz import ARCHIVE_ERRORS, load_arrays
from engines.skeleton import HAND_SLICES, SIDES, WRIST, Side
from realtime.messages import HandFrame
from training.evaluation.metrics import mean_distance, root_relative
from training.evaluation.temporal import TemporalFigures, temporal_figures

TRACKED: Final = 0.35
"""A hand counts as tracked if its joints are closer than this share of its own size in the picture."""


@dataclass(frozen=True)
class Truth:
    """Labels of a clip, as `samples/two_hands.npz` holds them."""

    joints_cam_mm: NDArray[np.float32]
    """(F, 42, 3)."""
    joints_px: NDArray[np.float32]
    """(F, 42, 2)."""
    fully_in_view: NDArray[np.bool_]
    """(F, 2) right, left: all joints of the hand lie in the picture."""
    t_s: NDArray[np.float64]
    """(F,)."""
    intrinsics: Intrinsics


@dataclass(frozen=True)
class SequenceFigures:
    """How a clip went; NaN where it cannot tell."""

    frames: int
    frames_both_in_view: int
    both_tracked: float
    """Share of those frames in which both hands are found, each where its label is."""
    exchanged_frames: int
    """Frames in which a hand lies on the other hand's label rather than its own."""
    error_2d_px: float
    """Mean distance in pixels of the frame, hands fully in view that are found."""
    root_relative_mm: float
    """MPJPE: mean 3D distance of the joints, wrists aligned, of both hands."""
    wrist_mm: float
    """Mean distance of the wrist in camera space."""
    relative_wrist_mm: float
    """MRRPE: mean error of the left wrist's place relative to the right one's."""
    jitter_mm_per_frame2: float
    """Mean length of the joints' second difference that the labels do not have."""


def load_truth(path: Path) -> Truth:
    """Read a clip's labels; raises UserError if they are missing or damaged."""
    try:
        file = load_arrays(path, ("joints_cam_mm", "joints_px", "fully_in_view", "t_s", "intrinsics_px"))
        return Truth(
            file["joints_cam_mm"],
            file["joints_px"],
            file["fully_in_view"],
            file["t_s"],
            Intrinsics(*map(float, file["intrinsics_px"])),
        )
    except (OSError, *ARCHIVE_ERRORS) as error:
        raise UserError(f"{path}: no ground truth of a clip ({error})") from error


def compare(results: Sequence[HandFrame], truth: Truth) -> SequenceFigures:
    """All figures of a tracked clip; frame i of the results belongs to row i of the labels."""
    found_mm, found_px = stacked(results)
    count = len(results)
    labels_mm, labels_px = truth.joints_cam_mm[:count], truth.joints_px[:count]
    in_view = truth.fully_in_view[:count]
    both = in_view.all(axis=1)
    tracked = np.stack([_close(found_px, labels_px, side, side) for side in SIDES], axis=1)
    crossed = _close(found_px, labels_px, "right", "left") & ~tracked[:, 0]
    crossed |= _close(found_px, labels_px, "left", "right") & ~tracked[:, 1]
    shown_mm, shown_px = _in_view(found_mm, in_view), _in_view(found_px, in_view)
    hands = [HAND_SLICES[side] for side in SIDES]
    relative = [_mean(root_relative(shown_mm[:, h]), root_relative(labels_mm[:, h])) for h in hands]
    left_from_right = shown_mm[:, 21 + WRIST] - shown_mm[:, WRIST]
    labelled = labels_mm[:, 21 + WRIST] - labels_mm[:, WRIST]
    known = [value for value in relative if np.isfinite(value)]
    return SequenceFigures(
        frames=count,
        frames_both_in_view=int(both.sum()),
        both_tracked=float(tracked[both].all(axis=1).mean()) if both.any() else float("nan"),
        exchanged_frames=int(crossed[both].sum()),
        error_2d_px=_mean(shown_px, labels_px),
        root_relative_mm=float(np.mean(known)) if known else float("nan"),
        wrist_mm=_mean(shown_mm[:, [WRIST, 21 + WRIST]], labels_mm[:, [WRIST, 21 + WRIST]]),
        relative_wrist_mm=_mean(left_from_right, labelled),
        jitter_mm_per_frame2=_mean(np.diff(shown_mm, 2, axis=0), np.diff(labels_mm, 2, axis=0)),
    )


def compare_motion(results: Sequence[HandFrame], truth: Truth) -> TemporalFigures:
    """Jitter and lag of a tracked clip, of hands fully in view that lie on their own labels."""
    found_mm, found_px = stacked(results)
    count = len(results)
    labels_px = truth.joints_px[:count]
    tracked = np.stack([_close(found_px, labels_px, side, side) for side in SIDES], axis=1)
    counted = tracked & truth.fully_in_view[:count]
    shown_mm, shown_px = _in_view(found_mm, counted), _in_view(found_px, counted)
    truth_mm = truth.joints_cam_mm[:count].astype(np.float64)
    return temporal_figures(shown_mm, truth_mm, shown_px, labels_px.astype(np.float64), truth.t_s[:count])


def stacked(results: Sequence[HandFrame]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Joints of all frames, (F, 42, 3) mm and (F, 42, 2) px; NaN where a hand was not found."""
    joints_mm = np.full((len(results), 42, 3), np.nan)
    joints_px = np.full((len(results), 42, 2), np.nan)
    for i, result in enumerate(results):
        for hand in result.hands:
            joints_mm[i, HAND_SLICES[hand.side]] = hand.joints_cam_mm
            joints_px[i, HAND_SLICES[hand.side]] = hand.joints_px
    return joints_mm, joints_px


def _in_view(joints: NDArray, hands: NDArray[np.bool_]) -> NDArray:
    """Joints (F, 42, D) with NaN where the hand is not among `hands` (F, 2)."""
    return np.where(np.repeat(hands, 21, axis=1)[..., None], joints, np.nan)


def _mean(found: NDArray, truth: NDArray) -> float:
    """`mean_distance`, NaN where nothing was found."""
    return mean_distance(found, truth) if np.isfinite(found).any() else float("nan")


def _close(found_px: NDArray, labels_px: NDArray, found: Side, label: Side) -> NDArray[np.bool_]:
    """(F,) whether the hand found as `found` lies on the label of `label`."""
    ours, theirs = found_px[:, HAND_SLICES[found]], labels_px[:, HAND_SLICES[label]]
    size = np.ptp(theirs, axis=1).max(axis=1)
    distance = np.linalg.norm(ours - theirs, axis=-1).mean(axis=1)
    return np.nan_to_num(distance, nan=np.inf) < TRACKED * size
