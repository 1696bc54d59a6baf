"""Recordings over the machines of a Ray cluster. The only home of ray (main thread).

All machines must see the recordings and the output folder under the same path (a shared folder); the program itself is
sent to them, the packages must be there. A recording whose worker dies is taken up again, on any machine, at its last
checkpoint in the output folder.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engines.errors import UserError
from realtime.batch.job import Job, Outcome, Work
from realtime.batch.pool import ATTEMPTS, TICK_S

if TYPE_CHECKING:
    from engines.contract import Backend

LOCAL: Final = "local"
_ROOT: Final = Path(__file__).parents[2]
_CODE: Final = ("engines", "realtime", "viz", "weights", "run_demo.py", "pyproject.toml")
"""What the workers need of the checkout."""

_ANSWER_S: Final = 5.0
_TEMPORARY: Final = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
_LAST_CLUSTER: Final = Path(_TEMPORARY) / "ray" / "ray_current_cluster"

_log = logging.getLogger(__name__)


def ray_outcomes(
    jobs: Sequence[Job], work: Work, should_stop: Callable[[], bool], address: str, say: Callable[[str], None]
) -> Iterator[Outcome | None]:
    """Do the jobs on the cluster at `address`, or on one started here if it is "local"; as `pool_outcomes` does.

    Raises UserError if Ray is not installed, the cluster cannot be reached, or the network cannot be run there.
    """
    ray = _connected(address, say)
    remote = ray.remote(num_cpus=1, max_retries=0)(_remote_process)
    shared = ray.put(work)
    running = {remote.remote(job, shared): job for job in jobs}
    deaths: dict[Path, int] = {}
    try:
        while running and not should_stop():
            yield None
            done, _ = ray.wait(list(running), timeout=TICK_S)
            for task in done:
                job = running.pop(task)
                outcome = _result(ray, task)
                if outcome is not None:
                    yield outcome
                    continue
                deaths[job.source] = deaths.get(job.source, 0) + 1
                if deaths[job.source] >= ATTEMPTS:
                    yield Outcome(job, "failed", message=f"its workers died {ATTEMPTS} times; is there enough memory?")
                    continue
                _log.warning("%s: its worker died; it is taken up again", job.source)
                running[remote.remote(replace(job, resume=True), shared)] = job
        yield from (Outcome(job, "stopped") for job in running.values())
    finally:
        for task in running:
            ray.cancel(task, force=True)
        ray.shutdown()


def _connected(address: str, say: Callable[[str], None]) -> Any:
    if find_spec("ray") is None:
        raise UserError("--ray: Ray is not installed; run make setup EXTRAS=cluster")
    import ray

    _check_answers(address)
    # Only what it needs of the checkout travels, whatever else lies beside it.
    others = [f"/{path.name}" for path in _ROOT.iterdir() if path.name not in _CODE]
    environment = {"working_dir": str(_ROOT), "excludes": [*others, "__pycache__"]}
    try:
        ray.init(
            address=None if address == LOCAL else address,
            runtime_env=environment,
            include_dashboard=False if address == LOCAL else None,
            logging_level=logging.WARNING,
            log_to_driver=False,
        )
    except (ConnectionError, RuntimeError, ValueError, TimeoutError, OSError) as error:
        raise _no_cluster(address, (str(error).splitlines() or [type(error).__name__])[0]) from error
    count = int(ray.cluster_resources().get("CPU", 1))
    say(f"Ray: {len(ray.nodes())} machine(s), {count} CPU cores, as many recordings side by side")
    return ray


def _check_answers(address: str) -> None:
    """Raise UserError if nothing listens at host:port: Ray itself would ask there again and again for ever."""
    host, _, port = _named(address).rpartition(":")
    if not port.isdecimal() or "/" in host:  # a scheme of Ray's own, or no cluster is known: Ray tells at once
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_S).close()
    except OSError as error:
        raise _no_cluster(address, error.strerror or "no answer") from error


def _no_cluster(address: str, reason: str) -> UserError:
    return UserError(f"--ray {address}: no cluster answers there ({reason}); ray status tells what runs")


def _named(address: str) -> str:
    """What `auto` stands for: the environment's cluster, else the one that was started last on this machine."""
    if address != "auto":
        return address
    with suppress(OSError):
        return os.environ.get("RAY_ADDRESS") or _LAST_CLUSTER.read_text().strip()
    return address


def _result(ray: Any, task: Any) -> Outcome | None:
    """The outcome of a finished task; None if its worker or machine died."""
    try:
        outcome: Outcome = ray.get(task)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, UserError):
            raise UserError(str(error.cause)) from error
        raise
    except ray.exceptions.RayError:
        return None
    return outcome


def _remote_process(job: Job, work: Work) -> Outcome:
    """A worker's task; the worker keeps its network from one to the next."""
    from realtime.batch.recording import process

    return process(job, work, _backend(work.settings.model_dump_json()), lambda: False)


@cache
def _backend(settings: str) -> Backend:
    import cv2

    from realtime.config import Settings
    from realtime.engine import backend_of

    cv2.setNumThreads(1)
    return backend_of(Settings.model_validate_json(settings))
