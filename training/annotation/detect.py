"""Run a detector over the pictures of every camera: the tracker of the live program in each view, or crops around
hands that are known in space already (one thread).

A hand that one view loses, others still see: the second, guided pass looks where the triangulated hand must be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.contract import Backend
from engines.errors import UserError
from engines.files import file_sha256
from engines.geometry.crop import crop_around, upright_angle_rad
from engines.skeleton import HAND_SLICES, SIDES, Side
from realtime.engine import backend_of
from realtime.layers import load_settings
from realtime.messages import Frame
from realtime.pipeline import HandPipeline
from training.annotation.cameras.camera import Camera
from training.annotation.detection.detections import Detections, load_detections, save_detections
from training.annotation.detection.hidden import covered_mm, widened
from training.annotation.detection.offsets import axes_in_picture
from training.annotation.detection.readers import (
    BothReader,
    LiteReader,
    MediaPipeReader,
    Reader,
    Reading,
    lite_sigma_px,
)
from training.annotation.keypoints.reader import KeypointReader
from training.annotation.recordings.recording import Recording
from training.annotation.triangulation.delays import as_shown
from training.annotation.triangulation.hands import Hands

DETECTORS: Final = ("lite", "mediapipe", "both")
_SAVE_EVERY: Final = 200
_OPEN_FILTERS: Final = tuple(
    f"smoothing.{part}.min_cutoff_hz=1.0e9" for part in ("image", "relative_depth", "wrist_depth")
)
"""The pipeline without its filters: a label does not lag."""
_ASTRAY: Final = 0.6
"""A reading that is farther than this share of the hand from where it was looked for is of something else."""
_LEAST_SHOWN: Final = 0.5
_LONGEST_GAP: Final = 3
"""Moments over which a hand that was not triangulated is taken to have moved evenly."""
_FEWEST_KNOWN: Final = 12

Found = dict[Side, Reading]


class ViewDetector(Protocol):
    """Hands in the frames of one camera, in order."""

    def __call__(self, frame: Frame) -> Found:
        """Hands in this frame."""
        ...


def detect(
    recording: Recording,
    folder: Path,
    reader: Reader | None,
    backend: Backend,
    guide: Hands | None,
    say: Callable[[str], None] = print,
) -> list[Detections]:
    """Detections of every camera, kept in `folder`; what is there already of these videos is not done again.

    `reader` None takes what the tracker's own network says. With `guide` the crops come from hands in space.
    """
    found = []
    for view, camera in enumerate(recording.rig):
        path = folder / f"{camera.name}.npz"
        frames = int(recording.frames[:, view].max()) + 1
        made_of = _made_of(recording, view, guide)
        known = load_detections(path) if path.exists() else Detections.empty(frames, made_of)
        if known.made_of.tobytes() != made_of or len(known.done) < frames:
            say(f"detect      {camera.name}: {path.name} is of another video or of hands elsewhere, done anew")
            known = Detections.empty(frames, made_of)
        wanted = np.zeros(len(known.done), bool)
        wanted[recording.frames[recording.frames[:, view] >= 0, view]] = True
        if (known.done | ~wanted).all():
            say(f"detect      {camera.name}: done before, kept")
        else:
            _run(recording, view, known, wanted, path, _view_detector(recording, view, reader, backend, guide))
            say(f"detect      {camera.name}: {_summary(known, wanted)}")
        found.append(known)
    return found


def _made_of(recording: Recording, view: int, guide: Hands | None) -> bytes:
    """SHA-256 of a camera's video and of the hands in space that say where to look, to a tenth of a millimetre."""
    video = recording.videos[view]
    try:
        digest = hashlib.sha256(file_sha256(video).encode())
    except OSError as error:
        raise UserError(f"{video}: cannot be read ({error.strerror})") from error
    digest.update(np.ascontiguousarray(recording.frames[:, view]).tobytes())
    if guide is not None:
        joints_mm, known = as_shown(guide, view)
        digest.update(np.where(known[..., None], joints_mm.round(1), 0.0).tobytes())
    return digest.digest()


def open_reader(name: str, backend: Backend) -> Reader | None:
    """A reader by name, or of weights that `train` wrote; None for `lite`: the first pass takes the tracker."""
    if name == "lite":
        return None
    if name == "mediapipe":
        return MediaPipeReader()
    if name == "both":
        return BothReader(LiteReader(backend), MediaPipeReader())
    return KeypointReader(Path(name))


def open_network(overrides: Sequence[str]) -> Backend:
    """`lite` by itself, with whatever settings were asked for: MediaPipe's network is a witness of its own here."""
    return backend_of(load_settings(None, ["engine.witness=false", *overrides]), print)


def _run(
    recording: Recording, view: int, known: Detections, wanted: NDArray, path: Path, detector: ViewDetector
) -> None:
    """Fill `known`; it is saved every now and then, so that a killed run loses little."""
    last = int(np.flatnonzero(wanted)[-1])
    fresh = 0
    for frame in recording.pictures(view):
        if frame.index > last:
            break
        if known.done[frame.index] or not wanted[frame.index]:
            continue
        for side, reading in detector(frame).items():
            rows = HAND_SLICES[side]
            known.joints_px[frame.index, rows] = reading.joints_px
            known.sigma_px[frame.index, rows] = reading.sigma_px
            known.confidence[frame.index, rows] = reading.confidence
            known.probability[frame.index, SIDES.index(side)] = reading.probability
        known.done[frame.index] = True
        fresh += 1
        if fresh % _SAVE_EVERY == 0:
            save_detections(path, known)
    known.done[wanted] = True  # a frame that could not be decoded shows nothing
    save_detections(path, known)


def _view_detector(
    recording: Recording, view: int, reader: Reader | None, backend: Backend, guide: Hands | None
) -> ViewDetector:
    camera = recording.rig[view]
    if guide is None:
        return TrackedView(camera, backend, reader)
    frame_of = recording.frames[:, view]
    joints_mm, known = as_shown(guide, view)
    joints = bridged(np.where(known[..., None], joints_mm, np.nan))
    moment_of = {int(frame): moment for moment, frame in enumerate(frame_of) if frame >= 0}
    return GuidedView(camera, joints, moment_of, reader or LiteReader(backend))


class TrackedView:
    """The live tracker, unsmoothed; another reader looks once more at the crop of each hand it follows."""

    def __init__(self, camera: Camera, backend: Backend, reader: Reader | None) -> None:
        self._camera, self._reader = camera, reader
        settings = load_settings(None, [*_OPEN_FILTERS])
        self._pipeline = HandPipeline(settings, backend, lambda _: camera.intrinsics)

    def __call__(self, frame: Frame) -> Found:
        """As `ViewDetector`."""
        turns = self._camera.quarter_turns
        upright = frame if not turns else Frame(frame.index, frame.t_capture_s, turned(frame.image_bgr, turns))
        found: Found = {}
        for hand in self._pipeline(upright).hands:
            joints = unturned(hand.joints_px.astype(np.float64), turns, frame.image_bgr.shape[:2])
            crop = crop_around(joints, upright_angle_rad([joints]))
            if self._reader is not None:
                found[hand.side] = self._reader(frame.image_bgr, crop, hand.side)
                continue
            confidence = hand.confidence.astype(np.float64)
            found[hand.side] = Reading(
                joints, lite_sigma_px(confidence, crop.side_px), confidence, float(hand.hand_probability)
            )
        return found


class GuidedView:
    """Looks where hands known in space must be in the picture."""

    def __init__(self, camera: Camera, joints_mm: NDArray, moment_of: dict[int, int], reader: Reader) -> None:
        self._camera, self._reader = camera, reader
        self._joints_mm, self._moment_of = joints_mm, moment_of

    def __call__(self, frame: Frame) -> Found:
        """As `ViewDetector`."""
        moment = self._moment_of.get(frame.index)
        return {} if moment is None else dict(self._looked(frame.image_bgr, moment))

    def _looked(self, image_bgr: NDArray[np.uint8], moment: int) -> Iterator[tuple[Side, Reading]]:
        hands_mm = self._joints_mm[moment]
        covered = covered_mm(self._camera.in_camera(hands_mm))
        for side in SIDES:
            rows = HAND_SLICES[side]
            expected = self._camera.project(hands_mm[rows])
            known = np.isfinite(expected).all(axis=-1)
            if known.sum() < _FEWEST_KNOWN or not self._shown(expected[known]):
                continue
            crop = crop_around(expected[known], _angle(expected, known))
            reading = self._reader(image_bgr, crop, side, axes_in_picture(self._camera, hands_mm[rows], side))
            size = np.ptp(expected[known], axis=0).max()
            if np.linalg.norm(reading.joints_px[known] - expected[known], axis=-1).mean() < _ASTRAY * size:
                yield side, replace(reading, sigma_px=widened(reading.sigma_px, covered[rows]))

    def _shown(self, joints_px: NDArray) -> bool:
        inside = ((joints_px > 0) & (joints_px < np.array(self._camera.size_px) - 1)).all(axis=-1)
        return bool(inside.mean() > _LEAST_SHOWN)


def bridged(joints_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Joints (M, 42, 3) with short gaps filled by even motion, and one moment at each end by standing still."""
    result = joints_mm.copy()
    for joint in range(joints_mm.shape[1]):
        known = np.flatnonzero(np.isfinite(joints_mm[:, joint, 0]))
        for before, after in pairwise(known):
            if 1 < after - before <= _LONGEST_GAP + 1:
                share = (np.arange(1, after - before) / (after - before))[:, None]
                start, end = joints_mm[before, joint], joints_mm[after, joint]
                result[before + 1 : after, joint] = start + share * (end - start)
        for edge, step in ((known, 1), (known, -1)):
            beside = edge + step
            inside = (beside >= 0) & (beside < len(joints_mm))
            for here, there in zip(edge[inside], beside[inside], strict=True):
                if np.isnan(result[there, joint, 0]):
                    result[there, joint] = joints_mm[here, joint]
    return result


def _angle(expected: NDArray, known: NDArray[np.bool_]) -> float:
    """The turn that makes the hand point up; 0 if wrist or middle knuckle is not known."""
    whole = np.where(known[:, None], expected, expected[known].mean(axis=0))
    return upright_angle_rad([whole])


def turned(image: NDArray[np.uint8], quarter_turns: int) -> NDArray[np.uint8]:
    """The picture after clockwise quarter turns."""
    return np.ascontiguousarray(np.rot90(image, -quarter_turns))


def unturned(points_px: NDArray, quarter_turns: int, size: tuple[int, ...]) -> NDArray[np.float64]:
    """Points (..., 2) of the turned picture in the one before turning, which has `size` (height, width)."""
    height, width = size[:2]
    x, y = points_px[..., 0], points_px[..., 1]
    ways = ((x, y), (y, height - 1 - x), (width - 1 - x, height - 1 - y), (width - 1 - y, x))
    return np.stack(ways[quarter_turns % 4], axis=-1)


def _summary(found: Detections, wanted: NDArray[np.bool_]) -> str:
    seen = np.isfinite(found.joints_px[wanted, :, 0])
    share = [float(seen[:, HAND_SLICES[side]].any(axis=1).mean()) for side in SIDES]
    return f"{int(wanted.sum())} frames, right hand in {share[0]:.0%}, left in {share[1]:.0%}"
