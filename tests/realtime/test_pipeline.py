"""The pipeline with the shipped weights on real pictures of a hand, and what starts it over."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.contract import Backend, EngineRequest
from engines.geometry.pinhole import Intrinsics, backproject, project
from engines.skeleton import SIDES
from realtime.camera_space.fusion import FusionState
from realtime.camera_space.intrinsics import resolve_intrinsics
from realtime.camera_space.smoothing import SmootherState
from realtime.layers import load_settings
from realtime.live import run_recorded
from realtime.messages import Frame, HandFrame
from realtime.pipeline import HandPipeline, PipelineState
from realtime.sources.recording import VideoSource
from realtime.tracking.tracker import TrackerState
from tests.support.engines import asked_once

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    not (ROOT / "weights" / "lite.safetensors").exists(), reason="needs the shipped weights"
)


@pytest.fixture(scope="module")
def backend() -> Backend:
    return asked_once(EngineRequest())


@pytest.fixture
def pipeline(backend: Backend) -> Iterator[HandPipeline]:
    settings = load_settings()
    made = HandPipeline(settings, backend, partial(resolve_intrinsics, settings.intrinsics))
    yield made
    made.close()


def first_frames(clip: Path, pipeline: HandPipeline, count: int) -> list[HandFrame]:
    with VideoSource(clip) as source:
        return [result.hands for _, result in zip(range(count), run_recorded(source, pipeline), strict=False)]


def test_a_real_hand_is_found_where_it_is(shared_data: Path, pipeline: HandPipeline) -> None:
    clip = shared_data / "video" / "one_hand" / "human_hand_video.mp4"
    if not clip.exists():
        pytest.skip("needs the clip of one hand in shared/data")
    results = first_frames(clip, pipeline, 30)[10:]
    width, height = results[0].size_px
    assert sum(len(result.hands) == 1 for result in results) >= 0.8 * len(results)
    hands = [hand for result in results for hand in result.hands]
    assert {hand.side for hand in hands} == {"right"}
    for hand in hands:
        assert ((hand.joints_px >= 0) & (hand.joints_px < (width, height))).all()
        assert (hand.joints_cam_mm[:, 2] > 300).all()
        assert (hand.joints_cam_mm[:, 2] < 1200).all()


def test_the_sample_begins_without_hands_has_them_and_another_size_starts_over(pipeline: HandPipeline) -> None:
    results = first_frames(ROOT / "samples" / "two_hands.mp4", pipeline, 45)
    assert results[0].hands == ()
    assert {hand.side for hand in results[-1].hands} == {"right", "left"}
    for result in results:
        assert len({hand.side for hand in result.hands}) == len(result.hands)
        assert set(result.stage_ms) == {"detect", "crop", "network", "fuse"}
    after = pipeline(Frame(45, 3.0, np.zeros((60, 80, 3), np.uint8)))
    assert (after.hands, after.crops, after.size_px) == ((), (), (80, 60))
    assert after.intrinsics.cx == pytest.approx(39.5)


@pytest.mark.parametrize("size", [(1, 1), (2, 900), (4320, 7680)])
def test_pictures_of_any_size_are_taken(pipeline: HandPipeline, size: tuple[int, int]) -> None:
    for i in range(2):
        result = pipeline(Frame(i, i / 10, np.full((*size, 3), 40, np.uint8)))
        assert result.hands == ()


def through_fisheye(images: list[np.ndarray], pinhole: Intrinsics, lens: Intrinsics) -> list[np.ndarray]:
    """What the lens would have shown of pictures that were taken without distortion."""
    height, width = images[0].shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    seen = backproject(np.stack([x, y], axis=-1), np.ones(x.shape), lens)
    where = np.minimum(project(seen, pinhole), 1e4).astype(np.float32)
    return [cv2.remap(image, where[..., 0], where[..., 1], cv2.INTER_LINEAR) for image in images]


def test_a_fisheye_camera_sees_the_hands_where_a_pinhole_does(backend: Backend) -> None:
    """The sample clip as a 94 degrees wide camera, and the same through a lens that bends its edge in by a quarter."""
    pinhole = Intrinsics(300.0, 300.0, 319.5, 239.5)
    lens = replace(pinhole, distortion=(-0.02, 0.004, 0.0, 0.0), lens_model="fisheye")
    with VideoSource(ROOT / "samples" / "two_hands.mp4") as source:
        images = [frame.image_bgr for frame, _ in zip(source, range(100), strict=False)][86:]
    bent = through_fisheye(images, pinhole, lens)
    wrists = []
    for pictures, camera in ((images, pinhole), (bent, lens), (bent, replace(lens, distortion=()))):
        with closing(HandPipeline(load_settings(), backend, lambda _, camera=camera: camera)) as pipeline:
            last = [pipeline(Frame(i, i / 30, picture)) for i, picture in enumerate(pictures)][-1]
        wrists.append(np.array([last.hand(side).joints_cam_mm[20] for side in SIDES]))
    straight, fisheye, ignored = wrists
    off_mm = np.linalg.norm((fisheye / fisheye[:, 2:] - straight / straight[:, 2:]) * straight[:, 2:], axis=1)
    wrong_mm = np.linalg.norm((ignored / ignored[:, 2:] - straight / straight[:, 2:]) * straight[:, 2:], axis=1)
    assert off_mm.max() < 8
    assert wrong_mm.max() > 14
    np.testing.assert_allclose(fisheye[:, 2], straight[:, 2], rtol=0.08)


def test_bursts_of_a_network_camera_cost_no_hand(pipeline: HandPipeline) -> None:
    """Pictures taken evenly that arrive in pairs, a millisecond apart: hands in as many frames, within 2 %."""
    with VideoSource(ROOT / "samples" / "two_hands.mp4") as source:
        frames = [frame for _, frame in zip(range(120), source, strict=False)][60:]
    pairs = [replace(frame, t_capture_s=(i // 2 * 2) / 30 + i % 2 * 0.001) for i, frame in enumerate(frames)]
    found = {}
    for name, some in (("even", frames), ("pairs", pairs)):
        pipeline.restore(PipelineState((1, 1), -np.inf, TrackerState(), FusionState(), SmootherState()))
        found[name] = sum(len(pipeline(frame).hands) for frame in some)
    assert found["even"] > 100
    assert found["pairs"] == pytest.approx(found["even"], rel=0.02)


def test_what_other_threads_write_while_hands_are_searched_is_not_lost(
    pipeline: HandPipeline, capfd: pytest.CaptureFixture[str]
) -> None:
    stop, lines = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            lines.append(f"line {len(lines)} of another thread")
            os.write(2, f"{lines[-1]}\n".encode())
            time.sleep(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    for i in range(20):  # without hands: every picture is searched
        pipeline(Frame(i, i / 10, np.zeros((240, 320, 3), np.uint8)))
    with VideoSource(ROOT / "samples" / "two_hands.mp4") as source:
        for frame in islice(source, 100, 102):  # the first hands of a process
            pipeline(replace(frame, t_capture_s=frame.index + 10.0))
    stop.set()
    writer.join()
    assert capfd.readouterr().err.splitlines() == lines


def test_rotations_that_nobody_takes_are_not_worked_out_and_joints_are_the_same(backend: Backend) -> None:
    with VideoSource(ROOT / "samples" / "two_hands.mp4") as source:
        frames = [frame for frame, _ in zip(source, range(75), strict=False)][60:]
    found = []
    for rotations in (True, False):
        settings = load_settings()
        intrinsics = partial(resolve_intrinsics, settings.intrinsics)
        with closing(HandPipeline(settings, backend, intrinsics, rotations=rotations)) as made:
            found.append([made(frame) for frame in frames][-1].hands)
    assert len(found[0]) == len(found[1]) > 0
    for turned, plain in zip(*found, strict=True):
        np.testing.assert_array_equal(turned.joints_cam_mm, plain.joints_cam_mm)
        assert np.isfinite(turned.joint_rotations).all()
        assert np.isnan(plain.joint_rotations).all()
