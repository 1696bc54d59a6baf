"""The window with the clock, in a process of its own; what it shows may be fetched as from a network camera.

`python -m benchmarks.screen_clock CLIP [--serve]` prints the address. The clip's hands move below the clock, so that
the tracker has its usual work.
"""

from __future__ import annotations

import http.server
import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.clock_code import HEIGHT, WIDTH, draw
from benchmarks.screen_grab import grab
from realtime.command import CommandParser
from realtime.handover import Mailbox, MailboxClosed
from realtime.opencv_windows import FirstPictures, choose_platform
from realtime.sources.recording import VideoSource

TITLE: Final = "two hands: clock"
_AT_PX: Final = (0, 600)
"""Below the windows of the program."""
_RATE_HZ: Final = 100.0
_CAMERA_HZ: Final = 30.0
_KEPT: Final = 60
"""Pictures of the clip that are kept and shown to and fro."""


def show(clip: Path, address: str | None) -> None:
    """Show the clock until the window is closed or the process is ended."""
    choose_platform()
    pictures = _pictures(clip)
    cv2.namedWindow(TITLE, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
    cv2.moveWindow(TITLE, *_AT_PX)
    first = FirstPictures(TITLE)
    to_and_fro = itertools.cycle([*pictures, *pictures[::-1]])
    begun_s, picture = time.monotonic(), next(to_and_fro)
    for i in itertools.count():
        if i % round(_RATE_HZ / _CAMERA_HZ) == 0:
            picture = next(to_and_fro)
        left = (picture.shape[1] - WIDTH) // 2
        picture[:HEIGHT, left : left + WIDTH] = draw(time.time())
        cv2.imshow(TITLE, picture)
        wait_s = begun_s + i / _RATE_HZ - time.monotonic()
        cv2.waitKey(max(1, round(wait_s * 1e3)))
        first.shown()
        if cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
            return
        if i == 0 and address is not None:
            print(address, flush=True)


def serve() -> str:
    """Offer what the window shows as a network camera does: JPEG pictures over HTTP. The address."""
    newest: Mailbox[bytes] = Mailbox()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            for data in _until_closed(newest):
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                try:
                    self.wfile.write(head.encode() + data + b"\r\n")
                except OSError:
                    return

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    def take() -> None:
        for _, picture in grab(TITLE, _CAMERA_HZ):
            newest.put(cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 90))[1].tobytes())

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=take, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


def _until_closed(newest: Mailbox[bytes]) -> Iterator[bytes]:
    while True:
        try:
            yield newest.get(1.0)
        except TimeoutError:
            continue
        except MailboxClosed:
            return


def _pictures(clip: Path) -> list[NDArray[np.uint8]]:
    with VideoSource(clip) as source:
        return [frame.image_bgr.copy() for frame in itertools.islice(source, _KEPT)]


def main() -> None:
    """The command."""
    parser = CommandParser("python -m benchmarks.screen_clock", __doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--serve", action="store_true")
    given = parser.parse_args()
    show(given.clip, serve() if given.serve else "shown")


if __name__ == "__main__":
    main()
