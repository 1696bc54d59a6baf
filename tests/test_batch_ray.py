"""Recordings over a local Ray cluster: the same tracks as without, also when a worker is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import run_demo
from engines.errors import UserError
from realtime import batch_ray
from realtime.batch import batch_settings
from realtime.batch_file import process
from realtime.batch_job import Job, Work
from realtime.config import load_settings
from realtime.engine import backend_of
from realtime.tracks import RECORD, Tracks, load_tracks
from tests.recordings import ROOT, cut


@pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra cluster")
@pytest.mark.skipif(not (ROOT / "weights" / "lite.safetensors").exists(), reason="needs the shipped weights")
def test_a_cluster_gives_the_same_tracks_and_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    clip = cut(tmp_path / "clip.mp4", 30, 200)
    other = cut(tmp_path / "other.mp4", 60, 20)
    settings = batch_settings(load_settings(), smooth=False)
    process(Job(clip, tmp_path / "whole.npz"), Work(settings), backend_of(settings), lambda: False)

    out, part = tmp_path / "out", tmp_path / "out" / "clip.npz.part"
    command = [sys.executable, "run_demo.py", "--video", str(clip), str(other), "--out", str(out), "--ray"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as program:
        try:
            while not (part.exists() and part.stat().st_size > 120 * RECORD.itemsize):
                assert program.poll() is None, program.communicate()
                time.sleep(0.005)
            os.kill(holder(part), signal.SIGKILL)
            said, err = program.communicate(timeout=120)
        finally:
            program.kill()
    assert program.returncode == 0, err
    assert "its worker died; it is taken up again" in err
    assert "2 of 2 recordings whole, 220 frames" in said
    assert sorted(path.name for path in out.iterdir()) == ["batch.json", "clip.npz", "other.npz"]
    found, wanted = load_tracks(out / "clip.npz"), load_tracks(tmp_path / "whole.npz")
    for name in Tracks.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)


def holder(part: Path) -> int:
    """The process that has the file open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == part:
                return int(link.parts[2])
        except OSError:
            continue
    raise AssertionError(f"nobody has {part} open")


@pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra cluster")
def test_a_cluster_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = cut(tmp_path / "clip.mp4", 0, 5)
    assert run_demo.main(["--video", str(clip), "--out", str(tmp_path / "out"), "--ray", "auto"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: --ray auto: no cluster answers there")


def test_without_ray_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_ray, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="EXTRAS=cluster"):
        next(batch_ray.ray_outcomes([], Work(load_settings()), lambda: False, "local", print))
