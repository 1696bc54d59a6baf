"""Addresses without what they keep secret, for messages and files (pure; any thread)."""

from __future__ import annotations

import re
from typing import Final

_USER: Final = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*:/{1,2})\S*@", re.IGNORECASE)
_QUERY: Final = re.compile(r"(?P<address>\b[a-z][a-z0-9+.-]*:/{1,2}[^?#\s]*)[?#]\S+", re.IGNORECASE)


def without_secrets(text: str) -> str:
    """The text, in which addresses have lost user names, passwords, and what stands behind "?" or "#".

    Cameras take passwords in both places (rtsp://user:secret@host/, http://host/video.cgi?pwd=secret). A password with
    a stroke in it, which makes the address wrong, is left out too; the price is a path with "@".
    """
    return _QUERY.sub(r"\g<address>?...", _USER.sub(r"\g<scheme>", text))
