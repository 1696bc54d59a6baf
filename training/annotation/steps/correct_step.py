"""A page in the browser to put right what the machine is unsure of; marks are kept as they are made."""

from __future__ import annotations

import argparse
import getpass
import webbrowser
from pathlib import Path

from training.annotation.correction.desk import Desk
from training.annotation.correction.frames import FrameCache
from training.annotation.correction.server import make_server
from training.annotation.recordings.recording import load_recording
from training.annotation.triangulation.hands import load_hands
from training.annotation.workplace import HANDS, MARKS

_PORT = 8737


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's options."""
    parser.add_argument("folder", type=Path, help="folder of the recording; several people may work in one")
    parser.add_argument("--port", type=int, default=_PORT, help=f"of the page, on this machine only ({_PORT}; 0: any)")
    parser.add_argument("--no-browser", action="store_true", help="only serve; open the address yourself")


def run(arguments: argparse.Namespace) -> None:
    """Serve until Ctrl-C. Raises UserError."""
    a = arguments
    recording, hands = load_recording(a.folder), load_hands(a.folder / HANDS)
    desk = Desk(recording, hands, a.folder / MARKS)
    with make_server(desk, FrameCache(recording, a.folder / "frames"), a.port) as server:
        address = f"http://127.0.0.1:{server.server_port}/?person={_person()}"
        print(f"page        {address}; Ctrl-C ends, nothing needs saving", flush=True)
        if not a.no_browser:
            webbrowser.open(address)
        try:
            server.serve_forever(0.1)
        except KeyboardInterrupt:
            print(f"marks       {a.folder / MARKS}; export takes them")


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
