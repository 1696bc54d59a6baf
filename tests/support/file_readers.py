"""Every kind of file the program reads: a good one, and the function that reads it. For tests and fuzzer.

A reader may give something or raise UserError; what is not the user's to name (the caches of a run) must always give
something. Anything else is a fault: another exception, a hang, memory beyond what the file could fill.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors.numpy import save as safetensors_bytes
from torch import nn

from engines.building.calibration import calibration_crops
from engines.cache.key import EngineKey
from engines.cache.store import SIDECAR, find_engine, store_engine, why_not_cached
from engines.errors import UserError
from engines.geometry.crop import Crop
from engines.geometry.pinhole import Intrinsics
from engines.networks.checkpoints import load_weights
from engines.networks.reading import read_checkpoint, read_tensors
from realtime.batch.checkpoint import Checkpoint, load_checkpoint
from realtime.batch.job import Job, Work
from realtime.batch.manifest import NAME, Manifest
from realtime.camera_space.calibration_file import save_intrinsics
from realtime.camera_space.fusion import FusionState
from realtime.camera_space.hand_size import HandProfile
from realtime.camera_space.intrinsics import load_intrinsics
from realtime.camera_space.smoothing import SmootherState
from realtime.cli.hand_profile import load_profile, save_profile
from realtime.layers import DEFAULT_FILE, load_settings
from realtime.pipeline import PipelineState
from realtime.snapshot import freeze, thaw
from realtime.sources.pictures import UnreadablePicture, picture_size, read_picture
from realtime.sources.recording import VideoSource
from realtime.tracking.track import Track
from realtime.tracking.tracker import TrackerState
from realtime.tracks.npz import write
from realtime.tracks.part import header_line
from realtime.tracks.reader import load_tracks
from realtime.tracks.schema import PART_MAGIC, encode
from tests.support.hand_frames import INTRINSICS, SIZE, hand_frame
from tests.support.track_files import tracks_of
from tests.support.video_files import steady, write_video
from training.evaluation.clips import load_truth
from training.evaluation.predictions import load_predictions

KEY = EngineKey("lite", "openvino", "1", "fp32", (1, 2), "a" * 64, "b" * 64, "a processor", "Linux x86_64")


@dataclass(frozen=True)
class FileReader:
    """A kind of file: `good` makes one, in a folder that is empty, and `read` reads it."""

    name: str
    good: Callable[[Path], None]
    read: Callable[[Path], Any]


@cache
def _tracks() -> Any:
    return tracks_of(["rl", "r", "", "l", "rl"])


def _write_part(path: Path) -> None:
    head = PART_MAGIC + header_line(INTRINSICS, SIZE, "{}", "{}")
    path.write_bytes(head + b"".join(encode(hand_frame("right", "left", index=i, t_s=i / 30)) for i in range(3)))


def _write_intrinsics(path: Path) -> None:
    save_intrinsics(path, Intrinsics(500.0, 501.0, 320.0, 240.0, distortion=(0.1, -0.05, 0.001, 0.002)), (640, 480))


def _write_opencv_yaml(path: Path) -> None:
    matrix = "!!opencv-matrix\n   rows: {0}\n   cols: {1}\n   dt: d\n   data: [ {2} ]\n"
    k = matrix.format(3, 3, "500., 0., 320., 0., 500., 240., 0., 0., 1.")
    d = matrix.format(1, 5, "1e-1, -5e-2, 0., 0., 0.")
    text = f"%YAML:1.0\n---\nimage_width: 640\nimage_height: 480\ncamera_matrix: {k}distortion_coefficients: {d}"
    path.write_text(text)


def _write_checkpoint(path: Path) -> None:
    torch.save({"network": {"module.weight": torch.ones(3, 2)}, "epoch": 20}, path)


def _write_state(path: Path) -> None:
    track = Track(Crop((1.0, 2.0), 3.0), 0.0, 0.0, 0.0, np.ones((21, 2)))
    state = PipelineState((640, 480), 0.0, TrackerState({"right": track}), FusionState(), SmootherState())
    Checkpoint("a", "b", pipeline=freeze(state)).save(path)


def _read_state(path: Path) -> Any:
    checkpoint = load_checkpoint(path)
    try:
        return None if checkpoint is None else thaw(PipelineState, checkpoint.pipeline)
    except ValueError:  # the recording is then begun anew
        return None


def _write_sidecar(path: Path) -> None:
    folder = store_engine(path.parent / "cache", KEY, {"engine.xml": b"<xml/>"}, {"build_s": 1.0})
    path.write_bytes((folder / SIDECAR).read_bytes())


def _read_sidecar(path: Path) -> Any:
    folder = path.parent / "cache" / KEY.folder_name()
    (folder / SIDECAR).write_bytes(path.read_bytes())
    return find_engine(path.parent / "cache", KEY), why_not_cached(path.parent / "cache", KEY)


@cache
def _work() -> Work:
    return Work(load_settings(), images_fps=30.0, smooth=False, suffixes=(), render=None)


def _write_manifest(path: Path) -> None:
    path.write_text(json.dumps({"format": "two-hands-batch 1", "recordings": {"a.npz": {"made_with": "x"}}}))


def _read_manifest(path: Path) -> Any:
    (path.parent / NAME).write_bytes(path.read_bytes())
    output = path.parent / "a.npz"
    output.touch()
    return Manifest(path.parent, _work()).finished(Job(path, output))


def _write_truth(path: Path) -> None:
    tracks = _tracks()
    np.savez_compressed(
        path,
        joints_cam_mm=tracks.joints_cam_mm,
        joints_px=tracks.joints_px,
        fully_in_view=tracks.hand_probability > 0,
        t_s=tracks.t_s,
        intrinsics_px=tracks.intrinsics_px,
    )


def _write_predictions(path: Path) -> None:
    count = 2
    values = {"joints_px": (42, 2), "joint_depth_mm": (42,), "left_minus_right_root_mm": (), "hand_probability": (2,)}
    arrays = {name: np.ones((count, *shape)) for name, shape in values.items()}
    np.savez_compressed(path, annotation_id=np.arange(count), **arrays)


def _write_calibration_video(path: Path) -> None:
    write(_tracks(), path)
    write_video(path.with_suffix(".mp4"), steady(5), (64, 48))


def _read_picture(path: Path) -> Any:
    try:
        return picture_size(path), read_picture(path)
    except UnreadablePicture:
        return None


def _write_picture(path: Path) -> None:
    content = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    path.write_bytes(cv2.imencode(path.suffix, content)[1].tobytes())


def _read_video(path: Path) -> Any:
    with VideoSource(path) as source:
        return sum(frame.image_bgr.size for frame in source)


def _copy_settings(path: Path) -> None:
    path.write_bytes(DEFAULT_FILE.read_bytes())


def _video(path: Path) -> None:
    write_video(path, steady(6), (64, 48))


def _records(path: Path) -> None:
    path.write_bytes(safetensors_bytes({"weight": np.ones((3, 2), np.float16), "bias": np.ones(3, np.float16)}))


READERS = (
    FileReader("settings.yaml", _copy_settings, load_settings),
    FileReader("intrinsics.json", _write_intrinsics, lambda path: load_intrinsics(path, (640, 480))),
    FileReader("intrinsics.yaml", _write_opencv_yaml, lambda path: load_intrinsics(path, (1280, 960))),
    FileReader("profile.yaml", lambda path: save_profile(path, HandProfile(185.0, 3.0)), load_profile),
    FileReader("tracks.npz", lambda path: write(_tracks(), path), load_tracks),
    FileReader("tracks.npz.part", _write_part, load_tracks),
    FileReader("weights.safetensors", _records, lambda path: load_weights(nn.Linear(2, 3), path)),
    FileReader("other.safetensors", _records, read_tensors),
    FileReader("snapshot.pth.tar", _write_checkpoint, read_checkpoint),
    FileReader("engine.json", _write_sidecar, _read_sidecar),
    FileReader("tracks.npz.state", _write_state, _read_state),
    FileReader("manifest.json", _write_manifest, _read_manifest),
    FileReader("truth.npz", _write_truth, load_truth),
    FileReader("predictions.npz", _write_predictions, load_predictions),
    FileReader(
        "calibration.npz", _write_calibration_video, lambda path: calibration_crops(path.with_suffix(".mp4"), 32)
    ),
    FileReader("picture.png", _write_picture, _read_picture),
    FileReader("picture.jpg", _write_picture, _read_picture),
    FileReader("video.mp4", _video, _read_video),
)
NEVER_REFUSED = ("engine.json", "tracks.npz.state", "manifest.json")
"""Files of the program's own making that it does without where they are damaged."""


def refusal(read: Callable[[], Any]) -> UserError | None:
    """How it was refused; None if it was read."""
    try:
        read()
    except UserError as error:
        return error
    return None


def read_anyhow(reader: FileReader, path: Path) -> None:
    """Read it; every end but a good one or one line of a UserError is raised."""
    refused = refusal(lambda: reader.read(path))
    if refused is not None:
        assert reader.name not in NEVER_REFUSED, f"must never be refused: {refused}"
        assert str(refused).isprintable(), f"more than one line: {refused}"
