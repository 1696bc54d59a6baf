"""What OpenVINO compiled, kept in the cache: reading it takes a third of the time that compiling takes.

A start compiles three networks, the largest for two crops; of its 1.2 s of a processor 0.8 are saved. What is kept is
OpenVINO's own form of the compiled network, with a check sum, for this version, processor and number of threads;
answers are the same to the bit.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engines.cache.key import EngineKey
from engines.cache.store import default_cache, find_engine, store_engine
from engines.errors import UserError
from engines.files import file_sha256
from engines.openvino_core import DEVICE, openvino_config, openvino_core
from engines.user_folders import other_caches

if TYPE_CHECKING:
    import openvino as ov

FOLDER: Final = "compiled"
"""Below the cache of engines."""
_FILE: Final = "network.blob"


def compiled_network(
    name: str,
    made_of: str,
    read: Callable[[], ov.Model],
    precision: str,
    threads: int,
    batch: int = 1,
    cache: Path | None = None,
) -> ov.CompiledModel:
    """The network that `read` gives, compiled for a CPU; `made_of` is a hash of all that decides what it gives.

    `cache` is the folder of engines, None the user's. Where it cannot be written, a start takes longer. Raises
    RuntimeError where OpenVINO cannot compile it.
    """
    core, config = openvino_core(), openvino_config(precision, threads)
    key = _key(core, name, f"{made_of} {threads}", precision, batch)
    with suppress(UserError):  # no place for a cache at all
        cache = cache or default_cache()
    kept = _kept(cache, key) if cache else None
    if kept is not None:
        with suppress(OSError, RuntimeError):  # gone meanwhile, or not for this processor after all
            return core.import_model((kept / _FILE).read_bytes(), DEVICE, config)
    network = core.compile_model(read(), DEVICE, config)
    if cache and kept is None:
        with suppress(UserError):
            store_engine(cache / FOLDER, key, {_FILE: network.export_model().getvalue()}, {})
    return network


def compiled_file(
    file: Path, precision: str, cache: Path | None = None, outputs: Sequence[int] | None = None
) -> ov.CompiledModel:
    """The same for a network that is a file, on one thread; raises OSError as well where the file cannot be read.

    `outputs`: only these are worked out, which costs no time and memory for the others.
    """
    made_of = file_sha256(file) if outputs is None else f"{file_sha256(file)} {list(outputs)}"
    return compiled_network(file.stem, made_of, lambda: _read(file, outputs), precision, threads=1, cache=cache)


def _read(file: Path, outputs: Sequence[int] | None) -> ov.Model:
    import openvino as ov

    network = openvino_core().read_model(file)
    if outputs is None:
        return network
    return ov.Model([network.outputs[k] for k in outputs], network.get_parameters(), file.stem)


def _kept(cache: Path, key: EngineKey) -> Path | None:
    """Its folder in this cache, or in the user's that may only be read."""
    found = (find_engine(place / FOLDER, key) for place in (cache, *other_caches(cache)))
    return next((folder for folder in found if folder is not None), None)


def _key(core: ov.Core, name: str, made_of: str, precision: str, batch: int) -> EngineKey:
    import openvino as ov

    properties = (core.get_property(DEVICE, what) for what in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES"))
    return EngineKey(
        preset=name,
        backend="compiled",
        runtime_version=ov.get_version(),
        precision=precision,
        batches=(batch,),
        weights_sha256=hashlib.sha256(made_of.encode()).hexdigest(),
        graph_sha256="",
        device=" ".join(map(str, properties)),
        system=f"{platform.system()} {platform.machine()}",
    )
