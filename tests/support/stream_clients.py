"""A running server of streams and what goes into it, for the tests of streams."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from websockets.sync.client import ClientConnection

from realtime.live import Result
from realtime.messages import Frame, HandFrame
from realtime.streams.address import Address
from realtime.streams.sending import Streams
from realtime.streams.websocket import WebSocketStream


def result(hands: HandFrame) -> Result:
    """What the pipeline would hand over for these hands, 20 ms after the picture was taken."""
    picture = np.zeros((2, 2, 3), np.uint8)
    return Result(Frame(hands.index, hands.t_capture_s, picture), hands, time.monotonic(), 20.0, 1.0)


class Server:
    """A WebSocket server, where it is, and what it said."""

    def __init__(self, streams: Streams, said: list[str]) -> None:
        self.streams, self.said = streams, said
        self.url = re.findall(r"ws://\S+(?=,)", said[0])[0]
        self.place = self.url.removeprefix("ws://").rstrip("/")
        self.port = int(self.place.rpartition(":")[2])

    def send(self, hands: HandFrame) -> None:
        self.streams.take(result(hands))


@contextmanager
def server(origins: tuple[str, ...] = (), patience_s: float = 30.0, port: int = 0) -> Iterator[Server]:
    """Serve at a free port of this machine."""
    said: list[str] = []
    stream = WebSocketStream(Address("127.0.0.1", port), origins, said.append, patience_s=patience_s)
    streams = Streams([stream], said.append)
    try:
        yield Server(streams, said)
    finally:
        streams.close()


def message(client: ClientConnection) -> dict[str, Any]:
    """Return the next message."""
    return json.loads(client.recv(timeout=20))
