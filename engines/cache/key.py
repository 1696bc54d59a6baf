"""The key of a compiled engine: all that it depends on, so that another key is another engine."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

from engines.cache.sources import own_sources_sha256
from engines.files import file_sha256
from engines.witness_file import witness_file


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
    """Of the sources that decide what is in an engine (`engines.cache.sources`)."""
    device: str
    system: str
    calibration_sha256: str = ""
    """Pictures that INT8 ranges were measured on."""
    witness_sha256: str = ""
    """Weights of the second opinion that is in the graph; empty for none."""

    def digest(self) -> str:
        """A short name of the key."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def folder_name(self) -> str:
        """Name of the engine's folder in the cache."""
        return f"{self.preset}-{self.backend}-{self.digest()}"


def engine_key(
    preset: str,
    backend: str,
    version: str,
    precision: str,
    batches: tuple[int, ...],
    weights: Path,
    device: str,
    calibration_sha256: str = "",
    *,
    witness: bool = True,
) -> EngineKey:
    """The key of an engine on this machine; `witness` as in `contract.EngineRequest`."""
    second = witness_file(preset, weights, witness)
    return EngineKey(
        preset=preset,
        backend=backend,
        runtime_version=version,
        precision=precision,
        batches=batches,
        weights_sha256=file_sha256(weights),
        graph_sha256=own_sources_sha256(),
        device=device,
        system=f"{platform.system()} {platform.machine()}",
        calibration_sha256=calibration_sha256,
        witness_sha256=file_sha256(second) if second else "",
    )
