"""`HandPipeline(frame) -> HandFrame`: the whole way from a picture to hands in camera space.

Without drawing, and but for the search for new hands of a live source in one thread: what is tested on a clip is what
runs on a camera.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from engines.answers import answers
from engines.contract import Backend
from engines.geometry.pinhole import Intrinsics
from engines.presets import spec_of
from realtime.camera_space.bone_lengths import usual_lengths, with_lengths
from realtime.camera_space.fusion import DepthFusion, FusionState
from realtime.camera_space.smoothing import HandSmoother, SmootherState
from realtime.config import Settings
from realtime.messages import Frame, HandFrame
from realtime.rotations.hand_turner import HandTurner, RotationState
from realtime.timing import OnStage, StageTimer
from realtime.tracking.body_turns import BodyTurns, after_frame, is_turn
from realtime.tracking.finder import HandFinder
from realtime.tracking.searching import Search, SearchAtOnce, SearchBeside
from realtime.tracking.tracker import HandTracker, TrackerState

_SEARCH_S = 0.05
"""How often to search while no hand at all is followed: the most a hand's first appearance is late."""


@dataclass(frozen=True)
class PipelineState:
    """All that the coming frames' results depend on; the detector looks at each one afresh."""

    size_px: tuple[int, int]
    searched_s: float
    tracker: TrackerState
    fusion: FusionState
    smoother: SmootherState
    turner: RotationState = field(default_factory=RotationState)
    turns: BodyTurns = field(default_factory=BodyTurns)


class HandPipeline:
    """Detector, crops, network, tracker, fusion and smoothing of one stream of frames."""

    def __init__(
        self,
        settings: Settings,
        backend: Backend,
        intrinsics_of: Callable[[tuple[int, int]], Intrinsics],
        on_stage: OnStage | None = None,
        *,
        live: bool = False,
        rotations: bool = True,
    ) -> None:
        """`intrinsics_of` gives the camera's intrinsics for a picture of (width, height).

        `on_stage` is called at the end of every stage (`--trace`). `live`: hands are searched in a thread beside, so
        that those that are followed need not wait; else a frame's result is the same whenever it is tracked.
        `rotations`: False leaves those of the joints unknown, half a millisecond a frame less, where nobody takes them.
        """
        self._on_stage = on_stage
        self._settings = settings
        self._backend = backend
        self._intrinsics_of = intrinsics_of
        finder = finder_of(settings)
        self._search: Search = SearchBeside(finder, on_stage) if live else SearchAtOnce(finder)
        self._tracker = HandTracker(settings.tracker, backend.input_px, settings.detector.max_hands)
        depth = settings.fusion
        leans = depth.lean and spec_of(settings.engine.preset).confidence_fitted
        self._fusion = DepthFusion(depth.blend_s, depth.depth, depth.hand_length_mm, leans=leans)
        known = depth.hand_length_mm if depth.keep_bones else None
        self._bones_mm = None if known is None else usual_lengths(known)
        self._smoother = HandSmoother(settings.smoothing)
        self._turner = HandTurner()
        self._rotations = rotations
        self._searched_s = -np.inf
        self._turns = BodyTurns()
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
            self._look_for_hands(frame)
        plans = self._tracker.plan(frame.t_capture_s)
        crops = tuple(plan.crop for plan in plans)
        with timer.stage("crop"):
            pictures = self._backend.cut(frame.image_bgr, crops)
        with timer.stage("network"):
            one_hand = all(len(plan.sides) == 1 for plan in plans)
            outputs = answers(self._backend, pictures, crops, intrinsics, one_hand=one_hand) if plans else []
        with timer.stage("fuse"):
            seen = self._tracker.update(plans, outputs, frame.t_capture_s)
            if seen.exchanged:
                self._fusion.exchange_names()
                self._smoother.exchange_names()
                self._turner.reset()
            hands = self._fusion(seen.hands, frame.t_capture_s, intrinsics)
            if self._bones_mm is not None:
                hands = with_lengths(hands, self._bones_mm, intrinsics)
            hands = self._smoother(hands, frame.t_capture_s, intrinsics)
            if self._rotations:
                hands = self._turner(hands, frame.t_capture_s)
        return HandFrame(
            index=frame.index,
            t_capture_s=frame.t_capture_s,
            hands=hands,
            intrinsics=intrinsics,
            size_px=(width, height),
            crops=crops,
            stage_ms=timer.take(),
        )

    @property
    def state(self) -> PipelineState:
        """What another pipeline needs to go on; `realtime.snapshot` keeps it in a file."""
        parts = self._tracker.state, self._fusion.state, self._smoother.state, self._turner.state
        return PipelineState(self._size_px, self._searched_s, *parts, self._turns)

    def restore(self, state: PipelineState) -> None:
        """Go on where a pipeline with the same settings was when it had that state."""
        self._set_size(state.size_px)
        self._searched_s = state.searched_s
        self._tracker.state, self._fusion.state, self._smoother.state = state.tracker, state.fusion, state.smoother
        self._turner.state, self._turns = state.turner, state.turns

    def forget(self) -> None:
        """Start over with the next frame, whatever its size or time."""
        self._size_px = (0, 0)

    def close(self) -> None:
        """End the search for hands."""
        self._search.close()

    def _set_size(self, size_px: tuple[int, int]) -> None:
        self._size_px = self._tracker.size_px = size_px
        self._intrinsics = self._intrinsics_of(size_px)  # may read a calibration file: once, not every frame

    def _start_over(self, size_px: tuple[int, int]) -> None:
        self._set_size(size_px)
        self._searched_s = -np.inf
        self._turns = BodyTurns()
        self._tracker.reset()
        self._fusion.reset()
        self._smoother.reset()
        self._turner.reset()

    def _look_for_hands(self, frame: Frame) -> None:
        """Search if a hand is missing and it has not just been done; take up what was found."""
        held, wanted, t_s = self._tracker.held, self._settings.detector.max_hands, frame.t_capture_s
        wait_s = _SEARCH_S if held == 0 else self._settings.detector.interval_s
        bodies, too = False, self._settings.detector.bodies
        if held >= wanted or t_s - self._searched_s < wait_s:
            boxes = self._search.found()
        else:
            self._searched_s = t_s
            bodies = too and is_turn(self._turns, t_s)
            boxes = self._search(frame, bodies=bodies)
        if too:
            self._turns = after_frame(self._turns, held, wanted, t_s, looked=bodies)
        if boxes is not None:
            self._tracker.acquire(boxes, t_s)


def finder_of(settings: Settings) -> HandFinder:
    """What finds hands in whole pictures, as the settings want it."""
    detector = settings.detector
    return HandFinder(detector.min_score, detector.max_hands, pairs=detector.pairs, cache=settings.engine.cache_folder)
