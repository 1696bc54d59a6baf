"""Whether a video ends before the end that its file announces (one thread).

A count of frames is exact, but few containers have one. Else time has to tell, and what a file says of its length is
often that of its longest track, which may be the sound. Where nothing is said of the video itself, nothing is judged.
"""

from __future__ import annotations

import re
from typing import Final

import av
from av.container import InputContainer
from av.video.stream import VideoStream

USUAL_FPS: Final = 30.0
"""The rate of a video that does not say its own."""
_FRAMES_OFF: Final = 2
_SHARE_OFF: Final = 0.02
"""So much may lack without a word: headers round, and encoders drop a frame."""
_LONGEST_STREAM: Final = ("matroska", "flv", "asf")
"""Containers, as FFmpeg calls them, with one duration for all streams: the video's if there is no other."""
_TAG: Final = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


class EndOfVideo:
    """Sees what is read of a video, and knows at its end how many frames are missing."""

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.frames = stream.frames or None
        """As many as the file announces, where it counts them."""
        self._fps = float(stream.average_rate) if stream.average_rate else None
        self._end_s = announced_end_s(container, stream)
        self._file_s = container.duration / av.time_base if container.duration else None
        self._read_to_s = 0.0
        self._last_s = 0.0
        self._longest_s = 0.0
        self._shown = 0

    @property
    def expected_frames(self) -> int | None:
        """About how many frames there will be; good enough for a progress bar, and for nothing else."""
        length_s = self._end_s or self._file_s
        return self.frames or (round(length_s * self._fps) if length_s and self._fps else None)

    def packet(self, packet: av.Packet) -> None:
        """See a packet as it lies in the file, whether it can be decoded or not."""
        if packet.pts is not None and packet.time_base is not None:
            self._read_to_s = max(self._read_to_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))

    def frame(self, t_s: float) -> None:
        """See the time (s) of the next frame in the order in which they are shown; the first one is at 0."""
        self._longest_s = max(self._longest_s, t_s - self._last_s)
        self._last_s = t_s
        self._shown += 1

    def missing(self, seen: int) -> int:
        """How many frames the file announces beyond the `seen` ones, counted or about; 0 if it is whole, or unknown."""
        lacking_s = 0.0 if self._end_s is None else self._end_s - self._read_to_s
        step_s = self._step_s()
        if self.frames is None:
            # Behind a picture that stands still there may be nothing more: that is as long as others stood still.
            allowed_s = max(_FRAMES_OFF * step_s, _SHARE_OFF * (self._end_s or 0.0), self._longest_s)
            return max(round(lacking_s / step_s), 1) if lacking_s > allowed_s else 0
        lacking = self.frames - seen
        if lacking <= max(_FRAMES_OFF, _SHARE_OFF * seen):
            return 0
        # An edit list leaves pictures out that are counted; then the video's time is over all the same.
        return 0 if self._end_s is not None and lacking_s <= _FRAMES_OFF * step_s else lacking

    def _step_s(self) -> float:
        spans = self._shown > 1 and self._last_s > 0
        return self._last_s / (self._shown - 1) if spans else 1 / (self._fps or USUAL_FPS)


def announced_end_s(container: InputContainer, stream: VideoStream) -> float | None:
    """When the last frame is over on the file's clock (s), as the file says of the video itself; None if it does not.

    A length that does not count a late beginning is as good: the video then seems to reach further than it must.
    """
    kind = container.format.name.split(",")[0]
    tagged = _TAG.fullmatch(stream.metadata.get("DURATION", "")) if kind == "matroska" else None
    if tagged is not None:
        return 3600.0 * int(tagged[1]) + 60.0 * int(tagged[2]) + float(tagged[3])
    if kind == "mov" and stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if kind in _LONGEST_STREAM and len(container.streams) == 1 and container.duration:
        return container.duration / av.time_base
    return None
