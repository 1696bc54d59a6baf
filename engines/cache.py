"""The cache of compiled engines: a key of all that an engine depends on, a side-car beside it, whole files only.

An engine is a folder `<cache>/<preset>-<backend>-<key>/` that appears in one rename, so neither a killed build nor two
builds at once leave half an engine.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engines.errors import UserError

_SIDECAR = "engine.json"
_GRAPH_SOURCES = ("decode.py", "graph.py", "spec.py", "networks/lite.py", "networks/mobile_trunk.py")


@dataclass(frozen=True)
class EngineKey:
    """Everything a compiled engine depends on; any difference means another engine."""

    preset: str
    backend: str
    runtime_version: str
    precision: str
    batches: tuple[int, ...]
    weights_sha256: str
    graph_sha256: str
    device: str
    system: str

    def digest(self) -> str:
        """A short name of the key."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def folder_name(self) -> str:
        """Name of the engine's folder in the cache."""
        return f"{self.preset}-{self.backend}-{self.digest()}"


def engine_key(
    preset: str, backend: str, version: str, precision: str, batches: tuple[int, ...], weights: Path, device: str
) -> EngineKey:
    """The key of an engine on this machine."""
    return EngineKey(
        preset=preset,
        backend=backend,
        runtime_version=version,
        precision=precision,
        batches=batches,
        weights_sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        graph_sha256=_graph_hash(),
        device=device,
        system=f"{platform.system()} {platform.machine()}",
    )


def default_cache() -> Path:
    """`$XDG_CACHE_HOME/two-hands-live`, usually below `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "two-hands-live"


def find_engine(cache: Path, key: EngineKey) -> Path | None:
    """Folder of a whole engine with exactly this key and undamaged files, else None."""
    folder = cache / key.folder_name()
    try:
        sidecar = json.loads((folder / _SIDECAR).read_text())
        files: dict[str, str] = sidecar["files_sha256"]
        intact = all(
            hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest for name, digest in files.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return folder if intact and sidecar.get("key") == json.loads(json.dumps(asdict(key))) else None


def store_engine(cache: Path, key: EngineKey, files: Mapping[str, bytes], facts: Mapping[str, Any]) -> Path:
    """Put a built engine and its side-car into the cache; raises UserError if the folder cannot be written."""
    target = cache / key.folder_name()
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    sidecar = {"key": asdict(key), "files_sha256": hashes, **facts}
    try:
        cache.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".building-", dir=cache))
        try:
            for name, content in files.items():
                (partial / name).write_bytes(content)
            (partial / _SIDECAR).write_text(json.dumps(sidecar, indent=2) + "\n")
            _swap_in(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise UserError(f"{cache}: the engine cache cannot be written ({error.strerror}); set engine.cache") from error
    return target


def _swap_in(partial: Path, target: Path) -> None:
    """Rename into place; if another process was first, its engine is as good as ours."""
    shutil.rmtree(target, ignore_errors=True)
    try:
        partial.rename(target)
    except OSError:
        if not (target / _SIDECAR).exists():
            raise


def _graph_hash() -> str:
    """Hash of the sources the graph is made by: a changed network is another engine."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for name in _GRAPH_SOURCES:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()
