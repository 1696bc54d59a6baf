"""Recordings as other programs write them: laid, squeezed, with covers, with clocks that jump. From the sample clip."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.messages import Frame
from realtime.sources.frame_times import FrameTimes
from realtime.sources.recording import VideoSource
from tests.support.recordings import SAMPLE
from tests.support.video_files import encode, set_display_matrix, steady
from viz.video.video_reader import VideoReader

Image = NDArray[np.uint8]


@pytest.fixture(scope="module")
def hands() -> list[Image]:
    """Six pictures of the sample clip, (480, 640, 3)."""
    with VideoSource(SAMPLE) as source:
        return [frame.image_bgr for frame, _ in zip(source, range(6), strict=False)]


@pytest.fixture(scope="module")
def small(hands: list[Image]) -> list[Image]:
    """The same, a quarter as large: for what is about time alone."""
    return [cv2.resize(image, (320, 240), interpolation=cv2.INTER_AREA) for image in hands]


def read(path: Path) -> tuple[VideoSource, list[Frame]]:
    """What tracking sees; playback must show the same at the same times."""
    with VideoSource(path) as source:
        frames = list(source)
    with VideoReader(path) as reader:
        for frame in (*frames, *frames[::-5]):
            np.testing.assert_array_equal(reader.at(frame.t_capture_s), frame.image_bgr)
    return source, frames


def apart(a: Image, b: Image) -> float:
    return float(np.abs(a.astype(int) - b).mean())


WAYS = [(a, 0, 0, d) for a, d in product((1, -1), repeat=2)] + [(0, b, c, 0) for b, c in product((1, -1), repeat=2)]


@pytest.mark.parametrize("matrix", WAYS)
def test_each_of_the_eight_ways_to_lay_a_picture_is_shown_upright(
    tmp_path: Path, hands: list[Image], matrix: tuple[int, int, int, int]
) -> None:
    a, b, c, d = matrix
    upright = hands[0]
    # Each pixel (p, q) of the file holds what is to be seen at (x, y) = (a p + c q, b p + d q).
    size = (640, 480) if a else (480, 640)
    p, q = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    x, y = (a * p + c * q) % 640, (b * p + d * q) % 480
    x, y = x - (0 if a + c > 0 else 1) % 640, y - (0 if b + d > 0 else 1) % 480
    stored = upright[y % 480, x % 640]
    path = encode(tmp_path / "a.mp4", [stored], [0])
    set_display_matrix(path, *matrix)
    source, frames = read(path)
    assert source.size_px == (640, 480)
    shown = frames[0].image_bgr
    assert apart(shown, upright) < 4
    assert all(apart(shown, other) > 10 for other in (upright[::-1], upright[:, ::-1], upright[::-1, ::-1]))


@pytest.mark.parametrize(
    ("stored_px", "pixel_aspect"), [((480, 480), Fraction(4, 3)), ((640, 360), Fraction(3, 4)), ((360, 480), 16 / 9)]
)
def test_pixels_that_are_not_square_are_shown_square(
    tmp_path: Path, hands: list[Image], stored_px: tuple[int, int], pixel_aspect: Fraction | float
) -> None:
    squeezed = cv2.resize(hands[0], stored_px, interpolation=cv2.INTER_AREA)
    aspect = Fraction(pixel_aspect).limit_denominator(99)
    source, frames = read(encode(tmp_path / "a.mp4", [squeezed], [0], pixel_aspect=aspect))
    assert source.size_px == (640, 480)
    assert apart(frames[0].image_bgr, hands[0]) < 4


def test_a_phone_held_upright_with_pixels_that_are_not_square(tmp_path: Path, hands: list[Image]) -> None:
    turned = np.rot90(hands[0])  # stored 480 wide, 640 high; then squeezed to 360
    squeezed = cv2.resize(np.ascontiguousarray(turned), (360, 640), interpolation=cv2.INTER_AREA)
    path = encode(tmp_path / "a.mp4", [squeezed], [0], pixel_aspect=Fraction(4, 3))
    set_display_matrix(path, 0, 1, -1, 0)
    source, frames = read(path)
    assert source.size_px == (640, 480)
    assert apart(frames[0].image_bgr, hands[0]) < 4


def test_a_pixel_shape_that_no_camera_has_is_not_believed(
    tmp_path: Path, hands: list[Image], caplog: pytest.LogCaptureFixture
) -> None:
    source, _ = read(encode(tmp_path / "a.mp4", hands[:1], [0], pixel_aspect=Fraction(200, 1)))
    assert source.size_px == (640, 480)
    assert "200 as wide as high" in caplog.text


def joined(path: Path, parts: Sequence[tuple[list[Image], Fraction | None]]) -> Path:
    """One video of several sizes, as a stream that changes its quality is recorded: parts of MPEG-TS, put together."""
    data = b""
    for i, (images, aspect) in enumerate(parts):
        times = [200 * i + t for t in steady(len(images))]
        data += encode(path.with_name(f"part{i}.ts"), images, times, pixel_aspect=aspect).read_bytes()
    path.write_bytes(data)
    return path


def test_a_change_of_quality_is_scaled_to_the_first_size(
    tmp_path: Path, hands: list[Image], small: list[Image]
) -> None:
    source, frames = read(joined(tmp_path / "a.ts", [(hands, None), (small, None)]))
    assert source.size_px == (640, 480)
    assert {frame.image_bgr.shape for frame in frames} == {(480, 640, 3)}
    assert apart(frames[-1].image_bgr, hands[-1]) < 4


def test_a_change_of_shape_ends_the_recording_and_squeezes_nothing(tmp_path: Path, hands: list[Image]) -> None:
    path = joined(tmp_path / "a.ts", [(hands, None), ([image[:360] for image in hands], None)])
    seen = 0
    with pytest.raises(UserError, match=r"a\.ts: its pictures change from 640x480 to 640x360"), VideoSource(path) as it:
        for frame in it:
            assert apart(frame.image_bgr, hands[seen]) < 4
            seen += 1
    assert seen == len(hands)


def test_a_change_of_pixel_shape_alone_is_one_too(tmp_path: Path, hands: list[Image]) -> None:
    path = joined(tmp_path / "a.ts", [(hands, Fraction(1)), (hands, Fraction(4, 3))])
    with pytest.raises(UserError, match="from 640x480 to 853x480"), VideoSource(path) as source:
        list(source)


def with_picture_first(path: Path, attached: bool) -> Path:
    """The sample clip behind another video stream: a cover picture, or a preview of one frame."""
    with av.open(str(SAMPLE)) as clip, av.open(str(path), "w") as target:
        cover = target.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic if attached else av.stream.Disposition(0)
        copy = target.add_stream_from_template(clip.streams.video[0])
        copy.disposition = av.stream.Disposition.default
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 200, np.uint8), "bgr24")
        target.mux(cover.encode(frame))
        target.mux(cover.encode())
        for packet in clip.demux(video=0):
            if packet.size:
                packet.stream = copy
                target.mux(packet)
            if packet.pts is not None and packet.pts * packet.time_base > 0.5:
                break
    return path


@pytest.mark.parametrize(("name", "attached"), [("a.mp4", True), ("a.mp4", False), ("a.mkv", False)])
def test_the_clip_is_tracked_not_its_cover_or_preview(tmp_path: Path, name: str, attached: bool) -> None:
    source, frames = read(with_picture_first(tmp_path / name, attached))
    assert source.size_px == (640, 480)
    assert len(frames) > 10


def test_a_song_with_a_cover_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as target:
        cover = target.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        sound = target.add_stream("aac", rate=44100)
        target.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "bgr24")))
        target.mux(cover.encode())
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate, silence.pts = 44100, 0
        target.mux([*sound.encode(silence), *sound.encode()])
    for opener in (VideoSource, VideoReader):
        with pytest.raises(UserError, match=r"song\.mp4: holds no video, only a cover"):
            opener(path)


BT601, BT709 = (0.299, 0.114), (0.2126, 0.0722)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("number", "weights"), [(6, BT601), (1, BT709)])
def test_colours_of_either_matrix_and_range(
    tmp_path: Path, hands: list[Image], number: int, weights: tuple[float, float], full: bool
) -> None:
    """Planes by the standards' own formulas, as phones and screen recorders write them (PyAV's issues 1431, 2149)."""
    red, blue = weights
    b, g, r = (hands[0][..., k] / 255.0 for k in range(3))
    y = red * r + (1 - red - blue) * g + blue * b
    scale, zero, chroma = (255.0, 0.0, 255.0) if full else (219.0, 16.0, 224.0)
    planes = [y * scale + zero, (b - y) / (2 - 2 * blue) * chroma + 128, (r - y) / (2 - 2 * red) * chroma + 128]
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "2"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv444p"
        stream.codec_context.colorspace, stream.codec_context.color_range = number, 2 if full else 1
        stored = np.rint(np.stack(planes)).clip(0, 255).astype(np.uint8)
        frame = av.VideoFrame.from_ndarray(stored, "yuv444p")
        frame.colorspace, frame.color_range = number, 2 if full else 1
        container.mux([*stream.encode(frame), *stream.encode()])
    _, frames = read(path)
    error = frames[0].image_bgr.astype(int) - hands[0]
    assert np.abs(error.mean(axis=(0, 1))).max() < 1.5
    assert np.abs(error).mean() < 2


@pytest.mark.parametrize("size_px", [(1294, 964), (500, 500), (646, 482)])
def test_sizes_that_are_no_multiple_of_sixteen_are_whole_up_to_the_edge(
    tmp_path: Path, hands: list[Image], size_px: tuple[int, int]
) -> None:
    """PyAV's issue 423."""
    image = cv2.resize(hands[0], size_px)
    image[:, -4:], image[-4:] = 200, 40
    _, frames = read(encode(tmp_path / "a.mp4", [image], [0]))
    assert apart(frames[0].image_bgr[:-8, -2:], image[:-8, -2:]) < 5
    assert apart(frames[0].image_bgr[-2:, :-8], image[-2:, :-8]) < 5


def test_a_browsers_recording_without_length_or_index_is_whole_and_can_be_played(
    tmp_path: Path, hands: list[Image]
) -> None:
    """Opencast Studio's issue 517: Chrome's MediaRecorder writes WebM as a stream."""
    path = tmp_path / "a.webm"
    with av.open(str(path), "w", options={"live": "1"}) as container:
        stream = container.add_stream("libvpx", rate=30, options={"g": "8", "deadline": "realtime", "cpu-used": "8"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for i in range(24):
            frame = av.VideoFrame.from_ndarray(cv2.resize(np.roll(hands[0], 20 * i, axis=1), (320, 240)), "bgr24")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with av.open(str(path)) as container:
        assert container.duration is None
    source, frames = read(path)
    assert (len(frames), source.expected_frames, source.missing) == (24, None, 0)


def test_sound_and_data_between_the_pictures_change_nothing(tmp_path: Path, hands: list[Image]) -> None:
    """OpenCV's issue 15352: an action camera's file, whose tracks of sound and data come in large pieces."""
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=48000)
        stream = container.add_stream("libx264", rate=30, options={"g": "4", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        container.add_attachment("telemetry.bin", "application/octet-stream", bytes(50_000))
        for i in range(3 * len(hands)):
            for k in range(2):
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
                silence.sample_rate, silence.pts = 48000, 2048 * i + 1024 * k
                container.mux(sound.encode(silence))
            frame = av.VideoFrame.from_ndarray(hands[i % len(hands)], "bgr24")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux([*stream.encode(), *sound.encode()])
    source, frames = read(path)
    assert (len(frames), source.dropped, source.missing) == (3 * len(hands), 0, 0)
    assert all(apart(frame.image_bgr, hands[i % len(hands)]) < 8 for i, frame in enumerate(frames))


HOUR_S = 3600.0


def restamped(path: Path, images: list[Image], moved_s: dict[int, float]) -> Path:
    """A Matroska file, 30 frames a second, in which some frames' time stamps are moved."""
    plain = encode(path.with_name("plain.mkv"), images, steady(len(images)))
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        copy = target.add_stream_from_template(source.streams.video[0])
        for i, packet in enumerate(source.demux(video=0)):
            if packet.size and packet.pts is not None and packet.time_base is not None:
                packet.stream = copy
                packet.pts += round(moved_s.get(i, 0.0) / packet.time_base)
                target.mux(packet)
    return path


def test_a_file_with_one_stamp_hours_ahead_is_tracked_and_played_at_its_own_pace(
    tmp_path: Path, small: list[Image]
) -> None:
    images = small * 5
    _, frames = read(restamped(tmp_path / "a.mkv", images, {12: 10 * HOUR_S}))
    np.testing.assert_allclose([frame.t_capture_s for frame in frames], np.arange(30) / 30, atol=0.002)
    assert all(apart(frame.image_bgr, images[i]) < 4 for i, frame in enumerate(frames))


def test_a_pause_of_an_hour_stays_and_is_played(tmp_path: Path, small: list[Image]) -> None:
    _, frames = read(encode(tmp_path / "a.mkv", small * 2, [t + 3_600_000 * (i > 4) for i, t in enumerate(steady(12))]))
    times = np.arange(12) / 30 + HOUR_S * (np.arange(12) > 4)
    np.testing.assert_allclose([frame.t_capture_s for frame in frames], times, atol=0.002)


def test_a_clock_that_was_set_back_goes_on(tmp_path: Path, small: list[Image]) -> None:
    for i in (0, 1):
        encode(tmp_path / f"{i}.ts", small, [t + 50_000 * (1 - i) for t in steady(6)])
    (tmp_path / "a.ts").write_bytes(b"".join((tmp_path / f"{i}.ts").read_bytes() for i in (0, 1)))
    _, frames = read(tmp_path / "a.ts")
    np.testing.assert_allclose([frame.t_capture_s for frame in frames], np.arange(12) / 30, atol=0.002)


def times_of(stamps: Sequence[float | None], numbers: Sequence[int] | None = None) -> list[float]:
    pairs = zip(stamps, numbers or range(len(stamps)), strict=True)
    return [t for _, t in FrameTimes(iter(list(pairs)), lambda pair: pair[0], lambda pair: pair[1], 1 / 30)]


def test_one_stamp_hours_ahead_moves_nothing_but_itself() -> None:
    true = [i / 30 for i in range(20)]
    for wrong in ({7: 10 * HOUR_S}, {7: -1.0}, {7: 10 * HOUR_S, 8: 20 * HOUR_S}, {19: -HOUR_S}, {3: 0.0}):
        got = times_of([wrong.get(i, t) for i, t in enumerate(true)])
        np.testing.assert_allclose(got, true, atol=0.034)
        np.testing.assert_allclose([t for i, t in enumerate(got) if i not in wrong], np.delete(true, list(wrong)))


def test_a_jump_that_lasts_is_a_pause_ahead_and_none_back() -> None:
    true = np.arange(20) / 30
    late = np.arange(20) >= 9
    np.testing.assert_allclose(times_of(list(true + HOUR_S * late)), true + HOUR_S * late)
    np.testing.assert_allclose(times_of(list(50.0 + true - 40.0 * late)), true, atol=1e-9)


def test_without_stamps_the_numbers_count() -> None:
    assert times_of([None] * 4, [0, 1, 4, 5]) == pytest.approx([0, 1 / 30, 4 / 30, 5 / 30])
    assert times_of([None, 7.0, None, 7.1], [0, 1, 2, 3]) == pytest.approx([0, 1 / 30, 2 / 30, 1 / 30 + 0.1])


@given(st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_times_always_advance(stamps: list[float | None]) -> None:
    times = times_of(stamps)
    assert times[0] == 0
    assert all(b > a for a, b in pairwise(times))


@given(st.lists(st.floats(0.001, 1e4), min_size=1, max_size=20), st.floats(-1e5, 1e5))
def test_stamps_that_advance_are_the_times(steps: list[float], start: float) -> None:
    stamps = start + np.cumsum([0.0, *steps])
    np.testing.assert_allclose(times_of(list(stamps)), stamps - start, atol=1e-6)
