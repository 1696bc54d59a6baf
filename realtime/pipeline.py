"""`HandPipeline(frame) -> HandFrame`: the whole way from a picture to hands in camera space.

Synchronous, without threads and drawing: what is tested on a clip is what runs on a camera. One thread at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from engines.answers import answers
from engines.contract import Backend
from engines.geometry.pinhole import Intrinsics
from realtime.camera_space.fusion import DepthFusion
from realtime.camera_space.smoothing import HandSmoother
from realtime.config import Settings
from realtime.messages import Frame, HandFrame
from realtime.snapshot import freeze, thaw
from realtime.timing import OnStage, StageTimer
from realtime.tracking.detector import HandDetector
from realtime.tracking.tracker import HandTracker

_SEARCH_S = 0.05
"""How often to search while no hand at all is followed: the most a hand's first appearance is late."""
_NO_STATE = frozenset({"_settings", "_backend", "_intrinsics_of", "_detector", "_on_stage"})
"""What a pipeline holds that says nothing about the frames it has seen (the detector looks at each one afresh)."""


class HandPipeline:
    """Detector, crops, network, tracker, fusion and smoothing of one stream of frames."""

    def __init__(
        self,
        settings: Settings,
        backend: Backend,
        intrinsics_of: Callable[[tuple[int, int]], Intrinsics],
        on_stage: OnStage | None = None,
    ) -> None:
        """`intrinsics_of` gives the camera's intrinsics for a picture of (width, height).

        `on_stage` is called at the end of every stage (`--trace`).
        """
        self._on_stage = on_stage
        self._settings = settings
        self._backend = backend
        self._intrinsics_of = intrinsics_of
        self._detector = HandDetector(settings.detector.min_score)
        self._tracker = HandTracker(settings.tracker, backend.input_px, settings.detector.max_hands)
        depth = settings.fusion
        self._fusion = DepthFusion(depth.blend_s, depth.depth, depth.hand_length_mm)
        self._smoother = HandSmoother(settings.smoothing)
        self._searched_s = -np.inf
        self._size_px = (0, 0)
        self._intrinsics: Intrinsics

    def __call__(self, frame: Frame) -> HandFrame:
        """The hands of one frame; frames come in order of time."""
        timer = StageTimer(self._on_stage)
        height, width = frame.image_bgr.shape[:2]
        if (width, height) != self._size_px:  # another stream: nothing known holds any more
            self._start_over((width, height))
        intrinsics = self._intrinsics
        with timer.stage("detect"):
            self._search(frame)
        plans = self._tracker.plan(frame.t_capture_s)
        crops = tuple(plan.crop for plan in plans)
        with timer.stage("crop"):
            pictures = self._backend.cut(frame.image_bgr, crops)
        with timer.stage("network"):
            outputs = answers(self._backend, pictures, crops, intrinsics) if plans else []
        with timer.stage("fuse"):
            seen = self._tracker.update(plans, outputs, frame.t_capture_s)
            hands = self._fusion(seen, frame.t_capture_s, intrinsics)
            hands = self._smoother(hands, frame.t_capture_s, intrinsics)
        return HandFrame(
            index=frame.index,
            t_capture_s=frame.t_capture_s,
            hands=hands,
            intrinsics=intrinsics,
            size_px=(width, height),
            crops=crops,
            stage_ms=timer.take(),
        )

    def state(self) -> Any:
        """All that the coming frames' results depend on, as JSON values; the same process goes on undisturbed."""
        return freeze({name: value for name, value in vars(self).items() if name not in _NO_STATE})

    def restore(self, state: Any) -> None:
        """Go on where the pipeline of another process with the same settings was when it gave `state()`.

        Raises ValueError if that is no state of such a pipeline.
        """
        fields = thaw(state)
        if not isinstance(fields, dict) or not set(fields) >= set(vars(self)) - _NO_STATE:
            raise ValueError("not the state of this pipeline")
        vars(self).update(fields)

    def close(self) -> None:
        """Free what the detector holds."""
        self._detector.close()

    def _start_over(self, size_px: tuple[int, int]) -> None:
        self._size_px = size_px
        self._intrinsics = self._intrinsics_of(size_px)  # may read a calibration file: once, not every frame
        self._searched_s = -np.inf
        self._tracker.reset()
        self._fusion.reset()
        self._smoother.reset()

    def _search(self, frame: Frame) -> None:
        """Run the detector if a hand is missing and it has not just been run."""
        known = len(self._tracker.sides)
        wait_s = _SEARCH_S if known == 0 else self._settings.detector.interval_s
        if known >= self._settings.detector.max_hands or frame.t_capture_s - self._searched_s < wait_s:
            return
        self._searched_s = frame.t_capture_s
        boxes = self._detector(frame.image_bgr)
        self._tracker.acquire(boxes[: self._settings.detector.max_hands])
