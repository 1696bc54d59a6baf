"""A real camera for the tests: on the network, and it can be unplugged."""

from __future__ import annotations

import http.server
import struct
import threading
import time

import cv2

from tests.support.video_files import picture

SIZE = (64, 48)


class NetworkCamera:
    """A camera as phones offer it: JPEG pictures, one after the other, over HTTP. `unplug` and `plug` it.

    While `stalled` is set it keeps the connection and sends nothing; while `spoiled` is set, no picture is whole.
    """

    def __init__(self) -> None:
        self._plugged = threading.Event()
        self.stalled = threading.Event()
        self.spoiled = threading.Event()
        self.pixel_aspect = 1, 1
        self.sent = 0
        """Number of the picture that is being sent."""
        camera = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if not camera._plugged.is_set():
                    self.send_error(503)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                for i in range(10_000):
                    camera.sent = i
                    if not camera._plugged.is_set():
                        return
                    while camera.stalled.is_set() and camera._plugged.is_set():
                        time.sleep(0.01)
                    data = cv2.imencode(".jpg", picture(i % 36, SIZE))[1].tobytes()
                    # JFIF's head: unit 0 at 13 means that the shape of pixels follows, width and height.
                    data = data[:13] + struct.pack(">BHH", 0, *camera.pixel_aspect) + data[18:]
                    data = b"\0" * len(data) if camera.spoiled.is_set() else data
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    try:
                        self.wfile.write(head.encode() + data + b"\r\n")
                    except OSError:
                        return
                    time.sleep(0.01)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_port}/"
        self.plug()

    def plug(self) -> None:
        self._plugged.set()

    def unplug(self) -> None:
        self._plugged.clear()

    def close(self) -> None:
        self.unplug()
        self._server.shutdown()
        self._server.server_close()
