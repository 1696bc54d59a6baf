"""docs/hands.html in a real browser: it connects, draws both hands, tells rate and delay, orbits, comes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.messages import HandFrame
from realtime.streams.websocket import PAGE
from tests.support.chromium import Page, chromium, find_chromium
from tests.support.hand_frames import hand_frame
from tests.support.stream_clients import Server, server

PROGRAM = find_chromium()
RIGHT_RGB, LEFT_RGB = (213, 94, 0), (0, 114, 178)
DRAWN_PX = 500
"""A hand has more of exactly its colour; how many depends on how this Chromium smooths edges."""

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs Chromium (apt-get install chromium)")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    assert PROGRAM is not None
    with chromium(PROGRAM, tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


class Pump:
    """Sends the same hands again and again, 30 times a second."""

    def __init__(self, served: Server, hands: HandFrame) -> None:
        self.hands = hands
        self._served, self._stop = served, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.wait(1 / 30):
            self._served.send(self.hands)

    def __enter__(self) -> Pump:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@contextmanager
def both_hands_sent() -> Iterator[tuple[Server, Pump]]:
    with server() as served, Pump(served, hand_frame("right", "left")) as pump:
        yield served, pump


def picture(page: Page) -> NDArray[np.uint8]:
    """(H, W, 3) RGB of the window, without the panel at its upper left."""
    image = cv2.imdecode(np.frombuffer(page.picture(), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1].copy()
    image[:220, :420] = 255
    return image


def painted(image: NDArray[np.uint8], rgb: tuple[int, int, int]) -> NDArray[np.intp]:
    """Places (N, 2) with exactly this colour."""
    return np.argwhere((image == rgb).all(axis=2))


def wait_for_hands(page: Page) -> None:
    page.wait("document.body.dataset.state === 'connected' && document.getElementById('rate').textContent !== '–'")


def test_the_page_draws_both_hands_and_tells_rate_and_delay(page: Page) -> None:
    with both_hands_sent() as (served, pump):
        page.open(f"http://{served.place}/")
        wait_for_hands(page)
        texts = {
            name: page.value(f"document.getElementById('{name}').textContent") for name in ("rate", "delay", "right")
        }
        assert float(texts["rate"].removesuffix(" frames a second")) > 0
        assert 20 <= float(texts["delay"].removesuffix(" ms, capture to here")) < 10_000
        assert texts["right"] == "97 %, wrist at -110, 70, 520 mm"
        image = picture(page)
        right, left = painted(image, RIGHT_RGB), painted(image, LEFT_RGB)
        assert min(len(right), len(left)) > DRAWN_PX
        # Seen from behind the camera, as people see their own hands: the right one, at smaller x, is at the left.
        assert right[:, 1].mean() < left[:, 1].mean()

        pump.hands = hand_frame("left")
        page.wait("document.getElementById('right').textContent === '–'")
        assert len(painted(picture(page), RIGHT_RGB)) == 0
        pump.hands = hand_frame("right", "left", confidence=0.3)
        page.wait("document.getElementById('right').textContent !== '–'")
        assert len(painted(picture(page), RIGHT_RGB)) == 0
    assert page.faults == []


def test_the_mouse_orbits_and_a_double_click_goes_back(page: Page) -> None:
    with both_hands_sent() as (served, _):
        page.open(f"http://{served.place}/")
        wait_for_hands(page)
        before = painted(picture(page), RIGHT_RGB).mean(axis=0)
        page.drag((600, 500), (800, 420))
        page.wait("drawn")
        turned = painted(picture(page), RIGHT_RGB).mean(axis=0)
        assert np.abs(turned - before).max() > 30
        page.value("document.getElementById('view').dispatchEvent(new MouseEvent('dblclick'))")
        page.wait("drawn")
        np.testing.assert_allclose(painted(picture(page), RIGHT_RGB).mean(axis=0), before, atol=1.0)
    assert page.faults == []


def test_the_page_waits_for_a_stream_that_ended_and_comes_back(page: Page) -> None:
    with both_hands_sent() as (served, _):
        page.open(f"http://{served.place}/")
        wait_for_hands(page)
        port = served.port
    page.wait("document.body.dataset.state === 'waiting'")
    page.wait("drawn")
    assert len(painted(picture(page), RIGHT_RGB)) == 0
    with server(port=port) as again, Pump(again, hand_frame("right")):
        wait_for_hands(page)
        assert len(painted(picture(page), RIGHT_RGB)) > DRAWN_PX
    assert page.faults == []


@pytest.mark.parametrize("allowed", [False, True])
def test_as_a_file_it_listens_only_where_that_is_allowed(page: Page, allowed: bool) -> None:
    with server(origins=("null",) if allowed else ()) as served, Pump(served, hand_frame("right")):
        page.open(f"{Path(PAGE).as_uri()}?ws={served.url}")
        if allowed:
            wait_for_hands(page)
        page.wait(f"document.getElementById('hint').hidden === {str(allowed).lower()}")
        assert (page.value("document.body.dataset.state") == "connected") is allowed
    assert page.faults == []


def test_an_address_that_is_none_is_told(page: Page) -> None:
    page.open(f"{Path(PAGE).as_uri()}?ws=nonsense://")
    page.wait("document.getElementById('state').textContent === 'no address of a stream'")
    assert page.faults == []
