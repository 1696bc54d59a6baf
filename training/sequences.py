"""Judge the whole live way on a clip with ground truth: `python -m training.sequences [--clip samples/two_hands.mp4]`.

Runs detector, tracker, network, fusion and smoothing over every frame and compares the tracks with the labels:
how often both hands are followed, whether left and right are ever exchanged, and how far the joints are off.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.backend import EngineRequest, open_backend
from engines.errors import UserError
from engines.pinhole import Intrinsics
from engines.skeleton import HAND_SLICES, SIDES, WRIST
from realtime.config import load_settings
from realtime.live import run_recorded
from realtime.messages import HandFrame
from realtime.pipeline import HandPipeline
from realtime.recording import VideoSource
from training.metrics import mean_distance, root_relative

_TRACKED = 0.35
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
    intrinsics: Intrinsics


@dataclass(frozen=True)
class SequenceFigures:
    """How a clip went."""

    frames: int
    frames_both_in_view: int
    both_tracked: float
    """Share of those frames in which both hands are found, each where its label is."""
    exchanged_frames: int
    """Frames in which a hand lies on the other hand's label rather than its own."""
    error_2d_px: float
    """Mean distance in pixels of the frame, hands fully in view that are found."""
    root_relative_mm: float
    wrist_mm: float
    """Mean distance of the wrist in camera space."""
    relative_wrist_mm: float
    """MRRPE: mean error of the left wrist's place relative to the right one's."""
    jitter_mm_per_frame2: float
    """Mean length of the joints' second difference that the labels do not have."""


def load_truth(path: Path) -> Truth:
    """Read a clip's labels; raises UserError if they are missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return Truth(
                file["joints_cam_mm"],
                file["joints_px"],
                file["fully_in_view"],
                Intrinsics(*map(float, file["intrinsics_px"])),
            )
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UserError(f"{path}: no ground truth of a clip ({error})") from error


def track(clip: Path, truth: Truth, engine: EngineRequest, overrides: list[str]) -> list[HandFrame]:
    """Results of every frame, with the clip's own intrinsics."""
    settings = load_settings(None, overrides)
    pipeline = HandPipeline(settings, open_backend(engine, print), partial(_known, truth.intrinsics))
    try:
        with VideoSource(clip) as source:
            return [result.hands for result in run_recorded(source, pipeline)]
    finally:
        pipeline.close()


def _known(intrinsics: Intrinsics, _size_px: tuple[int, int]) -> Intrinsics:
    return intrinsics


def compare(results: list[HandFrame], truth: Truth) -> SequenceFigures:
    """All figures of a tracked clip; frame i of the results belongs to row i of the labels."""
    found_mm, found_px = _stacked(results)
    count = len(results)
    labels_mm, labels_px = truth.joints_cam_mm[:count], truth.joints_px[:count]
    in_view = truth.fully_in_view[:count]
    both = in_view.all(axis=1)
    tracked = np.stack([_close(found_px, labels_px, side, side) for side in SIDES], axis=1)
    crossed = _close(found_px, labels_px, "right", "left") & ~tracked[:, 0]
    crossed |= _close(found_px, labels_px, "left", "right") & ~tracked[:, 1]
    counted = np.repeat(in_view & np.isfinite(found_mm[:, [WRIST, 21 + WRIST], 0]), 21, axis=1)
    shown_mm = np.where(counted[..., None], found_mm, np.nan)
    shown_px = np.where(counted[..., None], found_px, np.nan)
    hands = [HAND_SLICES[side] for side in SIDES]
    relative = [mean_distance(root_relative(shown_mm[:, h]), root_relative(labels_mm[:, h])) for h in hands]
    left_from_right = shown_mm[:, 21 + WRIST] - shown_mm[:, WRIST]
    labelled = labels_mm[:, 21 + WRIST] - labels_mm[:, WRIST]
    return SequenceFigures(
        frames=count,
        frames_both_in_view=int(both.sum()),
        both_tracked=float(tracked[both].all(axis=1).mean()),
        exchanged_frames=int(crossed[both].sum()),
        error_2d_px=mean_distance(shown_px, labels_px),
        root_relative_mm=float(np.mean(relative)),
        wrist_mm=mean_distance(shown_mm[:, [WRIST, 21 + WRIST]], labels_mm[:, [WRIST, 21 + WRIST]]),
        relative_wrist_mm=mean_distance(left_from_right, labelled),
        jitter_mm_per_frame2=_jitter(shown_mm, labels_mm),
    )


def _stacked(results: list[HandFrame]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Joints of all frames, (F, 42, 3) mm and (F, 42, 2) px; NaN where a hand was not found."""
    joints_mm = np.full((len(results), 42, 3), np.nan)
    joints_px = np.full((len(results), 42, 2), np.nan)
    for i, result in enumerate(results):
        for hand in result.hands:
            joints_mm[i, HAND_SLICES[hand.side]] = hand.joints_cam_mm
            joints_px[i, HAND_SLICES[hand.side]] = hand.joints_px
    return joints_mm, joints_px


def _close(found_px: NDArray, labels_px: NDArray, found: str, label: str) -> NDArray[np.bool_]:
    """(F,) whether the hand found as `found` lies on the label of `label`."""
    ours, theirs = found_px[:, HAND_SLICES[found]], labels_px[:, HAND_SLICES[label]]  # type: ignore[index]
    size = np.ptp(theirs, axis=1).max(axis=1)
    distance = np.linalg.norm(ours - theirs, axis=-1).mean(axis=1)
    return np.nan_to_num(distance, nan=np.inf) < _TRACKED * size


def _jitter(found_mm: NDArray, labels_mm: NDArray) -> float:
    extra = np.diff(found_mm, 2, axis=0) - np.diff(labels_mm, 2, axis=0)
    return float(np.nanmean(np.linalg.norm(extra, axis=-1)))


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.sequences", description=__doc__)
    parser.add_argument(
        "--clip", type=Path, default=Path("samples/two_hands.mp4"), help="a video with an .npz of labels beside it"
    )
    parser.add_argument("--weights", type=Path, help="weights to judge instead of the shipped ones")
    parser.add_argument(
        "--set", action="append", default=[], metavar="A.B=VALUE", help="change a setting of the tracker"
    )
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args(argv)
    try:
        truth = load_truth(arguments.clip.with_suffix(".npz"))
        results = track(arguments.clip, truth, EngineRequest(weights=arguments.weights), arguments.set)
        figures = compare(results, truth)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, value in asdict(figures).items():
        print(f"{name:24}{value:10.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(figures), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
