"""Users as containers have them: a bare number, no home, a read-only checkout, a cache that cannot be written."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engines.backends.opening import open_backend
from engines.contract import EngineRequest
from engines.kept_networks import FOLDER
from engines.user_folders import PROGRAM
from realtime.tracks.reader import load_tracks
from tests.support.recordings import ROOT, cut

UID = 12345
AS_NUMBER = ["unshare", "--user", f"--map-user={UID}", f"--map-group={UID}"]
"""A user of whom the system knows no name; what we own, it owns, and it may do no more than any owner."""
FRAMES = 4


def _can_be_another() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*AS_NUMBER, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _can_be_another(), reason="needs user namespaces")
Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def engine() -> Path:
    """The folder of the shipped network's engine, built if there is none."""
    return Path(open_backend(EngineRequest(backend="openvino")).folder)  # type: ignore[attr-defined]


def run(temporary: Path, environment: dict[str, str], *words: str) -> Done:
    """The program as that user, with nothing else in its environment."""
    bare = {"PATH": "/usr/bin:/bin", "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    command = [*AS_NUMBER, sys.executable, "run_demo.py", "--engine", "openvino", *words]
    return subprocess.run(
        command, cwd=ROOT, env=bare | environment, capture_output=True, text=True, timeout=250, check=False
    )


def with_engine(cache: Path, engine: Path) -> None:
    """Put the engine into the cache, and what OpenVINO made of it, to save the time of both."""
    shutil.copytree(engine, cache / PROGRAM / engine.name)
    (cache / PROGRAM / FOLDER).symlink_to(engine.parent / FOLDER)


def fallback(temporary: Path, engine: Path) -> Path:
    """The temporary cache of that user, with the engine in it."""
    base = temporary / f"{PROGRAM}-{UID}"
    base.mkdir(mode=0o700)
    with_engine(base, engine)
    return base


@pytest.mark.parametrize(("home", "reason"), [("", "there is no home for a cache"), ("/proc", "/proc/.cache")])
def test_a_run_without_a_home_or_with_one_that_cannot_be_written(
    tmp_path: Path, engine: Path, home: str, reason: str
) -> None:
    base = fallback(tmp_path, engine)
    clip = cut(tmp_path / "clip.mp4", 60, FRAMES)
    words = ["--headless", "--video", str(clip), "--save-tracks", str(tmp_path / "t.npz")]
    done = run(tmp_path, {"HOME": home} if home else {}, *words)
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"WARNING: {reason}")
    assert line.endswith(f"compiled engines go to {base}; --set engine.cache=DIR keeps them elsewhere")
    assert len(load_tracks(tmp_path / "t.npz")) == FRAMES


def test_a_batch_without_a_home_says_it_once(tmp_path: Path, engine: Path) -> None:
    fallback(tmp_path, engine)
    clips = [str(cut(tmp_path / f"{i}.mp4", 60, FRAMES)) for i in range(2)]
    done = run(tmp_path, {}, "--video", *clips, "--workers", "2", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("there is no home for a cache") == 1
    assert "Traceback" not in done.stderr
    assert "atplotlib" not in done.stderr


def test_an_engine_in_a_cache_that_may_only_be_read_is_used(tmp_path: Path, engine: Path) -> None:
    shutil.copytree(engine, tmp_path / "image" / PROGRAM / engine.name)
    (tmp_path / "image" / PROGRAM).chmod(0o555)
    (tmp_path / "image").chmod(0o555)
    clip = cut(tmp_path / "clip.mp4", 60, FRAMES)
    done = run(tmp_path, {"XDG_CACHE_HOME": str(tmp_path / "image")}, "--headless", "--video", str(clip))
    assert done.returncode == 0, done.stderr
    assert "building" not in done.stderr
    assert "cannot be written" in done.stderr


def test_a_container_with_a_cache_of_its_own_says_nothing(tmp_path: Path, engine: Path) -> None:
    with_engine(tmp_path / "cache", engine)
    clip = cut(tmp_path / "clip.mp4", 60, FRAMES)
    words = ["--video", str(clip), "--out", str(tmp_path / "out")]
    done = run(tmp_path, {"XDG_CACHE_HOME": str(tmp_path / "cache")}, *words)
    assert (done.returncode, done.stderr) == (0, f"{clip}: done\n")


def test_somebody_elses_temporary_folder_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "evil").mkdir()
    (tmp_path / f"{PROGRAM}-{UID}").symlink_to(tmp_path / "evil")
    done = run(tmp_path, {}, "--headless", "--video", "samples/two_hands.mp4")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.endswith("the engine cache cannot be written; set engine.cache to a folder that can")


def test_a_camera_without_a_home_has_no_profile(tmp_path: Path) -> None:
    done = run(tmp_path, {}, "--headless", "--camera", "97")
    assert done.returncode == 2
    assert done.stderr.startswith("error: camera 97: there is none.")
    assert not list(tmp_path.iterdir())
