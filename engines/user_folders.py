"""Where a user's caches and settings go, also of one without a home, as in a container with a bare number (any thread).

A cache that cannot be written is replaced by a folder among the temporary files, which is said once.
"""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final

from engines.errors import UserError

PROGRAM: Final = "two-hands-live"
_CACHE: Final = "XDG_CACHE_HOME"

_log = logging.getLogger(__name__)


def user_folder(variable: str, below_home: str) -> Path | None:
    """The program's folder in `$variable`, or else in `below_home` of the user's home; None where there is neither."""
    base = os.environ.get(variable)
    if base:
        return Path(base) / PROGRAM
    with suppress(RuntimeError):  # no HOME, and no such user in the list of users
        return Path.home() / below_home / PROGRAM
    return None


def usual_cache() -> Path | None:
    """`$XDG_CACHE_HOME/two-hands-live`, usually below `~/.cache`, written to or not; None without a home."""
    return user_folder(_CACHE, ".cache")


def cache_folder() -> Path:
    """`usual_cache`, or a temporary one where that cannot be written, which is said.

    Processes that are started later take the same. Raises UserError if there is no place at all.
    """
    cache = _writable_cache(usual_cache())
    if user_folder("XDG_CONFIG_HOME", ".config") is None:  # MediaPipe imports Matplotlib, which asks for one
        os.environ.setdefault("MPLCONFIGDIR", str(cache.parent / "matplotlib"))
    return cache


def other_caches(cache: Path) -> tuple[Path, ...]:
    """Where engines may be found as well if the cache is a temporary one: in the user's, that may only be read."""
    own = _OWN.get(cache)
    return () if own is None else (own,)


_OWN: Final[dict[Path, Path]] = {}
"""The user's cache in whose place a temporary one was taken."""


@lru_cache(maxsize=8)
def _writable_cache(wanted: Path | None) -> Path:
    if wanted is not None and _can_write(wanted):
        return wanted
    # A link, or somebody else's folder, could hold anything.
    base = Path(tempfile.gettempdir()) / f"{PROGRAM}-{os.getuid()}"
    with suppress(OSError):
        base.mkdir(mode=0o700, exist_ok=True)
    if not (_is_ours(base) and _can_write(base / PROGRAM)):
        raise UserError(f"{wanted or base}: the engine cache cannot be written; set engine.cache to a folder that can")
    reason = "there is no home for a cache" if wanted is None else f"{wanted} cannot be written"
    _log.warning("%s: compiled engines go to %s; --set engine.cache=DIR keeps them elsewhere", reason, base)
    os.environ[_CACHE] = str(base)
    if wanted is not None:
        _OWN[base / PROGRAM] = wanted
    return base / PROGRAM


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _is_ours(folder: Path) -> bool:
    with suppress(OSError):
        facts = folder.lstat()
        return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o022
    return False
