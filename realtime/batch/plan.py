"""Which recordings, under which names their tracks are kept, and how many at once (any thread).

A container often sees all cores and all memory of its machine, and may use a part of them: cgroups (version 2) tell.
"""

from __future__ import annotations

import glob
import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import psutil

from engines.errors import UserError
from realtime.batch.job import Job, Work
from realtime.reports.machine import usable_cores

WORKER_BYTES: Final = 550_000_000
"""What one process takes at most: 537 MB were measured, 349 of them its own (`docs/batch.md`)."""
VIDEO_WORKER_BYTES: Final = 1_000_000_000
"""... where it saves a video with the 3D view: 987 MB, 662 of them its own."""
_CGROUP: Final = Path("/proc/self/cgroup")
_CGROUPS: Final = Path("/sys/fs/cgroup")


def expand(words: Sequence[str]) -> list[Path]:
    """Files and folders that the words name; `clips/*.mp4` and `clips/**/*.mp4` stand for what they find, sorted.

    A word that names nothing stays as it is, so that the recording is reported as missing by its name. Each recording
    comes once. Raises UserError for a pattern that finds nothing.
    """
    paths: list[Path] = []
    for word in words:
        if Path(word).exists() or not glob.has_magic(word):
            paths.append(Path(word))
            continue
        found = sorted(glob.glob(_pattern(word), recursive=True))  # noqa: PTH207 - pathlib has none for absolute ones
        if not found:
            raise UserError(f"{word}: no file has such a name; is the pattern right?")
        paths += map(Path, found)
    return list(dict.fromkeys(map(_plain, paths)))


def _pattern(word: str) -> str:
    """The pattern, in which folders that are there under their very names, brackets and all, stand for themselves."""
    ends = [i for i, letter in enumerate(word) if letter in (os.sep, "/") and i > 0]
    known = next((word[:i] for i in reversed(ends) if Path(word[:i]).is_dir()), "")
    return glob.escape(known) + word[len(known) :]


def plan(sources: Sequence[Path], folder: Path, resume: bool) -> list[Job]:
    """A job for each recording; its tracks are called as it is, with as much of its name and place as it takes.

    `a.mp4` becomes `a.npz`; next to an `a.mkv` it becomes `a.mp4.npz`; recordings of one name in several folders keep
    their folders below the one they have in common. Raises UserError if one would not lie below `folder`.
    """
    folder = Path(os.path.realpath(folder))
    common = Path(os.path.commonpath([source.parent for source in sources])) if sources else Path()
    stems = Counter(source.stem.lower() for source in sources)
    names = Counter(source.name.lower() for source in sources)
    jobs = []
    for source in sources:
        if stems[source.stem.lower()] == 1:
            name = Path(source.stem)
        elif names[source.name.lower()] == 1:
            name = Path(source.name)
        else:
            name = source.relative_to(common)
        if ".." in name.parts:
            raise UserError(f"--out: the tracks of {source} would not lie below {folder}; give its path without '..'")
        jobs.append(Job(source, folder / name.parent / f"{name.name}.npz", resume))
    return jobs


def _plain(path: Path) -> Path:
    """The absolute path without `..` and links among its folders: one text for one file, and parts that only descend.

    A recording that is a link itself keeps its name. `realpath` rather than `resolve`, which raises for circular links.
    """
    if path.name == "..":
        return Path(os.path.realpath(path))
    return Path(os.path.realpath(path.parent)) / path.name


def check_outputs(jobs: Sequence[Job], work: Work) -> None:
    """Raise UserError if a file that would be written is one of the recordings, or two jobs would write the same."""
    sources = {job.source for job in jobs}
    seen: set[Path] = set()
    for job in jobs:
        for path in dict.fromkeys([*work.outputs(job), job.tracked_file(work.smooth)]):
            if path in sources:
                raise UserError(f"--out: {path} is a recording that this run reads; choose another folder")
            if path in seen:
                raise UserError(f"--out: two recordings would be written to {path}; run them into folders of their own")
            seen.add(path)


def sensible_workers(membership: Path = _CGROUP, root: Path = _CGROUPS, *, each_bytes: int = WORKER_BYTES) -> int:
    """As many, of `each_bytes`, as the cores and the memory that this process may use allow; at least 1.

    `membership` says to which cgroup the process belongs, `root` is where cgroups are mounted.
    """
    groups = list(_groups(membership, root))
    cores = min([usable_cores(), *(quota for group in groups for quota in _cores(group))])
    memory = min([psutil.virtual_memory().available, *(left for group in groups for left in _memory(group))])
    return max(min(cores, memory // each_bytes), 1)


def _groups(membership: Path, root: Path) -> Iterator[Path]:
    """The process's own cgroup and those around it: each sets limits."""
    line = next((line for line in _read(membership).splitlines() if line.startswith("0::")), None)
    if line is None:
        return
    group = root / line.removeprefix("0::").lstrip("/")
    yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(root))


def _cores(group: Path) -> Iterator[int]:
    """As many as its processor time comes to; a part of one counts as one."""
    quota, _, period = _read(group / "cpu.max").strip().partition(" ")
    if quota.isdigit() and period.isdigit() and int(period):
        yield max(math.ceil(int(quota) / int(period)), 1)


def _memory(group: Path) -> Iterator[int]:
    """Bytes that are left; what the system only keeps of files it gives back."""
    limit, used = (_read(group / name).strip() for name in ("memory.max", "memory.current"))
    if limit.isdigit() and used.isdigit():
        kept = (
            line.split()[1] for line in _read(group / "memory.stat").splitlines() if line.startswith("inactive_file ")
        )
        yield max(int(limit) - int(used) + sum(map(int, kept)), 0)


def _read(path: Path) -> str:
    """What the system's file says; nothing where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
