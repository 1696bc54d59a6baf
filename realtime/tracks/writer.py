"""Writes the track file as the run goes, so that a killed run keeps every frame it had (any thread).

Each frame goes straight to the operating system as one checked record of `<name>.part`. When the run ends, well or
with an error, the records become `<name>` in one step and the part is removed (`realtime.tracks.part`).
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from types import TracebackType

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics
from realtime.live import Result
from realtime.messages import HandFrame
from realtime.sinks import Sink
from realtime.tracks import npz
from realtime.tracks.part import RECOVER, Save, finish_part, header_line, open_part, reopen_part
from realtime.tracks.schema import NATIVE_SUFFIX, PART_MAGIC, PART_SUFFIX, encode

_log = logging.getLogger(__name__)


class CannotGoOn(UserError):
    """The part of a killed run does not fit what is to be continued."""


class TrackWriter(Sink):
    """`with TrackWriter(...) as writer: writer.append(hand_frame)`; frames may come from another thread.

    `settings` and `versions` are JSON texts. Missing folders are created. A part that a killed run left is moved to
    `<name>.part.1` (.2, ...), with a warning, and never overwritten; a finished file of the same name is replaced
    when this run ends. Raises UserError, naming the file, if it cannot be written.

    With `go_on_behind` the part of a killed run with the same head is continued behind so many of its frames; raises
    CannotGoOn, and changes nothing, if there is no such part. `frames` counts what this writer appended.

    A name that does not end in `.npz` needs a `save` that writes such files: `realtime.formats.saving.save_as`.
    """

    def __init__(
        self,
        path: Path | str,
        intrinsics: Intrinsics,
        size_px: tuple[int, int],
        settings: str,
        versions: str,
        go_on_behind: int | None = None,
        save: Save | None = None,
    ) -> None:
        self.path = Path(path)
        self.part = self.path.with_name(self.path.name + PART_SUFFIX)
        self.frames = 0
        self._intrinsics = intrinsics
        self._size_px = size_px
        self._save = save or npz.save
        header = header_line(intrinsics, size_px, settings, versions)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() and not self.path.is_file():
                raise UserError(f"{self.path}: is no file that tracks could be written to; name another")
            if save is None and self.path.suffix.lower() != NATIVE_SUFFIX:
                raise ValueError(f"{self.path}: no way to write such a file was given")
            again = None if go_on_behind is None else reopen_part(self.part, header, go_on_behind)
            if go_on_behind is not None and again is None:
                raise CannotGoOn(f"{self.part}: is not what is to be continued, or another run is writing it")
            self._fd = open_part(self.part) if again is None else again
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        self._end = 0 if again is None else os.fstat(again).st_size
        self._said_where = False
        # A live run appends in its inference thread; one that hangs must not write into what was closed meanwhile.
        self._lock = threading.Lock()
        if again is None:
            self._begin(PART_MAGIC + header)

    def __enter__(self) -> TrackWriter:
        return self

    def take(self, result: Result) -> None:
        """Write one result's hands."""
        self.append(result.hands)

    def append(self, hand_frame: HandFrame) -> None:
        """Write one frame; it outlives a kill of the process as soon as this returns."""
        if hand_frame.size_px != self._size_px or hand_frame.intrinsics != self._intrinsics:
            raise ValueError("a frame of another size or with other intrinsics than the track file was opened for")
        self._write(encode(hand_frame))
        self.frames += 1

    def close(self) -> None:
        """Turn the part into the finished file. On failure the part stays, and UserError says so if nobody has yet."""
        with self._lock:
            if self._fd < 0:
                return
            try:
                # The file is locked until it is finished: a second run must not take the part for a leftover.
                finish_part(self.part, self.path, self._save)
            except UserError:
                if not self._said_where:
                    raise
            finally:
                os.close(self._fd)
                self._fd = -1

    def release(self) -> None:
        """Let go of the part as it is, for another run to go on with; after `close` this does nothing."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except UserError as failure:
            if error is None:
                raise
            _log.warning("%s", failure)

    def _begin(self, head: bytes) -> None:
        """Write the head; if it cannot be, nothing is left that would keep another run from the name."""
        try:
            self._write(head)
        except BaseException:
            self.part.unlink(missing_ok=True)
            self.release()
            raise

    def _write(self, data: bytes) -> None:
        with self._lock:
            if self._fd < 0:
                raise ValueError("the track file is closed")
            try:
                written = 0
                while written < len(data):
                    written += os.write(self._fd, data[written:])
            except OSError as error:
                # Half a record must not stay: what is appended later would be out of step.
                os.ftruncate(self._fd, self._end)
                os.lseek(self._fd, self._end, os.SEEK_SET)
                raise self._write_failed(error) from error
            self._end += written
            self._said_where = False

    def _write_failed(self, error: OSError) -> UserError:
        if not self.frames:
            return _cannot_write(self.path, error)
        self._said_where = True
        return UserError(
            f"{self.path}: cannot be written ({error.strerror}); {self.frames} frames are safe in {self.part}: make "
            f"room, then run {RECOVER} {self.part}"
        )


def _cannot_write(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot be written ({error.strerror or error}); name another file or make room")
