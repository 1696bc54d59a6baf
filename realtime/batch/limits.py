"""How many recordings to work on at once, where nobody says (any thread).

A container often sees all cores and all memory of its machine, and may use a part of them: cgroups (version 2) tell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from realtime.reports.machine import usable_cores

WORKER_BYTES: Final = 400_000_000
"""What one process takes: 380 MB were measured (`docs/batch.md`)."""
_CGROUP: Final = Path("/proc/self/cgroup")
_CGROUPS: Final = Path("/sys/fs/cgroup")


def sensible_workers(membership: Path = _CGROUP, root: Path = _CGROUPS) -> int:
    """As many as the cores and the memory that this process may use allow; at least 1.

    `membership` says to which cgroup the process belongs, `root` is where cgroups are mounted.
    """
    groups = list(_groups(membership, root))
    cores = min([usable_cores(), *(quota for group in groups for quota in _cores(group))])
    memory = min([psutil.virtual_memory().available, *(left for group in groups for left in _memory(group))])
    return max(min(cores, memory // WORKER_BYTES), 1)


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
