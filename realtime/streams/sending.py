"""The thread that streams: an event loop of its own, which gets the newest result through one slot.

`open_streams`, `Streams.take` and `Streams.close` belong to the program's threads; `take` never waits for a network.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Final, Protocol

from engines.errors import UserError
from realtime.handover import Mailbox, MailboxClosed
from realtime.live import Result
from realtime.sinks import Sink
from realtime.streams.address import Address
from realtime.streams.message import StreamFrame, stream_frame
from realtime.streams.osc import encode
from realtime.streams.udp import UdpStream
from realtime.streams.vmc import VmcPackets

JOIN_S: Final = 1.0

_log = logging.getLogger(__name__)


class Stream(Protocol):
    """One way out. All of it is called in the streams' thread."""

    @property
    def name(self) -> str:
        """Return what the user calls it."""

    async def open(self) -> None:
        """Begin; raises UserError."""

    def send(self, frame: StreamFrame) -> None:
        """Send one frame without waiting."""

    async def close(self) -> None:
        """End, soon; also after an `open` that failed."""


class Streams(Sink):
    """Sends results to all streams. One that fails is told once and closed; everything else goes on."""

    def __init__(self, streams: Sequence[Stream], say: Callable[[str], None]) -> None:
        """Open the streams in a new thread; raises UserError, and then leaves nothing open."""
        self._streams = list(streams)
        self._say = say
        self._newest: Mailbox[StreamFrame] = Mailbox()
        self._opened: Future[None] = Future()
        self._closing: list[asyncio.Task[None]] = []
        # Daemon: a name server that hangs must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="streams", daemon=True)
        self._thread.start()
        try:
            self._opened.result()
        except BaseException:
            self.close()
            raise

    def take(self, result: Result) -> None:
        """Leave a result for the streams, in place of one they have not taken."""
        self._newest.put(stream_frame(result))

    @property
    def dropped(self) -> int:
        """Results that a newer one replaced before the streams took them."""
        return self._newest.overwritten

    def close(self) -> None:
        """Send what still lies there, close the streams and end the thread; a second call does nothing."""
        self._newest.close()
        self._thread.join(JOIN_S)
        if self._thread.is_alive():
            _log.warning("the streams do not end; their thread is left behind")

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:  # noqa: BLE001 - tracking must not end for a stream
            if not self._opened.done():
                self._opened.set_exception(error)
                return
            self._say(f"the streams have ended ({type(error).__name__}: {error}); tracking goes on")

    async def _main(self) -> None:
        try:
            for stream in self._streams:
                await stream.open()
        except Exception:
            await self._close_all()
            raise
        self._opened.set_result(None)
        loop = asyncio.get_running_loop()
        with suppress(MailboxClosed):
            while True:
                # Another thread waits at the slot: to wake the loop itself, `take` would have to let go of Python's
                # lock, and would get it back only after the frame has been encoded.
                self._deliver(await loop.run_in_executor(None, self._newest.get))
        await self._close_all()

    def _deliver(self, frame: StreamFrame) -> None:
        for stream in list(self._streams):
            try:
                stream.send(frame)
            except Exception as error:  # noqa: BLE001 - tracking must not end for a stream
                self._give_up(stream, error)

    def _give_up(self, stream: Stream, error: Exception) -> None:
        self._say(f"{stream.name}: ended ({type(error).__name__}: {error}); tracking goes on")
        self._streams.remove(stream)
        self._closing.append(asyncio.get_running_loop().create_task(stream.close()))

    async def _close_all(self) -> None:
        ends = [stream.close() for stream in self._streams]
        await asyncio.gather(*self._closing, *ends, return_exceptions=True)


def open_streams(
    osc: Address | None,
    websocket: Address | None,
    origins: Collection[str],
    say: Callable[[str], None],
    *,
    vmc: Address | None = None,
    openxr: bool = False,
) -> Streams | None:
    """Open what was asked for; None if nothing was. Raises UserError for an address that cannot be had."""
    streams: list[Stream] = []
    try:
        if osc is not None:
            streams.append(UdpStream("OSC", osc, lambda frame: [encode(frame)], say))
        if vmc is not None:
            streams.append(UdpStream("VMC", vmc, VmcPackets(), say))
        if websocket is not None:
            from realtime.streams.websocket import WebSocketStream

            streams.append(WebSocketStream(websocket, origins, say, openxr))
    except ModuleNotFoundError as missing:
        raise UserError(f"{missing.name} is not installed in this Python: run make setup") from missing
    return Streams(streams, say) if streams else None
