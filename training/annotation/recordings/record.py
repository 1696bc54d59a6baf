"""Several cameras recorded at once: a thread for each writes its video and keeps when every picture was taken.

Nothing can make ordinary webcams expose at the same instant; but all time stamps are of one clock, so that pictures of
nearly the same time are found afterwards, and what a camera dropped is known.
"""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from engines.errors import UserError
from realtime.config import CameraSettings
from realtime.sources.camera import CameraSource
from training.annotation.recordings.moments import Moments, VideoTimes, moments_by_time
from training.annotation.recordings.recording import write_text
from training.annotation.recordings.video_out import VideoOut

TIMESTAMPS: Final = "timestamps.csv"
RECORDED: Final = "recorded.json"
_SAY_EVERY_S: Final = 2.0
_JOIN_S: Final = 10.0


@dataclass
class CameraLog:
    """What one camera gave."""

    name: str
    device: str
    size_px: tuple[int, int] = (0, 0)
    fps: float = 30.0
    dropped: int = 0
    problem: str = ""
    t_s: list[float] = field(default_factory=list)
    """When each picture of the video was taken, monotonic clock."""


def record(
    folder: Path,
    devices: Sequence[str],
    settings: CameraSettings,
    seconds: float | None,
    should_stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = print,
) -> tuple[list[CameraLog], Moments]:
    """Record until the time is up, `should_stop`, or Ctrl-C; raises UserError if a camera gives nothing.

    Leaves `cam_K.mp4`, `timestamps.csv` and `recorded.json` in the folder. A camera that is lost ends alone, said.
    """
    if (folder / RECORDED).exists():
        raise UserError(f"{folder}: holds a recording already; name another folder")
    logs = [CameraLog(f"cam_{k}", device) for k, device in enumerate(devices)]
    stop = threading.Event()
    with ExitStack() as stack:
        sources = []
        for log in logs:
            source = stack.enter_context(CameraSource(log.device, settings))
            log.size_px, log.fps = source.size_px, float(source.fps or settings.fps)
            sources.append(source)
        threads = [
            threading.Thread(target=_write, args=(folder, log, source, stop), name=log.name, daemon=True)
            for log, source in zip(logs, sources, strict=True)
        ]
        for thread in threads:
            thread.start()
        _wait(logs, threads, seconds, should_stop, say)
        stop.set()
        for source in sources:
            source.close()
        for thread in threads:
            thread.join(_JOIN_S)
    return logs, finish(folder, logs)


def finish(folder: Path, logs: Sequence[CameraLog]) -> Moments:
    """Match the pictures in time and write what was recorded; raises UserError if two cameras have none in common."""
    empty = [log for log in logs if len(log.t_s) < 2]
    if empty:
        raise UserError(
            f"camera {empty[0].device}: gave no pictures{f' ({empty[0].problem})' if empty[0].problem else ''}"
        )
    start = min(log.t_s[0] for log in logs)
    times = [VideoTimes(folder / f"{log.name}.mp4", np.array(log.t_s) - start, log.size_px) for log in logs]
    moments = (
        moments_by_time(times, [0.0] * len(times))
        if len(times) > 1
        else Moments(np.arange(len(times[0].t_s))[:, None], times[0].t_s)
    )
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["sync_index", "cam_id", "frame_index", "frame_time"])
    for moment, frames in enumerate(moments.frames.tolist()):
        for view, frame in enumerate(frames):
            if frame >= 0:
                rows.writerow([moment, logs[view].name, frame, f"{logs[view].t_s[frame]:.6f}"])
    write_text(folder / TIMESTAMPS, text.getvalue())
    told = [{**asdict(log), "t_s": None, "frames": len(log.t_s)} for log in logs]
    write_text(folder / RECORDED, json.dumps({"cameras": told, "moments": len(moments.t_s)}, indent=2) + "\n")
    return moments


def summary(logs: Sequence[CameraLog], moments: Moments) -> str:
    """What was recorded, a line a camera."""
    lines = []
    for view, log in enumerate(logs):
        rate = (len(log.t_s) - 1) / max(log.t_s[-1] - log.t_s[0], 1e-9)
        whole = int((moments.frames[:, view] >= 0).sum())
        lost = f"; ended early: {log.problem}" if log.problem else ""
        lines.append(
            f"{log.name:12}{log.device}: {len(log.t_s)} pictures at {rate:.1f} a second, {log.dropped} dropped, "
            f"in {whole} of {len(moments.t_s)} moments{lost}"
        )
    return "\n".join(lines)


def _write(folder: Path, log: CameraLog, source: CameraSource, stop: threading.Event) -> None:
    """A camera's thread: every picture into the video, its time into the log."""
    try:
        with VideoOut(folder / f"{log.name}.mp4", log.size_px, log.fps) as video:
            for frame in source:
                video.write(frame.image_bgr)
                log.t_s.append(frame.t_capture_s)
                log.dropped = source.dropped
                if stop.is_set():
                    break
    except UserError as error:
        log.problem = str(error)


def _wait(
    logs: Sequence[CameraLog],
    threads: Sequence[threading.Thread],
    seconds: float | None,
    should_stop: Callable[[], bool],
    say: Callable[[str], None],
) -> None:
    begin = said = time.monotonic()
    try:
        while any(thread.is_alive() for thread in threads) and not should_stop():
            now = time.monotonic()
            if seconds is not None and now - begin > seconds:
                return
            if now - said > _SAY_EVERY_S:
                said = now
                say("; ".join(f"{log.name} {len(log.t_s)}, {log.dropped} dropped" for log in logs))
            time.sleep(0.05)
    except KeyboardInterrupt:
        say("stopped")
