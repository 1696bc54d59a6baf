"""How the page's server answers: JSON or bytes, and what goes wrong as one line with its status (a thread a request).

Only this machine may ask, by one of its own names: a page of elsewhere that found the port has another one.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from engines.errors import UserError
from training.annotation.correction.desk import Locked

MOST_BYTES: Final = 1 << 20
"""The most that a question may hold."""
_HOSTS: Final = ("127.0.0.1", "localhost")
_STATUS: Final[tuple[tuple[type[Exception], HTTPStatus], ...]] = (
    (Locked, HTTPStatus.CONFLICT),
    (PermissionError, HTTPStatus.FORBIDDEN),
    (LookupError, HTTPStatus.NOT_FOUND),
    (ValueError, HTTPStatus.BAD_REQUEST),
    (TypeError, HTTPStatus.BAD_REQUEST),
    (UserError, HTTPStatus.BAD_REQUEST),
)
"""The first that fits counts."""


class Answering(BaseHTTPRequestHandler, ABC):
    """Answers by `get` and `post`, which send something or raise what `_STATUS` knows."""

    protocol_version = "HTTP/1.1"

    @abstractmethod
    def get(self) -> None:
        """What is asked for."""

    @abstractmethod
    def post(self) -> None:
        """What is to be done."""

    def do_GET(self) -> None:
        """The library's name for it."""
        self._answered(self.get)

    def do_POST(self) -> None:
        """The library's name for it."""
        self._answered(self.post)

    def log_message(self, *_: object) -> None:
        """Nothing: the terminal is for the user's own messages."""

    def question(self) -> Any:
        """The JSON that was sent along; raises ValueError if it is none, or too long."""
        length = int(self.headers.get("Content-Length", 0))
        if length > MOST_BYTES:
            raise ValueError("too long")
        return json.loads(self.rfile.read(length))

    def send_json(self, tree: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Answer with JSON."""
        self.send(json.dumps(tree, allow_nan=False).encode(), "application/json", status)

    def send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Answer with bytes of this kind; nobody keeps them, and the page takes no script of elsewhere."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", "default-src 'self'; img-src 'self' blob:")
        self.end_headers()
        self.wfile.write(body)

    def _answered(self, work: Callable[[], None]) -> None:
        try:
            if self.headers.get("Host", "").rpartition(":")[0] not in _HOSTS:
                raise PermissionError("ask for 127.0.0.1")
            work()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the page was closed
        except tuple(kind for kind, _ in _STATUS) as error:
            self.send_json({"error": str(error)}, next(code for kind, code in _STATUS if isinstance(error, kind)))
