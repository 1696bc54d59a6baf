"""The cache of compiled engines: one for each key, a side-car beside it, whole files only.

An engine is a folder `<cache>/<preset>-<backend>-<key>/` that appears in one rename, so neither a killed build nor two
builds at once leave half an engine.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from engines.cache.key import EngineKey
from engines.errors import UserError
from engines.files import file_sha256, replace_file
from engines.user_folders import cache_folder, other_caches

SIDECAR = "engine.json"
_ATTEMPTS = 3
_ABANDONED_S = 24 * 3600
"""A build that takes longer than this was killed."""


def default_cache() -> Path:
    """`$XDG_CACHE_HOME/two-hands-live`, usually below `~/.cache`; a temporary folder where that cannot be written."""
    return cache_folder()


def find_engine(cache: Path, key: EngineKey) -> Path | None:
    """Folder of a whole engine with exactly this key and undamaged files, else None."""
    found = (_whole_engine(place, key) for place in (cache, *other_caches(cache)))
    return next((folder for folder in found if folder is not None), None)


def _whole_engine(cache: Path, key: EngineKey) -> Path | None:
    folder = cache / key.folder_name()
    try:
        sidecar = json.loads((folder / SIDECAR).read_text())
        files: dict[str, str] = sidecar["files_sha256"]
        intact = all(file_sha256(folder / name) == digest for name, digest in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return folder if intact and sidecar.get("key") == json.loads(json.dumps(asdict(key))) else None


def find_engine_among(cache: Path, key: EngineKey, serves: Callable[[str], bool]) -> Path | None:
    """Folder of a whole engine that differs from `key` only in its device, if `serves(its device)`; else None."""
    for other in _keys_of(cache, key):
        if other == replace(key, device=other.device) and serves(other.device):
            folder = find_engine(cache, other)
            if folder is not None:
                return folder
    return None


def why_not_cached(cache: Path, key: EngineKey) -> str:
    """A few words on why there is no engine with this key: nothing there yet, damage, or what has changed."""
    if (cache / key.folder_name()).exists():
        return "the one in the cache is damaged"
    wanted = asdict(key)
    changes = [
        [name for name, value in asdict(other).items() if value != wanted[name]] for other in _keys_of(cache, key)
    ]
    if not changes:
        return "once"
    names = [name.removesuffix("_sha256").replace("_", " ") for name in min(changes, key=len)]
    return f"once: the one in the cache differs in {' and '.join(names)}"


def _keys_of(cache: Path, key: EngineKey) -> Iterator[EngineKey]:
    """Keys of the engines in the cache with the same preset and backend."""
    for sidecar in sorted(cache.glob(f"{key.preset}-{key.backend}-*/{SIDECAR}")):
        try:
            fields = json.loads(sidecar.read_text())["key"]
            yield EngineKey(**{**fields, "batches": tuple(fields["batches"])})
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue


def store_engine(cache: Path, key: EngineKey, files: Mapping[str, bytes], facts: Mapping[str, Any]) -> Path:
    """Put a built engine and its side-car into the cache; raises UserError if the folder cannot be written."""
    target = cache / key.folder_name()
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    sidecar = {"key": asdict(key), "files_sha256": hashes, **facts}
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _sweep(cache)
        # Not `mkdtemp`: its folders are closed to others, who may share the cache.
        partial = cache / f".building-{uuid4().hex}"
        partial.mkdir()
        try:
            for name, content in files.items():
                (partial / name).write_bytes(content)
            (partial / SIDECAR).write_text(json.dumps(sidecar, indent=2) + "\n")
            _put_in_place(partial, cache, key)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise UserError(f"{cache}: the engine cache cannot be written ({error.strerror}); set engine.cache") from error
    return target


def add_fact(folder: Path, name: str, value: Any) -> None:
    """Put `value` (JSON) into the side-car of an engine that is there; one that may only be read stays as it is."""
    sidecar = json.loads((folder / SIDECAR).read_text())
    replace_file(folder / SIDECAR, (json.dumps(sidecar | {name: value}, indent=2) + "\n").encode())


def _sweep(cache: Path) -> None:
    """Remove what killed builds have left: it may be some hundred megabytes each."""
    for left in cache.glob(".building-*"):
        with suppress(OSError):  # another process sweeps, too
            if time.time() - left.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(left, ignore_errors=True)


def _put_in_place(partial: Path, cache: Path, key: EngineKey) -> None:
    """Rename to where the engine belongs. A whole engine that is there stays: another process may be loading it."""
    target, damaged = cache / key.folder_name(), partial.with_name(f"{partial.name}-replaces")
    for attempt in range(_ATTEMPTS):  # others may be replacing the same damaged one
        try:
            partial.rename(target)
            return
        except OSError:
            if find_engine(cache, key) is not None:
                return
            if attempt == _ATTEMPTS - 1:
                raise
        with suppress(FileNotFoundError):
            target.rename(damaged)
        shutil.rmtree(damaged, ignore_errors=True)
