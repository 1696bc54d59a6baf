"""Which web pages may listen: the Origin that a browser names, against a list (pure functions; any thread).

Any page in the user's browser can open a WebSocket to 127.0.0.1; only the Origin tells it from the user's own pages.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

OPAQUE: Final = "null"
"""What a browser says for a page that was opened as a file, and for a sandboxed frame of any web site alike: to allow
the one is to allow the other, so it must be asked for."""
FILES: Final = "file://"
"""What Electron, Qt and old Android say for such a page."""
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def parse_origin(text: str) -> str:
    """Read an Origin such as "https://example.org:8080", "null" or "file://"; raises argparse.ArgumentTypeError."""
    if text.lower() in (FILES, f"{FILES}/"):
        return FILES
    origin = text.lower().rstrip("/")
    parts = _split(origin)
    if origin == OPAQUE or (parts and parts.scheme and origin == f"{parts.scheme}://{parts.netloc}"):
        return origin
    raise argparse.ArgumentTypeError(f"{text} is no origin; write it as https://example.org, or null for files")


def way_to_allow(origin: str) -> str:
    """What to tell a page that was refused; nothing where no option would let it in."""
    try:
        return f"; --websocket-origin {parse_origin(origin)} would allow it"
    except argparse.ArgumentTypeError:
        return ""


def may_listen(origin: str, host: str, added: Collection[str]) -> bool:
    """Whether a client with this Origin may listen, which reached us under `host` (the Host header).

    Pages of this machine may, and pages that came from the very address they connect to, if that is a number: a name
    can be made to point here by whoever owns it (DNS rebinding). Clients without an Origin are no browsers.
    """
    if origin.lower() in added:
        return True
    parts = _split(origin)
    if parts is None or parts.scheme not in ("http", "https"):
        return False
    return parts.hostname in _LOOPBACK or (parts.netloc == host.lower() and _is_number(parts.hostname))


def _split(origin: str) -> SplitResult | None:
    try:
        parts = urlsplit(origin)
        _ = parts.port  # looked at only when asked for
    except ValueError:
        return None
    return parts if parts.hostname and "@" not in parts.netloc else None


def _is_number(host: str | None) -> bool:
    try:
        return bool(ip_address(host or ""))
    except ValueError:
        return False
