"""How a decoded frame becomes the picture that is shown: square pixels, turned upright, always one size (any thread).

The one way for tracking and playback, so that a joint's pixels mean the same in both.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from realtime.sources.one_view import check_view
from realtime.sources.pictures import check_size

FLATTEST, TALLEST = Fraction(1, 4), Fraction(4)
"""Pixel shapes, width by height, outside of which the file is taken to be wrong; true ones are 0.36 to 2.2."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a picture; first its axes are exchanged, then it is flipped."""

    transposed: bool = False
    flipped_x: bool = False
    flipped_y: bool = False

    def size(self, size_px: tuple[int, int]) -> tuple[int, int]:
        """(width, height) of a picture of `size_px` laid this way."""
        return size_px[::-1] if self.transposed else size_px

    def laid(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture (H, W, 3) laid this way."""
        image = image.swapaxes(0, 1) if self.transposed else image
        image = image[:, ::-1] if self.flipped_x else image
        return np.ascontiguousarray(image[::-1] if self.flipped_y else image)


def orientation(frame: VideoFrame) -> Orientation:
    """How the frame's display matrix says it is to be laid; the nearest of the eight ways.

    FFmpeg's matrix (libavutil/display.h) takes (p, q), right and down in the frame, to (a p + c q, b p + d q) on the
    screen; it lies in memory as a b u, c d v, x y w. FFmpeg's own "rotation" is only the angle of it, wrong for a flip.
    """
    # Not `frame.side_data`: that stays with the frame and refers to it, and a frame in a circle keeps its picture (3 MB
    # at 1080p) until Python looks for circles, which may be 200 frames later.
    container = SideDataContainer(frame)  # type: ignore[call-arg]  # PyAV's stub says otherwise
    matrix = container.get(Type.DISPLAYMATRIX)
    if matrix is None:
        return Orientation()
    a, b, _, c, d = (float(v) for v in np.frombuffer(matrix, np.int32)[:5])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(True, flipped_x=c < 0, flipped_y=b < 0)
    return Orientation(False, flipped_x=a < 0, flipped_y=d < 0)


def square_size(size_px: tuple[int, int], pixel_aspect: Fraction | None) -> tuple[int, int]:
    """(width, height) with square pixels for pixels `pixel_aspect` times as wide as high.

    No side shrinks, so that nothing seen is lost. An aspect that no camera has is not believed.
    """
    if not pixel_aspect or not FLATTEST <= pixel_aspect <= TALLEST:
        return size_px
    width, height = size_px
    return (round(width * pixel_aspect), height) if pixel_aspect > 1 else (width, round(height / pixel_aspect))


class PixelAspect:
    """How many times as wide as high a stream's pixels are. Made before a frame of it is decoded."""

    def __init__(self, name: str, stream: VideoStream) -> None:
        # Asked once: another thread may close the file, and FFmpeg's stream is gone then.
        self._codec = stream.codec_context
        said, own = stream.sample_aspect_ratio, self._codec.sample_aspect_ratio
        # What FFmpeg says is the container's word, or else the video's own, as it was at the end of its probe.
        self._of_container = said if said != own else None
        if said and not FLATTEST <= said <= TALLEST:
            _log.warning("%s: pixels said to be %s as wide as high are taken for square ones", name, said)

    def now(self) -> Fraction | None:
        """For the frame that was decoded last: a video's own word may change, as in recordings of television."""
        return self._of_container or self._codec.sample_aspect_ratio


class ShownPictures:
    """Pictures of one stream, all of the first one's size. Belongs to whoever decodes.

    A frame of another size in the same proportions, as streams of changing quality have, is scaled to the first one's.
    Other proportions are another view: that ends with AnotherView, a UserError.
    Raises UserError as well if the pictures are too large.
    """

    def __init__(self, name: str, aspect: PixelAspect, first: VideoFrame) -> None:
        self._name = name
        self._aspect = aspect
        # One for all frames: each frame's own would start a thread for every core, and keep them until it is collected.
        self._reformatter = VideoReformatter()
        check_size(name, (first.width, first.height))
        self.size_px = self._size(first)
        """(width, height) of every picture."""
        check_size(name, self.size_px)

    def image(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR."""
        width, height = self._size(frame)
        check_view(self._name, (width, height), self.size_px, "cut the file there for the rest")
        lay = orientation(frame)
        # Scaling and the conversion to BGR are one step.
        width, height = lay.size(self.size_px)
        image = self._reformatter.reformat(frame, width, height, "bgr24", threads=1).to_ndarray()
        return lay.laid(image.astype(np.uint8, copy=False))

    def _size(self, frame: VideoFrame) -> tuple[int, int]:
        """(width, height) as the frame is to be shown."""
        return orientation(frame).size(square_size((frame.width, frame.height), self._aspect.now()))
