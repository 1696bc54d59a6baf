"""Open Sound Control over UDP: one bundle a frame, sent and forgotten (the streams' thread).

docs/streams.md lists the addresses. A bundle with both hands stays below 1472 bytes, so that it is one packet.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import SIDES
from realtime.messages import HandPose
from realtime.streams.address import Address, resolve, socket_error
from realtime.streams.message import StreamFrame

_OPTION: Final = "--osc"
_IMMEDIATELY: Final = struct.pack(">Q", 1)


class OscStream:
    """Sends bundles to one address; of a host that has several, to the first that does not refuse them."""

    def __init__(self, address: Address, say: Callable[[str], None]) -> None:
        self.name = f"osc {address}"
        self._address = address
        self._say = say
        self._sockets: list[socket.socket] = []
        self._refused = 0
        self._told: set[str] = set()

    async def open(self) -> None:
        """Make the sockets; raises UserError if the host is not known, or none of its places can be reached."""
        failure: OSError | None = None
        for family, place in resolve(_OPTION, self._address, socket.SOCK_DGRAM):
            try:
                self._sockets.append(_connected(family, place))
            except OSError as error:  # such as IPv6 where there is none
                failure = failure or error
        if not self._sockets:
            assert failure is not None
            raise socket_error(_OPTION, self._address, failure) from failure
        self._say(f"streaming   OSC to {self._address}")

    def send(self, frame: StreamFrame) -> None:
        """Send one frame. What the network does not take now is not sent; an error is told once."""
        try:
            self._sockets[self._refused % len(self._sockets)].send(encode(frame))
        except BlockingIOError:
            pass  # the network is busy
        except ConnectionRefusedError:  # an answer to an earlier frame, from the receiver's machine
            self._refused += 1
            if self._refused >= len(self._sockets):
                self._complain("nobody listens there yet")
        except OSError as error:
            self._complain(f"nothing gets out ({error.strerror})")

    def _complain(self, problem: str) -> None:
        if problem not in self._told:
            self._told.add(problem)
            self._say(f"{self.name}: {problem}; tracking goes on, and so do the attempts")

    async def close(self) -> None:
        """Close the sockets."""
        for one in self._sockets:
            one.close()


def _connected(family: socket.AddressFamily, place: Address) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        if family == socket.AF_INET:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        made.connect((place.host, place.port))
    except OSError:
        made.close()
        raise
    return made


def encode(frame: StreamFrame) -> bytes:
    """The bundle of one frame, as the OSC 1.0 specification lays it out.

    Its time tag says "immediately". One with a time would be held back, as the specification asks, by a receiver whose
    clock is behind; so the moment of capture is a message like the others.
    """
    seconds = int(frame.t_unix_s)
    moment = _text("/hands/time") + _text(",if") + struct.pack(">if", seconds, frame.t_unix_s - seconds)
    messages = [_message("/hands/frame", "i", np.array([frame.hands.index % 2**31])), moment]
    for side in SIDES:
        hand = frame.hands.hand(side)
        messages.append(_message(f"/hand/{side}/present", "i", np.array([hand is not None])))
        if hand is not None:
            messages += _hand(hand)
    elements = [struct.pack(">i", len(message)) + message for message in messages]
    return b"".join([_text("#bundle"), _IMMEDIATELY, *elements])


def _hand(hand: HandPose) -> list[bytes]:
    return [
        _message(f"/hand/{hand.side}/probability", "f", np.array([hand.hand_probability])),
        _message(f"/hand/{hand.side}/joints", "f", hand.joints_cam_mm),
        _message(f"/hand/{hand.side}/confidence", "f", hand.confidence),
    ]


def _message(address: str, kind: Literal["i", "f"], values: NDArray) -> bytes:
    # An array at a time: python-osc takes 0.6 ms a frame for its 170 values one by one, this 0.05 ms.
    return _text(address) + _text("," + values.size * kind) + values.astype(f">{kind}4").tobytes()


def _text(text: str) -> bytes:
    """ASCII, ended and filled up with zeros to a multiple of four bytes."""
    return text.encode("ascii") + bytes(4 - len(text) % 4)
