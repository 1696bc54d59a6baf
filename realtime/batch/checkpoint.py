"""Where in a recording a run was, and what its pipeline remembered: a small file beside the part (one thread).

Everything that the rest of the recording's results depend on is in it, so a run that was killed goes on as if nothing
had been (see `docs/batch.md`). It is replaced in one step, after the frames that it counts were handed to the system.
Below stands what must not have changed meanwhile: the recording, and what the files that the settings name hold.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, Final

from engines.building.calibration import calibration_sha256
from engines.errors import UserError
from engines.files import file_sha256, write_json
from engines.presets import weights_of
from realtime.batch.job import Counts
from realtime.config import Settings
from realtime.sources.image_folder import PICTURE_SUFFIXES

FORMAT: Final = "two-hands-state 3"
_MAX_BYTES: Final = 4 << 20


@dataclass(frozen=True)
class Checkpoint:
    """A recording that was tracked up to here."""

    source: str
    """`fingerprint` of the recording."""
    made_with: str
    """`Work.made_with` of the run: of other settings nothing may be taken over."""
    counts: Counts = field(default_factory=Counts)
    """Of the records of the part that belong to it."""
    next_index: int = 0
    """Number of the first frame that is still to be done."""
    complete: bool = False
    """The recording was tracked to its end."""
    damaged: int = 0
    """Frames that could not be decoded; known when it is complete."""
    missing: int = 0
    """About how many frames the file announced and did not have; likewise."""
    pipeline: Any = None
    """`HandPipeline.state`, frozen, behind the last of the frames."""

    def save(self, path: Path) -> None:
        """Replace the file at `path` in one step. Raises OSError."""
        write_json(path, {"format": FORMAT, **asdict(self)})


def load_checkpoint(path: Path) -> Checkpoint | None:
    """What `Checkpoint.save` wrote; None if there is nothing, or nothing that this program could use."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            return None
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.pop("format") != FORMAT:
            return None
        checkpoint = Checkpoint(**data | {"counts": Counts(**data["counts"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return checkpoint if _sound(checkpoint) else None


def _sound(checkpoint: Checkpoint) -> bool:
    counts = checkpoint.counts
    numbers = (
        *(counts.frames, counts.right, counts.left, counts.both, counts.filled),
        *(checkpoint.next_index, checkpoint.damaged, checkpoint.missing),
    )
    return (
        all(type(number) is int and number >= 0 for number in numbers)
        and all(type(time_s) is float and isfinite(time_s) for time_s in (counts.first_s, counts.last_s))
        and checkpoint.next_index >= counts.frames
    )


def fingerprint(source: Path) -> str:
    """A text that changes with the recording: names, sizes and times of change of its files. Raises OSError."""
    files = [source]
    if source.is_dir():
        files = sorted(path for path in source.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def contents_of(settings: Settings) -> str:
    """A text that changes with the weights, RootNet's too, the camera's calibration and the pictures for INT8.

    It reads all of these files, so it is asked once for a run. Raises UserError if one cannot be read.
    """
    engine = settings.engine
    files = {"weights": weights_of(engine.preset, Path(engine.weights) if engine.weights else None)}
    if engine.rootnet:
        files["rootnet"] = Path(engine.rootnet)
    if settings.intrinsics.source == "file" and settings.intrinsics.file:
        files["intrinsics"] = Path(settings.intrinsics.file)
    digests = {name: _digest(path) for name, path in files.items()}
    if engine.calibration:
        digests["calibration"] = calibration_sha256(Path(engine.calibration))
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


def _digest(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        way_out = "name a file that can be, or leave its option out"
        raise UserError(f"{path}: cannot be read ({error.strerror}); {way_out}") from error
