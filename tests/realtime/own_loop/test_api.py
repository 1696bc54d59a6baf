"""The tracker in another program: the same hands as on the command line, mistakes in one line, threads that end."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engines.errors import UserError
from realtime import api
from realtime.api import (
    Frame,
    HandFrame,
    Hands,
    Intrinsics,
    LiveHands,
    Result,
    load_settings,
    load_tracks,
    save_tracks,
)
from realtime.camera_space.intrinsics import resolve_intrinsics
from realtime.own_loop import wishes
from realtime.pipeline import HandPipeline
from realtime.sources.recording import VideoSource
from tests.support.engines import one_backend
from tests.support.recordings import cut

ROOT = Path(__file__).parents[3]
BLACK = np.zeros((48, 64, 3), np.uint8)

pytestmark = pytest.mark.skipif(
    not (ROOT / "weights" / "lite.safetensors").exists(), reason="needs the shipped weights"
)


@pytest.fixture(scope="module", autouse=True)
def backend() -> Iterator[Any]:
    backend = one_backend()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wishes, "backend_of", backend)
        yield backend


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[Frame]:
    """Half a second of the sample clip with both hands."""
    with VideoSource(cut(tmp_path_factory.mktemp("clip") / "clip.mp4", 171, 8)) as source:
        return list(source)


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Hands, LiveHands]]:
    """Opened once: a detector takes a while."""
    with Hands() as hands, LiveHands() as live:
        yield hands, live


@pytest.fixture
def no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    own = {"capture", "inference", "detection"}
    assert not [thread.name for thread in set(threading.enumerate()) - before if thread.name in own]


def test_pictures_handed_in_give_what_the_pipeline_gives(frames: list[Frame], backend: Any) -> None:
    settings = load_settings()
    pipeline = HandPipeline(settings, backend(settings, print), partial(resolve_intrinsics, settings.intrinsics))
    expected = [pipeline(frame) for frame in frames]
    pipeline.close()
    with Hands() as hands:
        once = [hands(frame.image_bgr, frame.t_capture_s) for frame in frames]
        hands.reset()
        again = [hands(frame.image_bgr, np.float64(frame.t_capture_s)) for frame in frames]
    for results in (once, again):
        assert [result.index for result in results] == list(range(len(frames)))
        for result, wanted in zip(results, expected, strict=True):
            assert [hand.side for hand in result.hands] == [hand.side for hand in wanted.hands]
            for hand, other in zip(result.hands, wanted.hands, strict=True):
                np.testing.assert_array_equal(hand.joints_cam_mm, other.joints_cam_mm)
    assert {hand.side for hand in once[-1].hands} == {"right", "left"}


def test_results_are_the_callers_to_keep(frames: list[Frame]) -> None:
    with Hands() as hands:
        kept = [hands(frame.image_bgr, frame.t_capture_s) for frame in frames]
        copies = [[hand.joints_cam_mm.copy() for hand in result.hands] for result in kept]
        for i in range(3):
            hands(frames[i].image_bgr, 10.0 + i)
    for result, joints in zip(kept, copies, strict=True):
        for hand, before in zip(result.hands, joints, strict=True):
            np.testing.assert_array_equal(hand.joints_cam_mm, before)


def test_pictures_lie_in_memory_however_they_like(frames: list[Frame]) -> None:
    found = []
    for image in (
        frames[0].image_bgr,
        np.asfortranarray(frames[0].image_bgr),
        frames[0].image_bgr[..., ::-1].copy()[..., ::-1],
    ):
        with Hands() as hands:
            found.append([hands(image, i / 30) for i in range(2)][-1].hands)
    assert found[0]
    for other in found[1:]:
        np.testing.assert_array_equal(other[0].joints_px, found[0][0].joints_px)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (None, "None instead of a picture"),
        (BLACK.tolist(), "list is no NumPy array"),
        (Image.new("RGB", (64, 48)), r"PIL\.Image\.Image is no NumPy array.*np\.asarray"),
        (BLACK[..., 0], r"grey picture \(48, 64\).*COLOR_GRAY2BGR"),
        (BLACK[..., :1], r"grey picture \(48, 64, 1\)"),
        (np.zeros((48, 64, 4), np.uint8), "four channels"),
        (BLACK.transpose(2, 0, 1), "channels first"),
        (BLACK[None], r"shape \(1, 48, 64, 3\)"),
        (BLACK.astype(np.float32), "float32 instead of uint8.*255"),
        (BLACK.astype(np.uint16), "uint16 instead of uint8.*>> 8"),
        (BLACK.astype(np.int64), "int64 instead of uint8"),
        (BLACK[:0], "no pictures"),
        (np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (9000, 9000, 3)), "million"),
    ],
)
def test_what_is_no_picture_is_told_in_one_line(frame: object, said: str, both: tuple[Hands, LiveHands]) -> None:
    hands, live = both
    for take in (hands, live.submit):
        with pytest.raises(UserError, match=said) as told:
            take(frame, 0.0)  # type: ignore[operator]
        assert "\n" not in str(told.value)
    hands.reset()
    assert hands(BLACK, 0.0).hands == ()  # the next one is taken


@pytest.mark.parametrize("t_s", [None, "1", True, float("nan"), float("inf"), 1j, np.zeros(1)])
def test_what_is_no_time_is_told(t_s: Any, both: tuple[Hands, LiveHands]) -> None:
    with pytest.raises(UserError, match=r"is no time.*time\.monotonic"):
        both[0](BLACK, t_s)


def test_time_that_does_not_grow_is_told_and_changes_nothing(both: tuple[Hands, LiveHands]) -> None:
    hands, _ = both
    hands.reset()
    hands(BLACK, 5.0)
    for t_s in (5.0, 4.9):
        with pytest.raises(UserError, match=r"after 5 s; times must grow: call reset\(\)"):
            hands(BLACK, t_s)
    assert hands(BLACK, 5.1).index == 1
    hands.reset()
    assert hands(BLACK, 0).index == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"fov_deg": 300}, r"fov_deg: intrinsics\.fov_deg = 300"),
        ({"fov_deg": 70, "intrinsics": "a.yaml"}, "give one of them"),
        ({"intrinsics": Path("nowhere.yaml")}, r"nowhere\.yaml"),
        ({"hand_length_mm": 5}, "hand_length_mm: fusion"),
        ({"person": "tallest"}, "person"),
        ({"settings": {"tracker.loose_confidence": 0.1}}, r"did you mean 'tracker\.lose_confidence'"),
        ({"intrinsics": Intrinsics(0.6, 0.6, 0.5, 0.5)}, "intrinsics: the calibration makes no sense"),
        ({"settings": {"camera.mirrored": True}}, r"frame\[:, ::-1\]"),
        ({"settings": {"engine.weights": Path("none.safetensors")}}, r"none\.safetensors"),
    ],
)
def test_wishes_that_make_no_sense_are_told_by_their_name(wrong: Any, said: str) -> None:
    with pytest.raises(UserError, match=said), Hands(**wrong) as hands:
        hands(BLACK, 0.0)


def test_a_keyword_that_does_not_exist_is_pythons_usual_error() -> None:
    with pytest.raises(TypeError, match="unknown keyword fov; there are fov_deg"):
        Hands(fov=70)  # type: ignore[call-arg]


def test_keywords_win_over_settings_and_settings_over_defaults() -> None:
    settings = load_settings(overrides=["intrinsics.source=normalised", "detector.max_hands=1"])
    assert wishes.wished({"settings": settings}).settings == settings
    both = wishes.wished({"settings": settings, "fov_deg": 90, "max_hands": 2, "person": None}).settings
    assert (both.intrinsics.source, both.intrinsics.fov_deg, both.detector.max_hands) == ("fov", 90, 2)
    camera = Intrinsics(50.0, 50.0, 31.0, 23.0)
    for wish, fx in (({"intrinsics": camera}, 50.0), ({"fov_deg": 90.0}, 32.0)):
        with Hands(**wish) as hands:  # type: ignore[arg-type]
            assert hands(BLACK, 0.0).intrinsics.fx == pytest.approx(fx)


@pytest.mark.usefixtures("no_thread_left")
def test_closing_twice_is_as_good_as_once_and_then_it_is_closed() -> None:
    hands, live = Hands(), LiveHands()
    for each in (hands, live):
        each.close()
        each.close()
    with pytest.raises(UserError, match="closed; make another"):
        hands(BLACK, 0.0)
    with pytest.raises(UserError, match="closed; make another"):
        live.submit(BLACK)


def test_two_threads_in_one_call_are_told(frames: list[Frame], both: tuple[Hands, LiveHands]) -> None:
    said: list[str] = []

    def call(hands: Hands, first: int) -> None:
        for i in range(25):
            try:
                hands(frames[0].image_bgr, first + i)
            except UserError as error:
                said.append(str(error))

    both[0].reset()
    threads = [threading.Thread(target=call, args=(both[0], first)) for first in (0, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert any("two threads" in line for line in said)


@pytest.mark.usefixtures("no_thread_left")
def test_submitted_pictures_are_tracked_beside_and_the_newest_wins(frames: list[Frame]) -> None:
    seen: list[Result] = []
    with LiveHands() as hands:
        assert hands.latest() is None
        results = iter(hands)
        count = 0
        while count < 900 and not (seen and len(seen[-1].hands.hands) == 2):
            for _ in range(3):  # one is being worked on, one waits, and one is passed over
                picture = frames[count % len(frames)].image_bgr.copy()
                hands.submit(picture)
                picture[:] = 0  # it was copied
                count += 1
            seen.append(next(results))
    newest = hands.latest()  # also when it is closed
    assert newest is not None
    assert newest is hands.latest()
    assert newest.frame.index >= seen[-1].frame.index
    assert {hand.side for hand in seen[-1].hands.hands} == {"right", "left"}
    indices = [result.frame.index for result in seen]
    assert indices == sorted(set(indices))
    assert sum(result.hands.dropped for result in seen) > 0
    list(results)  # ends


@pytest.mark.usefixtures("no_thread_left")
def test_a_recording_is_followed_like_a_camera_by_loops_of_both_kinds(tmp_path: Path) -> None:
    clip = cut(tmp_path / "clip.mp4", 171, 12)

    async def follow() -> list[int]:
        with LiveHands(camera=clip) as hands:
            return [result.frame.index async for result in hands]

    with LiveHands(camera=str(clip)) as hands:
        with pytest.raises(UserError, match=r"pictures come from .*clip\.mp4"):
            hands.submit(BLACK)
        waited = [result.frame.index for result in hands]
    for indices in (waited, asyncio.run(follow())):
        assert indices == sorted(set(indices))
        assert indices[-1] == 11


@pytest.mark.usefixtures("no_thread_left")
def test_an_asynchronous_loop_that_is_cancelled_lets_go() -> None:
    async def wait_for_none() -> None:
        with LiveHands() as hands:
            async for _ in hands:
                pass

    async def cancelled() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(wait_for_none(), 0.05)

    asyncio.run(cancelled())


@pytest.mark.usefixtures("no_thread_left")
def test_a_camera_that_is_not_there_is_told_and_leaves_no_thread() -> None:
    with pytest.raises(UserError, match="camera 77: there is none"):
        LiveHands(camera=77)


def test_what_fails_in_the_thread_is_raised_by_the_next_call() -> None:
    with LiveHands(intrinsics=Intrinsics(0.6, 0.6, 0.5, 0.5)) as hands:  # found out with the first picture's size
        hands.submit(BLACK)
        with pytest.raises(UserError, match="makes no sense"):
            next(iter(hands))
        for call in (hands.latest, partial(hands.submit, BLACK)):
            with pytest.raises(UserError, match="makes no sense"):
                call()


def test_results_of_a_loop_become_a_file_of_any_format(frames: list[Frame], tmp_path: Path) -> None:
    with Hands(fov_deg=55) as hands:
        results = [hands(frame.image_bgr, frame.t_capture_s) for frame in frames]
        assert save_tracks(tmp_path / "a.npz", iter(results), hands.settings) == len(frames)
    tracks = load_tracks(tmp_path / "a.npz")
    assert json.loads(tracks.settings)["intrinsics"]["fov_deg"] == 55
    for i, result in enumerate(results):
        again = tracks.hand_frame(i)
        assert (again.t_capture_s, again.intrinsics) == (result.t_capture_s, result.intrinsics)
        assert [hand.side for hand in again.hands] == [hand.side for hand in result.hands]
    live = [Result(frame, result, 0.0, 0.0, 0.0) for frame, result in zip(frames, results, strict=True)]
    save_tracks(str(tmp_path / "a.csv"), live)
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 1 + len(frames)


def test_results_before_an_error_are_kept(frames: list[Frame], tmp_path: Path) -> None:
    def broken() -> Iterator[HandFrame]:
        with Hands() as hands:
            yield hands(frames[0].image_bgr, 0.0)
            yield hands(BLACK, 1.0)

    with pytest.raises(UserError, match="another size"):
        save_tracks(tmp_path / "a.npz", broken())
    assert len(load_tracks(tmp_path / "a.npz")) == 1
    with pytest.raises(UserError, match="no result"):
        save_tracks(tmp_path / "b.npz", [])
    with pytest.raises(UserError, match=r"\.mp4: no format"):
        save_tracks(tmp_path / "b.mp4", broken())


def test_the_stable_names_are_those_that_the_docs_list() -> None:
    listed = (ROOT / "docs" / "api.md").read_text(encoding="utf-8").partition("## What is stable")[2]
    assert set(api.__all__) == {word for word in listed.replace("`", " ").split() if hasattr(api, word)} - {"api"}
