"""VMC: read by another implementation of OSC, put on an avatar's bones, received through a socket."""

from __future__ import annotations

import argparse
import socket

import numpy as np
import pytest
from numpy.typing import NDArray
from pythonosc.osc_bundle import OscBundle
from scipy.spatial.transform import Rotation

from engines.skeleton import FINGER_BASES, PARENTS, SIDES, WRIST, Side
from realtime.messages import HandFrame
from realtime.streams.address import Address, at_usual_port
from realtime.streams.message import StreamFrame
from realtime.streams.sending import open_streams
from realtime.streams.vmc import PORT, VmcPackets
from tests.support.hand_frames import FAN_DEG, hand_frame, joints_mm
from tests.support.stream_clients import result
from tests.support.vmc_hands import bones_of, told, with_joints
from training.synth.hand.model import HandState, Placement
from training.synth.hand.poses import GESTURES
from training.synth.hand.shape import neutral_shape

PARTS = ("Proximal", "Intermediate", "Distal")
FINGERS = ("Thumb", "Index", "Middle", "Ring", "Little")
T_POSE = {
    "right": np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]]),
    "left": np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]),
}
"""Turns the test hands, fingers up and palm to the camera, into those of a person in T-pose before the camera."""


def posed(side: Side, curl_deg: float, turn: NDArray[np.float64]) -> HandFrame:
    return with_joints(side, joints_mm(side, (0, 0, 0), curl_deg) @ turn.T + [40, -30, 500])


def avatar(bones: dict[str, list[float]], side: Side) -> dict[str, NDArray[np.float64]]:
    """Where the bones of a hand lie in Unity, its wrist at the origin, as a humanoid's transforms are put together."""
    name = side.capitalize()
    hand = Rotation.from_quat(bones[f"{name}Hand"][3:])
    places = {f"{name}Hand": np.zeros(3)}
    for finger in FINGERS:
        place, turn = np.zeros(3), hand
        for part in PARTS:
            x = bones[f"{name}{finger}{part}"]
            place, turn = place + turn.apply(x[:3]), turn * Rotation.from_quat(x[3:])
            places[f"{name}{finger}{part}"] = place
    return places


@pytest.mark.parametrize("side", SIDES)
def test_an_avatars_bones_lie_as_the_hand_does(side: Side) -> None:
    """However it is turned: for an avatar that looks along +z all axes are those of the camera reversed."""
    for seed in range(5):
        frame = posed(side, 35.0, Rotation.random(random_state=seed).as_matrix())
        joints = frame.hands[0].joints_cam_mm
        found = avatar(bones_of(frame), side)
        assert len(found) == 16
        for finger, base in zip(FINGERS, FINGER_BASES, strict=True):
            for k, part in enumerate(PARTS):
                expected = -(joints[base - k] - joints[WRIST]) / 1000
                np.testing.assert_allclose(found[f"{side.capitalize()}{finger}{part}"], expected, atol=1e-5)


def vrm_rest(side: Side, finger: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where a bone and its nail point in the T-pose that VRM demands, in Unity: +x is the avatar's right, +z ahead.

    VRMC_vrm-1.0, tpose.md, 1.7 and 1.8: fingers along the arm, nails up; thumbs between arm and ahead, nails between
    ahead and the other arm.
    """
    out = 1.0 if side == "right" else -1.0
    if finger == "Thumb":
        return np.array([out, 0, 1]) / np.sqrt(2), np.array([-out, 0, 1]) / np.sqrt(2)
    return np.array([out, 0, 0]), np.array([0, 1.0, 0])


@pytest.mark.parametrize("side", SIDES)
def test_an_avatars_skin_points_where_the_hand_does(side: Side) -> None:
    """Rotations alone, on a VRM avatar's own bones: every bone and its nail, however the hand is turned."""
    name = side.capitalize()
    for seed, gesture in enumerate(("relaxed", "fist", "spread", "pinch")):
        place = Placement(np.array([0.0, 0.0, 500.0]), Rotation.random(random_state=seed).as_matrix())
        skeleton = HandState(side, GESTURES[gesture], place).skeleton(neutral_shape())
        frame = with_joints(side, skeleton.joints_mm)
        joints, bones = frame.hands[0].joints_cam_mm.astype(np.float64), bones_of(frame)
        backs = -Rotation.from_quat(frame.hands[0].joint_rotations).apply([0, 1, 0])
        for finger, base in zip(FINGERS, FINGER_BASES, strict=True):
            along, nail = vrm_rest(side, finger)
            turn = Rotation.from_quat(bones[f"{name}Hand"][3:])
            for k, part in enumerate(PARTS):
                turn = turn * Rotation.from_quat(bones[f"{name}{finger}{part}"][3:])
                bone = -(joints[base - k - 1] - joints[base - k])
                np.testing.assert_allclose(turn.apply(along), bone / np.linalg.norm(bone), atol=1e-5)
                np.testing.assert_allclose(turn.apply(nail), backs[base - k], atol=1e-5)


@pytest.mark.parametrize("side", SIDES)
def test_the_t_pose_is_no_rotation_and_fingers_bend_down_from_it(side: Side) -> None:
    flat, bent = (bones_of(posed(side, curl, T_POSE[side])) for curl in (0.0, 60.0))
    name = side.capitalize()
    outer = [f"{name}{finger}{part}" for finger in FINGERS for part in PARTS[1:]]
    assert max(Rotation.from_quat(flat[bone][3:]).magnitude() for bone in [f"{name}Hand", *outer]) < np.radians(6)
    for finger, fan_deg in zip(FINGERS, FAN_DEG, strict=True):  # the test hand's fingers are spread in the palm's plane
        aside = (45.0 if finger == "Thumb" else 0.0) - fan_deg
        turn = Rotation.from_quat(flat[f"{name}{finger}Proximal"][3:])
        along = turn.apply(vrm_rest(side, finger)[0])
        assert np.degrees(np.arccos(along @ vrm_rest(side, finger)[0])) == pytest.approx(abs(aside), abs=8)
    outward = 1.0 if side == "right" else -1.0
    for bone in [f"{name}{finger}{part}" for finger in FINGERS[1:] for part in PARTS[1:]]:
        turn = Rotation.from_quat(bent[bone][3:])
        assert turn.magnitude() == pytest.approx(np.radians(60), abs=0.2)
        assert turn.apply([outward, 0, 0])[1] < -0.6  # a finger that points outwards now points down


def test_what_else_is_told() -> None:
    messages = told(hand_frame("right", "left", t_s=2.5))
    by_address = {message.address: message.params for message in messages}
    assert (by_address["/VMC/Ext/OK"], by_address["/VMC/Ext/T"]) == ([1], [2.5])
    trackers = {m.params[0]: m.params[1:4] for m in messages if m.address == "/VMC/Ext/Tra/Pos"}
    assert trackers == {
        "RightHand": pytest.approx([0.11, -0.07, -0.52]),
        "LeftHand": pytest.approx([-0.12, -0.06, -0.47]),
    }
    assert len(bones_of(hand_frame("right", "left"))) == 32
    assert [message.address for message in told(hand_frame())] == ["/VMC/Ext/OK", "/VMC/Ext/T"]
    assert PARENTS[FINGER_BASES[0]] == WRIST


def test_time_counts_from_the_first_frame() -> None:
    """Of a machine that has run for a month; a number of single precision would not show the frames apart."""
    month_s, encode = 30 * 86400.0, VmcPackets()
    said = [encode(StreamFrame(hand_frame("left", t_s=month_s + t_s), 1.7e9)) for t_s in (0.25, 0.25 + 1 / 60)]
    times_s = [m.params[0] for frame in said for m in OscBundle(frame[0]) if m.address == "/VMC/Ext/T"]
    assert times_s == [0.0, pytest.approx(1 / 60, abs=1e-6)]


def test_a_second_program_receives_it() -> None:
    said: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(20)
        port = listener.getsockname()[1]
        streams = open_streams(None, None, [], said.append, vmc=Address("127.0.0.1", port))
        assert streams is not None
        streams.take(result(hand_frame("left", t_s=0.5)))
        first, second = (list(OscBundle(listener.recv(65536))) for _ in range(2))
        streams.close()
    assert [message.address for message in first] == ["/VMC/Ext/OK", "/VMC/Ext/T", "/VMC/Ext/Tra/Pos"]
    assert second[0].params[0] == "LeftHand"
    assert said == [f"streaming   VMC to 127.0.0.1:{port}"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.7", Address("10.0.0.7", PORT)),
        ("studio:39540", Address("studio", 39540)),
        ("39540", Address("127.0.0.1", 39540)),
        ("[::1]", Address("::1", PORT)),
    ],
)
def test_the_port_may_be_left_out(text: str, address: Address) -> None:
    assert at_usual_port(PORT)(text) == address
    for wrong in ("", "::1", "host:", "host:99999"):
        with pytest.raises(argparse.ArgumentTypeError):
            at_usual_port(PORT)(wrong)
