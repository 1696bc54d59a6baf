"""A WebSocket server that tells every client the newest hands as JSON (the streams' thread).

Nobody is waited for: a client whose last message is not out yet misses the next ones, and one that does not answer a
ping in time is cut off. So what is kept for a client is never more than one message.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Collection
from http import HTTPStatus
from pathlib import Path
from typing import Final

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from realtime.streams.address import Address, is_loopback, resolve, socket_error
from realtime.streams.message import StreamFrame, frame_json, head_json
from realtime.streams.origins import may_listen, way_to_allow

PAGE: Final = Path(__file__).parents[2] / "docs" / "hands.html"
MAX_CLIENTS: Final = 16
MAX_INCOMING_BYTES: Final = 1024
"""Clients have nothing to say; more than this is not even read."""
SEND_BUFFER_BYTES: Final = 64 * 1024
"""The operating system's, for each client: some 20 frames, where its own choice is a thousand old ones."""
PATIENCE_S: Final = 5.0
"""How long a client may leave a ping unanswered."""
_OPENING_S: Final = 3.0
_CLOSING_S: Final = 0.3
_OPTION: Final = "--websocket"
_NO_SUCH_PLACE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)

_log = logging.getLogger(__name__)
# The library reports every broken handshake with a traceback; that is for whoever looks for one.
_library_log = logging.getLogger(f"{__name__}.library")
_library_log.setLevel(logging.CRITICAL)


class WebSocketStream:
    """Listens at one address. `origins` are allowed besides this machine's own pages; `openxr`: its 26 joints, too."""

    def __init__(
        self,
        address: Address,
        origins: Collection[str],
        say: Callable[[str], None],
        openxr: bool = False,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.name = f"websocket {address}"
        self._address = address
        self._origins = frozenset(origins)
        self._say = say
        self._openxr = openxr
        self._patience_s = patience_s
        self._servers: list[Server] = []

    async def open(self) -> None:
        """Begin to listen, and say where; raises UserError if the address cannot be had."""
        places = resolve(_OPTION, self._address, socket.SOCK_STREAM)
        port, failure = self._address.port, None
        for family, place in places:
            try:
                self._servers.append(await self._listening(family, place.host, port))
            except OSError as error:
                if error.errno not in _NO_SUCH_PLACE:  # such as IPv6 where there is none
                    raise socket_error(_OPTION, self._address, error) from error
                failure = failure or error
            else:  # a browser may take any of a name's addresses, so all have one port
                port = next(iter(self._servers[0].sockets)).getsockname()[1]
        if not self._servers:
            assert failure is not None
            raise socket_error(_OPTION, self._address, failure) from failure
        shown = Address(self._address.host, port)
        self._say(f"streaming   ws://{shown}/, to be seen at http://{shown}/")
        if not all(is_loopback(place) for _, place in places):
            self._say(f"{self.name}: every machine that reaches this port can read the hands")

    async def _listening(self, family: socket.AddressFamily, host: str, port: int) -> Server:
        return await serve(
            self._serve,
            host,
            port,
            family=family,
            process_request=self._answer,
            compression=None,
            server_header=None,
            open_timeout=_OPENING_S,
            close_timeout=_CLOSING_S,
            ping_interval=self._patience_s / 2,
            ping_timeout=self._patience_s,
            max_size=MAX_INCOMING_BYTES,
            logger=_library_log,
        )

    @property
    def _clients(self) -> list[ServerConnection]:
        return [client for server in self._servers for client in server.connections]

    def send(self, frame: StreamFrame) -> None:
        """Give a frame to every client that has taken the one before."""
        free = [client for client in self._clients if not client.transport.get_write_buffer_size()]
        if free:
            broadcast(free, frame_json(frame, self._openxr))

    async def close(self) -> None:
        """Say good-bye to the clients, and end within half a second with or without their answer."""
        clients = self._clients
        for server in self._servers:
            server.close(code=CloseCode.GOING_AWAY, reason="the run has ended")
        try:
            ends = (server.wait_closed() for server in self._servers)
            await asyncio.wait_for(asyncio.gather(*ends), 1.5 * _CLOSING_S)
        except asyncio.TimeoutError:
            for client in clients:
                client.transport.abort()

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Show the web page, refuse foreign pages, or let the WebSocket begin (None)."""
        if not request.headers.get_all("Upgrade"):
            return _page(connection, request)
        origins = request.headers.get_all("Origin")
        host = "".join(request.headers.get_all("Host"))
        if all(may_listen(origin, host, self._origins) for origin in origins):
            return None
        _log.info("%s: refused a page from %s", self.name, origins)
        return connection.respond(HTTPStatus.FORBIDDEN, f"This page may not listen{way_to_allow(origins[0])}.\n")

    async def _serve(self, connection: ServerConnection) -> None:
        """Serve one client from the handshake to its end."""
        if len(self._clients) > MAX_CLIENTS:
            await connection.close(CloseCode.TRY_AGAIN_LATER, f"there are {MAX_CLIENTS} clients already")
            return
        connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        try:
            await connection.send(head_json(self._openxr))
            await connection.recv()
            await connection.close(CloseCode.POLICY_VIOLATION, "this stream only sends")
        except ConnectionClosed as closed:
            _log.info("%s: a client is gone: %s", self.name, closed)


def _page(connection: ServerConnection, request: Request) -> Response:
    if request.path.partition("?")[0] not in ("/", f"/{PAGE.name}"):
        return connection.respond(HTTPStatus.NOT_FOUND, "There is one page, /, and a WebSocket.\n")
    body = PAGE.read_bytes()
    headers = Headers(
        {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Connection": "close",
        }
    )
    return Response(HTTPStatus.OK, HTTPStatus.OK.phrase, headers, body)
