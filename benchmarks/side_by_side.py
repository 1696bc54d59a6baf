"""This program and MediaPipe Hands on the same frames, turn by turn in one process: whatever else runs slows both.

Both decode the clip themselves, give 21 joints a hand, and follow hands from frame to frame ("tracking mode").
MediaPipe's joints are in the picture, with a relative depth; those of this program are in space, in millimetres.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import mediapipe as mp
import numpy as np
from numpy.typing import NDArray

from engines.contract import Backend
from realtime.camera_space.intrinsics import resolve_intrinsics
from realtime.config import Settings
from realtime.messages import Frame
from realtime.pipeline import HandPipeline
from realtime.sources.recording import VideoSource

_WARM_UP = 10
Contender = Callable[[Frame], int]
"""Takes a frame, gives the number of hands it found."""


@dataclass(frozen=True)
class Rate:
    """One contender on one clip."""

    name: str
    size: str
    hands: int
    frames_per_s: float
    """Median of the turns."""
    ratio: float
    """How many times as fast this program was in the same turns; 1 for itself."""
    cpu_ms_per_frame: float
    """Processor time of all threads, median of the turns; other programs hardly change it."""
    found: float
    """Hands found in a frame, in the mean."""


def compare(clip: Path, size: str, hands: int, settings: Settings, backend: Backend, turns: int) -> list[Rate]:
    """Rates of this program, and of MediaPipe with both of its models."""
    with ExitStack() as at_end:
        contenders = {"this program": _ours(settings, hands, backend, at_end)}
        for complexity in (0, 1):
            contenders[f"MediaPipe, complexity {complexity}"] = _mediapipe(hands, complexity, at_end)
        rates: dict[str, list[float]] = {name: [] for name in contenders}
        cpu: dict[str, list[float]] = {name: [] for name in contenders}
        found: dict[str, float] = {}
        for turn in range(turns):
            for name in _rotated(list(contenders), turn):
                rate, cpu_ms, found[name] = _play(clip, contenders[name])
                rates[name].append(rate)
                cpu[name].append(cpu_ms)
    ours = rates["this program"]
    ratios = {
        name: statistics.median(a / b for a, b in zip(ours, theirs, strict=True)) for name, theirs in rates.items()
    }
    return [
        Rate(name, size, hands, statistics.median(rates[name]), ratios[name], statistics.median(cpu[name]), found[name])
        for name in contenders
    ]


def _play(clip: Path, contender: Contender) -> tuple[float, float, float]:
    """(frames a second, CPU ms a frame, hands a frame) from decoding to hands, the first frames left out."""
    count = hands = 0
    begin_s, begin_cpu_s = time.monotonic(), time.process_time()
    with VideoSource(clip) as source:
        for frame in source:
            found = contender(frame)
            if frame.index < _WARM_UP:
                begin_s, begin_cpu_s = time.monotonic(), time.process_time()
                continue
            hands += found
            count += 1
    spent_s, cpu_s = time.monotonic() - begin_s, time.process_time() - begin_cpu_s
    return count / spent_s, 1e3 * cpu_s / max(count, 1), hands / max(count, 1)


def _ours(settings: Settings, hands: int, backend: Backend, at_end: ExitStack) -> Contender:
    detector = settings.detector.model_copy(update={"max_hands": hands})
    chosen = settings.model_copy(update={"detector": detector})
    pipeline = HandPipeline(chosen, backend, partial(resolve_intrinsics, chosen.intrinsics))
    at_end.callback(pipeline.close)
    times = _advancing()

    def track(frame: Frame) -> int:
        # The clip is played several times; to the filters it is one long one.
        return len(pipeline(Frame(frame.index, next(times), frame.image_bgr)).hands)

    return track


def _mediapipe(hands: int, complexity: int, at_end: ExitStack) -> Contender:
    solution = mp.solutions.hands.Hands(
        static_image_mode=False, max_num_hands=hands, model_complexity=complexity, min_detection_confidence=0.5
    )
    at_end.callback(solution.close)

    def track(frame: Frame) -> int:
        rgb: NDArray[np.uint8] = cv2.cvtColor(frame.image_bgr, cv2.COLOR_BGR2RGB)
        return len(solution.process(rgb).multi_hand_landmarks or ())

    return track


def _advancing() -> Iterator[float]:
    index = 0
    while True:
        yield index / 30
        index += 1


def _rotated(names: list[str], turn: int) -> list[str]:
    return names[turn % len(names) :] + names[: turn % len(names)]
