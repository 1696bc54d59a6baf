"""No run is lost for its output: names that are no text, pipes that break, full disks, streams that are closed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime.formats.saving import SUFFIXES, save_as
from realtime.tracks.reader import load_tracks
from tests.support.recordings import ROOT, cut
from tests.support.track_files import tracks_of

NAME = os.fsdecode(b"b\xe4d")
"""Latin-1, on a system whose names are UTF-8."""
SHOWN = "b\\udce4d"
FRAMES = 4

Done = subprocess.CompletedProcess[str]


def command(*words: str, encoding: str = "utf-8:strict") -> Done:
    """A command under a locale that has no way to print what is no text."""
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=250, check=False
    )


def track(*words: str) -> Done:
    return command("run_demo.py", "--engine", "openvino", *words)


def test_a_run_whose_every_name_is_no_text(tmp_path: Path) -> None:
    folder = tmp_path / NAME
    clip = cut(tmp_path / "clip.mp4", 60, FRAMES).rename(tmp_path / f"{NAME}.mp4")
    files = {"tracks": folder / f"{NAME}.npz", "video": folder / f"{NAME}.mp4", "profile-json": folder / f"{NAME}.json"}
    words = [f"--{'' if name == 'profile-json' else 'save-'}{name}={path}" for name, path in files.items()]
    (tmp_path / f"{NAME}.yaml").write_text("camera: {fps: 30}")
    done = track("--headless", "--no-3d", "--video", str(clip), "--config", str(tmp_path / f"{NAME}.yaml"), *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(path.stat().st_size > 1000 for path in files.values())
    assert done.stdout.count(f"{tmp_path}/{SHOWN}/{SHOWN}.") == 3


def test_a_batch_of_names_that_are_no_text(tmp_path: Path) -> None:
    clip = cut(tmp_path / "clip.mp4", 60, FRAMES).rename(tmp_path / f"{NAME}.mp4")
    words = ["--video", str(clip), str(tmp_path / f"{NAME}.mkv"), "--out", str(tmp_path / NAME), "--format", "csv"]
    done = track(*words, "--workers", "1")
    assert done.returncode == 2
    assert f"{SHOWN}.mkv: cannot be read" in done.stderr
    (tracks,) = (tmp_path / NAME).glob("*.npz")
    assert len(load_tracks(tracks)) == FRAMES


def test_every_format_into_names_that_are_no_text(tmp_path: Path) -> None:
    tracks = tmp_path / f"{NAME}.npz"
    save_as(tracks_of(["rl"] * 3), tracks)
    others = [str(tmp_path / f"{NAME}2{suffix}") for suffix in SUFFIXES]
    done = command("-m", "realtime.formats", str(tracks), *others, encoding="ascii:strict")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(Path(name).stat().st_size > 100 for name in others)


def test_other_commands_name_what_is_no_text(tmp_path: Path) -> None:
    for words in (
        ["-m", "realtime.calibrate", "--images", str(tmp_path / NAME), "--headless"],
        ["-m", "viz.playback", str(tmp_path / NAME)],
        ["-m", "realtime.formats", str(tmp_path / f"{NAME}.npz.part")],
        ["-m", "engines.convert", "--internet", str(tmp_path / NAME)],
    ):
        done = command(*words)
        assert done.returncode == 2, words
        assert SHOWN in done.stderr, words
        assert "Traceback" not in done.stderr, words


FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
STREAMS = {
    "stdout closed": ("1>&-", 0),
    "stderr closed": ("2>&-", 0),
    "both closed": ("1>&- 2>&-", 0),
    "all closed": ("0<&- 1>&- 2>&-", 0),
    "nobody reads": ("| true", 0),
    "stdout full": (">/dev/full", 1),
    "stderr full": ("2>/dev/full", 0),
}


def in_a_shell(line: str, *words: str) -> tuple[int, str]:
    """Exit code of the program before the pipe, and what it said on standard error if that is open."""
    script = f'"$@" {line}; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", script, "-", sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=250,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


@FULL
@pytest.mark.parametrize("case", STREAMS)
def test_a_command_whose_output_goes_nowhere_does_its_work(tmp_path: Path, case: str) -> None:
    line, code = STREAMS[case]
    save_as(tracks_of(["rl"] * 30), tmp_path / "t.npz")
    words = ("-m", "realtime.formats", str(tmp_path / "t.npz"), *(str(tmp_path / f"{i}.csv") for i in range(3)))
    got, said = in_a_shell(line, *words)
    assert got == code
    assert said == ("error: stdout cannot be written (No space left on device); files are not affected\n" * code)
    assert [path.read_text()[:12] for path in sorted(tmp_path.glob("*.csv"))] == ["frame_index,"] * 3


@FULL
@pytest.mark.parametrize(("line", "code"), [("0<&- 1>&- 2>&-", 0), (">/dev/full 2>/dev/full", 1), ("| true", 0)])
def test_a_run_whose_output_goes_nowhere_keeps_its_tracks(tmp_path: Path, line: str, code: int) -> None:
    clip = cut(tmp_path / "clip.mp4", 60, FRAMES)
    words = ("run_demo.py", "--engine", "openvino", "--headless", "--profile", "--video", str(clip))
    assert in_a_shell(line, *words, "--save-tracks", str(tmp_path / "t.npz"))[0] == code
    assert len(load_tracks(tmp_path / "t.npz")) == FRAMES


def test_help_for_a_reader_who_has_seen_enough() -> None:
    assert in_a_shell("| head -n 1", "run_demo.py", "--help") == (0, "")


def test_a_folder_of_pictures_whose_names_are_no_text(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    for i in range(3):
        (tmp_path / NAME / f"{NAME}{i}.png").write_bytes(cv2.imencode(".png", np.zeros((48, 64, 3), np.uint8))[1])
    (tmp_path / NAME / f"{NAME}9.png").write_bytes(b"no picture")
    done = track("--headless", "--images", str(tmp_path / NAME))
    assert done.returncode == 0
    assert f"{SHOWN}9.png: is no picture; it is skipped" in done.stderr
