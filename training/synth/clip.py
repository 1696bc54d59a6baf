"""Renders clips of two hands with ground truth: the sample clip, or random sequences.

    python -m training.synth.clip --output samples/two_hands.mp4
    python -m training.synth.clip --count 10 --seconds 10 --seed 0 --out DIR [--backgrounds DIR]

The ground truth lies beside each clip as .npz (readable with `allow_pickle=False`); see `GroundTruth`. Of sequences,
`sequence-NNNN.jpg` shows frames with their joints: look at it. Those that are whole already are kept.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from numpy.typing import NDArray

from engines.errors import UserError
from engines.terminal import command
from realtime.command import CommandParser
from training.command import natural, positive
from training.synth.story.ground_truth import ground_truth
from training.synth.story.random_scene import Surroundings, load_surroundings, random_scene
from training.synth.story.scene import HEIGHT, RATE_HZ, WIDTH, Scene, frame_times, make_scene, render_frame
from training.synth.story.sheet import clip_sheet


def frames(scene: Scene) -> Iterator[NDArray[np.uint8]]:
    """All frames of the clip, RGB, in order; `UserError` where there is no OpenGL or no moderngl."""
    try:
        from training.synth.render.renderer import Renderer
    except ImportError as error:
        raise UserError("drawing hands needs moderngl: make setup EXTRAS=synth") from error
    with Renderer(WIDTH, HEIGHT) as renderer:
        count = len(frame_times(scene))
        for index in range(count):
            yield render_frame(scene, renderer, index)
            print(f"\rframe {index + 1} of {count}", end="\n" if index + 1 == count else "", flush=True)


def write_video(path: Path, pictures: Iterator[NDArray[np.uint8]]) -> int:
    """Encode RGB frames as H.264 and return their number; `path` appears only when all are written.

    Raises `UserError` if the file cannot be written.
    """
    partial = path.with_suffix(f".partial{path.suffix}")
    try:
        with partial.open("wb") as file, av.open(file, "w", format="mp4") as container:
            count = _encode(container, pictures)
        partial.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror}): choose another place") from error
    return count


def _encode(container: OutputContainer, pictures: Iterator[NDArray[np.uint8]]) -> int:
    stream = container.add_stream("libx264", rate=RATE_HZ, options={"crf": "18", "preset": "slow"})
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    stream.time_base = Fraction(1, RATE_HZ)
    count = 0
    for picture in pictures:
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = count, Fraction(1, RATE_HZ)
        container.mux(stream.encode(frame))
        count += 1
    container.mux(stream.encode())
    return count


def write_clip(path: Path, scene: Scene) -> None:
    """A clip and, beside it, its ground truth, which comes last; `UserError` if they cannot be written."""
    labels, partial = path.with_suffix(".npz"), path.with_suffix(".partial.npz")
    truth = ground_truth(scene)
    write_video(path, frames(scene))
    np.savez_compressed(partial, **vars(truth))
    partial.replace(labels)


def write_sequences(folder: Path, seeds: Sequence[int], seconds: float, surroundings: Surroundings) -> None:
    """Random sequences `sequence-NNNN.mp4`, one a seed, with their sheets; those that are there are kept."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from error
    for seed in seeds:
        clip = folder / f"sequence-{seed:04d}.mp4"
        if clip.exists() and clip.with_suffix(".npz").exists():
            print(f"{clip}: kept")
            continue
        print(clip)
        scene = random_scene(seed, seconds, surroundings)
        write_clip(clip, scene)
        clip_sheet(clip, clip.with_suffix(".jpg"))


@command
def main(argv: list[str] | None = None) -> int:
    """Command line entry; returns the exit code."""
    parser = CommandParser("python -m training.synth.clip", __doc__)
    parser.add_argument("--output", type=Path, default=Path("samples/two_hands.mp4"), help="where the sample clip goes")
    parser.add_argument("--out", type=Path, metavar="DIR", help="render random sequences into this folder instead")
    parser.add_argument("--count", type=positive, default=1, help="number of sequences, of seeds S, S + 1, ...")
    parser.add_argument("--seconds", type=_seconds, default=10.0, help="length of each sequence")
    parser.add_argument(
        "--seed", type=natural, default=0, help="other sequences; of the sample: another skin, room and sway"
    )
    parser.add_argument("--backgrounds", type=Path, help="photographs behind the hands and panoramas as light")
    a = parser.parse_args(argv)
    try:
        if a.out is None:
            write_clip(a.output, make_scene(a.seed))
        else:
            write_sequences(a.out, range(a.seed, a.seed + a.count), a.seconds, load_surroundings(a.backgrounds))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on with the first unfinished sequence", file=sys.stderr)
        return 130
    return 0


def _seconds(text: str) -> float:
    number = float(text)
    if not 0.1 <= number <= 600:
        raise argparse.ArgumentTypeError("must be from 0.1 to 600")
    return number


if __name__ == "__main__":
    sys.exit(main())
