"""What bad input gets: one line that names the thing and the way out, the right exit code, and nothing lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.numpy import save_file

import run_demo
from engines.contract import Backend, Say
from realtime.config import Settings
from realtime.tracks.part import recover_tracks
from realtime.tracks.reader import load_tracks
from tests.support.engines import one_backend
from tests.support.full_disk import files_no_larger_than
from tests.support.network_camera import NetworkCamera
from tests.support.recordings import cut
from tests.support.video_files import steady, write_video

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "two_hands.mp4"
WEIGHTS = ROOT / "weights" / "lite.safetensors"

pytestmark = pytest.mark.skipif(not WEIGHTS.exists(), reason="needs the shipped weights")


@pytest.fixture(scope="module")
def opened() -> Callable[[Settings, Say], Backend]:
    """Opens each engine once for all runs of this file; one that cannot be opened is tried each time."""
    return one_backend()


@pytest.fixture(autouse=True)
def no_display(monkeypatch: pytest.MonkeyPatch, opened: Callable[[Settings, Say], Backend]) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr(run_demo, "backend_of", opened)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short recording without hands."""
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", steady(12), (160, 120))


def refused(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one error line of a run that ends with exit code 2."""
    capfd.readouterr()
    try:
        code = run_demo.main([str(argument) for argument in arguments])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else -1
    err = capfd.readouterr().err
    assert code == 2, err
    assert "Traceback" not in err
    # Notes, such as that an engine is built, may stand before it.
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert [err.splitlines()[-1]] == errors, err
    return errors[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--camera --video --images --demo is required"),
        (["--demo", "--bogus"], "--bogus"),
        (["--demo", "--head"], "--head"),
        (["--video", "a.mp4", "--camera", "0"], "not allowed with"),
        (["--demo", "--seconds", "0"], "--seconds: 0 is no number above 0"),
        (["--demo", "--seconds", "nan"], "--seconds: nan is no"),
        (["--demo", "--seconds", "soon"], "--seconds: soon is no"),
        (["--images", ".", "--fps", "inf"], "--fps: inf is no"),
        (["--images", ".", "--realtime"], "--realtime goes with --video"),
        (["--demo", "--fps", "60"], "--fps goes with --images"),
        (["--camera", "0", "--calibrate-hand", "500", "--trace", "a.json"], "only measures the hand, without --trace"),
        (["--demo", "--fov", "60", "--intrinsics", "a.json"], "give one of them"),
        (["--demo", "--engine", "magic"], "magic"),
    ],
)
def test_words_that_make_no_sense(capfd: pytest.CaptureFixture[str], arguments: list[str], says: str) -> None:
    line = refused(capfd, *arguments)
    assert says in line
    assert "--help" in line


@pytest.mark.parametrize("camera", ["7", "/dev/video77", "nonsense", str(SAMPLE)])
def test_no_such_camera(capfd: pytest.CaptureFixture[str], camera: str) -> None:
    line = refused(capfd, "--camera", camera, "--headless")
    assert camera in line
    assert "--video" in line or "Found" in line


def test_files_that_are_no_video(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    half = write_video(tmp_path / "half.mp4", steady(30))
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    (tmp_path / "text.mp4").write_text("no video at all\n" * 99)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder").mkdir()
    for name, says in {
        "missing.mp4": "no such video",
        "half.mp4": "damaged",
        "text.mp4": "is no video",
        "empty.mp4": "is no video",
        "folder": "--images",
    }.items():
        line = refused(capfd, "--video", tmp_path / name, "--headless")
        assert f"{tmp_path / name}: " in line
        assert says in line
    assert "no readable picture" in refused(capfd, "--images", tmp_path / "folder", "--headless")
    assert "no such folder" in refused(capfd, "--images", tmp_path / "missing", "--headless")


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("camera.fsp=3", "camera.fps"),
        ("camera.fps=abc", "valid number"),
        ("camera.fps", "--set section.name=value"),
        ("tracker.lose_after_s=-1", "greater than or equal to 0"),
        ("intrinsics.fov_deg=300", "less than or equal to 170"),
    ],
)
def test_settings_that_do_not_fit(capfd: pytest.CaptureFixture[str], clip: Path, setting: str, says: str) -> None:
    line = refused(capfd, "--video", clip, "--headless", "--set", setting)
    assert f"--set {setting}" in line
    assert says in line


def test_settings_files_that_are_none(capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path) -> None:
    texts = {"open.yaml": "camera: [1,\n  fps: 30\n", "list.yaml": "- 1\n", "text.yaml": "hello"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    for name in (*texts, "missing.yaml"):
        assert str(tmp_path / name) in refused(capfd, "--video", clip, "--headless", "--config", tmp_path / name)


@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_weights_that_do_not_fit(capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path, engine: str) -> None:
    (tmp_path / "damaged.safetensors").write_bytes(WEIGHTS.read_bytes()[:100_000])
    (tmp_path / "text.safetensors").write_text("weights, surely")
    save_file({"trunk.weight": np.zeros(3, np.float32)}, tmp_path / "other.safetensors")
    says = {"damaged": "damaged", "text": "no safetensors", "other": "another network", "missing": "no such weights"}
    for name, reason in says.items():
        path = tmp_path / f"{name}.safetensors"
        line = refused(capfd, "--video", clip, "--headless", "--weights", path, "--engine", engine)
        assert str(path) in line
        assert reason in line


def test_without_a_display_headless_is_named(capfd: pytest.CaptureFixture[str], clip: Path) -> None:
    line = refused(capfd, "--video", clip)
    assert "no display" in line
    assert "--headless" in line


def test_debug_adds_the_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_demo.main(["--video", "missing.mp4", "--headless", "--debug"]) == 2
    err = capfd.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("error: missing.mp4")


def test_a_fault_of_ours_is_told_from_the_users(
    capfd: pytest.CaptureFixture[str], clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_demo, "HandPipeline", None)
    assert run_demo.main(["--video", str(clip), "--headless"]) == 1
    err = capfd.readouterr().err.splitlines()
    assert err[-1].startswith("internal error: TypeError")
    assert "--debug" in err[-1]


def test_outputs_that_cannot_be_written(capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    places = {"": "is a folder", "file/x{}": "no folder", "x.txt": "ends in {}"}
    for option, suffix in {"--save-tracks": ".npz", "--save-video": ".mp4", "--profile-json": ".json"}.items():
        for place, says in places.items():
            path = tmp_path / place.format(suffix)
            line = refused(capfd, "--video", clip, "--headless", option, path)
            assert f"{option} {path}" in line
            assert says.format(suffix) in line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody can write to")
def test_a_place_where_even_root_cannot_write(capfd: pytest.CaptureFixture[str], clip: Path) -> None:
    for option, name in {"--save-tracks": "x.npz", "--save-video": "x.mp4", "--profile-json": "x.json"}.items():
        line = refused(capfd, "--video", clip, "--headless", "--no-3d", option, f"/proc/{name}")
        assert f"/proc/{name}" in line


def test_no_input_is_ever_overwritten(capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path) -> None:
    video = tmp_path / "in.mp4"
    video.write_bytes(clip.read_bytes())
    (tmp_path / "link.mp4").symlink_to(video)
    (tmp_path / "hard.mp4").hardlink_to(video)
    calibration = tmp_path / "camera.json"
    calibration.write_text("{}")
    before = video.read_bytes()
    for name in ("in.mp4", "link.mp4", "hard.mp4", "../" + tmp_path.name + "/in.mp4"):
        line = refused(capfd, "--video", video, "--headless", "--save-video", tmp_path / name)
        assert "this run reads" in line
    assert ".npz" in refused(capfd, "--video", video, "--headless", "--save-tracks", video)
    run = ("--video", video, "--headless", "--intrinsics", calibration, "--profile-json", calibration)
    assert "this run reads" in refused(capfd, *run)
    assert video.read_bytes() == before
    assert calibration.read_text() == "{}"


def test_a_video_is_not_touched_if_the_run_cannot_begin(
    capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.mp4"
    kept.write_bytes(b"of yesterday")
    refused(capfd, "--video", clip, "--headless", "--save-video", kept, "--weights", clip)
    assert kept.read_bytes() == b"of yesterday"


def frames_of(capfd: pytest.CaptureFixture[str], tmp_path: Path, *arguments: object) -> dict[str, object]:
    """Run to a good end; the figures of the profile."""
    profile = tmp_path / "profile.json"
    code = run_demo.main([*map(str, arguments), "--headless", "--no-3d", "--profile-json", str(profile)])
    assert code == 0, capfd.readouterr().err
    facts: dict[str, object] = json.loads(profile.read_text())
    return facts


def test_broken_frames_are_skipped_and_counted(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    data = bytearray(cut(tmp_path / "whole.mp4", 0, 60).read_bytes())
    start = len(data) * 2 // 5
    data[start : start + 30_000] = np.random.default_rng(1).bytes(30_000)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(bytes(data))
    out = tmp_path / "out.npz"
    facts = frames_of(capfd, tmp_path, "--video", broken, "--save-tracks", out)
    assert facts["frames"] == len(load_tracks(out)) > 25
    assert isinstance(facts["frames_dropped"], int)
    assert facts["frames_dropped"] > 0
    assert f"{facts['frames_dropped']} damaged" in capfd.readouterr().out
    assert "are damaged and were skipped" in caplog.text


def test_a_video_that_ends_early(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    path = write_video(tmp_path / "a.mkv", steady(60), (160, 120))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    facts = frames_of(capfd, tmp_path, "--video", path)
    assert isinstance(facts["frames"], int)
    assert 0 < facts["frames"] < 60
    assert "ends early" in caplog.text


def test_any_kind_of_picture_is_taken(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shapes = {"alpha": (48, 64, 4), "grey": (48, 64), "tiny": (1, 1, 3), "8k": (4320, 7680, 3)}
    for name, shape in shapes.items():
        folder = tmp_path / name
        folder.mkdir()
        cv2.imwrite(str(folder / "0.png"), np.full(shape, 90, np.uint8))
        out = tmp_path / f"{name}.npz"
        video = tmp_path / f"{name}.mp4"
        save = ("--save-tracks", out) if name == "8k" else ("--save-tracks", out, "--save-video", video)
        assert frames_of(capfd, tmp_path, "--images", folder, *save)["frames"] == 1
        assert load_tracks(out).size_px.tolist() == [shape[1], shape[0]]
        assert name == "8k" or video.stat().st_size > 0


def test_grey_video_and_gif_without_hands(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    paths = [
        write_video(tmp_path / "a.gif", steady(5, 10), codec="gif", pix_fmt="rgb8"),
        write_video(tmp_path / "grey.mkv", steady(5), codec="ffv1", pix_fmt="gray"),
    ]
    for path in paths:
        facts = frames_of(capfd, tmp_path, "--video", path)
        assert facts["frames"] == facts["frames_without_hands"] == 5
        assert "none in any frame" in capfd.readouterr().out


def test_a_full_disk_keeps_the_tracks_so_far(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, clip: Path, tmp_path: Path
) -> None:
    run_demo.main(["--video", str(clip), "--headless"])  # so that the engine is built
    out = tmp_path / "out.npz"
    with files_no_larger_than(30_000):
        line = refused(capfd, "--video", SAMPLE, "--headless", "--save-tracks", out)
    part = tmp_path / "out.npz.part"
    assert f"safe in {part}" in line
    assert "python -m realtime.formats" in line
    assert caplog.text == ""
    saved = len(load_tracks(part))
    assert f" {saved} frames are safe" in line
    assert saved > 10
    assert len(load_tracks(recover_tracks(part))) == saved


def test_a_video_that_no_longer_fits_leaves_the_tracks_whole(
    capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path
) -> None:
    run_demo.main(["--video", str(clip), "--headless"])  # so that the engine is built
    out, video = tmp_path / "out.npz", tmp_path / "out.mp4"
    with files_no_larger_than(150_000):
        line = refused(capfd, "--video", SAMPLE, "--headless", "--no-3d", "--save-tracks", out, "--save-video", video)
    assert f"{video}: the video cannot be written" in line
    assert len(load_tracks(out)) > 10
    assert not video.exists()
    capture = cv2.VideoCapture(str(video.with_name("out.part.mp4")))
    assert capture.read()[0]
    capture.release()


def test_an_unplugged_camera_ends_the_run_with_everything_saved(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    camera = NetworkCamera()
    out = tmp_path / "out.npz"
    part = out.with_name(out.name + ".part")

    def unplug_while_it_runs() -> None:
        end_s = time.monotonic() + 60.0
        while time.monotonic() < end_s and not (part.exists() and part.stat().st_size > 4_000):
            time.sleep(0.01)
        camera.unplug()

    threading.Thread(target=unplug_while_it_runs, daemon=True).start()
    run = ("--camera", camera.address, "--headless", "--save-tracks", out, "--set", "camera.reconnect_s=0.3")
    line = refused_with_output(capfd, *run)
    camera.close()
    assert "unplugged" in line[0]
    assert "frames" in line[1]
    assert str(out) in line[1]
    assert len(load_tracks(out)) > 0


def refused_with_output(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[str, str]:
    """The error line, and what was printed on standard output."""
    capfd.readouterr()
    assert run_demo.main([str(argument) for argument in arguments]) == 2
    captured = capfd.readouterr()
    return captured.err.splitlines()[-1], captured.out


def test_no_output_replaces_a_recording_or_another_output(
    capfd: pytest.CaptureFixture[str], clip: Path, tmp_path: Path
) -> None:
    run = ("--video", clip, "--headless")
    before = clip.read_bytes()
    line = refused(capfd, *run, "--hand-length-mm", "182", "--profile-file", clip)
    assert "--profile-file" in line
    both = tmp_path / "both.json"
    line = refused(capfd, *run, "--profile-json", both, "--trace", both)
    assert "--trace" in line
    assert "writes already" in line
    assert clip.read_bytes() == before
    assert not both.exists()
