"""A Wayland compositor without keyboard and mouse (no seat), as on a kiosk, in a container or over a remote desktop.

As much of the protocol as a client needs to begin: it lists what there is, and answers that it has heard.
"""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path

GLOBALS = (("wl_compositor", 4), ("wl_subcompositor", 1), ("wl_shm", 1), ("xdg_wm_base", 1), ("wl_output", 2))
_DISPLAY, _SYNC, _GET_REGISTRY, _DELETE_ID = 1, 0, 1, 1


class WaylandWithoutSeat:
    """`with WaylandWithoutSeat(folder) as environment:`, to be added to a client's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = socket.socket(socket.AF_UNIX)
        self.clients = 0

    def __enter__(self) -> dict[str, str]:
        path = self._folder / "wayland-9"
        self._server.bind(str(path))
        self._server.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        folder = str(self._folder)
        return {"WAYLAND_DISPLAY": path.name, "XDG_RUNTIME_DIR": folder, "XDG_SESSION_TYPE": "wayland"}

    def __exit__(self, *exception: object) -> None:
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self.clients += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        data = b""
        while received := _received(client):
            data += received
            while len(data) >= 8:
                target, word = struct.unpack_from("<II", data)
                size, opcode = word >> 16, word & 0xFFFF
                if len(data) < size:
                    break
                body, data = data[8:size], data[size:]
                if target == _DISPLAY:
                    self._answer(client, opcode, *struct.unpack_from("<I", body))

    def _answer(self, client: socket.socket, opcode: int, new_id: int) -> None:
        if opcode == _GET_REGISTRY:
            for name, (interface, version) in enumerate(GLOBALS, 1):
                text = interface.encode() + b"\0"
                text += bytes(-len(text) % 4)
                body = struct.pack("<II", name, len(interface) + 1) + text + struct.pack("<I", version)
                client.sendall(_event(new_id, 0, body))
        elif opcode == _SYNC:
            client.sendall(_event(new_id, 0, struct.pack("<I", 0)))
            client.sendall(_event(_DISPLAY, _DELETE_ID, struct.pack("<I", new_id)))


def _received(client: socket.socket) -> bytes:
    try:
        return client.recv(1 << 16)
    except OSError:
        return b""  # the client is gone


def _event(target: int, opcode: int, body: bytes) -> bytes:
    return struct.pack("<II", target, (8 + len(body)) << 16 | opcode) + body
