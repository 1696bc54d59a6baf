"""The single-camera tracker against hands that several cameras placed in space (one thread).

Every camera's video goes through the live program's pipeline by itself, with the camera's own intrinsics and nothing
known of the others. The triangulated hands, moved into that camera's frame, are the truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.contract import Backend
from engines.geometry.pinhole import Intrinsics
from engines.skeleton import HAND_SLICES, SIDES, WRISTS
from realtime.config import Settings
from realtime.messages import Frame, HandFrame
from realtime.pipeline import HandPipeline
from training.annotation.cameras.camera import Camera
from training.annotation.recordings.recording import Recording
from training.annotation.triangulation.delays import as_shown
from training.annotation.triangulation.hands import Hands
from training.annotation.triangulation.robust import known_mean, known_median

_FEWEST_JOINTS: Final = 12
"""Accepted joints that a hand needs, its wrist among them, to be a truth."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Compared:
    """Errors of one camera's tracks, M moments; NaN where there is no truth or nothing was found."""

    wrist_mm: Floats
    """(M, 2) distance of the wrist in camera space, right and left."""
    wrist_depth_mm: Floats
    """(M, 2) found less true depth."""
    root_relative_mm: Floats
    """(M, 2) mean distance of the joints, wrists aligned."""
    left_from_right_mm: Floats
    """(M,) error of the left wrist's place relative to the right one's."""
    joints_px: Floats
    """(M, 2) mean distance in the picture."""
    expected: NDArray[np.bool_]
    """(M, 2) the hand has a truth, all of it in the picture."""
    found: NDArray[np.bool_]
    """(M, 2) the tracker gave a hand of that name there."""
    exchanged: NDArray[np.bool_]
    """(M, 2) it lies nearer to the other hand's truth than to its own."""


def judge_view(recording: Recording, view: int, truth: Hands, backend: Backend, settings: Settings) -> Compared:
    """Track one camera's video and compare."""
    camera = recording.rig[view]
    frames = track(recording.pictures(view), camera.intrinsics, backend, settings)
    by_index = {frame.index: frame for frame in frames}
    results = [by_index.get(int(index)) for index in recording.frames[:, view]]
    joints_mm, known = as_shown(truth, view)
    return compare(camera, results, np.where(known[..., None], joints_mm, np.nan))


def track(pictures: Iterable[Frame], intrinsics: Intrinsics, backend: Backend, settings: Settings) -> list[HandFrame]:
    """Results of every frame, as the live program gives them."""
    pipeline = HandPipeline(settings, backend, partial(_known, intrinsics))
    try:
        return [pipeline(frame) for frame in pictures]
    finally:
        pipeline.close()


def compare(camera: Camera, results: Sequence[HandFrame | None], truth_mm: Floats) -> Compared:
    """Errors of a camera's results against joints (M, 42, 3) of the world, NaN where they are no truth."""
    found_mm, found_px = _stacked(results)
    true_mm = camera.in_camera(truth_mm)
    true_px = camera.project(truth_mm)
    expected = np.stack([_is_truth(camera, truth_mm[:, HAND_SLICES[side]]) for side in SIDES], axis=1)
    found = np.stack([np.isfinite(found_mm[:, w, 0]) for w in WRISTS], axis=1)
    both = expected & found
    hands = [HAND_SLICES[side] for side in SIDES]
    wrist = found_mm[:, WRISTS] - true_mm[:, WRISTS]
    left = (found_mm[:, WRISTS[1]] - found_mm[:, WRISTS[0]]) - (true_mm[:, WRISTS[1]] - true_mm[:, WRISTS[0]])
    pixels = np.stack([_row_mean(found_px[:, h] - true_px[:, h]) for h in hands], axis=1)
    crossed = np.stack([_row_mean(found_px[:, hands[k]] - true_px[:, hands[1 - k]]) for k in (0, 1)], axis=1)
    relative = np.stack([_row_mean(_from_wrist(found_mm[:, h]) - _from_wrist(true_mm[:, h])) for h in hands], axis=1)
    with np.errstate(invalid="ignore"):
        exchanged = both & (crossed < pixels)
    return Compared(
        wrist_mm=np.where(both, np.linalg.norm(wrist, axis=-1), np.nan),
        wrist_depth_mm=np.where(both, wrist[..., 2], np.nan),
        root_relative_mm=np.where(both, relative, np.nan),
        left_from_right_mm=np.where(both.all(axis=1), np.linalg.norm(left, axis=-1), np.nan),
        joints_px=np.where(both, pixels, np.nan),
        expected=expected,
        found=both,
        exchanged=exchanged,
    )


def pooled(parts: Sequence[Compared]) -> Compared:
    """Several cameras' comparisons as one."""
    names = [field.name for field in fields(Compared)]
    return Compared(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def summary(one: Compared) -> dict[str, float]:
    """The figures of a comparison, means and medians, per hand and of both."""
    result: dict[str, float] = {
        "hands": int(one.expected.sum()),
        "found": float(one.found.sum() / max(int(one.expected.sum()), 1)),
        "exchanged": int(one.exchanged.sum()),
    }
    for name in ("wrist_mm", "wrist_depth_mm", "root_relative_mm", "joints_px"):
        values = getattr(one, name)
        for label, part in (("", values), ("right_", values[:, 0]), ("left_", values[:, 1])):
            result[f"{label}{name}_mean"] = known_mean(part)
            result[f"{label}{name}_median"] = float(known_median(part))
    result["left_from_right_mm_mean"] = known_mean(one.left_from_right_mm)
    result["left_from_right_mm_median"] = float(known_median(one.left_from_right_mm))
    return result


def table(rows: dict[str, dict[str, float]]) -> str:
    """Cameras in rows: `mean / median` of what counts."""
    head = f"{'':10}{'hands':>7}{'found':>7}{'exch.':>6}{'wrist mm':>16}{'depth bias':>12}{'root-relative':>16}"
    lines = [head + f"{'right':>15}{'left':>15}{'left from right':>18}{'2D px':>13}"]
    for name, r in rows.items():
        pairs = [
            f"{r[f'{key}_mean']:.1f} / {r[f'{key}_median']:.1f}"
            for key in (
                *("wrist_mm", "root_relative_mm", "right_root_relative_mm", "left_root_relative_mm"),
                *("left_from_right_mm", "joints_px"),
            )
        ]
        lines.append(
            f"{name:10}{r['hands']:7.0f}{r['found']:7.0%}{r['exchanged']:6.0f}{pairs[0]:>16}"
            f"{r['wrist_depth_mm_median']:+12.0f}{pairs[1]:>16}{pairs[2]:>15}{pairs[3]:>15}{pairs[4]:>18}{pairs[5]:>13}"
        )
    return "\n".join([*lines, "mean / median; depth bias: median of found less true depth of the wrist, mm"])


def _is_truth(camera: Camera, hand_mm: Floats) -> NDArray[np.bool_]:
    """(M,) hands (M, 21, 3) with a wrist and enough joints, all that are known in the picture."""
    known = np.isfinite(hand_mm[..., 0])
    inside = (camera.sees(hand_mm) | ~known).all(axis=1)
    return np.asarray(inside & known[:, -1] & (known.sum(axis=1) >= _FEWEST_JOINTS))


def _from_wrist(hand_mm: Floats) -> Floats:
    return hand_mm - hand_mm[:, -1:]


def _row_mean(off: Floats) -> Floats:
    """(M,) mean length of vectors (M, 21, D) that are known."""
    lengths = np.linalg.norm(off, axis=-1)
    known = np.isfinite(lengths)
    count = known.sum(axis=1)
    return np.where(count > 0, np.where(known, lengths, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)


def _stacked(results: Sequence[HandFrame | None]) -> tuple[Floats, Floats]:
    joints_mm, joints_px = np.full((len(results), 42, 3), np.nan), np.full((len(results), 42, 2), np.nan)
    for i, result in enumerate(results):
        for hand in result.hands if result is not None else ():
            joints_mm[i, HAND_SLICES[hand.side]] = hand.joints_cam_mm
            joints_px[i, HAND_SLICES[hand.side]] = hand.joints_px
    return joints_mm, joints_px


def _known(intrinsics: Intrinsics, _size_px: tuple[int, int]) -> Intrinsics:
    return intrinsics
