"""The page's server: on this machine only, standard library, JSON in and out (a thread for each request).

Nothing but the page itself may ask: the name in the request must be this machine's, and what changes something needs a
header that no other site's page can send.
"""

from __future__ import annotations

import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from engines.errors import UserError
from training.annotation.correction.answers import Answering
from training.annotation.correction.desk import Desk
from training.annotation.correction.frames import FrameCache

_PAGE: Final = Path(__file__).parent / "page"
_FILES: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/view.js": ("view.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
_HEADER: Final = "X-Annotation"


class DeskServer(ThreadingHTTPServer):
    """Serves a desk on 127.0.0.1; not yet running."""

    daemon_threads = True

    def __init__(self, desk: Desk, frames: FrameCache, port: int) -> None:
        super().__init__(("127.0.0.1", port), _PageHandler)
        self.desk, self.frames = desk, frames
        self.lock = threading.Lock()  # one at the desk


def make_server(desk: Desk, frames: FrameCache, port: int) -> DeskServer:
    """The server; port 0 takes a free one. Raises UserError if the port is taken, or none."""
    try:
        return DeskServer(desk, frames, port)
    except OverflowError as error:
        raise UserError(f"--port {port}: ports are 0 to 65535; 0 takes a free one") from error
    except OSError as error:
        raise UserError(f"--port {port}: cannot be opened ({error.strerror}); take another one") from error


class _PageHandler(Answering):
    """The addresses: the page's files, `api/overview`, `api/moment/K`, `api/picture/K/VIEW`, and what changes marks."""

    server: DeskServer

    def get(self) -> None:
        """A file of the page, the overview, a moment's marks, or a camera's picture of it."""
        path = self.path.partition("?")[0]
        if path in _FILES:
            name, kind = _FILES[path]
            self.send((_PAGE / name).read_bytes(), kind)
            return
        match path.strip("/").split("/"):
            case ["api", "overview"]:
                with self.server.lock:
                    self.send_json(self.server.desk.overview())
            case ["api", "moment", moment]:
                with self.server.lock:
                    self.send_json(self.server.desk.moment(self._moment(moment)))
            case ["api", "picture", moment, view]:
                self.send(self._picture(self._moment(moment), int(view)), "image/jpeg")
            case _:
                raise LookupError("no such address")

    def post(self) -> None:
        """A change of marks, or of who is at a moment."""
        if self.headers.get(_HEADER) is None:
            raise PermissionError("only the page itself may change marks")
        tree = self.question()
        moment = self._moment(str(tree["moment"]))
        with self.server.lock:
            self.send_json(self._changed(self.path.strip("/").removeprefix("api/"), moment, tree))

    def _changed(self, what: str, moment: int, tree: dict[str, Any]) -> Any:
        desk = self.server.desk
        page, person = str(tree.get("page", ""))[:80], str(tree.get("person", ""))[:80]
        match what:
            case "place":
                return desk.place(moment, int(tree["joint"]), tree["marks"])
            case "save":
                return desk.save(moment, tree, page, person)
            case "lock":
                desk.lock(moment, page, person)
            case "release":
                desk.release(moment, page)
            case _:
                raise LookupError("no such address")
        return {}

    def _picture(self, moment: int, view: int) -> bytes:
        if not 0 <= view < len(self.server.desk.recording.rig):
            raise LookupError("no such view")
        picture = self.server.frames.jpeg(moment, view)
        if picture is None:
            raise LookupError("no picture of this camera")
        return picture

    def _moment(self, text: str) -> int:
        moment = int(text)
        if not 0 <= moment < len(self.server.desk.recording.t_s):
            raise LookupError(f"no moment {moment}")
        return moment
