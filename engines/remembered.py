"""What takes a moment to find out and stays as it is, kept in the user's cache from start to start (any thread)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from engines.errors import UserError
from engines.files import replace_file
from engines.user_folders import cache_folder

FOLDER: Final = "remembered"
"""Below the cache of engines; a file for each question, which holds the last answer only."""


def remembered(question: str, depends_on: bytes, find: Callable[[], str], answer: str) -> str:
    """What `find` gave when it was asked last, or gives now if what it `depends_on` has changed since.

    `answer` is a regular expression: whatever else a file may hold is no answer. Where there is no cache, or none that
    can be read and written, each start finds out by itself.
    """
    asked = hashlib.sha256(depends_on).hexdigest()
    file: Path | None = None
    with suppress(UserError, OSError, ValueError, KeyError, TypeError):
        file = cache_folder() / FOLDER / f"{question}.json"
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["asked"] == asked and re.fullmatch(answer, kept["answer"]):
            return str(kept["answer"])
    found = find()
    if file is not None:
        replace_file(file, json.dumps({"asked": asked, "answer": found}).encode())
    return found
