"""Recordings over a local Ray cluster: the same tracks as without, also when a worker is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import run_demo
from engines.errors import UserError
from realtime.batch import ray_cluster as batch_ray
from realtime.batch.job import Job, Work
from realtime.batch.recording import process
from realtime.batch.run import batch_settings
from realtime.engine import backend_of
from realtime.layers import load_settings
from realtime.tracks.reader import load_tracks
from realtime.tracks.schema import RECORD
from tests.support.long_runs import command_of, holder, same
from tests.support.recordings import ROOT, cut

DEADLINE_S = 120.0
"""For a step of a program that starts a cluster on a busy machine."""
CLIP, KEPT = 80, 30
"""Frames of the clip, and between two checkpoints."""


@pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra cluster")
@pytest.mark.skipif(not (ROOT / "weights" / "lite.safetensors").exists(), reason="needs the shipped weights")
def test_a_cluster_gives_the_same_tracks_and_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    clip = cut(tmp_path / "clip.mp4", 30, CLIP)
    other = cut(tmp_path / "other.mp4", 0, 5)
    settings = batch_settings(load_settings(), smooth=False)
    process(Job(clip, tmp_path / "whole.npz"), Work(settings), backend_of(settings), lambda: False)

    out, part = tmp_path / "out", tmp_path / "out" / "clip.npz.part"
    command = command_of("--video", clip, other, "--out", out, "--ray", checkpoint_frames=KEPT)
    said, err = run_and_kill_the_first_worker(command, part, tmp_path)
    assert "its worker died; it is taken up again" in err
    assert f"2 of 2 recordings whole, {CLIP + 5} frames" in said
    assert sorted(path.name for path in out.iterdir()) == ["batch.json", "clip.npz", "other.npz"]
    same(load_tracks(out / "clip.npz"), load_tracks(tmp_path / "whole.npz"))


def run_and_kill_the_first_worker(command: list[str], part: Path, folder: Path) -> tuple[str, str]:
    """Output and errors of a run whose first recording loses its worker.

    In a session of its own, with files instead of pipes: what Ray starts may neither signal the tests, nor fill a pipe
    that nobody reads, nor keep one open after its end.
    """
    outputs = folder / "stdout.txt", folder / "stderr.txt"
    # Ray keeps the files of each session, 20 MB, for ever; the names of its sockets lie there and must be short.
    session = TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True)
    # Its workers have a niceness of 15 unless told: beside other tests they would get a thirtieth of a core.
    environment = os.environ | {"RAY_TMPDIR": session.name, "RAY_worker_niceness": "0"}
    with outputs[0].open("w") as said, outputs[1].open("w") as err:
        program = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=err, start_new_session=True)
    try:
        give_up = time.monotonic() + DEADLINE_S
        while not (part.exists() and part.stat().st_size > (KEPT + 4) * RECORD.itemsize + 4096):
            assert program.poll() is None, outputs[1].read_text()
            assert time.monotonic() < give_up, f"no frame within {DEADLINE_S} s: {outputs[1].read_text()}"
            time.sleep(0.005)
        os.kill(holder(part), signal.SIGKILL)
        assert program.wait(DEADLINE_S) == 0, outputs[1].read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        session.cleanup()
    return outputs[0].read_text(), outputs[1].read_text()


@pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra cluster")
def test_a_cluster_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = cut(tmp_path / "clip.mp4", 0, 5)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    assert run_demo.main(["--video", str(clip), "--out", str(tmp_path / "out"), "--ray", address]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"error: --ray {address}: no cluster answers there")


def test_without_ray_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_ray, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="EXTRAS=cluster"):
        next(batch_ray.ray_outcomes([], Work(load_settings()), lambda: False, "local", print))
