"""Writes the track file as the run goes, so that a killed run keeps every frame it had (any thread).

Each frame goes straight to the operating system as one checked record of `<name>.part`. When the run ends, well or
with an error, the records become `<name>` in one step and the part is removed. `python -m realtime.tracks.writer
out.npz.part` does the same for the part of a run that was killed.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import zlib
from pathlib import Path
from types import TracebackType

import numpy as np

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics
from engines.skeleton import HAND_SLICES, SIDES
from engines.terminal import command
from realtime.formats.saving import NATIVE_SUFFIX, save_as
from realtime.messages import HandFrame
from realtime.tracks.npz import write_arrays
from realtime.tracks.part import header_line, lock, open_part, reopen_part
from realtime.tracks.schema import (
    FORMAT,
    FRAME_FIELDS,
    MAX_CROPS,
    PART_MAGIC,
    PART_SUFFIX,
    RECORD,
    ROOT_DEPTH_NAMES,
    RUN_FIELDS,
    load_tracks,
    read_part,
)

_log = logging.getLogger(__name__)


class CannotGoOn(UserError):
    """The part of a killed run does not fit what is to be continued."""


class TrackWriter:
    """`with TrackWriter(...) as writer: writer.append(hand_frame)`; frames may come from another thread.

    `settings` and `versions` are JSON texts. Missing folders are created. A part that a killed run left is moved to
    `<name>.part.1` (.2, ...), with a warning, and never overwritten; a finished file of the same name is replaced
    when this run ends. Raises UserError, naming the file, if it cannot be written.

    With `go_on_behind` the part of a killed run with the same head is continued behind so many of its frames; raises
    CannotGoOn, and changes nothing, if there is no such part. `frames` counts what this writer appended.

    The name's ending says the format: `.npz`, or one of `realtime.formats.saving.SUFFIXES`.
    """

    def __init__(
        self,
        path: Path | str,
        intrinsics: Intrinsics,
        size_px: tuple[int, int],
        settings: str,
        versions: str,
        go_on_behind: int | None = None,
    ) -> None:
        self.path = Path(path)
        self.part = self.path.with_name(self.path.name + PART_SUFFIX)
        self.frames = 0
        self._intrinsics = intrinsics
        self._size_px = size_px
        header = header_line(intrinsics, size_px, settings, versions)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() and not self.path.is_file():
                raise UserError(f"{self.path}: is no file that tracks could be written to; name another")
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
            self._write(PART_MAGIC + header)

    def __enter__(self) -> TrackWriter:
        return self

    def append(self, hand_frame: HandFrame) -> None:
        """Write one frame; it outlives a kill of the process as soon as this returns."""
        if hand_frame.size_px != self._size_px or hand_frame.intrinsics != self._intrinsics:
            raise ValueError("a frame of another size or with other intrinsics than the track file was opened for")
        self._write(encode(hand_frame))
        self.frames += 1

    def close(self) -> None:
        """Turn the part into the finished file. On failure the part stays and UserError names it."""
        with self._lock:
            if self._fd < 0:
                return
            try:
                # The file is locked until it is finished: a second run must not take the part for a leftover.
                _finish(self.part, self.path)
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
            if not self._said_where:
                _log.warning("%s", failure)

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

    def _write_failed(self, error: OSError) -> UserError:
        if not self.frames:
            return _cannot_write(self.path, error)
        self._said_where = True
        return UserError(
            f"{self.path}: cannot be written ({error.strerror}); {self.frames} frames are safe in {self.part}: make "
            f"room, then run python -m realtime.tracks.writer {self.part}"
        )


def encode(hand_frame: HandFrame) -> bytes:
    """One frame as a record of the part file."""
    if len(hand_frame.crops) > MAX_CROPS:
        raise ValueError(f"a track file keeps {MAX_CROPS} crops a frame, not {len(hand_frame.crops)}")
    record = np.zeros((), RECORD)
    for name in ("joints_cam_mm", "joints_px", "joint_confidence", "root_depth_sigma_mm", "crops_px"):
        record[name] = np.nan
    record["frame_index"] = hand_frame.index
    record["t_s"] = hand_frame.t_capture_s
    record["dropped"] = hand_frame.dropped
    for hand in hand_frame.hands:
        h, rows = SIDES.index(hand.side), HAND_SLICES[hand.side]
        record["joints_cam_mm"][rows] = hand.joints_cam_mm
        record["joints_px"][rows] = hand.joints_px
        record["joint_confidence"][rows] = hand.confidence
        record["hand_probability"][h] = hand.hand_probability
        record["root_depth_from"][h] = ROOT_DEPTH_NAMES.index(hand.root_depth_from)
        record["root_depth_sigma_mm"][h] = hand.root_depth_sigma_mm
    for i, crop in enumerate(hand_frame.crops):
        record["crops_px"][i] = (*crop.center_px, crop.side_px, crop.angle_rad)
    record["crc32"] = zlib.crc32(record.tobytes()[:-4])
    return record.tobytes()


def recover_tracks(part: Path | str) -> Path:
    """Finish the part file of a run that was killed; the finished file's path.

    `out.npz.part` becomes `out.npz`, or `out.recovered.npz` (`out.recovered-2.npz`, ...) if there is one already.
    Raises UserError if the part is damaged, still being written, or the file cannot be written.
    """
    part = Path(part)
    name, found, _ = part.name.rpartition(PART_SUFFIX)
    if not found:
        raise UserError(f"{part}: not the part of an unfinished run; its name would hold '{PART_SUFFIX}'")
    target = _free_name(part.with_name(name))
    recover_part(part, target)
    return target


def recover_part(part: Path, target: Path) -> None:
    """Finish a part that nobody writes as `target`, which is replaced. Raises UserError as `recover_tracks` does."""
    try:
        fd = os.open(part, os.O_RDWR)
    except OSError as error:
        raise UserError(f"{part}: cannot be opened ({error.strerror})") from error
    try:
        if not lock(fd):
            raise UserError(f"{part}: another run is still writing it")
        _finish(part, target)
    finally:
        os.close(fd)


def _finish(part: Path, target: Path) -> None:
    """Turn the part into the finished file and remove it. Raises UserError, and leaves the part, if it cannot."""
    try:
        if target.suffix.lower() != NATIVE_SUFFIX:
            save_as(load_tracks(part), target)
            part.unlink()
            return
        run, records = read_part(part)
        texts = {"format": FORMAT, "settings": run["settings"], "versions": run["versions"]}
        fields = {name: np.array(text) for name, text in texts.items()}
        fields |= {name: run[name] for name in RUN_FIELDS} | {name: records[name] for name in FRAME_FIELDS}
        write_arrays(target, fields)
        part.unlink()
    except OSError as error:
        raise UserError(
            f"{target}: cannot be written ({error.strerror}); the frames are safe in {part}: make room, then run "
            f"python -m realtime.tracks.writer {part}"
        ) from error


def _free_name(path: Path) -> Path:
    if not path.exists():
        return path
    names = (f"{path.stem}.recovered{'' if i == 1 else f'-{i}'}{path.suffix}" for i in range(1, 1_000_000))
    return next(p for name in names if not (p := path.with_name(name)).exists())


def _cannot_write(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot be written ({error.strerror or error}); name another file or make room")


@command
def main(arguments: list[str]) -> int:
    """Finish the part files given on the command line."""
    if not arguments:
        print("usage: python -m realtime.tracks.writer out.npz.part ...", file=sys.stderr)
        return 2
    for argument in arguments:
        try:
            print(recover_tracks(argument))
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
