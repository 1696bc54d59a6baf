"""The WebSocket server with real clients: good, foreign, slow, chatty, too many, and no clients at all."""

from __future__ import annotations

import base64
import os
import re
import select
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import ExitStack, suppress

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from engines.errors import UserError
from engines.skeleton import JOINT_NAMES
from realtime.streams.address import Address
from realtime.streams.sending import open_streams
from realtime.streams.websocket import MAX_CLIENTS, MAX_INCOMING_BYTES, PAGE, SEND_BUFFER_BYTES
from tests.support.hand_frames import hand_frame
from tests.support.stream_clients import Server, message, server


def refused(served: Server, origin: str) -> int:
    with pytest.raises(InvalidStatus) as raised:
        connect(served.url, origin=origin)  # type: ignore[arg-type]
    return raised.value.response.status_code


def raw_client(served: Server, receive_bytes: int = 4096) -> socket.socket:
    """A client that did the handshake and will never read on."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    raw.connect(("127.0.0.1", served.port))
    key = base64.b64encode(os.urandom(16)).decode()
    lines = ["GET / HTTP/1.1", f"Host: {served.place}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
    raw.sendall("\r\n".join(lines).encode())
    raw.settimeout(20)
    assert raw.recv(12) == b"HTTP/1.1 101"
    return raw


def test_clients_get_the_head_and_then_every_frame_they_keep_up_with() -> None:
    with server() as served, connect(served.url) as first, connect(served.url) as second:
        for client in (first, second):
            assert message(client)["type"] == "head"
        for index in range(20):
            hands = hand_frame("right", "left", index=index, shift=index)
            served.send(hands)
            for client in (first, second):
                told = message(client)
                assert told["frame_index"] == index
                np.testing.assert_allclose(
                    told["hands"][1]["joints_cam_mm"], hands.hands[1].joints_cam_mm, atol=0.00051
                )


def test_foreign_pages_are_refused_and_added_ones_are_not() -> None:
    with server(origins=("https://added.example",)) as served:
        for origin in ("https://example.org", "null", f"http://rebound.example:{served.port}"):
            assert refused(served, origin) == 403
        for origin in ("https://added.example", "http://localhost:8000", f"http://{served.place}"):
            with connect(served.url, origin=origin) as client:  # type: ignore[arg-type]
                assert message(client)["type"] == "head"


def test_a_client_that_never_reads_is_cut_off_and_the_others_do_not_notice(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "realtime.streams.websocket")
    with server(patience_s=0.4) as served, raw_client(served) as slow, connect(served.url) as good:
        assert message(good)["type"] == "head"
        index = 0
        while "keepalive ping timeout" not in caplog.text and index < 10_000:
            index += 1
            served.send(hand_frame("right", "left", index=index))
            assert message(good)["frame_index"] == index
        assert index < 10_000
        got_bytes = 0
        while part := slow.recv(65536):
            got_bytes += len(part)
        assert got_bytes < 4 * SEND_BUFFER_BYTES
        served.send(hand_frame(index=0))
        assert message(good)["frame_index"] == 0


def test_a_slow_client_misses_frames_and_never_gets_a_long_backlog() -> None:
    sent = 600
    with (
        server() as served,
        connect(served.url, max_queue=1, ping_interval=None) as slow,
        connect(served.url) as pace,
    ):
        message(pace)
        for index in range(sent):
            served.send(hand_frame("right", "left", index=index))
            message(pace)
        assert message(slow)["type"] == "head"
        got = [message(slow)["frame_index"]]
        while got[-1] != sent:
            served.send(hand_frame(index=sent))
            got.append(message(slow)["frame_index"])
        assert got == sorted(got)
        assert len(set(got)) < sent - 100
        with suppress(TimeoutError):  # the library's client closes only after it has read everything
            while True:
                slow.recv(timeout=0.2)


def test_clients_have_nothing_to_say() -> None:
    with server() as served, connect(served.url) as polite:
        message(polite)
        for words, code in (("hello", 1008), ("x" * (MAX_INCOMING_BYTES + 1), 1009), (b"\0" * 2**20, 1009)):
            with connect(served.url) as client:
                message(client)
                client.send(words)
                with pytest.raises(ConnectionClosed) as closed:
                    client.recv(timeout=20)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == code
        served.send(hand_frame(index=3))
        assert message(polite)["frame_index"] == 3


def test_there_are_only_so_many_clients() -> None:
    with server() as served, ExitStack() as clients:
        for _ in range(MAX_CLIENTS):
            assert message(clients.enter_context(connect(served.url)))["type"] == "head"
        with connect(served.url) as late, pytest.raises(ConnectionClosed) as closed:
            late.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013


def test_garbage_is_answered_without_a_word_to_the_user(capfd: pytest.CaptureFixture[str]) -> None:
    with server() as served:
        for garbage in (b"\0" * 100, b"POST / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", b""):
            with socket.create_connection(("127.0.0.1", served.port)) as raw:
                raw.sendall(garbage)
                raw.shutdown(socket.SHUT_WR)
                raw.settimeout(20)
                while raw.recv(4096):
                    pass
        with connect(served.url) as client:
            assert message(client)["type"] == "head"
        assert len(served.said) == 1
    assert capfd.readouterr() == ("", "")


def test_the_page_is_served_and_nothing_else() -> None:
    with server() as served:
        for path in ("", "hands.html?ws=ws://127.0.0.1:1/"):
            with urllib.request.urlopen(f"http://{served.place}/{path}", timeout=20) as answer:
                assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
                assert answer.read() == PAGE.read_bytes()
        for path in ("run_demo.py", "../run_demo.py", "%2e%2e/run_demo.py", "etc/passwd"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"http://{served.place}/{path}", timeout=20)


def test_a_port_in_use_is_one_line() -> None:
    with server() as served:
        with pytest.raises(UserError, match=f"--websocket 127.0.0.1:{served.port}: another program uses") as raised:
            open_streams(Address("127.0.0.1", 9), Address("127.0.0.1", served.port), [], print)
        assert "\n" not in str(raised.value)
        with connect(served.url) as client:
            assert message(client)["type"] == "head"


def test_an_address_of_another_machine_is_one_line() -> None:
    with pytest.raises(UserError, match=r"--websocket 192\.0\.2\.1:0: this machine has no such address"):
        open_streams(None, Address("192.0.2.1", 0), [], print)


def test_listening_to_the_network_is_told() -> None:
    said: list[str] = []
    streams = open_streams(None, Address("0.0.0.0", 0), [], said.append)
    assert streams is not None
    streams.close()
    assert said[1:] == ["websocket 0.0.0.0:0: every machine that reaches this port can read the hands"]


def test_the_client_of_the_document_works() -> None:
    code = re.findall(r"```python\n(.*?)```", (PAGE.parent / "streams.md").read_text(), re.DOTALL)[0]
    hands = hand_frame("right", "left")
    tips = {hand.side: hand.joints_cam_mm[JOINT_NAMES.index("index4")] for hand in hands.hands}
    expected = [f"{side} index finger: {x:.0f} {y:.0f} {z:.0f} mm\n" for side, (x, y, z) in tips.items()]
    with server() as served:
        command = [sys.executable, "-u", "-c", code.replace("127.0.0.1:8765", served.place)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout is not None
            while not select.select([client.stdout], [], [], 0.05)[0]:
                assert client.poll() is None
                served.send(hands)
            assert [client.stdout.readline(), client.stdout.readline()] == expected
            served.streams.close()
            client.stdout.read()
            assert client.wait(20) == 0


def test_the_end_is_told_to_clients_and_no_thread_stays() -> None:
    with server() as served, connect(served.url) as client, raw_client(served) as silent:
        message(client)
        served.send(hand_frame(index=1))
        served.streams.close()
        assert message(client)["frame_index"] == 1
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        assert "streams" not in {thread.name for thread in threading.enumerate()}
        while silent.recv(65536):
            pass
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", served.port))
