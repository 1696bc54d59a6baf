"""`batch.json` in the output folder: what was finished, for `--resume` and for who wants the figures (one thread)."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from engines.errors import UserError
from engines.files import write_json
from realtime.batch.checkpoint import fingerprint
from realtime.batch.job import Counts, Job, Outcome, Work

NAME: Final = "batch.json"
FORMAT: Final = "two-hands-batch 1"
_MAX_BYTES: Final = 256 << 20
_COUNTS: Final = ("frames", "right", "left", "both", "filled")
_FIGURES: Final = ("status", "message", "damaged", "missing")


class Manifest:
    """The finished recordings of a folder; every change is on the disk at once."""

    def __init__(self, folder: Path, work: Work) -> None:
        self._path = folder / NAME
        self._folder = folder
        self._work = work
        self._made_with = work.made_with
        self._entries = self._load()

    def finished(self, job: Job) -> Outcome | None:
        """What an earlier run made of the same recording with the same settings, if its tracks are still there."""
        entry = self._entries.get(self._key(job))
        try:
            # A checkpoint is left by a run that began after what is noted here, and did not come to its end.
            if entry is None or job.state.exists() or not job.output.is_file():
                return None
            if (entry["made_with"], entry["source"]) != (self._made_with, fingerprint(job.source)):
                return None
            counts = Counts(**{name: entry[name] for name in _COUNTS}, last_s=entry["span_s"])
            return Outcome(job, identity=entry["source"], counts=counts, **{name: entry[name] for name in _FIGURES})
        except (OSError, KeyError, TypeError):
            return None

    def is_whole(self, job: Job) -> bool:
        """Whether all that is made from the tracks of a finished job is there, and would come out the same today."""
        made = self._made(job)
        wanted = self._work.derived(job)
        return all(made.get(name) == key and job.output.with_name(name).exists() for name, key in wanted.items())

    def add(self, outcome: Outcome) -> None:
        """Keep what came of a job. Raises UserError if the file cannot be written; the next `add` tries it again."""
        # Of what failed or was stopped with tracks from before, these are there as they are noted here.
        if outcome.finished or outcome.job.before is None:
            self._entries[self._key(outcome.job)] = self._entry(outcome)
        self.write()

    def write(self) -> None:
        """Put everything on the disk. Raises UserError if the file cannot be written."""
        try:
            write_json(self._path, {"format": FORMAT, "recordings": self._entries}, indent=1)
        except OSError as error:
            raise UserError(f"{self._path}: cannot be written ({error.strerror}); make room") from error

    def _entry(self, outcome: Outcome) -> dict[str, Any]:
        counts = outcome.counts
        entry: dict[str, Any] = {name: getattr(outcome, name) for name in _FIGURES}
        entry |= {name: getattr(counts, name) for name in _COUNTS} | {"span_s": counts.span_s}
        entry["recording"] = str(outcome.job.source)
        if outcome.finished:
            earlier = self._made(outcome.job) if outcome.job.before is not None else {}
            made = earlier | self._work.derived(outcome.job)
            entry |= {"source": outcome.identity, "made_with": self._made_with, "made": made}
        return entry

    def _made(self, job: Job) -> dict[str, str]:
        """Files that were made from the tracks, and what each depended on besides these."""
        made = self._entries.get(self._key(job), {}).get("made")
        return made if isinstance(made, dict) else {}

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


class Kept:
    """Puts outcomes into the manifest; while it cannot be written they wait here, with what a resume needs of them."""

    def __init__(self, manifest: Manifest, say: Callable[[str], None]) -> None:
        self.manifest = manifest
        self.waiting: list[Outcome] = []
        self._say = say
        self._said = False

    def add(self, outcome: Outcome) -> None:
        """Keep it; a full disk is said once, and stops nobody."""
        self.waiting.append(outcome)
        self._written(partial(self.manifest.add, outcome))

    def end(self) -> None:
        """Write the file, also where nothing came of any recording."""
        self._written(self.manifest.write)

    def _written(self, write: Callable[[], None]) -> None:
        try:
            write()
        except UserError as error:
            if not self._said:
                self._say(f"error: {error}; what is not in it, --resume will look at again")
            self._said = True
            return
        for one in self.waiting:
            _forget_state(one)
        self.waiting.clear()


def _forget_state(outcome: Outcome) -> None:
    if outcome.finished:  # else a resume goes on from it
        outcome.job.state.unlink(missing_ok=True)
