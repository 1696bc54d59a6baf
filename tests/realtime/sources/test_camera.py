"""Sources in real time: a replayed video, and a camera on the network that is unplugged and plugged in again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.errors import UserError
from realtime.cli.options import parse
from realtime.config import CameraSettings
from realtime.sources import live_source
from realtime.sources.camera import CameraSource
from realtime.sources.live_source import ReplaySource
from realtime.sources.opening import open_source
from tests.support.network_camera import SIZE, NetworkCamera
from tests.support.video_files import frame_of, picture, steady, write_video

WAIT_S = 10.0
"""No test needs so long; a hang becomes a failure."""


def make_settings(reconnect_s: float) -> CameraSettings:
    return CameraSettings(width=640, height=480, fps=30, reconnect_s=reconnect_s, mirrored=False)


@pytest.fixture
def network_camera() -> Iterator[NetworkCamera]:
    camera = NetworkCamera()
    yield camera
    camera.close()


def until(condition: Callable[[], bool], failure: str) -> None:
    end_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end_s, failure
        time.sleep(0.005)


def test_newest_frame_wins_and_gaps_are_counted(network_camera: NetworkCamera) -> None:
    with CameraSource(network_camera.address, make_settings(5)) as source:
        assert (source.size_px, source.is_live, source.frame_count) == (SIZE, True, None)
        frames = []
        for frame in source:
            frames.append(frame)
            if len(frames) == 6:
                break
            until(lambda n=source.dropped: source.dropped >= n + 2, "no frame was dropped")
        dropped = source.dropped
    gaps = frames[-1].index - frames[0].index + 1 - len(frames)
    assert 5 <= gaps <= dropped
    assert all(b.t_capture_s > a.t_capture_s for a, b in pairwise(frames))
    assert frames[-1].t_capture_s <= time.monotonic()


def test_the_first_frame_is_no_old_one(network_camera: NetworkCamera) -> None:
    """The network takes its time to load: what the camera sent meanwhile must not come as if it were new."""
    source = CameraSource(network_camera.address, make_settings(5))
    until(lambda: network_camera.sent > 60 and network_camera.sent % 36 == 24, "nothing is sent")
    with source:
        first = next(iter(source))
        behind = (network_camera.sent - frame_of(first.image_bgr)) % 36
    assert behind < 12


def test_a_mirrored_source_is_turned_back(network_camera: NetworkCamera, tmp_path: Path) -> None:
    """Of every kind; the pictures are white at their left."""
    settings = make_settings(5).model_copy(update={"mirrored": True})
    video = write_video(tmp_path / "a.mp4", steady(3))
    (tmp_path / "pictures").mkdir()
    cv2.imwrite(str(tmp_path / "pictures" / "1.png"), picture(0, SIZE))
    for source in (
        open_source(settings, camera=network_camera.address),
        open_source(settings, video=video),
        open_source(settings, video=video, realtime=True),
        open_source(settings, images=tmp_path / "pictures"),
    ):
        with source:
            image = next(iter(source)).image_bgr
        assert image[:, -8:].min() > 240 > image[:, :8].max(), source.name


def test_unplugged_and_plugged_in_again(network_camera: NetworkCamera, caplog: pytest.LogCaptureFixture) -> None:
    with CameraSource(network_camera.address, make_settings(WAIT_S)) as source:
        frames = iter(source)
        before = next(frames)
        network_camera.unplug()
        until(lambda: "gives no more pictures" in caplog.text, "the loss was not noticed")
        network_camera.plug()
        until(lambda: "is back" in caplog.text, "it never came back")
        after = [next(frames) for _ in range(3)]
    assert after[-1].index > before.index
    assert after[-1].image_bgr.shape == before.image_bgr.shape
    assert caplog.text.count("gives no more pictures") == 1


def test_unplugged_for_good(network_camera: NetworkCamera) -> None:
    with CameraSource(network_camera.address, make_settings(0.6)) as source:
        frames = iter(source)
        next(frames)
        network_camera.unplug()
        with pytest.raises(UserError, match=r"was unplugged and did not come back within 0\.6 s"):
            list(frames)


def test_close_from_another_thread_ends_the_iteration(network_camera: NetworkCamera) -> None:
    with CameraSource(network_camera.address, make_settings(5)) as source:
        reader = threading.Thread(target=lambda: [None for _ in source], daemon=True)
        reader.start()
        source.close()
        reader.join(WAIT_S)
        assert not reader.is_alive()
    assert not source._thread.is_alive()


def test_closed_without_having_been_started(network_camera: NetworkCamera) -> None:
    source = CameraSource(network_camera.address, make_settings(5))
    source.close()
    assert not source._device.isOpened()


SECRETS = (
    *("rtsp://user:secret@127.0.0.1:9/h264", "rtsp://secret@[::1]:9/", "rtsp://user:secret/@secret@127.0.0.1:9/"),
    "http://127.0.0.1:9/video.cgi?user=secret&pwd=secret",
)


@pytest.mark.parametrize("address", SECRETS)
def test_no_password_of_an_address_is_told(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    shown = {"r": "camera rtsp://", "h": "camera http://127.0.0.1:9/video.cgi?..."}[address[0]]
    with pytest.raises(UserError, match="check address, user name and password") as caught:
        CameraSource(address, make_settings(0))
    assert str(caught.value).startswith(shown)
    with pytest.raises(UserError, match="for a stream use --camera") as other:
        open_source(make_settings(0), video=Path(address))
    assert "secret" not in f"{caught.value} {other.value} {capfd.readouterr()}"


@pytest.mark.parametrize("address", SECRETS)
def test_no_password_is_told_of_words_that_make_no_sense(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    for words in (["--camera", "0", address], ["--camera", "0", "--osc", address], ["--camera", "0", "--fps", address]):
        with pytest.raises(SystemExit):
            parse(words)
    said = capfd.readouterr().err
    assert said.count("error: ") == 3
    assert "secret" not in said


def test_a_camera_that_works_has_a_name_without_its_password(network_camera: NetworkCamera) -> None:
    address = network_camera.address.replace("http://", "http://user:secret@")
    with CameraSource(f"{address}video?token=secret", make_settings(5)) as source:
        assert next(iter(source)).image_bgr.shape == (SIZE[1], SIZE[0], 3)
        assert source.name == f"camera {network_camera.address}video?..."


def test_a_network_camera_whose_pixels_are_not_square(network_camera: NetworkCamera) -> None:
    network_camera.pixel_aspect = 4, 3
    with CameraSource(network_camera.address, make_settings(5)) as source:
        assert source.size_px == (round(SIZE[0] * 4 / 3), SIZE[1])
        assert next(iter(source)).image_bgr.shape == (SIZE[1], round(SIZE[0] * 4 / 3), 3)


@pytest.mark.parametrize("camera", ["97", "/dev/video97", "/dev/null", "nonsense"])
def test_missing_camera(camera: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"No camera was found|Found: /dev/video") as caught:
        CameraSource(camera, make_settings(0))
    assert str(caught.value).startswith(f"camera {camera}: ")
    assert capfd.readouterr() == ("", "")


def test_recording_given_as_camera(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", steady(2))
    with pytest.raises(UserError, match="--video"):
        CameraSource(str(path), make_settings(0))


def test_replay_drops_what_is_not_taken_in_time(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", steady(30, 60))
    with ReplaySource(path) as source:
        assert source.is_live
        frames = []
        for frame in source:
            frames.append(frame)
            time.sleep(0.04)
    indices = [f.index for f in frames]
    assert indices == sorted(set(indices))
    assert indices[-1] == 29
    assert 0 < len(frames) < 30
    assert source.dropped == 30 - len(frames)
    assert [frame_of(f.image_bgr) for f in frames] == indices


def test_replay_shows_no_frame_before_its_time(tmp_path: Path) -> None:
    times_ms = [0, 40, 240, 280, 500]
    path = write_video(tmp_path / "a.mp4", times_ms)
    start_s = time.monotonic()
    with ReplaySource(path) as source:
        seen = {f.index: f.t_capture_s - start_s for f in source}
    assert 4 in seen
    assert all(t_s >= times_ms[i] / 1e3 - 1e-3 for i, t_s in seen.items())


def test_replay_waits_for_no_pause_of_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(live_source, "LONGEST_PAUSE_S", 0.2)
    path = write_video(tmp_path / "a.mp4", [0, 40, 3_600_040, 3_600_080])
    with ReplaySource(path) as source:
        times = [f.t_capture_s for f in source]
    np.testing.assert_allclose(np.diff(times), [0.04, 0.2, 0.04], atol=1e-3)
    assert "a pause of 3600 s is cut to 0.2 s" in caplog.text


def test_replay_that_is_closed_early(tmp_path: Path) -> None:
    with ReplaySource(write_video(tmp_path / "a.mp4", [0, 3_600_000])) as source:
        next(iter(source))
    assert not source._thread.is_alive()


def test_open_source(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", steady(3))
    settings = make_settings(0)
    with open_source(settings, video=path) as source:
        assert [f.index for f in source] == [0, 1, 2]
    with open_source(settings, video=path, realtime=True) as source:
        assert source.is_live
    cv2.imwrite(str(tmp_path / "a.png"), picture(1, SIZE))
    with open_source(settings, images=tmp_path, images_fps=5) as source:
        assert (source.fps, source.size_px) == (5, SIZE)
    with pytest.raises(ValueError, match="exactly one"):
        open_source(settings)
