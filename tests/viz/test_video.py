"""Video files: what is written is read back, with its time stamps, also after a kill."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import threading
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.sources.recording import VideoSource
from tests.support.hand_frames import hand_frame
from viz.drawing.status import StatusMeter
from viz.video.in_order import InOrder
from viz.video.recorder import Recorder, beside
from viz.video.video_reader import VideoReader
from viz.video.video_writer import GROUP_OF_PICTURES, VideoWriter

ROOT = Path(__file__).parents[2]
IRREGULAR_S = [5.0, 5.033, 5.1, 5.101, 5.5, 7.25]


def grey(level: int, size_px: tuple[int, int] = (64, 48)) -> NDArray[np.uint8]:
    return np.full((size_px[1], size_px[0], 3), level, np.uint8)


def read(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def test_count_size_order_and_times_come_back(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    levels = [20, 60, 100, 140, 180, 220]
    with VideoWriter(path) as video:
        for level, t_s in zip(levels, IRREGULAR_S, strict=True):
            video.write(grey(level), t_s)
    frames = read(path)
    assert [(frame.width, frame.height) for frame in frames] == [(64, 48)] * 6
    np.testing.assert_allclose([frame.time for frame in frames], np.array(IRREGULAR_S) - 5.0, atol=1 / 90_000)
    assert [frame.to_ndarray(format="bgr24").mean() for frame in frames] == pytest.approx(levels, abs=3)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")


def test_a_colon_in_a_relative_name_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with VideoWriter("10:30.mp4") as video:
        video.write(grey(90), 0.0)
    with VideoReader("10:30.mp4") as reader:
        assert reader.at(0.0).mean() == pytest.approx(90, abs=3)


def test_odd_sizes_grow_by_a_repeated_column_and_row(tmp_path: Path) -> None:
    path = tmp_path / "odd.mp4"
    with VideoWriter(path) as video:
        video.write(grey(200, (33, 21)), 0.0)
    (frame,) = read(path)
    assert (frame.width, frame.height) == (34, 22)
    assert frame.to_ndarray(format="bgr24")[-1, -1] == pytest.approx(200, abs=4)


@pytest.mark.parametrize("size_px", [(1, 1), (3, 500), (4096, 2)])
def test_unusual_sizes_can_be_written(tmp_path: Path, size_px: tuple[int, int]) -> None:
    path = tmp_path / "tiny.mp4"
    with VideoWriter(path) as video:
        video.write(grey(200, size_px), 0.0)
    (frame,) = read(path)
    assert (frame.width, frame.height) == (size_px[0] + size_px[0] % 2, size_px[1] + size_px[1] % 2)


def test_a_picture_of_another_size_is_fitted(tmp_path: Path) -> None:
    path = tmp_path / "sizes.mp4"
    with VideoWriter(path) as video:
        video.write(grey(50), 0.0)
        video.write(grey(90, (200, 100)), 0.1)
    assert [(frame.width, frame.height) for frame in read(path)] == [(64, 48)] * 2


def test_time_that_stands_still_or_goes_back_is_moved_on(tmp_path: Path) -> None:
    path = tmp_path / "back.mp4"
    with VideoWriter(path) as video:
        for t_s in (1.0, 1.0, 0.5, 1.1):
            video.write(grey(50), t_s)
    times = [frame.time for frame in read(path)]
    assert len(times) == 4
    assert (np.diff(times) > 0).all()
    assert times[-1] == pytest.approx(0.1)


def test_a_killed_run_leaves_a_readable_file(tmp_path: Path) -> None:
    path = tmp_path / "killed.mp4"
    script = (
        "import os, signal, sys, numpy as np\n"
        "from viz.video.video_writer import VideoWriter\n"
        "video = VideoWriter(sys.argv[1])\n"
        "for i in range(4 * int(sys.argv[2])):\n"
        "    video.write(np.full((48, 64, 3), 2 * i, np.uint8), i / 30)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, path, str(GROUP_OF_PICTURES)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    frames = read(tmp_path / "killed.part.mp4")
    assert len(frames) >= 2 * GROUP_OF_PICTURES
    assert [frame.time for frame in frames] == pytest.approx([i / 30 for i in range(len(frames))], abs=1e-4)


def test_without_a_picture_no_file_is_left(tmp_path: Path) -> None:
    VideoWriter(tmp_path / "empty.mp4").close()
    assert not list(tmp_path.iterdir())


def test_closing_twice_does_nothing(tmp_path: Path) -> None:
    video = VideoWriter(tmp_path / "a.mp4")
    video.write(grey(10), 0.0)
    video.close()
    video.close()
    assert len(read(tmp_path / "a.mp4")) == 1


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"file/a\.mp4"):
        VideoWriter(tmp_path / "file" / "a.mp4")
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(UserError, match=r"folder\.mp4: is a folder"):
        VideoWriter(tmp_path / "folder.mp4")
    with pytest.raises(UserError, match=r"\.mp4"):
        VideoWriter(tmp_path / "a.txt")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "full.mp4"
    path.write_bytes(b"an older video")
    (tmp_path / "full.part.mp4").symlink_to("/dev/full")
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    video = VideoWriter(path)
    with pytest.raises(UserError, match=r"full\.mp4.*full\.part\.mp4"):
        write_until_it_fails(video, noise)
    video.close()
    assert path.read_bytes() == b"an older video"


def write_until_it_fails(video: VideoWriter, picture: NDArray[np.uint8]) -> None:
    for i in range(300):
        video.write(picture, i / 30)


def test_pictures_are_found_by_time_forwards_and_backwards(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    levels = [20 + 2 * i for i in range(100)]
    with VideoWriter(path) as video:
        for i, level in enumerate(levels):
            video.write(grey(level), i / 30)
    with VideoReader(path) as reader:
        for i in (0, 1, 2, 70, 69, 68, 5, 99, 98, 0):
            assert reader.at(i / 30).mean() == pytest.approx(levels[i], abs=1.5)
        assert reader.at(2.9 / 30).mean() == pytest.approx(levels[2], abs=1.5), "shown until the next one's time"
        assert reader.at(-1.0).mean() == pytest.approx(levels[0], abs=1.5)
        assert reader.at(1000.0).mean() == pytest.approx(levels[-1], abs=1.5)
        assert reader.duration_s == pytest.approx(100 / 30, abs=0.1)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.ts", "libx264"), ("a.mpg", "mpeg2video"), ("a.h264", "libx264"), ("a.mkv", "libx264")]
)
def test_pictures_are_found_in_formats_that_seek_badly_or_not_at_all(tmp_path: Path, name: str, codec: str) -> None:
    path = write_steady(tmp_path / name, codec, 240)
    with VideoSource(path) as source:
        frames = list(source)
    assert len(frames) == 240
    with VideoReader(path) as reader:
        for i in (0, 200, 199, 198, 100, 45, 46, 31, 30, 29, 239, 238, 5, 185, 0):
            np.testing.assert_array_equal(reader.at(frames[i].t_capture_s), frames[i].image_bgr, f"frame {i}")
        np.testing.assert_array_equal(reader.at(1000.0), frames[-1].image_bgr)


def write_steady(path: Path, codec: str, count: int) -> Path:
    """Each frame has its own grey level; a key picture every 30."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options={"g": "30", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(count):
            luma = np.full((72, 64), 128, np.uint8)
            # Neighbours differ much, so that no encoder takes them for the same.
            luma[:48] = 16 + i * 67 % 220
            frame = av.VideoFrame.from_ndarray(luma, "yuv420p")
            frame.pts, frame.time_base = i, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_what_is_no_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    for name in ("text.mp4", "missing.mp4"):
        with pytest.raises(UserError, match=name):
            VideoReader(tmp_path / name)


def test_the_recorder_writes_the_overlay_at_the_frames_own_times(tmp_path: Path) -> None:
    path = tmp_path / "out" / "overlay.mp4"
    recorder = Recorder(path, StatusMeter(live=False).update)
    for i, t_s in enumerate(IRREGULAR_S):
        recorder.show(hand_frame("right", "left", index=i, t_s=t_s), np.full((480, 640, 3), 90, np.uint8))
    assert recorder.is_running()
    recorder.close()
    frames = read(path)
    np.testing.assert_allclose([frame.time for frame in frames], np.array(IRREGULAR_S) - 5.0, atol=1e-4)
    x, y = np.rint(hand_frame("right").hands[0].joints_px[20]).astype(int)
    blue, green, red = frames[-1].to_ndarray(format="bgr24")[y, x].astype(int)
    assert red > green > blue, "the right wrist is drawn in its colour"


def test_the_encoder_works_beside_in_order_and_its_error_comes_back() -> None:
    done: list[int] = []
    may_go = threading.Event()
    worker = InOrder("test")
    worker.give(lambda: done.append(int(may_go.wait(20))))
    for i in (2, 3, 4):
        worker.give(partial(done.append, i))
    assert done == [], "nobody waits for the first one"
    may_go.set()
    worker.finish()
    worker.finish()
    assert done == [1, 2, 3, 4]
    failing = InOrder("test")
    failing.give(partial(int, "no number"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no number"):
        failing.finish()
    failing.finish()


def test_a_full_disk_ends_the_recorder_with_one_error(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.mp4", StatusMeter(live=False).update)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    try:
        with pytest.raises(UserError, match=r"a\.mp4: the video cannot be written"):
            for i in range(200):
                recorder.show(hand_frame("right", index=i, t_s=i / 30), noise)
        recorder.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_beside_keeps_the_height_of_the_left_picture() -> None:
    both = beside(grey(10, (60, 40)), grey(200, (160, 80)))
    assert both.shape == (40, 140, 3)
    assert (both[:, :60] == 10).all()
    assert (both[:, 60:] == 200).all()
