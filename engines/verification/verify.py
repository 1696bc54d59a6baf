"""An engine against torch: the same crops through both, the differences of the joints in pixels and millimetres."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.backends.opening import BATCHES, Backend
from engines.errors import UserError
from engines.geometry.crop import crop_around, extract, upright_angle_rad
from engines.geometry.pinhole import ROOTNET_AREA_MM2
from engines.skeleton import HAND_SLICES, JOINTS_PER_HAND, SIDES

SAMPLE_CLIP = Path(__file__).parents[2] / "samples" / "two_hands.mp4"
_CROPS = 32
_TIMED_RUNS = 100
_TIMED_S = 5.0
"""A slow network is timed for so long, whatever it has done by then."""


LIMITS_MM: Final = {"fp32": 0.1, "fp16": 0.1, "int8": 0.5}
"""How far from torch in fp32 the joints of an engine may be on average; bf16 is known to be rougher."""

Answers = Mapping[str, NDArray[np.float32]]
"""Tensors of `spec.OUTPUT_NAMES` for a number of crops."""


@dataclass(frozen=True)
class Differences:
    """One network's answers against another's, output by output, only of hands that are there.

    If the reference sees no hand in any crop (weights of a network that was never trained), all hands count.
    """

    crops: int
    joints_mm_mean: float
    """Distance in space: pixels count as many mm as the reference's root depth factor makes of them."""
    joints_px_mean: float
    joints_px_largest: float
    joint_depth_mm_mean: float
    joint_depth_mm_largest: float
    root_mm_mean: float
    root_mm_largest: float
    root_depth_factor_mean: float
    root_depth_factor_largest: float
    """Relative to the factor."""
    hand_probability_mean: float
    hand_probability_largest: float
    confidence_mean: float
    confidence_largest: float

    def lines(self) -> list[str]:
        """The report for a terminal."""
        return [f"{name:28}{value:10.4f}" for name, value in vars(self).items()]


@dataclass(frozen=True)
class Verification(Differences):
    """Differences over a fixed set of crops, and the engine's own speed."""

    latency_p50_ms: float
    latency_p95_ms: float
    latency_largest_p50_ms: float
    """One batch of the largest compiled size: two crops, unless asked otherwise."""
    crops_per_s: float
    """In batches of that size."""

    def require(self, precision: str) -> None:
        """Raise UserError if the joints are farther off than the precision may bring them."""
        limit = LIMITS_MM.get(precision)
        if limit is not None and self.joints_mm_mean > limit:
            raise UserError(
                f"the engine's joints differ from torch by {self.joints_mm_mean:.3f} mm on average, {precision} may "
                f"bring {limit} mm: choose --precision fp32, or bf16 on a CPU"
            )


def sample_crops(input_px: int, clip: Path = SAMPLE_CLIP, count: int = _CROPS) -> NDArray[np.uint8]:
    """(count, S, S, 3) crops of both hands together or one of them, from the sample clip and its ground truth."""
    truth_path = clip.with_suffix(".npz")
    if not clip.exists() or not truth_path.exists():
        raise UserError(f"{clip}: the sample clip or its ground truth is missing; fetch the checkout again")
    with np.load(truth_path, allow_pickle=False) as truth:
        joints_px, present = truth["joints_px"], truth["fully_in_view"]
    picks = np.flatnonzero(present.any(axis=1))
    picks = picks[np.linspace(0, len(picks) - 1, count).astype(int)]
    frames = read_frames(clip, {int(index) for index in picks})
    return np.stack([_crop(frames[i], joints_px[i], present[i], input_px, k) for k, i in enumerate(picks)])


def read_frames(clip: Path, wanted: set[int]) -> dict[int, NDArray[np.uint8]]:
    """The frames of a video with these numbers, counted from 0; those that it does not have are left out."""
    capture = cv2.VideoCapture(str(clip))
    frames = {}
    for index in range(max(wanted, default=-1) + 1):
        if not capture.grab():
            break
        if index in wanted:
            frames[index] = capture.retrieve()[1].astype(np.uint8, copy=False)
    capture.release()
    return frames


def _crop(image: NDArray, joints_px: NDArray, present: NDArray, input_px: int, k: int) -> NDArray[np.uint8]:
    """All hands in every second crop, a single one in the others."""
    hands = [joints_px[HAND_SLICES[side]] for side, there in zip(SIDES, present, strict=True) if there]
    used = hands if k % 2 == 0 else hands[k // 2 % len(hands) :][:1]
    crop = crop_around(np.concatenate(used).astype(np.float64), upright_angle_rad(list(used)))
    return extract(image, crop, input_px)


def verify(
    engine: Backend,
    reference: Backend,
    crops: NDArray[np.uint8],
    batches: Sequence[int] = BATCHES,
    timed_s: float = _TIMED_S,
) -> Verification:
    """Compare `engine` with `reference` on `crops` (N, S, S, 3), and time the engine at its `batches`.

    A batch of more crops than there are has some of them several times.
    """
    smallest, largest = min(batches), max(batches)
    crops = crops[np.arange(max(len(crops), largest)) % len(crops)]
    found = differences(_answers(engine, crops, smallest), _answers(reference, crops, smallest), engine.input_px)
    first, most = (latencies_ms(engine, crops[:batch], seconds=timed_s) for batch in (smallest, largest))
    return Verification(
        **vars(found),
        latency_p50_ms=float(np.percentile(first, 50)),
        latency_p95_ms=float(np.percentile(first, 95)),
        latency_largest_p50_ms=float(np.percentile(most, 50)),
        crops_per_s=float(largest / np.percentile(most, 50) * 1e3),
    )


def differences(ours: Answers, theirs: Answers, input_px: int) -> Differences:
    """Compare answers to the same crops; `theirs` are the reference."""
    hands = theirs["hand_probability"] > 0.5
    hands = hands if hands.any() else np.ones_like(hands)
    there = np.repeat(hands, JOINTS_PER_HAND, axis=1)
    pixels = np.linalg.norm(ours["joints_crop_px"] - theirs["joints_crop_px"], axis=-1)
    depth = np.abs(ours["joint_depth_mm"] - theirs["joint_depth_mm"])
    mm_per_px = np.repeat(theirs["root_depth_factor"], JOINTS_PER_HAND, axis=1) * ROOTNET_AREA_MM2**0.5 / input_px
    root = np.abs(ours["left_minus_right_root_mm"] - theirs["left_minus_right_root_mm"])[hands.all(axis=1)]
    factor = np.abs(ours["root_depth_factor"] / theirs["root_depth_factor"] - 1)[hands]
    probability = np.abs(ours["hand_probability"] - theirs["hand_probability"])
    confidence = np.abs(ours["joint_confidence"] - theirs["joint_confidence"])[there]
    return Differences(
        crops=len(hands),
        joints_mm_mean=float(np.hypot(pixels * mm_per_px, depth)[there].mean()),
        joints_px_mean=float(pixels[there].mean()),
        joints_px_largest=float(pixels[there].max()),
        joint_depth_mm_mean=float(depth[there].mean()),
        joint_depth_mm_largest=float(depth[there].max()),
        root_mm_mean=float(root.mean()) if root.size else 0.0,
        root_mm_largest=float(root.max(initial=0.0)),
        root_depth_factor_mean=float(factor.mean()),
        root_depth_factor_largest=float(factor.max()),
        hand_probability_mean=float(probability.mean()),
        hand_probability_largest=float(probability.max()),
        confidence_mean=float(confidence.mean()),
        confidence_largest=float(confidence.max()),
    )


def _answers(backend: Backend, crops: NDArray[np.uint8], batch: int) -> dict[str, NDArray[np.float32]]:
    starts = range(0, len(crops) - batch + 1, batch)
    answers = [{name: value.copy() for name, value in backend(crops[k : k + batch]).items()} for k in starts]
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


def latencies_ms(
    backend: Backend, crops: NDArray[np.uint8], runs: int = _TIMED_RUNS, seconds: float = _TIMED_S
) -> NDArray[np.float64]:
    """Milliseconds of each of up to `runs` calls with the same crops, for up to `seconds`, after a few warm-ups."""
    times: list[float] = []
    for _ in range(3):
        backend(crops)
    until = time.perf_counter() + seconds
    while len(times) < runs and (not times or time.perf_counter() < until):
        start = time.perf_counter()
        backend(crops)
        times.append((time.perf_counter() - start) * 1e3)
    return np.array(times)
