"""MCAP, the file of ROS 2 and Foxglove: of a track file, or written while a run goes on. The only home of mcap.

`McapSink` writes as the frames come: what a killed run leaves is read up to its last whole chunk by `mcap recover`.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from mcap_ros2.writer import Writer

from engines.errors import UserError
from realtime.formats.robots.ros_messages import messages, time_ns
from realtime.formats.robots.ros_types import definition, ros_name
from realtime.live import Result
from realtime.messages import HandFrame
from realtime.sinks import Sink
from realtime.tracks.schema import Tracks

_CHUNK_BYTES: Final = 256 * 1024


def write(tracks: Tracks, path: Path) -> None:
    """Write every frame at its time stamp. Raises OSError."""
    with path.open("wb") as file:
        log = _Log(file)
        log.about({"settings": tracks.settings, "versions": tracks.versions})
        for i in range(len(tracks)):
            log.add(tracks.hand_frame(i))
        log.finish()


class McapSink(Sink):
    """Writes results into a file while they come. Raises UserError, naming the file, if it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # A live run's inference thread may hang, and come back when this is closed.
        self._lock = threading.Lock()
        self._open = True
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb")
            self._log = _Log(self._file)
        except OSError as error:
            raise self._cannot_write(error) from error

    def take(self, result: Result) -> None:
        """Write one result's hands."""
        with self._lock:
            if not self._open:
                return
            try:
                self._log.add(result.hands)
            except OSError as error:
                self._open = False
                self._let_go()
                raise self._cannot_write(error) from error

    def close(self) -> None:
        """Write the index, and close; a second call does nothing."""
        with self._lock:
            if not self._open:
                return
            self._open = False
            try:
                self._log.finish()
                self._file.close()
            except OSError as error:
                self._let_go()
                raise self._cannot_write(error) from error

    def _let_go(self) -> None:
        with suppress(OSError):  # of what could not be written before
            self._file.close()

    def _cannot_write(self, error: OSError) -> UserError:
        return UserError(f"{self._path}: cannot be written ({error.strerror or error}); name another file or make room")


class _Log:
    """Messages with their schemas, by topic."""

    def __init__(self, file: IO[bytes]) -> None:
        self._writer = Writer(file, chunk_size=_CHUNK_BYTES)
        self._schemas: dict[str, Any] = {}

    def about(self, facts: dict[str, str]) -> None:
        """Texts that hold for the whole file."""
        self._writer.add_metadata("two-hands-live", facts)

    def add(self, frame: HandFrame) -> None:
        """All messages of one frame."""
        at_ns = time_ns(frame.t_capture_s)
        for topic, kind, content in messages(frame):
            if kind not in self._schemas:
                self._schemas[kind] = self._writer.register_msgdef(ros_name(kind), definition(kind))
            self._writer.write_message(topic, self._schemas[kind], content, at_ns, sequence=max(frame.index, 0))

    def finish(self) -> None:
        """Write the index."""
        self._writer.finish()
