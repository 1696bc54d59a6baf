"""What takes a moment to find out and stays as it is, kept in the user's cache from start to start (any thread)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from engines.files import replace_file
from engines.user_folders import usual_cache

FOLDER: Final = "remembered"
"""Below the cache of engines; a file for each question, which holds the last answer only."""
_MOST_BYTES: Final = 1000


def remembered(question: str, depends_on: bytes, find: Callable[[], str], answer: str) -> str:
    """What `find` gave when it was asked last, or gives now if what it `depends_on` has changed since.

    `answer` is a regular expression: whatever else a file holds is no answer. Where the user has no cache, or none that
    can be written, each start finds out by itself and says nothing: engines may be kept elsewhere.
    """
    cache, asked = usual_cache(), hashlib.sha256(depends_on).hexdigest()
    if cache is None:
        return find()
    file = cache / FOLDER / f"{question}.json"
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        kept = json.loads(file.read_text(encoding="utf-8")) if _is_small(file) else {}
        if kept["asked"] == asked and re.fullmatch(answer, kept["answer"]):
            return str(kept["answer"])
    found = find()
    replace_file(file, json.dumps({"asked": asked, "answer": found}).encode())
    return found


def _is_small(file: Path) -> bool:
    """A regular file of a size that an answer has; whatever else lies there, to read it might never end."""
    return file.is_file() and file.stat().st_size <= _MOST_BYTES
