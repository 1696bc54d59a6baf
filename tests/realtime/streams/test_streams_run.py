"""Streams of the whole program: the sample clip over both ways out, equal to its track file; Ctrl-C; wrong words."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

import run_demo
from engines.skeleton import HAND_SLICES, SIDES
from realtime.tracks.reader import load_tracks
from realtime.tracks.schema import Tracks

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "samples" / "two_hands.mp4"
FRAMES = 60
PATIENCE_S = 240
"""The first run after a change builds the engine, which a busy machine does in a minute or more."""


@pytest.mark.skipif(not (ROOT / "weights" / "lite.safetensors").exists(), reason="needs the shipped weights")
def test_both_streams_carry_the_tracks_and_ctrl_c_ends_everything(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as osc:
        osc.bind(("127.0.0.1", 0))
        osc.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        osc.settimeout(PATIENCE_S)
        words = ["--video", SAMPLE, "--headless", "--no-3d", "--realtime", "--save-tracks", tmp_path / "t.npz"]
        words += ["--websocket", 0, "--osc", f"127.0.0.1:{osc.getsockname()[1]}", "--profile"]
        command = [sys.executable, "run_demo.py", *map(str, words)]
        run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            messages = listen(run, osc)
            out, errors = run.communicate(timeout=PATIENCE_S)
        finally:
            run.kill()
    assert run.returncode == 0
    assert "Traceback" not in errors
    assert "tracking goes on" not in errors
    assert re.search(r"^streams +\d+ ", out, re.MULTILINE)
    tracks = load_tracks(tmp_path / "t.npz")
    assert len(messages["json"]) >= FRAMES
    assert len(messages["osc"]) >= FRAMES
    for message in messages["json"]:
        compare_json(message, tracks)
    for message in messages["osc"]:
        compare_osc(message, tracks)


def listen(run: subprocess.Popen[str], osc: socket.socket) -> dict[str, list[Any]]:
    """Take what both streams bring, press Ctrl-C after a while, and take the rest."""
    assert run.stderr is not None
    told = ""
    while "ws://" not in told:
        told = run.stderr.readline()
        assert told
    messages: dict[str, list[Any]] = {"json": [], "osc": []}
    bundles = threading.Thread(target=receive, args=(osc, messages["osc"]))
    bundles.start()
    with connect(re.findall(r"ws://\S+(?=,)", told)[0]) as client:
        assert json.loads(client.recv(timeout=PATIENCE_S))["type"] == "head"
        while len(messages["json"]) < FRAMES:
            messages["json"].append(json.loads(client.recv(timeout=PATIENCE_S)))
        bundles.join()
        run.send_signal(signal.SIGINT)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                messages["json"].append(json.loads(client.recv(timeout=PATIENCE_S)))
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    return messages


def receive(osc: socket.socket, bundles: list[Any]) -> None:
    while len(bundles) < FRAMES:
        bundles.append({message.address: message.params for message in OscBundle(osc.recv(65536))})


def row(tracks: Tracks, frame_index: int) -> int:
    (rows,) = np.nonzero(tracks.frame_index == frame_index)
    assert len(rows) == 1
    return int(rows[0])


def compare_json(message: dict[str, Any], tracks: Tracks) -> None:
    i = row(tracks, message["frame_index"])
    assert message["t_s"] == tracks.t_s[i]
    there = [side for h, side in enumerate(SIDES) if tracks.root_depth_from[i, h]]
    assert [hand["side"] for hand in message["hands"]] == there
    for hand in message["hands"]:
        joints = HAND_SLICES[hand["side"]]
        np.testing.assert_allclose(hand["joints_cam_mm"], tracks.joints_cam_mm[i, joints], rtol=0, atol=0.00051)
        np.testing.assert_allclose(hand["joints_px"], tracks.joints_px[i, joints], rtol=0, atol=0.00051)
        np.testing.assert_allclose(hand["joint_confidence"], tracks.joint_confidence[i, joints], rtol=0, atol=0.00051)


def compare_osc(message: dict[str, list[Any]], tracks: Tracks) -> None:
    i = row(tracks, message["/hands/frame"][0])
    for h, side in enumerate(SIDES):
        assert message[f"/hand/{side}/present"] == [int(tracks.root_depth_from[i, h] > 0)]
        if tracks.root_depth_from[i, h]:
            told = np.float32(message[f"/hand/{side}/joints"]).reshape(21, 3)
            np.testing.assert_array_equal(told, tracks.joints_cam_mm[i, HAND_SLICES[side]])


def test_a_port_in_use_ends_the_command_before_anything_is_written(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        words = ["--video", SAMPLE, "--headless", "--save-tracks", tmp_path / "t.npz", "--websocket", port]
        assert run_demo.main([str(word) for word in words]) == 2
    error = capfd.readouterr().err
    assert error == (
        f"error: --websocket 127.0.0.1:{port}: another program uses this port;"
        " choose another one, or 0 for any that is free\n"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--osc", "127.0.0.1"], "has no port"),
        (["--osc", "127.0.0.1:0"], "--osc needs the port"),
        (["--websocket", "70000"], "has no port"),
        (["--websocket-origin", "https://example.org"], "goes with --websocket"),
        (["--websocket", "0", "--websocket-origin", "*"], "is no origin"),
        (["--websocket", "0", "--out", "tracks"], "not with --out"),
    ],
)
def test_wrong_words_are_one_line(capfd: pytest.CaptureFixture[str], words: list[str], reason: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run_demo.main(["--video", str(SAMPLE), "--headless", *words])
    assert ended.value.code == 2
    error = capfd.readouterr().err
    assert error.startswith("error: ")
    assert reason in error
    assert error.count("\n") == 1
