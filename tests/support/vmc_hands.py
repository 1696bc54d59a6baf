"""Hands as VMC tells them, read by another implementation of OSC."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage

from engines.skeleton import Side
from realtime.messages import HandFrame
from realtime.rotations.hand_turner import HandTurner
from realtime.streams.message import StreamFrame
from realtime.streams.vmc import packets
from tests.support.hand_frames import hand_frame


def told(hands: HandFrame) -> list[OscMessage]:
    datagrams = packets(StreamFrame(hands, 1.7e9))
    assert all(len(datagram) <= 1472 for datagram in datagrams)
    return [message for datagram in datagrams for message in OscBundle(datagram)]


def bones_of(hands: HandFrame) -> dict[str, list[float]]:
    return {m.params[0]: m.params[1:] for m in told(hands) if m.address == "/VMC/Ext/Bone/Pos"}


def with_joints(side: Side, joints_cam_mm: NDArray) -> HandFrame:
    """Sure of all of them, so that their bones point as they do."""
    frame = hand_frame(side, confidence=1.0)
    hand = replace(frame.hands[0], joints_cam_mm=joints_cam_mm.astype(np.float32))
    return replace(frame, hands=HandTurner()([hand], 0.0))
