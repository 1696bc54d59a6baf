"""Files: the hash of what one holds, and writing one whole or not at all (any thread or process)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def file_sha256(path: Path) -> str:
    """Hash of a file's content; raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def origin(path: Path) -> dict[str, str]:
    """What a side-car says of a file that another one was made of: its name and its hash."""
    return {"file": path.name, "sha256": file_sha256(path)}


def replace_file(path: Path, content: bytes) -> None:
    """Write a file that may be missing later: whole or not at all, and silently not where nothing can be written."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
