"""Videos that end early, and good ones that only look so: uneven rates, longer sound, pictures that are left out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import av
import numpy as np
import pytest

from realtime.sources.recording import VideoSource
from tests.support.video_files import picture, steady, write_video

CODECS = {".mkv": "libx264", ".webm": "libvpx", ".mp4": "libx264"}
UNEVEN_MS = list(accumulate([33] * 20 + [500] * 5 + [33] * 20, initial=0))
"""Times whose mean rate is less than half of the usual one."""


def write(path: Path, times_ms: Sequence[int], sound_s: float = 0.0, **options: str) -> Path:
    """A small video with a key picture every four, and so much sound."""
    with av.open(str(path), "w", options=options) as container:
        video = container.add_stream(CODECS[path.suffix], rate=30, options={"crf": "5", "g": "4"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        sound = container.add_stream("libopus", rate=48000) if sound_s else None
        for i, t_ms in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(picture(i, (64, 48)), "bgr24")
            frame.pts, frame.time_base = t_ms, Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if sound is not None:
            for i in range(round(sound_s * 50)):
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), "s16", "mono")
                silence.sample_rate, silence.pts, silence.time_base = 48000, i * 960, Fraction(1, 48000)
                container.mux(sound.encode(silence))
            container.mux(sound.encode())
    return path


def shortened(path: Path, share: float) -> Path:
    """Cut it off behind this share of its bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * share)])
    return path


def read(path: Path) -> tuple[int, int]:
    """How many frames are there, and are said to be missing."""
    with VideoSource(path) as source:
        count = len(list(source))
    return count, source.missing


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
@pytest.mark.parametrize(("times_ms", "sound_s"), [(UNEVEN_MS, 0.0), (steady(40), 4.0), (UNEVEN_MS, 9.0)])
def test_a_good_video_is_whole(
    tmp_path: Path, suffix: str, times_ms: list[int], sound_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / f"a{suffix}", times_ms, sound_s)
    assert read(path) == (len(times_ms), 0)
    assert caplog.records == []


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
@pytest.mark.parametrize(("times_ms", "sound_s"), [(UNEVEN_MS, 0.0), (steady(40), 1.0), (steady(40), 0.0)])
def test_one_that_was_cut_off_is_noticed(
    tmp_path: Path, suffix: str, times_ms: list[int], sound_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    count, missing = read(shortened(write(tmp_path / f"a{suffix}", times_ms, sound_s), 0.5))
    assert 3 < count < len(times_ms) - 5
    assert missing > 2
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "ends early" in caplog.text


def test_where_the_file_says_nothing_nothing_is_judged(tmp_path: Path) -> None:
    """As browsers write it: no lengths at all."""
    path = shortened(write(tmp_path / "a.webm", steady(40), 2.0, live="1"), 0.5)
    count, missing = read(path)
    assert 0 < count < 40
    assert missing == 0


def test_a_late_beginning_is_no_early_end(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.mkv", [t + 5000 for t in steady(40)])) == (40, 0)


def test_fragments_have_no_count(tmp_path: Path) -> None:
    """As this program's own videos are written."""
    path = write(tmp_path / "a.mp4", UNEVEN_MS, 9.0, movflags="frag_keyframe+empty_moov+default_base_moof")
    assert read(path) == (len(UNEVEN_MS), 0)


def test_what_an_edit_list_leaves_out_is_not_missing(tmp_path: Path) -> None:
    """A telephone trims a clip by saying where it begins; the pictures before are still counted."""
    whole = write_video(tmp_path / "whole.mp4", steady(60), options={"g": "12", "bf": "0"})
    with av.open(str(whole)) as source, av.open(str(tmp_path / "a.mp4"), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.size:
                early = round(0.6 / packet.time_base)
                packet.stream, packet.pts, packet.dts = copy, packet.pts - early, packet.dts - early
                target.mux(packet)
    count, missing = read(tmp_path / "a.mp4")
    assert count == 42
    assert missing == 0


def test_about_how_many_frames_there_will_be(tmp_path: Path) -> None:
    with VideoSource(write(tmp_path / "a.mkv", steady(40), 5.0)) as source:
        assert (source.frame_count, source.expected_frames) == (None, 40)
    with VideoSource(write(tmp_path / "a.mp4", steady(40))) as source:
        assert (source.frame_count, source.expected_frames) == (40, 40)
    with VideoSource(write(tmp_path / "a.webm", steady(4), live="1")) as source:
        assert source.expected_frames is None


@pytest.mark.parametrize(("sound_s", "judged"), [(0.0, True), (2.0, False)])
def test_the_length_of_the_file_is_the_videos_where_nothing_else_is_in_it(
    tmp_path: Path, sound_s: float, judged: bool
) -> None:
    """As muxers write it that put the video's own length behind everything else."""
    path = write(tmp_path / "a.mkv", steady(40), sound_s)
    path.write_bytes(path.read_bytes().replace(b"DURATION", b"NOTATION"))
    assert read(path) == (40, 0)
    assert (read(shortened(path, 0.5))[1] > 2) == judged
