"""Renders the sample clip and its ground truth: `python -m training.synth.clip --output samples/two_hands.mp4`.

The ground truth lies beside the clip as .npz (readable with `allow_pickle=False`); see `GroundTruth`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from numpy.typing import NDArray

from engines.errors import UserError
from training.synth.clip_scene import HEIGHT, RATE_HZ, WIDTH, Scene, frame_times, make_scene, render_frame
from training.synth.ground_truth import ground_truth


def frames(scene: Scene) -> Iterator[NDArray[np.uint8]]:
    """All frames of the clip, RGB, in order; `UserError` where there is no OpenGL or no moderngl."""
    try:
        from training.synth.renderer import Renderer
    except ImportError as error:
        raise UserError("drawing hands needs moderngl: make setup EXTRAS=synth") from error
    with Renderer(WIDTH, HEIGHT) as renderer:
        count = len(frame_times())
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
        raise UserError(f"cannot write {path} ({error.strerror}): choose another --output") from error
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


def main() -> int:
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, default=Path("samples/two_hands.mp4"), help="the .mp4 to write")
    parser.add_argument("--seed", type=int, default=0, help="another skin, room and sway")
    arguments = parser.parse_args()
    try:
        scene = make_scene(arguments.seed)
        write_video(arguments.output, frames(scene))
        np.savez_compressed(arguments.output.with_suffix(".npz"), **vars(ground_truth(scene)))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
