"""Opening a video file that may come from anybody, and what its streams say (any thread).

One opener for tracking and playback: neither the name nor what the file says may open anything else, and a picture
larger than the program handles is refused before it is decoded.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from engines.errors import UserError
from realtime.sources.pictures import MAX_PIXELS, check_size

NOT_VIDEO_FORMATS: Final = ("tty", "ass", "srt", "webvtt")
"""What FFmpeg makes of plain text; nobody means that."""
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
"""Two letters at least: one is a drive of Windows. `Path` makes one slash of two."""
_COVER: Final = Disposition.attached_pic | Disposition.timed_thumbnails


def open_container(path: Path) -> InputContainer:
    """The opened file; raises UserError naming it if it is missing, a folder, or no video."""
    if _ADDRESS.match(str(path)) and not path.exists():
        raise UserError(f"{path}: is an address; for a stream use --camera")
    if path.is_dir():
        raise UserError(f"{path}: is a folder; for a folder of pictures use --images")
    if not path.is_file():
        raise UserError(f"{path}: no such video")
    if _is_animated_webp(path):
        raise UserError(f"{path}: FFmpeg cannot read animated WebP; save it as GIF, APNG or MP4 first")
    try:
        # "file:" and the white list: neither the name nor what the file says may open anything else. FFmpeg decodes a
        # little to learn the format, so the limit on pixels must be known to it already here.
        options = {"protocol_whitelist": "file,crypto,data", "max_pixels": str(MAX_PIXELS)}
        return av.open(f"file:{path.absolute()}", metadata_errors="replace", options=options)
    except (FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{path}: is no video, or too damaged to be opened ({reason})") from error


def _is_animated_webp(path: Path) -> bool:
    """By the second flag of its extended head (developers.google.com/speed/webp/docs/riff_container)."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        head = file.read(21)
        return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and bool(head[20:] and head[20] & 2)
    return False


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """The video that a player would show, FFmpeg's best one; cover pictures do not count.

    Raises UserError if there is none, it cannot be decoded, or its pictures are too large.
    """
    videos = [stream for stream in container.streams.video if not stream.disposition & _COVER]
    if not videos or container.format.name in NOT_VIDEO_FORMATS:
        only = ", only a cover picture" if container.streams.video and not videos else ""
        raise UserError(f"{name}: holds no video{only}")
    best = container.streams.best("video")
    stream = best if isinstance(best, VideoStream) and best in videos else videos[0]
    if stream.codec_context is None:
        raise UserError(f"{name}: its video is in a format that cannot be decoded")
    if stream.codec_context.width or stream.codec_context.height:
        check_size(name, (stream.codec_context.width, stream.codec_context.height))
    # Still pictures tell their size only while they are decoded: there the decoder itself refuses.
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    return stream
