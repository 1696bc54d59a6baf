"""Judge the whole live way on clips with ground truth: `python -m training.sequences [--clip samples/two_hands.mp4]`.

Runs detector, tracker, network, fusion and smoothing over every frame and compares the tracks with the labels: how
often both hands are followed, whether left and right are ever exchanged, how far the joints are off, how much they
jitter on still and on moving hands, and how far they trail the truth; each before and after the One-Euro filters.
`--clip` may be a folder of many, as `python -m training.synth.clip --count 10 --out DIR` renders them.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from engines.contract import Backend
from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics
from engines.terminal import command
from realtime.camera_space.smoothing import HandSmoother
from realtime.command import CommandParser
from realtime.config import Settings
from realtime.engine import backend_of
from realtime.layers import load_settings
from realtime.live import run_recorded
from realtime.messages import HandFrame
from realtime.pipeline import HandPipeline
from realtime.sources.recording import VideoSource
from training.evaluation.clips import Truth, compare, compare_motion, load_truth

SAMPLE: Final = Path("samples/two_hands.mp4")
_OPEN_FILTERS: Final = tuple(
    f"smoothing.{part}.min_cutoff_hz=1.0e9" for part in ("image", "relative_depth", "wrist_depth")
)
"""So high that every filter lets its input through unchanged: the pipeline then gives what it smooths."""
Figures = dict[str, float]


def judge_clip(clip: Path, backend: Backend, overrides: Sequence[str]) -> dict[str, Figures]:
    """Figures of one clip, `raw` and `smoothed`; raises UserError if it or its labels cannot be read."""
    truth = load_truth(clip.with_suffix(".npz"))
    raw = track(clip, truth, backend, load_settings(None, [*overrides, *_OPEN_FILTERS]))
    if len(raw) > len(truth.t_s):
        raise UserError(f"{clip}: {len(raw)} frames but {len(truth.t_s)} labels; they do not belong together")
    ways = {"raw": raw, "smoothed": smoothed(raw, load_settings(None, [*overrides]))}
    return {name: asdict(compare(way, truth)) | asdict(compare_motion(way, truth)) for name, way in ways.items()}


def track(clip: Path, truth: Truth, backend: Backend, settings: Settings) -> list[HandFrame]:
    """Results of every frame, with the clip's own intrinsics."""
    pipeline = HandPipeline(settings, backend, partial(_known, truth.intrinsics))
    try:
        with VideoSource(clip) as source:
            return [result.hands for result in run_recorded(source, pipeline)]
    finally:
        pipeline.close()


def smoothed(frames: Sequence[HandFrame], settings: Settings) -> list[HandFrame]:
    """What the pipeline would have given with its filters: they are its last step, nothing before knows them."""
    smoother = HandSmoother(settings.smoothing)
    return [replace(f, hands=smoother(f.hands, f.t_capture_s, f.intrinsics)) for f in frames]


def mean_of(clips: Sequence[dict[str, Figures]]) -> dict[str, Figures]:
    """The plain mean over clips of every figure that the clip could tell; counts are summed."""
    return {way: {name: _mean([clip[way][name] for clip in clips]) for name in clips[0][way]} for way in clips[0]}


def _mean(values: Sequence[float]) -> float:
    if all(isinstance(value, int) for value in values):
        return sum(values)
    known = [value for value in values if math.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def table(ways: dict[str, Figures]) -> str:
    """All figures in columns, `-` where a clip cannot tell."""
    names = list(next(iter(ways.values())))
    lines = [f"{'':24}" + "".join(f"{way:>12}" for way in ways)]
    lines += [f"{name:24}" + "".join(f"{_cell(ways[way][name]):>12}" for way in ways) for name in names]
    return "\n".join(lines)


def _cell(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if math.isfinite(value) else "-"


def _known(intrinsics: Intrinsics, _size_px: tuple[int, int]) -> Intrinsics:
    return intrinsics


def clips_of(path: Path) -> list[Path]:
    """The clip itself, or all of a folder that have labels; raises UserError if there are none."""
    if path.is_file():
        return [path]
    if not path.exists():
        raise UserError(f"{path}: no such clip, and no folder of clips")
    clips = [clip for clip in sorted(path.glob("*.mp4")) if clip.with_suffix(".npz").exists()]
    if not clips:
        raise UserError(f"{path}: no .mp4 with an .npz of labels beside it; render some with training.synth.clip --out")
    return clips


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m training.sequences", __doc__)
    parser.add_argument(
        "--clip", type=Path, default=SAMPLE, help="a video with an .npz of labels beside it, or a folder of such"
    )
    parser.add_argument("--weights", type=Path, help="weights to judge instead of the shipped ones")
    parser.add_argument(
        "--set", action="append", default=[], metavar="A.B=VALUE", help="change a setting of the tracker"
    )
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args(argv)
    try:
        run(arguments.clip, arguments.weights, arguments.set, arguments.json)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def run(path: Path, weights: Path | None, overrides: Sequence[str], json_file: Path | None) -> None:
    """Judge, print, write what was asked for; raises UserError."""
    named = [] if weights is None else [f"engine.weights={json.dumps(str(weights))}"]
    clips, backend = clips_of(path), backend_of(load_settings(None, [*overrides, *named]), print)
    found = {}
    for clip in clips:
        found[clip.stem] = judge_clip(clip, backend, overrides)
        print(f"{clip}\n{table(found[clip.stem])}\n", flush=True)
    overall = mean_of(list(found.values()))
    if len(clips) > 1:
        print(f"mean of {len(clips)} clips, counts summed\n{table(overall)}")
    if json_file is None:
        return
    content = {"clips": found, "mean": overall}
    try:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(_without_nan(content), indent=2, allow_nan=False) + "\n")
    except OSError as error:
        raise UserError(f"{json_file}: the figures cannot be written ({error.strerror})") from error


def _without_nan(tree: object) -> object:
    """JSON has no NaN: null."""
    if isinstance(tree, dict):
        return {key: _without_nan(value) for key, value in tree.items()}
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree


if __name__ == "__main__":
    sys.exit(main())
