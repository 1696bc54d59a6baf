"""A stage of a long run: does its work once, and is skipped while its result is there and belongs to its settings.

A stage works in `<root>/<name>-<key>/`, where the key is a hash of all that the result depends on: other settings use
another folder, and going back to earlier ones finds their results again. `stage.json` is written last.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from engines.errors import UserError
from engines.files import file_sha256, write_json

RECORD: Final = "stage.json"
_EXPECTED: Final = (OSError, RuntimeError, ValueError, ArithmeticError, LookupError, MemoryError, TypeError)
"""What libraries raise; a stage turns it into one line."""


@dataclass(frozen=True)
class Outcome:
    """What a stage made."""

    figure: str
    """What to say of it in a few words."""
    file: Path
    """A file or a folder; the stage is done anew if it has gone or changed."""


@dataclass(frozen=True)
class Record:
    """How a stage went."""

    name: str
    seconds: float
    """Of the run that finished it."""
    figure: str
    file: str
    kept: bool
    """Whether it was skipped this time."""


@dataclass(frozen=True)
class Stage:
    """One stage; `work` is given its folder, and goes on with what it finds there."""

    name: str
    depends_on: Mapping[str, Any]
    """All that the result depends on, as JSON; the keys of the stages before it among them."""
    work: Callable[[Path], Outcome]

    @property
    def key(self) -> str:
        """Ten hexadecimal digits that change with anything the result depends on."""
        return digest(self.depends_on)[:10]

    def folder(self, root: Path) -> Path:
        """Where it works."""
        return root / f"{self.name}-{self.key}"


def run_stage(stage: Stage, root: Path, again: bool = False) -> Record:
    """Do the stage, or (unless `again`) find it done; raises UserError that begins with its name if it fails."""
    folder = stage.folder(root)
    found = None if again else _found(folder, stage.name)
    if found is not None:
        return found
    started = time.monotonic()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        outcome = stage.work(folder)
        record = Record(stage.name, time.monotonic() - started, outcome.figure, str(outcome.file), kept=False)
        _write(folder, record, outcome.file)
    except UserError as error:
        raise UserError(f"stage {stage.name}: {error}") from error
    except _EXPECTED as error:
        told = " ".join(str(error).split()) or "no more is known"
        raise UserError(f"stage {stage.name}: {type(error).__name__}: {told}") from error
    return record


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of a tree of JSON, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, or of the names in a folder."""
    if path.is_dir():
        return digest({"names": sorted(str(each.relative_to(path)) for each in path.rglob("*"))})
    return file_sha256(path)


def _write(folder: Path, record: Record, file: Path) -> None:
    content = asdict(record) | {"sha256": file_digest(file)}
    write_json(folder / RECORD, content, indent=2)


def _found(folder: Path, name: str) -> Record | None:
    """The record of a finished stage whose result is as it was left; None if there is no such."""
    try:
        content = json.loads((folder / RECORD).read_text())
        if content["name"] != name or file_digest(Path(content["file"])) != content["sha256"]:
            return None
        return Record(name, float(content["seconds"]), content["figure"], content["file"], kept=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None
