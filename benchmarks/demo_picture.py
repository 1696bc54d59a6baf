"""The picture at the top of the README: `python -m benchmarks.demo_picture [--video V] [--output docs/demo.jpg]`.

Three frames of what `make demo` writes without a display, one below the other: gesturing, crossing, clasping.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.files import in_one_step
from engines.terminal import command
from realtime.command import CommandParser
from realtime.sources.recording import VideoSource

FRAMES: Final = (125, 180, 246)
_WIDTH_PX: Final = 1120
_QUALITY: Final = 88


def picture(video: Path, frames: Sequence[int] = FRAMES) -> NDArray[np.uint8]:
    """(H, 1120, 3) these frames of the video, counted from 0; raises UserError if it is shorter."""
    with VideoSource(video) as source:
        found = [frame.image_bgr.copy() for frame in islice(source, max(frames) + 1) if frame.index in frames]
    if len(found) < len(frames):
        raise UserError(f"{video}: has fewer than {max(frames) + 1} frames; is it what run_demo.py --demo wrote?")
    height, width = found[0].shape[:2]
    size = _WIDTH_PX, round(height * _WIDTH_PX / width)
    return np.vstack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in found])


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m benchmarks.demo_picture", __doc__)
    parser.add_argument("--video", type=Path, default=Path("out/demo/overlay.mp4"), help="what the demo wrote")
    parser.add_argument("--output", type=Path, default=Path("docs/demo.jpg"))
    given = parser.parse_args(argv)
    try:
        drawn = picture(given.video)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    with in_one_step(given.output) as part:
        cv2.imwrite(str(part), drawn, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    print(f"{given.output}: {given.output.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
