"""What looking ahead is worth: `python -m benchmarks.offline [--clip CLIP_OR_FOLDER]`.

Tracks clips with ground truth once and smooths them in three ways: live (One-Euro), offline, and offline with the
hand's true length known. The figures are those of `python -m training.sequences`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from engines.backends.opening import open_backend
from engines.contract import Backend, EngineRequest
from engines.errors import UserError
from engines.geometry.distortion import MOST
from engines.second_look import looking_twice
from engines.skeleton import HAND_SLICES
from engines.terminal import command
from realtime.batch.run import batch_settings
from realtime.camera_space.bone_lengths import bone_lengths, hand_length
from realtime.command import CommandParser
from realtime.layers import load_settings
from realtime.messages import HandFrame
from realtime.tracks.offline import smooth_offline
from realtime.tracks.schema import FRAME_FIELDS, RECORD, Tracks, encode
from training.evaluation.clips import compare, compare_motion, load_truth
from training.sequences import SAMPLE, Figures, clips_of, mean_of, smoothed, table, track


def judge(clip: Path, backend: Backend) -> dict[str, Figures]:
    """Figures of one clip for every way. Raises UserError if it or its labels cannot be read."""
    truth = load_truth(clip.with_suffix(".npz"))
    settings = load_settings()
    raw = track(clip, truth, backend, batch_settings(settings, smooth=True))
    length = hand_length(bone_lengths(truth.joints_cam_mm[0, HAND_SLICES["right"]]))
    ways = {
        "raw": raw,
        "live": smoothed(raw, settings),
        "offline": offline(raw, None),
        "known hand": offline(raw, length),
    }
    return {name: asdict(compare(way, truth)) | asdict(compare_motion(way, truth)) for name, way in ways.items()}


def offline(frames: Sequence[HandFrame], hand_length_mm: float | None) -> list[HandFrame]:
    """The frames after offline smoothing, as from a track file."""
    records = np.frombuffer(b"".join(map(encode, frames)), RECORD)
    fields = {name: records[name] for name in FRAME_FIELDS}
    intrinsics = frames[0].intrinsics
    lens = np.zeros(MOST)
    lens[: len(intrinsics.distortion)] = intrinsics.distortion
    size_px = np.array(frames[0].size_px, np.int32)
    tracks = Tracks(
        **fields, intrinsics_px=intrinsics.as_array(), distortion=lens, size_px=size_px, settings="{}", versions="{}"
    )
    smooth = smooth_offline(tracks, hand_length_mm)
    return [smooth.hand_frame(i) for i in range(len(smooth))]


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m benchmarks.offline", __doc__)
    parser.add_argument("--clip", type=Path, default=SAMPLE, help="a clip with labels, or a folder of them")
    arguments = parser.parse_args(argv)
    try:
        backend = looking_twice(
            open_backend(EngineRequest(threads=1), lambda line: print(line, file=sys.stderr)), "lite"
        )
        print(table(mean_of([judge(clip, backend) for clip in clips_of(arguments.clip)])))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
