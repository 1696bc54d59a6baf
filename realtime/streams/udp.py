"""Packets over UDP to one address: sent and forgotten (the streams' thread)."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from realtime.streams.address import Address, resolve, socket_error
from realtime.streams.message import StreamFrame

Encode = Callable[[StreamFrame], Sequence[bytes]]
"""The packets of one frame, each small enough to be one (below 1472 bytes)."""


class UdpStream:
    """Sends to one address; of a host that has several, to the first that does not refuse."""

    def __init__(self, protocol: str, address: Address, encode: Encode, say: Callable[[str], None]) -> None:
        """`protocol`, such as OSC, is the option's name, too."""
        self.name = f"{protocol.lower()} {address}"
        self._protocol = protocol
        self._option = f"--{protocol.lower()}"
        self._encode = encode
        self._address = address
        self._say = say
        self._sockets: list[socket.socket] = []
        self._refused = 0
        self._told: set[str] = set()

    async def open(self) -> None:
        """Make the sockets; raises UserError if the host is not known, or none of its places can be reached."""
        failure: OSError | None = None
        for family, place in resolve(self._option, self._address, socket.SOCK_DGRAM):
            try:
                self._sockets.append(_connected(family, place))
            except OSError as error:  # such as IPv6 where there is none
                failure = failure or error
        if not self._sockets:
            assert failure is not None
            raise socket_error(self._option, self._address, failure) from failure
        self._say(f"streaming   {self._protocol} to {self._address}")

    def send(self, frame: StreamFrame) -> None:
        """Send one frame. What the network does not take now is not sent; an error is told once."""
        packets = self._encode(frame)
        try:
            for packet in packets:
                self._sockets[self._refused % len(self._sockets)].send(packet)
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
