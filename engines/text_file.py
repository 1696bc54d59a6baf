"""Text that people and other programs write: UTF-8, or with a mark that says otherwise (any thread)."""

from __future__ import annotations

import codecs
from pathlib import Path

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
"""Windows puts such before text; PowerShell writes UTF-16."""


def read_text(path: Path) -> str:
    """The file's text without its mark. Raises OSError, and UnicodeDecodeError, which is a ValueError."""
    data = path.read_bytes()
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    return data.decode(encoding).replace("\r\n", "\n")
