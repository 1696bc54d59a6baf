"""Renders a bank with several processes and goes on where a stopped run was (the main thread of a program).

Every sample depends on the seed and its index alone, not on the number of workers.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from engines.errors import UserError
from training.synth.render.shards import BankPlan, Encoded, encode, missing, prepare, write_shards
from training.synth.scene.panorama import Panorama, load_panoramas, panorama_paths

if TYPE_CHECKING:
    from training.synth.render.sampler import Sampler

_CHUNK = 4


class _Worker:
    """What a worker process keeps between samples."""

    sampler: Sampler
    shard_size: int


def render_bank(
    root: Path,
    count: int,
    seed: int,
    workers: int,
    backgrounds: Path | None,
    shard_size: int,
    modes: Sequence[str] = (),
    views: int = 1,
) -> Counter[str]:
    """Render what is missing of a bank; returns how many scenes were rejected, by cause.

    Raises `UserError` where the `views` of the same hands would fall into two shards, one of which may be held out.
    """
    if shard_size % views:
        raise UserError(
            f"--shard-size {shard_size} is no multiple of --views {views}: take {shard_size // views * views or views}"
        )
    names = tuple(path.name for path in panorama_paths(backgrounds)) if backgrounds else ()
    panoramas = load_panoramas(backgrounds) if backgrounds else []
    plan = BankPlan(seed, shard_size, names, tuple(modes), views=views)
    prepare(root, plan)
    shards = missing(root, plan, count)
    done = count - sum(len(indices) for indices in shards)
    rejected: Counter[str] = Counter()
    with _encoded(shards, plan, workers, panoramas) as stream:
        pause_s = 0.5 if sys.stderr.isatty() else 60.0  # a log file needs no moving bar
        progress = tqdm(total=count, initial=done, desc="hands", unit="image", smoothing=0.05, mininterval=pause_s)
        with progress:
            for sample in write_shards(root, plan, shards, stream):
                rejected += sample.rejected
                progress.update()
    return rejected


@contextmanager
def _encoded(
    shards: list[range], plan: BankPlan, workers: int, panoramas: Sequence[Panorama]
) -> Iterator[Iterator[Encoded]]:
    """Samples in order, from a pool of fresh processes: an OpenGL context does not survive a fork."""
    indices = [index for shard in shards for index in shard]
    if workers == 1 or not indices:
        _start(plan, panoramas)
        with _Worker.sampler:
            yield map(_render, indices)
        return
    with multiprocessing.get_context("spawn").Pool(workers, _start_process, (plan, panoramas)) as pool:
        yield pool.imap(_render, indices, chunksize=max(_CHUNK, plan.views))


def _start_process(plan: BankPlan, panoramas: Sequence[Panorama]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C stops the main process, which ends this one
    _start(plan, panoramas)


def _start(plan: BankPlan, panoramas: Sequence[Panorama]) -> None:
    os.environ.setdefault("LP_NUM_THREADS", "1")  # Mesa's software driver: one process a core is enough
    from training.synth.render.sampler import Sampler

    _Worker.sampler = Sampler(plan.seed, panoramas, plan.modes, plan.views)
    _Worker.shard_size = plan.shard_size


def _render(index: int) -> Encoded:
    return encode(_Worker.sampler.sample(index), index % _Worker.shard_size)


def check_drawing() -> None:
    """Raise `UserError` where hands cannot be drawn, before any process is started."""
    try:
        from training.synth.render.renderer import Renderer
    except ImportError as error:
        raise UserError("drawing hands needs moderngl: make setup EXTRAS=synth") from error
    Renderer(16, 16).close()
