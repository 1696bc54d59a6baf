"""The page's server: on this machine only, standard library, JSON in and out (a thread for each request).

Nothing but the page itself may ask: the name in the request must be this machine's, and what changes something needs a
header that no other site's page can send.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from engines.errors import UserError
from training.annotation.correction.desk import Desk, Locked
from training.annotation.correction.frames import FrameCache

_PAGE: Final = Path(__file__).parent / "page"
_FILES: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/view.js": ("view.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
_HEADER: Final = "X-Annotation"
_MOST_BYTES: Final = 1 << 20


def make_server(desk: Desk, frames: FrameCache, port: int) -> ThreadingHTTPServer:
    """A server on 127.0.0.1, not yet running; port 0 takes a free one. Raises UserError if the port is taken."""
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), _handler(desk, frames))
    except OSError as error:
        raise UserError(f"--port {port}: cannot be opened ({error.strerror}); take another one") from error
    server.daemon_threads = True
    return server


def _handler(desk: Desk, frames: FrameCache) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answered(self._get)

        def do_POST(self) -> None:
            self._answered(self._post)

        def log_message(self, *_: object) -> None:
            pass

        def _get(self) -> None:
            path = self.path.partition("?")[0]
            if path in _FILES:
                name, kind = _FILES[path]
                self._send(HTTPStatus.OK, (_PAGE / name).read_bytes(), kind)
                return
            parts = path.strip("/").split("/")
            if parts == ["api", "overview"]:
                with lock:
                    self._json(desk.overview())
            elif len(parts) == 3 and parts[:2] == ["api", "moment"]:
                with lock:
                    self._json(desk.moment(self._moment(parts[2])))
            elif len(parts) == 4 and parts[:2] == ["api", "picture"]:
                view = int(parts[3])
                if not 0 <= view < len(desk.recording.rig):
                    raise LookupError("no such view")
                picture = frames.jpeg(self._moment(parts[2]), view)
                if picture is None:
                    raise LookupError("no picture of this camera")
                self._send(HTTPStatus.OK, picture, "image/jpeg")
            else:
                raise LookupError("no such address")

        def _post(self) -> None:
            if self.headers.get(_HEADER) is None:
                raise PermissionError("only the page itself may change marks")
            length = int(self.headers.get("Content-Length", 0))
            if length > _MOST_BYTES:
                raise ValueError("too long")
            tree = json.loads(self.rfile.read(length))
            what = self.path.strip("/").removeprefix("api/")
            moment = self._moment(str(tree["moment"]))
            page, person = str(tree.get("page", ""))[:80], str(tree.get("person", ""))[:80]
            with lock:
                if what == "place":
                    self._json(desk.place(moment, int(tree["joint"]), tree["marks"]))
                elif what == "save":
                    self._json(desk.save(moment, tree, page, person))
                elif what == "lock":
                    desk.lock(moment, page, person)
                    self._json({})
                elif what == "release":
                    desk.release(moment, page)
                    self._json({})
                else:
                    raise LookupError("no such address")

        def _moment(self, text: str) -> int:
            moment = int(text)
            if not 0 <= moment < len(desk.recording.t_s):
                raise LookupError(f"no moment {moment}")
            return moment

        def _answered(self, work: Callable[[], None]) -> None:
            """Do the work; what goes wrong is an answer of one line."""
            try:
                if self.headers.get("Host", "").rpartition(":")[0] not in ("127.0.0.1", "localhost"):
                    raise PermissionError("ask for 127.0.0.1")
                work()
            except Locked as error:
                self._json({"error": str(error)}, HTTPStatus.CONFLICT)
            except PermissionError as error:
                self._json({"error": str(error)}, HTTPStatus.FORBIDDEN)
            except LookupError as error:
                self._json({"error": str(error)}, HTTPStatus.NOT_FOUND)
            except (ValueError, TypeError, UserError) as error:
                self._json({"error": str(error)}, HTTPStatus.BAD_REQUEST)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the page was closed

        def _json(self, tree: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
            self._send(status, json.dumps(tree, allow_nan=False).encode(), "application/json")

        def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Content-Security-Policy", "default-src 'self'; img-src 'self' blob:")
            self.end_headers()
            self.wfile.write(body)

    return Handler
