"""Playback from end to end: a track file and its recording become a video."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from engines.errors import UserError
from realtime.sources.recording import VideoSource
from realtime.tracks.reader import load_tracks
from realtime.tracks.writer import TrackWriter
from tests.support.hand_frames import INTRINSICS, SIZE, hand_frame
from tests.support.video_files import frame_of, rotate_clockwise, write_video
from tests.support.virtual_display import xvfb_run
from viz.playback.pictures import Pictures
from viz.playback.player import main
from viz.video.render import render_recording
from viz.video.video_reader import VideoReader
from viz.video.video_writer import VideoWriter

ROOT = Path(__file__).parents[2]
COUNT, FPS = 12, 25


def level(i: int) -> int:
    return 30 + 15 * i


def make_recording(folder: Path, first_s: float = 0.0, every: int = 1) -> tuple[Path, Path]:
    """A track file and its video; the tracks have every n-th frame, and a clock that starts at `first_s`."""
    tracks, video = folder / "tracks.npz", folder / "clip.mp4"
    with VideoWriter(video) as writer:
        for i in range(COUNT):
            writer.write(np.full((SIZE[1], SIZE[0], 3), level(i), np.uint8), i / FPS)
    with TrackWriter(tracks, INTRINSICS, SIZE, "{}", "{}") as track_writer:
        for i in range(0, COUNT, every):
            sides = ("right", "left")[: i % 3]
            track_writer.append(hand_frame(*sides, index=i, t_s=first_s + i / FPS))
    return tracks, video


def playback(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command without a display."""
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return subprocess.run(
        [sys.executable, "-m", "viz.playback", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_headless_playback_writes_overlay_and_view_for_every_frame(tmp_path: Path) -> None:
    tracks, video = make_recording(tmp_path)
    output = tmp_path / "out" / "again.mp4"
    done = playback(tracks, "--video", video, "--headless", "--output", output, "--speed", "0.5")
    if "neither a display nor EGL" in done.stderr:
        pytest.skip("needs EGL (libegl1, libgl1-mesa-dri)")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{COUNT} frames" in done.stdout
    with av.open(str(output)) as container:
        frames = list(container.decode(video=0))
    assert [frame.time for frame in frames] == pytest.approx([2 * i / FPS for i in range(COUNT)], abs=1e-3)
    assert {(frame.width, frame.height) for frame in frames} == {(1280, 480)}
    corners = [frame.to_ndarray(format="bgr24")[:20, :20].mean() for frame in frames]
    assert corners == pytest.approx([level(i) for i in range(COUNT)], abs=3)


@pytest.mark.parametrize(("first_s", "every"), [(0.0, 1), (0.0, 3), (5000.0, 2)])
def test_each_frame_gets_its_own_picture(tmp_path: Path, first_s: float, every: int) -> None:
    paths = make_recording(tmp_path, first_s, every)
    tracks = load_tracks(paths[0])
    pictures = Pictures(tracks, paths[1])
    order = [*range(len(tracks)), *reversed(range(len(tracks)))]
    shown = [pictures.of(i).mean() for i in order]
    pictures.close()
    assert shown == pytest.approx([level(every * i) for i in order], abs=2)


@pytest.mark.parametrize("first_s", [0.2, 5000.0])
def test_a_live_run_without_its_first_frames_gets_the_right_pictures(tmp_path: Path, first_s: float) -> None:
    video = make_recording(tmp_path)[1]
    tracks = tmp_path / "live.npz"
    indices = [3, 4, 7, 11]
    with TrackWriter(tracks, INTRINSICS, SIZE, "{}", "{}") as writer:
        for i in indices:
            writer.append(hand_frame(index=i, t_s=first_s + i / FPS))
    pictures = Pictures(load_tracks(tracks), video)
    shown = [pictures.of(i).mean() for i in range(len(indices))]
    pictures.close()
    assert shown == pytest.approx([level(i) for i in indices], abs=2)


def test_without_a_recording_the_pictures_are_black(tmp_path: Path) -> None:
    pictures = Pictures(load_tracks(make_recording(tmp_path)[0]), None)
    assert not pictures.given
    assert pictures.of(0).shape == (480, 640, 3)
    assert not pictures.of(0).any()


def test_a_recording_that_was_not_tracked_is_refused(tmp_path: Path) -> None:
    tracks = make_recording(tmp_path)[0]
    with pytest.raises(UserError, match="other pictures than those that were tracked"):
        Pictures(load_tracks(tracks), write_video(tmp_path / "upright.mp4", [0, 40, 80], (SIZE[1], SIZE[0])))
    with TrackWriter(tracks, INTRINSICS, SIZE, "{}", "{}") as writer:
        for i in range(100):
            writer.append(hand_frame(index=i, t_s=i / FPS))
    with pytest.raises(UserError, match=r"lasts 0\.1 s, its tracks 4\.0 s"):
        Pictures(load_tracks(tracks), write_video(tmp_path / "short.mp4", [0, 40, 80], SIZE))


def test_bad_arguments_get_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    tracks, video = make_recording(tmp_path)
    before = video.read_bytes()
    text = tmp_path / "text.txt"
    text.write_text("no video")
    cases: tuple[tuple[list[str | Path], str], ...] = (
        ([tmp_path / "none.npz"], "none.npz"),
        ([tracks, "--headless"], "--output"),
        ([tracks, "--speed", "0"], "--speed"),
        ([tracks, "--video", text, "--headless", "--output", tmp_path / "a.mp4"], "text.txt"),
        ([tracks, "--video", video, "--headless", "--output", video], "clip.mp4"),
        ([tracks, "--headless", "--output", tracks], "tracks.npz"),
    )
    for arguments, named in cases:
        assert main([str(argument) for argument in arguments]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert named in said
    assert video.read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="only there a missing display can be told")
def test_windows_without_a_display_point_to_headless(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    assert main([str(make_recording(tmp_path)[0])]) == 2
    assert "--headless" in capsys.readouterr().err


def test_a_recording_held_upright_is_shown_upright(tmp_path: Path) -> None:
    video = write_video(tmp_path / "turned.mp4", [0, 40, 80], (64, 48))
    rotate_clockwise(video)
    with VideoReader(video) as reader, VideoSource(video) as source:
        for frame in source:
            np.testing.assert_array_equal(reader.at(frame.t_capture_s), frame.image_bgr)


def test_far_places_of_a_recording_are_found_both_ways(tmp_path: Path) -> None:
    times_ms = list(range(0, 36_000, 1000))
    video = write_video(tmp_path / "long.mp4", times_ms, (64, 48), options={"g": "4"})
    with VideoReader(video) as reader:
        for i in (0, 30, 3, 35, 20, 21, 6):
            assert frame_of(reader.at(times_ms[i] / 1000)) == i


SCRUB = """
import sys, time
sys.path.insert(0, {root!r})
import cv2
from pathlib import Path
from realtime.tracks.reader import load_tracks
from viz.playback import player as playback
from viz.viewer import Display
tracks = load_tracks({tracks!r})
pictures = playback.Pictures(tracks, Path({video!r}) if {video!r} else None)
playhead = playback.Playhead(tracks.t_s, 1.0, time.monotonic())
viewer = playback._open_viewers(tracks, pictures, playhead, Display())
def show(times):
    for _ in range(times):
        i = playhead.advance(time.monotonic())
        viewer.show(tracks.hand_frame(i), pictures.of(i))
        assert viewer.is_running()
    return i, cv2.getTrackbarPos("frame", "playback: camera")
end_s = time.monotonic() + 5
while show(1)[0] < len(tracks) - 1 and time.monotonic() < end_s:
    pass
print(*show(2))
cv2.setTrackbarPos("frame", "playback: camera", 4)
print(*show(2), playhead.paused)
playhead.toggle_pause()
print(playhead.paused)
viewer.close()
"""


@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs xvfb-run")
@pytest.mark.parametrize("with_video", [True, False])
def test_the_bar_follows_and_leads(tmp_path: Path, with_video: bool) -> None:
    tracks, video = make_recording(tmp_path)
    code = SCRUB.format(root=str(ROOT), tracks=str(tracks), video=str(video) if with_video else "")
    command = [*xvfb_run("1600x900x24"), sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-3:] == ["11 11", "4 4 True", "False"]


@pytest.mark.parametrize("three_d", [True, False])
def test_tracks_and_frames_become_one_video_side_by_side(tmp_path: Path, three_d: bool) -> None:
    paths = make_recording(tmp_path, every=2)
    tracks = load_tracks(paths[0])
    output = tmp_path / "out.mp4"
    with VideoSource(paths[1]) as source:
        render_recording(tracks, source, output, three_d=three_d)
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        frames = list(container.decode(video=0))
    assert [frame.time for frame in frames] == pytest.approx(list(tracks.t_s), abs=1e-3)
    if three_d and frames[0].width == 640:
        pytest.skip("needs EGL (libegl1, libgl1-mesa-dri)")
    assert {(frame.width, frame.height) for frame in frames} == {(1280 if three_d else 640, 480)}
    corners = [frame.to_ndarray(format="bgr24")[:20, :20].mean() for frame in frames]
    assert corners == pytest.approx([level(i) for i in range(0, COUNT, 2)], abs=3)
