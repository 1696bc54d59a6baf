"""Open Sound Control: a frame as one bundle, and the pieces bundles are made of (pure functions; any thread).

docs/streams.md lists the addresses. A bundle with both hands stays below 1472 bytes, so that it is one packet.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import SIDES
from realtime.messages import HandPose
from realtime.streams.message import StreamFrame

_IMMEDIATELY: Final = struct.pack(">Q", 1)


def encode(frame: StreamFrame) -> bytes:
    """The bundle of one frame; the moment of capture is a message like the others."""
    seconds = int(frame.t_unix_s)
    moment = osc_text("/hands/time") + osc_text(",if") + struct.pack(">if", seconds, frame.t_unix_s - seconds)
    messages = [osc_message("/hands/frame", "i", np.array([frame.hands.index % 2**31])), moment]
    for side in SIDES:
        hand = frame.hands.hand(side)
        messages.append(osc_message(f"/hand/{side}/present", "i", np.array([hand is not None])))
        if hand is not None:
            messages += _hand(hand)
    return bundle(messages)


def bundle(messages: Sequence[bytes]) -> bytes:
    """Messages as one, as the OSC 1.0 specification lays it out.

    Its time tag says "immediately". One with a time would be held back, as the specification asks, by a receiver whose
    clock is behind.
    """
    elements = [struct.pack(">i", len(one)) + one for one in messages]
    return b"".join([osc_text("#bundle"), _IMMEDIATELY, *elements])


def _hand(hand: HandPose) -> list[bytes]:
    return [
        osc_message(f"/hand/{hand.side}/probability", "f", np.array([hand.hand_probability])),
        osc_message(f"/hand/{hand.side}/joints", "f", hand.joints_cam_mm),
        osc_message(f"/hand/{hand.side}/confidence", "f", hand.confidence),
    ]


def osc_message(address: str, kind: Literal["i", "f"], values: NDArray) -> bytes:
    """A message of numbers of one kind, 32 bits each."""
    # An array at a time: python-osc takes 0.6 ms a frame for its 170 values one by one, this 0.05 ms.
    return osc_text(address) + osc_text("," + values.size * kind) + values.astype(f">{kind}4").tobytes()


def osc_text(text: str) -> bytes:
    """ASCII, ended and filled up with zeros to a multiple of four bytes."""
    return text.encode("ascii") + bytes(4 - len(text) % 4)
