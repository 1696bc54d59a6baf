"""Machines of others: a German locale that is no UTF-8, a checkout that may only be read, one core, little memory."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from realtime.tracks.reader import load_tracks
from tests.support.recordings import ROOT, cut
from tests.support.virtual_display import xvfb_run

FRAMES = 4
Done = subprocess.CompletedProcess[str]
IN_A_BOX = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
"""A shell that may mount over what only it sees."""


def run(*command: str, environment: dict[str, str] | None = None, folder: Path = ROOT) -> Done:
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | (environment or {}),
        capture_output=True,
        timeout=250,
        check=False,
        text=True,
        errors="surrogateescape",
    )


def words(clip: Path, tracks: Path) -> list[str]:
    return ["--engine", "openvino", "--video", str(clip), "--save-tracks", str(tracks)]


def boxes_work() -> bool:
    return shutil.which("unshare") is not None and run(*IN_A_BOX, "mount -t tmpfs none /mnt").returncode == 0


needs_boxes = pytest.mark.skipif(not boxes_work(), reason="needs user namespaces")


@pytest.mark.skipif(
    shutil.which("localedef") is None or shutil.which("xvfb-run") is None, reason="needs localedef, Xvfb"
)
def test_a_german_locale_that_is_no_utf8_with_windows(tmp_path: Path) -> None:
    """Qt sets the locale for all libraries: numbers with commas, and names in Latin-1."""
    folder = tmp_path / "locales"
    folder.mkdir()
    made = run("localedef", "-i", "de_DE", "-f", "ISO-8859-1", str(folder / "de_DE.ISO-8859-1"))
    if made.returncode != 0:
        pytest.skip("needs the sources of locales")
    clip = cut(tmp_path / "clip.mp4", 60, FRAMES).rename(tmp_path / os.fsdecode(b"H\xe4nde.mp4"))
    (tmp_path / "camera.yml").write_text(
        "%YAML:1.0\n---\nimage_width: 640\nimage_height: 480\ncamera_matrix: !!opencv-matrix\n   rows: 3\n   cols: 3\n"
        "   dt: d\n   data: [ 600.5, 0., 320., 0., 600.5, 240., 0., 0., 1. ]\n"
    )
    german = {"LOCPATH": str(folder), "LC_ALL": "de_DE.ISO-8859-1", "LANG": "de_DE.ISO-8859-1", "PYTHONUTF8": "0"}
    command = [*xvfb_run(), sys.executable, "run_demo.py", *words(clip, tmp_path / "t.csv"), "--profile"]
    video = tmp_path / os.fsdecode(b"\xfcber.mp4")
    done = run(*command, "--intrinsics", str(tmp_path / "camera.yml"), "--save-video", str(video), environment=german)
    assert (done.returncode, done.stderr) == (0, "")
    assert video.stat().st_size > 10_000
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert len(rows) == FRAMES
    assert (float(rows[-1]["t_s"]), float(rows[0]["fx_px"])) == (pytest.approx((FRAMES - 1) / 30, abs=1e-3), 600.5)


@needs_boxes
def test_a_checkout_that_may_only_be_read(tmp_path: Path) -> None:
    clip = cut(tmp_path / "clip.mp4", 60, FRAMES)
    script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && cd "$1" && ! touch x && shift && exec "$@"'
    command = [sys.executable, "run_demo.py", *words(clip, tmp_path / "t.npz"), "--headless"]
    done = run(*IN_A_BOX, script, "-", str(ROOT), *command)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[1:] == [], "but for touch's own complaint"
    assert len(load_tracks(tmp_path / "t.npz")) == FRAMES
    demo = run(*IN_A_BOX, script, "-", str(ROOT), sys.executable, "run_demo.py", "--demo", "--headless")
    assert demo.returncode == 2
    assert demo.stderr.splitlines()[-1].startswith("error: --save-video")


needs_taskset = pytest.mark.skipif(shutil.which("taskset") is None, reason="needs taskset")
ON_ONE_CORE = ["taskset", "-c", str(min(os.sched_getaffinity(0)))]


@needs_taskset
def test_one_core(tmp_path: Path) -> None:
    clip = cut(tmp_path / "clip.mp4", 60, FRAMES)
    one = [*ON_ONE_CORE, sys.executable]
    live = run(*one, "run_demo.py", *words(clip, tmp_path / "t.npz"), "--headless", "--realtime")
    assert (live.returncode, live.stderr) == (0, "")
    assert len(load_tracks(tmp_path / "t.npz")) > 0
    workers = run(*one, "-c", "from realtime.batch.plan import sensible_workers; print(sensible_workers())")
    assert (workers.stdout, workers.stderr) == ("1\n", "")


@needs_boxes
@needs_taskset
def test_a_batch_on_one_core_with_little_shared_memory_as_in_a_container(tmp_path: Path) -> None:
    clips = [str(cut(tmp_path / f"{i}.mp4", 60, FRAMES)) for i in range(2)]
    script = 'mount -t tmpfs -o size=64m none /dev/shm && exec "$@"'
    command = [*ON_ONE_CORE, sys.executable, "run_demo.py", "--engine", "openvino", "--video", *clips]
    done = run(*IN_A_BOX, script, "-", *command, "--workers", "2", "--save-video", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert [len(load_tracks(tmp_path / "out" / f"{i}.npz")) for i in range(2)] == [FRAMES] * 2
