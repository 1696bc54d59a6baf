"""Where frames come from: what every source offers, and the one place that picks one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol

from typing_extensions import Self

from realtime.config import CameraSettings
from realtime.messages import Frame
from realtime.sources.camera import CameraSource
from realtime.sources.image_folder import ImageFolderSource
from realtime.sources.live_source import ReplaySource
from realtime.sources.recording import VideoSource


class Source(Protocol):
    """Frames of one camera or recording, all of one size. Used as `with ... as source: for frame in source:`, once."""

    @property
    def name(self) -> str:
        """Return what the user calls it."""

    @property
    def size_px(self) -> tuple[int, int]:
        """Return (width, height) of every frame."""

    @property
    def fps(self) -> float | None:
        """Return the nominal rate, if there is one."""

    @property
    def frame_count(self) -> int | None:
        """Return how many frames a recording announces."""

    @property
    def is_live(self) -> bool:
        """Return whether frames that are not taken in time are lost."""

    @property
    def dropped(self) -> int:
        """Return how many frames were lost or damaged so far; they are gaps in `Frame.index`."""

    @property
    def damaged(self) -> int:
        """Return how many of those could not be decoded; the others came too fast for whoever took them."""

    def __enter__(self) -> Self:
        """Start."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop and release."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames; raises UserError when a camera is lost for good."""

    def close(self) -> None:
        """Stop and release; the iteration ends."""


def open_source(
    settings: CameraSettings,
    *,
    camera: str | None = None,
    video: Path | str | None = None,
    images: Path | str | None = None,
    images_fps: float = 30.0,
    realtime: bool = False,
) -> Source:
    """Open exactly one of a camera, a video or a folder of pictures; `realtime` plays the video like a camera.

    Raises UserError, naming the thing, if it is not there or cannot be read.
    """
    if sum(choice is not None for choice in (camera, video, images)) != 1:
        raise ValueError("name exactly one of camera, video and images")
    if camera is not None:
        return CameraSource(camera, settings)
    if video is not None:
        return (ReplaySource if realtime else VideoSource)(video, mirrored=settings.mirrored)
    assert images is not None
    return ImageFolderSource(images, images_fps, mirrored=settings.mirrored)
