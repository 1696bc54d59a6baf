"""The file of weights that a request means; InterNet's and RootNet's own checkpoints are put into one, once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from safetensors import safe_open

from engines.cache.store import default_cache
from engines.contract import EngineRequest, Say
from engines.errors import UserError
from engines.files import file_sha256, origin
from engines.networks.safetensors_line import reading_safetensors
from engines.presets import SHIPPED, spec_of, weights_of


def weights_for(request: EngineRequest, say: Say = lambda _: None) -> Path:
    """The weights that a request means; a RootNet of its own is put into one file with the InterNet.

    Raises UserError if a file is not there or holds no weights, or if a RootNet is given to a network with its own.
    """
    weights = weights_of(request.preset, request.weights)
    if request.preset in SHIPPED:  # else others' checkpoints, too; told before an engine is announced that comes of it
        with reading_safetensors(weights), safe_open(str(weights), "np"):
            pass
    if request.rootnet is None:
        return weights
    if spec_of(request.preset).root_depth_inside:
        raise UserError(
            f"preset {request.preset} has RootNet's factor in it: leave --rootnet out, or choose --preset paper"
        )
    return _joined(weights, request.rootnet, request.cache or default_cache(), say)


def _joined(internet_file: Path, rootnet_file: Path, cache: Path, say: Say) -> Path:
    """One file with both networks, made in the cache at its first use; `internet_file` is any that preset paper takes.

    A damaged one is made again. Raises UserError if either file does not load.
    """
    from engines.networks.paper import PaperNetworks, read_paper, write_paper  # imports torch
    from engines.networks.released import load_released

    if not rootnet_file.is_file():
        raise UserError(f"{rootnet_file}: no such RootNet checkpoint")
    origins = {"internet": origin(internet_file), "rootnet": origin(rootnet_file)}
    digest = hashlib.sha256("".join(one["sha256"] for one in origins.values()).encode()).hexdigest()
    path = cache / f"paper-{digest[:16]}.safetensors"
    if not _is_whole(path):
        why = f"{path.name} is damaged" if path.exists() else "once"
        say(f"putting {internet_file.name} and {rootnet_file.name} into one file ({why}) ...")
        networks = PaperNetworks(read_paper(internet_file).internet, load_released("rootnet", rootnet_file))
        write_paper(networks, path, {"network": "InterNet and RootNet", **origins})
    return path


def _is_whole(path: Path) -> bool:
    """Whether the file is the one that its side-car was written for."""
    from engines.networks.checkpoints import sidecar_path

    try:
        wanted = json.loads(sidecar_path(path).read_text())["sha256"]
        return bool(file_sha256(path) == wanted)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
