"""Many recordings to tracks: plan, run side by side, tell how it went (main thread).

`run_demo.py --video ... --out DIR` ends up here. Who does the work is `pool` (processes of this machine) or
`ray_cluster` (its machines); what is done with one recording is `recording`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from engines.cache.store import default_cache
from engines.errors import UserError
from realtime.batch.checkpoint import contents_of
from realtime.batch.job import Job, Outcome, Work
from realtime.batch.manifest import Kept, Manifest
from realtime.batch.plan import check_outputs
from realtime.batch.pool import pool_outcomes
from realtime.batch.progress import Progress, table
from realtime.config import Settings
from realtime.formats.saving import require

Run = Callable[[Sequence[Job], Work], Iterator[Outcome | None]]
_RAW_HZ: Final = 1.0e9
"""A One-Euro filter with such a cutoff lets everything through: the offline smoothing wants what was measured."""


def run_batch(
    jobs: Sequence[Job],
    work: Work,
    workers: int,
    should_stop: Callable[[], bool],
    say: Callable[[str], None],
    cluster: str | None = None,
) -> int:
    """Do all jobs and print the table; the exit code: 0, 2 if a recording failed or ends early, 130 if stopped.

    `cluster` is the address of a Ray cluster ("local" starts one here) that works instead of `workers` processes.
    Raises UserError for what concerns all recordings.
    """
    for suffix in work.suffixes:
        require(suffix)
    if work.settings.engine.cache is None:
        default_cache()  # once, for all processes
    work = replace(work, settings=batch_settings(work.settings, work.smooth), contents=contents_of(work.settings))
    check_outputs(jobs, work)
    folder = _common_folder(jobs)
    kept = Kept(Manifest(folder, work), say)
    before, todo = _sorted_out(jobs, kept.manifest)
    outcomes = dict(before)
    run: Run = partial(pool_outcomes, workers=workers, should_stop=should_stop, say=say)
    if cluster is not None:
        run = _on(cluster, should_stop, say)
    with Progress(jobs, work, list(before.values())) as progress:
        for outcome in run(todo, work) if todo else ():
            if outcome is None:
                progress.update()
                continue
            outcomes[outcome.job.output] = outcome
            kept.add(outcome)
            progress.finished(outcome)
    if not outcomes:  # stopped before anything was begun
        kept.end()
    stopped = should_stop() or any(o.status == "stopped" for o in outcomes.values())
    _print(table(list(outcomes.values()), not_done=len(jobs) - len(outcomes), folder=folder))
    if stopped:
        say("stopped; the same command with --resume goes on")
        return 130
    return 2 if kept.waiting or any(o.status in ("failed", "damaged") for o in outcomes.values()) else 0


def batch_settings(settings: Settings, smooth: bool) -> Settings:
    """One thread for each network, unless told otherwise; and the live filters open if `smooth` follows."""
    engine = settings.engine if settings.engine.threads else settings.engine.model_copy(update={"threads": 1})
    settings = settings.model_copy(update={"engine": engine})
    if not smooth:
        return settings
    old = settings.smoothing
    opened = {
        name: getattr(old, name).model_copy(update={"min_cutoff_hz": _RAW_HZ})
        for name in ("image", "relative_depth", "wrist_depth")
    }
    fusion = settings.fusion.model_copy(update={"keep_bones": False})  # what follows knows the recording's own bones
    return settings.model_copy(update={"smoothing": old.model_copy(update=opened), "fusion": fusion})


def _sorted_out(jobs: Sequence[Job], manifest: Manifest) -> tuple[dict[Path, Outcome], list[Job]]:
    """What an earlier run finished, and what is left to do."""
    before: dict[Path, Outcome] = {}
    todo: list[Job] = []
    for job in jobs:
        outcome = manifest.finished(job) if job.resume else None
        if outcome is not None and manifest.is_whole(job):
            before[job.output] = outcome
        else:
            todo.append(replace(job, before=outcome))
    return before, todo


def _on(cluster: str, should_stop: Callable[[], bool], say: Callable[[str], None]) -> Run:
    from realtime.batch.ray_cluster import ray_outcomes

    return partial(ray_outcomes, should_stop=should_stop, address=cluster, say=say)


def _common_folder(jobs: Sequence[Job]) -> Path:
    """DIR of `--out`: `plan` keeps no folder that all recordings have in common."""
    if not jobs:
        raise UserError("no recordings to work on")
    return Path(os.path.commonpath([job.output.parent for job in jobs]))


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
