"""One recording of many: what is to be done with it, and what came of it (plain data, sent between processes)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from realtime.config import Settings
from realtime.messages import Frame, HandFrame
from realtime.reports.versions import versions
from realtime.tracks.schema import PART_SUFFIX, ROOT_DEPTH_NAMES, Tracks

Render = Callable[[Tracks, Iterable[Frame], Path], None]
"""Draws tracks over the frames they came from into a video file; a function that other processes can import."""
STATE_SUFFIX: Final = ".state"
Status = Literal["done", "damaged", "failed", "stopped"]


@dataclass(frozen=True)
class Job:
    """One recording."""

    source: Path
    """A video file, or a folder of pictures."""
    output: Path
    """The track file (.npz) to write; the other files lie beside it."""
    resume: bool = False
    """Go on where an earlier run was killed, if it left what is needed."""
    before: Outcome | None = None
    """What an earlier run made of it: `output` is there, only what is made from it is missing."""

    @property
    def lock(self) -> Path:
        """The file that is locked while a process works on it."""
        return self.output.with_name(f".{self.output.name}.lock")

    @property
    def state(self) -> Path:
        """Where the checkpoint lies."""
        return self.output.with_name(self.output.name + STATE_SUFFIX)

    def tracked_file(self, smooth: bool) -> Path:
        """What is written while the recording is tracked: the output itself, or the raw tracks it is made from."""
        return self.output.with_name(f"{self.output.stem}.raw{self.output.suffix}") if smooth else self.output

    def part(self, smooth: bool) -> Path:
        """The part file of `tracked_file`."""
        tracked = self.tracked_file(smooth)
        return tracked.with_name(tracked.name + PART_SUFFIX)


@dataclass(frozen=True)
class Work:
    """What is the same for all recordings of a run."""

    settings: Settings
    images_fps: float = 30.0
    smooth: bool = False
    """Smooth without lag behind the tracking; `realtime.tracks.offline` does it."""
    suffixes: tuple[str, ...] = ()
    """Formats to write besides the native one, such as ".csv"."""
    render: Render | None = None
    """Also write a video with it."""
    drawn_with: str = ""
    """What the video depends on besides the tracks."""
    contents: str = ""
    """`realtime.batch.checkpoint.contents_of` the settings: what the files that they name held when the run began."""
    checkpoint_frames: int = 100
    """A kill costs at most the work on so many frames."""

    @property
    def made_with(self) -> str:
        """A text that changes with what the tracks depend on, besides the recording itself."""
        made_by = self.settings.model_dump_json(), self.contents, json.dumps(versions())
        return hashlib.sha256(json.dumps([*made_by, self.smooth, self.images_fps]).encode()).hexdigest()

    def video(self, job: Job) -> Path:
        """The video's name; never that of a recording beside it."""
        return job.output.with_name(f"{job.output.stem}_hands.mp4")

    def exports(self, job: Job) -> list[Path]:
        """The tracks in the other formats."""
        return [job.output.with_suffix(suffix) for suffix in self.suffixes]

    def outputs(self, job: Job) -> list[Path]:
        """All files that a finished job leaves."""
        paths = [job.output, *self.exports(job)]
        return paths if self.render is None else [*paths, self.video(job)]

    def derived(self, job: Job) -> dict[str, str]:
        """Names of the files that are made from the tracks, and what each depends on besides these."""
        names = dict.fromkeys((path.name for path in self.exports(job)), "")
        return names if self.render is None else names | {self.video(job).name: self.drawn_with}


@dataclass(frozen=True)
class Counts:
    """Of all frames so far."""

    frames: int = 0
    right: int = 0
    """Frames with a right hand."""
    left: int = 0
    both: int = 0
    filled: int = 0
    """Hands filled into gaps by the offline smoothing."""
    first_s: float = 0.0
    last_s: float = 0.0
    """Time stamps of the first and the last frame."""

    @property
    def span_s(self) -> float:
        """From the first frame to the last."""
        return self.last_s - self.first_s

    def plus(self, hands: HandFrame) -> Counts:
        """With one frame more, as the network gave it."""
        sides = {hand.side for hand in hands.hands}
        return Counts(
            frames=self.frames + 1,
            right=self.right + ("right" in sides),
            left=self.left + ("left" in sides),
            both=self.both + (len(sides) == 2),
            filled=self.filled,
            first_s=self.first_s if self.frames else hands.t_capture_s,
            last_s=hands.t_capture_s,
        )

    @staticmethod
    def of(tracks: Tracks) -> Counts:
        """Those of whole tracks."""
        there = tracks.root_depth_from > 0
        return Counts(
            frames=len(tracks),
            right=int(there[:, 0].sum()),
            left=int(there[:, 1].sum()),
            both=int(there.all(axis=1).sum()),
            filled=int((tracks.root_depth_from == ROOT_DEPTH_NAMES.index("filled")).sum()),
            first_s=float(tracks.t_s[0]) if len(tracks) else 0.0,
            last_s=float(tracks.t_s[-1]) if len(tracks) else 0.0,
        )


@dataclass(frozen=True)
class Outcome:
    """What came of a job."""

    job: Job
    status: Status
    counts: Counts = field(default_factory=Counts)
    damaged: int = 0
    """Frames that could not be decoded."""
    missing: int = 0
    """About how many frames the file announced and did not have: it ends early."""
    work_s: float = 0.0
    """How long this run worked on it."""
    track_s: float = 0.0
    """The part of it that was tracking, without formats and video."""
    tracked_frames: int = 0
    """Frames that this run tracked; fewer than those of `counts` after a resume."""
    identity: str = ""
    """`fingerprint` of the recording when it was begun."""
    message: str = ""
    """What went wrong."""
    notes: tuple[str, ...] = ()
    """Warnings on the way."""

    @property
    def finished(self) -> bool:
        """Whether its tracks are there, to the recording's end or to where it is damaged."""
        return self.status in ("done", "damaged")
