"""`batch.json` in the output folder: what was finished, for `--resume` and for who wants the figures (one thread)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from engines.errors import UserError
from realtime.batch_job import Job, Outcome, Work
from realtime.checkpoint import fingerprint
from realtime.versions import versions

NAME: Final = "batch.json"
FORMAT: Final = "two-hands-batch 1"
_MAX_BYTES: Final = 256 << 20
_FIGURES: Final = ("status", "message", "frames", "right", "left", "both", "damaged", "missing", "filled", "span_s")


class Manifest:
    """The finished recordings of a folder; every change is on the disk at once."""

    def __init__(self, folder: Path, work: Work) -> None:
        self._path = folder / NAME
        self._folder = folder
        # What the tracks depend on, besides the recording itself.
        facts = work.settings.model_dump_json(), json.dumps(versions()), work.smooth, work.images_fps
        self._made_with = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
        self._entries = self._load()

    def finished(self, job: Job) -> Outcome | None:
        """What an earlier run made of the same recording with the same settings, if its tracks are still there."""
        entry = self._entries.get(self._key(job))
        try:
            if entry is None or not job.output.is_file() or entry["made_with"] != self._made_with:
                return None
            if entry["source"] != fingerprint(job.source):
                return None
            return Outcome(job, **{name: entry[name] for name in _FIGURES})
        except (OSError, KeyError, TypeError):
            return None

    def add(self, outcome: Outcome) -> None:
        """Keep what came of a job. Raises UserError if the file cannot be written."""
        facts = asdict(outcome)
        entry = {name: facts[name] for name in _FIGURES} | {"recording": str(outcome.job.source)}
        if outcome.status in ("done", "damaged"):
            entry |= {"source": fingerprint(outcome.job.source), "made_with": self._made_with}
        self._entries[self._key(outcome.job)] = entry
        temporary = self._path.with_name(f".{NAME}.tmp")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"format": FORMAT, "recordings": self._entries}, indent=1)
            temporary.write_text(text + "\n", encoding="utf-8")
            temporary.replace(self._path)
        except OSError as error:
            raise UserError(f"{self._path}: cannot be written ({error.strerror}); make room") from error

    def _key(self, job: Job) -> str:
        return job.output.relative_to(self._folder).as_posix()

    def _load(self) -> dict[str, Any]:
        """Entries of an earlier run; a damaged file counts as none: the recordings are then done again."""
        try:
            if self._path.stat().st_size > _MAX_BYTES:
                return {}
            data = json.loads(self._path.read_text(encoding="utf-8"))
            entries = data["recordings"] if data["format"] == FORMAT else {}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {}
        return entries if isinstance(entries, dict) else {}
