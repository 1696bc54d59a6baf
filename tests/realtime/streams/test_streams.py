"""Streams: messages against their schema, OSC read by another implementation, origins, addresses, the thread."""

from __future__ import annotations

import argparse
import json
import re
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_packet import OscPacket

from engines.errors import UserError
from engines.skeleton import BONES, JOINT_NAMES, SIDES, Side
from realtime.streams.address import Address, parse_address
from realtime.streams.message import StreamFrame, frame_json, head_json, stream_frame
from realtime.streams.origins import may_listen, parse_origin, way_to_allow
from realtime.streams.osc import encode
from realtime.streams.sending import Streams, open_streams
from tests.support.hand_frames import hand_frame
from tests.support.stream_clients import result

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
SCHEMA = json.loads((DOCS / "streams.schema.json").read_text())
T_UNIX_S = 1_790_000_000.25


def valid(message: dict[str, Any]) -> bool:
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(message)


@pytest.mark.parametrize("sides", [(), ("right",), ("left",), ("right", "left")])
def test_a_message_says_what_the_frame_says_and_follows_the_schema(sides: tuple[Side, ...]) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    hands = hand_frame(*sides, index=7, t_s=0.233)
    message = json.loads(frame_json(StreamFrame(hands, T_UNIX_S)))
    assert valid(message)
    assert (message["frame_index"], message["t_s"], message["t_unix_s"]) == (7, 0.233, T_UNIX_S)
    assert [hand["side"] for hand in message["hands"]] == list(sides)
    for told, hand in zip(message["hands"], hands.hands, strict=True):
        np.testing.assert_allclose(told["joints_cam_mm"], hand.joints_cam_mm, rtol=0, atol=0.00051)
        np.testing.assert_allclose(told["joints_px"], hand.joints_px, rtol=0, atol=0.00051)
        np.testing.assert_allclose(told["joint_confidence"], hand.confidence, rtol=0, atol=0.00051)


def test_what_is_known_of_depth_and_lens_is_told() -> None:
    hands = hand_frame("right")
    unsure = json.loads(frame_json(StreamFrame(hands, T_UNIX_S)))
    assert unsure["hands"][0]["root_depth_sigma_mm"] is None
    pose = replace(hands.hands[0], root_depth_sigma_mm=12.5)
    lens = replace(hands.intrinsics, distortion=(0.1, -0.2, 0.0, 0.05), lens_model="fisheye")
    sure = json.loads(frame_json(StreamFrame(replace(hands, hands=(pose,), intrinsics=lens), T_UNIX_S)))
    assert valid(sure)
    assert sure["hands"][0]["root_depth_sigma_mm"] == 12.5
    assert (sure["distortion"], sure["lens_model"]) == (list(lens.distortion), "fisheye")


def test_rotations_and_openxrs_joints_are_told() -> None:
    frame = StreamFrame(hand_frame("right", "left"), T_UNIX_S)
    plain, full = (json.loads(frame_json(frame, openxr)) for openxr in (False, True))
    assert valid(plain) and valid(full) and valid(json.loads(head_json(openxr=True)))
    assert "openxr" not in plain["hands"][0]
    for told, hand in zip(full["hands"], frame.hands.hands, strict=True):
        np.testing.assert_allclose(told["joint_rotations"], hand.joint_rotations, atol=1e-5)
        middle_tip = np.array(told["openxr"]["position_m"][15]) * [1000, -1000, -1000]
        np.testing.assert_allclose(middle_tip, hand.joints_cam_mm[8], atol=2e-3)
    unknown = replace(frame.hands.hands[0], joint_rotations=np.full((21, 4), np.nan, np.float32))
    told = json.loads(frame_json(StreamFrame(replace(frame.hands, hands=(unknown,)), T_UNIX_S), openxr=True))
    assert valid(told) and told["hands"][0]["joint_rotations"] is None


def test_the_head_names_joints_and_bones() -> None:
    head = json.loads(head_json())
    assert valid(head)
    assert head["joints"] == list(JOINT_NAMES)
    assert head["bones"] == [list(bone) for bone in BONES]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("hands", 0, "side"), "up"),
        (("hands", 0, "joints_cam_mm"), [[0.0, 0.0, 0.0]] * 20),
        (("hands", 0, "joint_confidence", 3), 1.5),
        (("hands", 1, "joints_px", 0), [1.0]),
        (("frame_index",), -1),
        (("extra",), 1),
    ],
)
def test_the_schema_refuses_what_is_wrong(path: tuple[Any, ...], value: Any) -> None:
    message = json.loads(frame_json(StreamFrame(hand_frame("right", "left"), T_UNIX_S)))
    place = message
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not valid(message)


def test_the_document_names_every_field_and_every_address() -> None:
    text = (DOCS / "streams.md").read_text()
    fields = {name for part in ("head", "frame", "hand") for name in SCHEMA["$defs"][part]["properties"]}
    assert {name for name in fields if f"`{name}`" not in text} == set()
    sent = decoded(encode(StreamFrame(hand_frame("right", "left"), T_UNIX_S)))
    assert {address for address in sent if f"`{address}`".replace("left", "right") not in text} == set()


def test_a_result_is_dated_by_its_capture_on_the_wall_clock() -> None:
    before_s = time.time()
    frame = stream_frame(result(hand_frame()))
    # 20 ms before now, whenever between the two readings now was.
    assert before_s - 0.021 <= frame.t_unix_s <= time.time() - 0.019


# ---- OSC


def decoded(datagram: bytes) -> dict[str, list[Any]]:
    assert OscBundle.dgram_is_bundle(datagram)
    return {message.address: message.params for message in OscBundle(datagram)}


def test_another_implementation_reads_the_bundle() -> None:
    hands = hand_frame("right", index=2**31 + 5)
    datagram = encode(StreamFrame(hands, T_UNIX_S))
    told = decoded(datagram)
    assert OscBundle(datagram).timestamp == 0.0, "at once, also by a clock that is behind"
    assert sum(told["/hands/time"]) == pytest.approx(T_UNIX_S, abs=1e-3)
    assert told["/hands/frame"] == [5]
    assert (told["/hand/right/present"], told["/hand/left/present"]) == ([1], [0])
    assert not [address for address in told if address.startswith("/hand/left/") and address != "/hand/left/present"]
    right = hands.hand("right")
    assert right is not None
    np.testing.assert_array_equal(np.float32(told["/hand/right/joints"]).reshape(21, 3), right.joints_cam_mm)
    np.testing.assert_array_equal(np.float32(told["/hand/right/confidence"]), right.confidence)
    assert told["/hand/right/probability"] == [pytest.approx(right.hand_probability)]


def test_a_receiver_whose_clock_is_behind_holds_nothing_back() -> None:
    """python-osc's issue 110: it keeps what lies in its future, until its memory is full."""
    datagram = encode(StreamFrame(hand_frame("right", "left"), time.time() + 3600.0))
    assert max(timed.time for timed in OscPacket(datagram).messages) <= time.time()


def test_both_hands_fit_into_one_packet() -> None:
    datagram = encode(StreamFrame(hand_frame("right", "left"), T_UNIX_S))
    assert len(datagram) % 4 == 0
    assert len(datagram) <= 1472
    assert set(decoded(datagram)) >= {f"/hand/{side}/joints" for side in SIDES}


def test_a_real_socket_gets_every_frame_and_nobody_listening_is_told_once() -> None:
    said: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(20)
        port = listener.getsockname()[1]
        streams = open_streams(Address("127.0.0.1", port), None, [], said.append)
        assert streams is not None
        for index in range(5):
            streams.take(result(hand_frame("left", index=index)))
            assert decoded(listener.recv(65536))["/hands/frame"] == [index]
    for index in range(5):
        streams.take(result(hand_frame("left", index=index)))
        time.sleep(0.02)  # the refusal comes back later
    streams.close()
    assert said == [
        f"streaming   OSC to 127.0.0.1:{port}",
        f"osc 127.0.0.1:{port}: nobody listens there yet; tracking goes on, and so do the attempts",
    ]


SIX_FIRST = """
import socket, sys, time, urllib.request
from websockets.sync.client import connect
from realtime.streams.address import Address
from realtime.streams.sending import open_streams
from tests.support.hand_frames import hand_frame
from tests.support.stream_clients import result
said = []
for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    with socket.socket(family, socket.SOCK_DGRAM) as listener:
        listener.bind((host, 0))
        listener.settimeout(20)
        streams = open_streams(Address("localhost", listener.getsockname()[1]), None, [], said.append)
        for index in range(3):
            streams.take(result(hand_frame("left", index=index)))
            time.sleep(0.1)
        assert listener.recv(65536).startswith(b"#bundle"), host
        streams.close()
assert len(said) == 2, said
streams = open_streams(None, Address("localhost", 0), [], said.append)
port = int(said[2].split("/")[2].split(":")[1])
for host in ("127.0.0.1", "[::1]", "localhost"):
    assert urllib.request.urlopen(f"http://{host}:{port}/", timeout=20).status == 200
    with connect(f"ws://{host}:{port}/") as client:
        assert '"head"' in client.recv(timeout=20)
streams.close()
assert len(said) == 3, said
"""


def _in_its_own_network(hosts: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code where the machine's names are those of `hosts`."""
    script = 'mount --bind "$1" /etc/hosts && exec "$2" -c "$3"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "-", str(hosts), sys.executable]
    return subprocess.run([*command, code], cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)


def test_a_name_with_ipv6_first_reaches_ipv4_and_is_served_on_both(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("::1 localhost\n127.0.0.1 localhost\n")
    if (
        not Path("/proc/net/if_inet6").exists()
        or "socket"
        not in _in_its_own_network(
            tmp_path / "hosts",
            "import socket; print(socket.getaddrinfo('localhost', 9)[0][4][0] == '::1' and 'socket')",
        ).stdout
    ):
        pytest.skip("needs IPv6 and namespaces")
    done = _in_its_own_network(tmp_path / "hosts", SIX_FIRST)
    assert done.returncode == 0, done.stderr


def test_an_unknown_host_is_one_line() -> None:
    with pytest.raises(UserError, match=r"--osc no-such-host.invalid:9000: this host is not known") as raised:
        open_streams(Address("no-such-host.invalid", 9000), None, [], print)
    assert "\n" not in str(raised.value)
    assert not [thread for thread in threading.enumerate() if thread.name == "streams" and thread.is_alive()]


# ---- the thread


class Held:
    """A stream that stands still in its first frame until it is let go."""

    name = "held"

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.entered, self.go = threading.Event(), threading.Event()

    async def open(self) -> None:
        pass

    def send(self, frame: StreamFrame) -> None:
        self.sent.append(frame.hands.index)
        self.entered.set()
        assert self.go.wait(20)

    async def close(self) -> None:
        self.go.set()


class Broken(Held):
    """A stream that fails with every frame."""

    name = "broken"

    def send(self, frame: StreamFrame) -> None:
        raise RuntimeError("out of order")


def test_a_stream_that_stands_still_holds_nobody_up_and_then_gets_the_newest() -> None:
    held = Held()
    streams = Streams([held], print)
    streams.take(result(hand_frame(index=0)))
    assert held.entered.wait(20)
    for index in range(1, 1000):
        streams.take(result(hand_frame(index=index)))
    assert held.sent == [0]
    held.go.set()
    streams.close()
    assert held.sent == [0, 999]


def test_a_stream_that_fails_is_told_once_and_the_others_go_on() -> None:
    said: list[str] = []
    held = Held()
    held.go.set()
    streams = Streams([Broken(), held], said.append)
    for index in range(3):
        held.entered.clear()
        streams.take(result(hand_frame(index=index)))
        assert held.entered.wait(20)
    streams.close()
    streams.close()
    streams.take(result(hand_frame(index=9)))
    assert said == ["broken: ended (RuntimeError: out of order); tracking goes on"]
    assert held.sent == [0, 1, 2]


def test_nothing_asked_for_is_nothing_opened() -> None:
    assert open_streams(None, None, [], print) is None


# ---- words


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("8765", "127.0.0.1", 8765),
        ("0.0.0.0:0", "0.0.0.0", 0),
        ("[::1]:80", "::1", 80),
        ("mac.local:7", "mac.local", 7),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(host, port)
    assert parse_address(str(Address(host, port))) == Address(host, port)


@pytest.mark.parametrize("text", ["", "x", "host:", ":80", "host:65536", "host:-1", "::1:80", "[]:80", "1.2.3.4", "²"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        parse_address(text)


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("http://localhost:3000", "127.0.0.1:8765", True),
        ("https://127.0.0.1", "127.0.0.1:8765", True),
        ("http://[::1]:8765", "[::1]:8765", True),
        ("http://192.168.1.5:8765", "192.168.1.5:8765", True),
        ("http://192.168.1.6:8765", "192.168.1.5:8765", False),
        ("http://rebound.example:8765", "rebound.example:8765", False),
        ("https://localhost.example", "127.0.0.1:8765", False),
        ("https://localhost@example.org", "127.0.0.1:8765", False),
        ("https://example.org", "127.0.0.1:8765", False),
        ("https://added.example", "127.0.0.1:8765", True),
        ("null", "127.0.0.1:8765", False),
        ("", "127.0.0.1:8765", False),
        ("http://[::1", "127.0.0.1:8765", False),
        ("http://localhost:x", "127.0.0.1:8765", False),
        ("ftp://localhost", "127.0.0.1:8765", False),
    ],
)
def test_which_pages_may_listen(origin: str, host: str, allowed: bool) -> None:
    assert may_listen(origin, host, {"https://added.example"}) is allowed


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://Example.org/", "https://example.org"),
        ("http://10.0.0.1:80", "http://10.0.0.1:80"),
        ("null", "null"),
        ("file://", "file://"),
        ("FILE:///", "file://"),
        ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
        ("tauri://localhost", "tauri://localhost"),
    ],
)
def test_origins_are_read(text: str, origin: str) -> None:
    assert may_listen(origin, "", {parse_origin(text)})
    assert not may_listen(origin, "", set())


@given(st.text(max_size=20) | st.sampled_from(["file://", "null", "https://a.b:8", "qrc:/", "data:", "http://[::1"]))
def test_what_a_refusal_proposes_the_option_takes(origin: str) -> None:
    proposed = way_to_allow(origin).removeprefix("; --websocket-origin ").removesuffix(" would allow it")
    assert not proposed or may_listen(origin.strip(), "", {parse_origin(proposed)})


@pytest.mark.parametrize("text", ["example.org", "https://example.org/page", "*", "https://a:b"])
def test_what_is_no_origin(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=re.escape(text)):
        parse_origin(text)
