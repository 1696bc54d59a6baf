"""Recordings: every frame with its true time, whatever is wrong with the file."""

from __future__ import annotations

import gc
import struct
import zlib
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from engines.errors import UserError
from realtime.messages import Frame
from realtime.sources.image_folder import ImageFolderSource
from realtime.sources.one_view import AnotherView, of_one_view
from realtime.sources.recording import VideoSource
from tests.support.recordings import SAMPLE
from tests.support.video_files import frame_of, picture, rotate_clockwise, steady, write_video


def read(path: Path) -> tuple[VideoSource, list[Frame]]:
    with VideoSource(path) as source:
        return source, list(source)


def assert_well_formed(source: VideoSource, frames: list[Frame]) -> None:
    for frame in frames:
        assert frame.image_bgr.shape == (source.size_px[1], source.size_px[0], 3)
        assert frame.image_bgr.dtype == np.uint8
    assert all(b.t_capture_s > a.t_capture_s for a, b in pairwise(frames))
    assert all(b.index > a.index for a, b in pairwise(frames))


def test_reading_starts_no_threads_but_the_decoders() -> None:
    """Frames may stay until they are collected; whatever they hold stays with them."""

    def threads() -> int:
        return len(list(Path("/proc/self/task").iterdir()))

    gc.collect()
    gc.disable()
    try:
        with VideoSource(SAMPLE) as source:
            frames = iter(source)
            next(frames)
            before = threads()
            for _ in islice(frames, 40):
                assert threads() <= before + 1
    finally:
        gc.enable()


def test_a_picture_that_was_read_is_freed_at_once() -> None:
    """In a circle it would stay until Python looks for circles: 3 MB each at 1080p, for 200 frames."""
    gc.collect()
    gc.disable()
    try:
        with VideoSource(SAMPLE) as source:
            for _ in islice(source, 40):
                pass
            assert gc.collect() < 40
    finally:
        gc.enable()


def test_variable_rate_keeps_its_time_stamps(tmp_path: Path) -> None:
    times_ms = [0, 20, 100, 120, 133, 400, 401, 900]
    source, frames = read(write_video(tmp_path / "a.mp4", [t + 500 for t in times_ms]))
    np.testing.assert_allclose([f.t_capture_s for f in frames], np.array(times_ms) / 1e3, atol=1e-4)
    assert [f.index for f in frames] == list(range(8))
    assert [frame_of(f.image_bgr) for f in frames] == list(range(8))
    assert (source.is_live, source.frame_count, source.dropped) == (False, 8, 0)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("a.mkv", "libx264", "yuv420p"), ("a.avi", "mjpeg", "yuvj420p"), ("a.webm", "libvpx", "yuv420p")],
)
def test_containers(tmp_path: Path, name: str, codec: str, pix_fmt: str) -> None:
    source, frames = read(write_video(tmp_path / name, steady(20), codec=codec, pix_fmt=pix_fmt))
    assert_well_formed(source, frames)
    assert len(frames) == 20
    assert source.fps == pytest.approx(30, rel=0.06)


def test_turned_video_comes_out_upright(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", steady(3))
    rotate_clockwise(path)
    source, frames = read(path)
    assert source.size_px == (48, 64)
    assert_well_formed(source, frames)
    expected = cv2.rotate(picture(0, (64, 48)), cv2.ROTATE_90_CLOCKWISE)
    assert np.abs(frames[0].image_bgr.astype(int) - expected).mean() < 4


def test_damaged_middle_is_skipped_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_video(tmp_path / "a.mp4", steady(36), options={"g": "6"})
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    size = struct.unpack(">I", data[start - 8 : start - 4])[0] - 8
    middle = slice(start + size // 2, start + size // 2 + size // 8)
    data[middle] = bytes(np.random.default_rng(0).integers(0, 256, middle.stop - middle.start, dtype=np.uint8))
    path.write_bytes(data)
    source, frames = read(path)
    assert_well_formed(source, frames)
    assert 0 < source.dropped < 18
    assert len(frames) + source.dropped == 36
    assert frames[-1].index == 35
    assert frames[-1].t_capture_s == pytest.approx(35 / 30, abs=0.01)
    assert f"{source.dropped} of 36 frames are damaged" in caplog.text


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_truncated_video_ends_with_a_warning(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    path = write_video(tmp_path / name, steady(40), options={"g": "4"})
    if name == "a.mp4":
        path = moov_first(path)
    data = path.read_bytes()
    start = data.index(b"mdat") if name == "a.mp4" else 0
    path.write_bytes(data[: start + (len(data) - start) * 6 // 10])
    source, frames = read(path)
    assert_well_formed(source, frames)
    assert 5 < len(frames) < 36
    assert "ends early" in caplog.text


def moov_first(path: Path) -> Path:
    """Rewrite a video so that its index comes before its frames."""
    import av

    target = path.with_name(f"first-{path.name}")
    with av.open(str(path)) as source, av.open(str(target), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    return target


def test_cut_video_whose_index_is_lost(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", steady(30))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"a\.mp4: is no video, or too damaged"):
        VideoSource(path)


def test_gif(tmp_path: Path) -> None:
    source, frames = read(write_video(tmp_path / "a.gif", steady(10, 25), codec="gif", pix_fmt="gray"))
    assert len(frames) == 10
    assert_well_formed(source, frames)


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 4), (1, 1, 3), (1, 1)])
def test_still_pictures_as_video(tmp_path: Path, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    source, frames = read(tmp_path / "a.png")
    assert len(frames) == 1
    assert_well_formed(source, frames)
    bgr = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if len(shape) == 2 else image[:, :, :3]
    assert np.abs(frames[0].image_bgr.astype(int) - bgr).max() <= 2


def test_what_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    for name in ("hello.txt", "script.py", "list.m3u8"):
        (tmp_path / name).write_text("#EXTM3U\n/etc/hostname\n" * 20)
    for name in ("empty.mp4", "noise.mp4", "hello.txt", "script.py", "list.m3u8", "none.mp4", "."):
        with pytest.raises(UserError) as caught:
            VideoSource(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)


def huge_png(path: Path, width: int, height: int) -> Path:
    """Write a PNG that declares a size; black rows compress to next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes(1 + width) * height, 1)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    signature = b"\x89PNG\r\n\x1a\n"
    path.write_bytes(signature + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path


def test_absurd_size_is_refused_before_it_is_allocated(tmp_path: Path) -> None:
    path = huge_png(tmp_path / "a.png", 14000, 14000)
    with pytest.raises(UserError, match="not one frame could be decoded"):
        VideoSource(path)
    with pytest.raises(UserError, match="million pixels"):
        ImageFolderSource(tmp_path)
    huge_png(path, 8193, 8192)
    with pytest.raises(UserError, match="8193x8192 pixels are more than"):
        ImageFolderSource(tmp_path)


def test_8k_frame(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.bmp"), np.zeros((4320, 7680), np.uint8))
    assert next(iter(ImageFolderSource(tmp_path))).image_bgr.shape == (4320, 7680, 3)


def test_folder_in_natural_order_with_damaged_pictures(tmp_path: Path) -> None:
    for i in (1, 2, 3, 10, 11):
        cv2.imwrite(str(tmp_path / f"frame {i}.PNG"), picture(i, (32, 24)))
    (tmp_path / "frame 0.png").write_bytes(b"no picture")
    whole = (tmp_path / "frame 3.PNG").read_bytes()
    (tmp_path / "frame 3.PNG").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "notes.txt").write_text("not looked at")
    (tmp_path / ".hidden.png").write_bytes(b"")
    with ImageFolderSource(tmp_path, fps=10) as source:
        frames = list(source)
    assert [frame_of(f.image_bgr) for f in frames] == [1, 2, 10, 11]
    assert [f.index for f in frames] == [1, 2, 4, 5]
    np.testing.assert_allclose([f.t_capture_s for f in frames], [0.1, 0.2, 0.4, 0.5])
    assert (source.dropped, source.frame_count, source.size_px) == (2, 6, (32, 24))


KINDS = [(name, np.uint8, n) for name in ("a.png", "a.bmp", "a.webp") for n in (1, 3, 4)]
KINDS += [("a.jpg", np.uint8, 1), ("a.jpg", np.uint8, 3), ("a.png", np.uint16, 1), ("a.png", np.uint16, 3)]


@pytest.mark.parametrize(("name", "depth", "channels"), [*KINDS, ("a.png", np.uint16, 4)])
def test_folder_of_any_kind_of_picture(tmp_path: Path, name: str, depth: type, channels: int) -> None:
    image = np.full((9, 7, channels), 100, np.uint8)
    image[:4] = 200
    cv2.imwrite(str(tmp_path / name), image.astype(depth) * (256 if depth is np.uint16 else 1))
    seen = next(iter(ImageFolderSource(tmp_path))).image_bgr
    assert seen.dtype == np.uint8
    assert np.abs(seen.astype(int) - np.where(np.arange(9)[:, None, None] < 4, 200, 100)).max() < 8


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("shape", [(48, 64), (48, 64, 3), (48, 64, 4)])
def test_sixteen_bits_of_which_a_camera_uses_fewer(tmp_path: Path, bits: int, shape: tuple[int, ...]) -> None:
    """As industrial and depth cameras write them; the folder has one scale, also for its dark pictures."""
    bright = np.full(shape, int(0.9 * 2**bits), np.uint16)
    bright[:24] = int(0.3 * 2**bits)
    for i, image in enumerate((bright // 8, bright, bright // 8, bright)):
        cv2.imwrite(str(tmp_path / f"{i}.png"), image)
    levels = [frame.image_bgr[[0, -1], 0, 0].tolist() for frame in ImageFolderSource(tmp_path)]
    assert levels[1] == levels[3] == [pytest.approx(0.3 * 256, abs=1), pytest.approx(0.9 * 256, abs=1)]
    assert levels[0] == levels[2] == [pytest.approx(0.3 * 32, abs=1), pytest.approx(0.9 * 32, abs=1)]


def test_an_animated_webp_is_named_as_what_it_is(tmp_path: Path) -> None:
    frames = [Image.fromarray(picture(i, (64, 48))) for i in range(3)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], duration=40)
    with pytest.raises(UserError, match=r"a\.webp: FFmpeg cannot read animated WebP; save it as GIF, APNG or MP4"):
        VideoSource(tmp_path / "a.webp")
    frames[1].save(tmp_path / "b.webp")
    assert len(read(tmp_path / "b.webp")[1]) == 1


def test_paths_may_be_text(tmp_path: Path) -> None:
    text = str(write_video(tmp_path / "a.mp4", steady(3)))
    with VideoSource(text) as source:
        assert len(list(source)) == 3
    cv2.imwrite(str(tmp_path / "0.png"), picture(0, (64, 48)))
    assert len(list(ImageFolderSource(str(tmp_path)))) == 1


def test_colours_are_bgr(tmp_path: Path) -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    image[:] = (250, 10, 90)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    for source in (ImageFolderSource(tmp_path), VideoSource(tmp_path / "a.png")):
        assert np.abs(next(iter(source)).image_bgr.astype(int) - image).max() <= 2


def test_exif_turns_a_picture_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture(1, (64, 32))).save(tmp_path / "a.jpg", exif=exif, quality=95)
    source = ImageFolderSource(tmp_path)
    image = next(iter(source)).image_bgr
    assert source.size_px == (32, 64)
    assert (image[:16].mean(), image[20:].mean()) == (pytest.approx(255, abs=4), pytest.approx(26, abs=4))


def test_folder_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no readable picture"):
        ImageFolderSource(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        ImageFolderSource(tmp_path / "none")
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((4, 4), np.uint8))
    with pytest.raises(UserError, match="is a file"):
        ImageFolderSource(tmp_path / "1.png")
    with pytest.raises(UserError, match="above 0"):
        ImageFolderSource(tmp_path, fps=0)


def test_pictures_of_another_size_are_scaled_and_of_another_view_end_the_folder(tmp_path: Path) -> None:
    for i, (width, height) in enumerate([(64, 48), (128, 96), (32, 24), (48, 64), (64, 48)]):
        cv2.imwrite(str(tmp_path / f"{i}.png"), picture(i, (width, height)))
    seen: list[Frame] = []
    source = ImageFolderSource(tmp_path)
    with pytest.raises(AnotherView, match=r"3\.png: its pictures change from 64x48 to 48x64.*before is tracked"):
        seen.extend(source)
    assert [frame.image_bgr.shape for frame in seen] == [(48, 64, 3)] * 3
    assert [frame.index for frame in of_one_view(ImageFolderSource(tmp_path))] == [0, 1, 2]
    assert source.missing == 2


def test_real_clips(shared_data: Path) -> None:
    for path in sorted((shared_data / "video" / "signing").glob("*.gif")):
        source, frames = read(path)
        assert len(frames) == source.frame_count
        assert_well_formed(source, frames)
