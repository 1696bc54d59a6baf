"""The page in a real browser, with real drags."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from engines.errors import UserError
from tests.support.chromium import Page, chromium, find_chromium
from tests.support.rigs import hands_mm, rig_around, seen_by
from training.annotation.correction.desk import Desk
from training.annotation.correction.frames import FrameCache
from training.annotation.correction.marks import with_marks
from training.annotation.correction.server import make_server
from training.annotation.recordings.recording import Recording
from training.annotation.recordings.video_out import VideoOut
from training.annotation.triangulation.hands import DISAGREE, HUMAN, Hands
from training.annotation.triangulation.solve import solve

MOMENTS, WRONG = 4, 5
pytestmark = pytest.mark.skipif(find_chromium() is None, reason="no Chromium here")


def wrong_hands(recording: Recording) -> Hands:
    """Triangulated exactly, but for one joint of moment 2, which is far off and rejected."""
    hands = solve(seen_by(recording.rig, hands_mm()[:MOMENTS]), recording.t_s).hands
    joints, reason = hands.joints_mm.copy(), hands.reason.copy()
    joints[2, WRONG] += [30, -25, 20]
    reason[2, WRONG] = DISAGREE
    return replace(hands, joints_mm=joints, reason=reason)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("page")
    rig = rig_around(4)
    for camera in rig:
        with VideoOut(folder / f"{camera.name}.mp4", camera.size_px, 10.0) as video:
            for moment in range(MOMENTS):
                picture = np.full((480, 640, 3), 90, np.uint8)
                for x, y in camera.project(hands_mm()[moment]).round().astype(int):
                    picture[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3] = 220
                video.write(picture)
    frames = np.repeat(np.arange(MOMENTS)[:, None], len(rig), axis=1)
    videos = tuple(folder / f"{camera.name}.mp4" for camera in rig)
    return Recording(folder, rig, videos, frames, np.arange(MOMENTS) / 10)


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    return tmp_path / "marks"


@pytest.fixture
def address(recording: Recording, marks: Path) -> Iterator[str]:
    server = make_server(
        Desk(recording, wrong_hands(recording), marks), FrameCache(recording, recording.folder / "frames"), 0
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/?person=ada"
    server.shutdown()
    server.server_close()
    thread.join(5)


def opened(page: Page, address: str) -> None:
    page.open(address)
    page.wait("window.annotation !== undefined && annotation.idle() && annotation.state.views.every((v) => v.image)")


def client(page: Page, view: int, point: list[float]) -> tuple[float, float]:
    x, y = page.value(f"annotation.client({view}, {json.dumps(point)})")
    return x, y


def point(page: Page, view: int, joint: int) -> list[float]:
    return [float(v) for v in page.value(f"annotation.point({view}, {joint})")]


def drag_to(page: Page, view: int, joint: int, target: list[float]) -> None:
    start, end = client(page, view, point(page, view, joint)), client(page, view, target)
    page.drag(start, end)  # type: ignore[arg-type]  # the protocol takes fractions of pixels
    page.wait("annotation.idle()")


def test_two_drags_place_a_joint_in_all_views(recording: Recording, marks: Path, address: str, tmp_path: Path) -> None:
    truth = [camera.project(hands_mm()[2, WRONG]) for camera in recording.rig]
    with chromium(str(find_chromium()), tmp_path / "browser") as page:
        opened(page, address)
        assert page.value("annotation.state.moment") == 2  # the most doubtful one comes first
        off = [np.hypot(*(np.array(point(page, v, WRONG)) - truth[v])) for v in range(4)]
        assert min(off) > 10
        drag_to(page, 0, WRONG, truth[0].tolist())
        assert np.hypot(*(np.array(point(page, 0, WRONG)) - truth[0])) < 1
        line = np.array(page.value("annotation.state.live.answer.lines['cam_0>cam_1']"))
        assert np.linalg.norm(line - truth[1], axis=1).min() < 15  # its points are far apart
        drag_to(page, 1, WRONG, truth[1].tolist())
        for view in range(4):
            assert np.hypot(*(np.array(point(page, view, WRONG)) - truth[view])) < 1.0
        assert page.value("annotation.state.data.reason")[WRONG] == "accepted"
        assert page.faults == []
        kept = json.loads((marks / "moment-000002.json").read_text())
        assert set(kept["marks"][str(WRONG)]) == {"cam_0", "cam_1"}
        assert kept["by"] == "ada"
        hands = with_marks(wrong_hands(recording), recording.rig, marks)
        assert hands.accepted[2, WRONG]
        assert hands.source[2, WRONG] == HUMAN
        assert np.linalg.norm(hands.joints_mm[2, WRONG] - hands_mm()[2, WRONG]) < 2.0
        key(page, "z")
        assert len(page.value("annotation.state.data.marks")[str(WRONG)]) == 1
        key(page, "z")
        assert page.value("annotation.state.data.marks") == {}
        assert json.loads((marks / "moment-000002.json").read_text())["marks"] == {}


def test_keys_reject_check_and_go_on(marks: Path, address: str, tmp_path: Path) -> None:
    with chromium(str(find_chromium()), tmp_path / "browser") as page:
        opened(page, address)
        page.value("annotation.state.chosen = 7")
        key(page, "x")
        assert json.loads((marks / "moment-000002.json").read_text())["rejected"] == [7]
        key(page, " ")
        assert json.loads((marks / "moment-000002.json").read_text())["checked"]
        assert page.value("annotation.state.moment") != 2
        key(page, "ArrowRight")
        key(page, "p")
        assert page.faults == []
        assert len(page.picture()) > 10_000


def test_two_people_do_not_undo_each_other(marks: Path, address: str, tmp_path: Path) -> None:
    program = str(find_chromium())
    with chromium(program, tmp_path / "a") as first, chromium(program, tmp_path / "b") as second:
        opened(first, address)
        opened(second, address.replace("ada", "bob"))
        second.wait("document.getElementById('state').textContent.includes('ada is correcting moment 2')")
        second.value("annotation.state.chosen = 3")
        key(second, "x")
        assert not (marks / "moment-000002.json").exists()
        key(first, "x")
        assert (marks / "moment-000002.json").exists()
        key(first, "n")  # leaves the moment
        key(second, "ArrowRight")
        key(second, "ArrowLeft")
        second.wait("annotation.idle() && annotation.state.locked === ''")
        key(second, "x")
        assert json.loads((marks / "moment-000002.json").read_text())["by"] == "bob"


def key(page: Page, name: str) -> None:
    page.call("Input.dispatchKeyEvent", type="keyDown", key=name)
    page.call("Input.dispatchKeyEvent", type="keyUp", key=name)
    page.wait("annotation.idle()")


def test_a_port_that_is_none_or_taken_is_told(recording: Recording, marks: Path, address: str) -> None:
    desk, frames = Desk(recording, wrong_hands(recording), marks), FrameCache(recording, recording.folder / "frames")
    for none in (99999, -1):
        with pytest.raises(UserError, match="ports are 0 to 65535"):
            make_server(desk, frames, none)
    taken = urlsplit(address).port
    assert taken is not None
    with pytest.raises(UserError, match="cannot be opened"):
        make_server(desk, frames, taken)


def test_marks_of_another_recording_are_refused(recording: Recording, marks: Path) -> None:
    marks.mkdir()
    (marks / "moment-000099.json").write_text("{}")
    with pytest.raises(UserError, match="of another recording"):
        with_marks(wrong_hands(recording), recording.rig, marks)
    (marks / "moment-000099.json").rename(marks / "moment-000001.json")
    (marks / "moment-000001.json").write_text('{"marks": {"77": {"cam_0": [1, 2]}}}')
    with pytest.raises(UserError, match="damaged marks"):
        with_marks(wrong_hands(recording), recording.rig, marks)
