"""Reading tensors out of other people's files without running code in them, and filling a module with them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from engines.errors import UserError
from engines.networks.safetensors_line import first_line, reading_safetensors
from engines.npz import ARCHIVE_ERRORS

_NAMED: Final = 3
"""How many ill-fitting parameters of each kind an error names."""

# mmpose keeps small numpy arrays in a checkpoint's remarks; these names rebuild such an array and can do nothing else.
_ARRAY_PARTS: Final = [
    np.core.multiarray._reconstruct,  # type: ignore[attr-defined]  # pickles name it so
    np.core.multiarray.scalar,  # type: ignore[attr-defined]
    np.ndarray,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "?")),
]


def read_checkpoint(path: Path | str) -> dict[str, Any]:
    """The dict in a torch checkpoint; raises UserError if it is missing, damaged or holds more than data."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    try:
        with torch.serialization.safe_globals(_ARRAY_PARTS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        blamed = _blamed(str(error))
        raise UserError(f"{path}: is damaged, or holds Python objects besides tensors ({blamed}); refused") from error
    except (OSError, *ARCHIVE_ERRORS) as error:
        raise UserError(f"{path}: damaged, or no torch checkpoint ({first_line(error)}); fetch it again") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__}, a checkpoint is a dict of tensors")
    return content


def read_tensors(path: Path | str) -> dict[str, Tensor]:
    """All tensors of a safetensors file, or of a torch file that holds a state dict."""
    path = Path(path)
    if path.suffix != ".safetensors":
        return tensors_of(read_checkpoint(path), path)
    if not path.is_file():
        raise UserError(f"{path}: no such weights file")
    with reading_safetensors(path):
        return dict(load_file(str(path)))


def tensors_of(content: Mapping[Any, Any], path: Path) -> dict[str, Tensor]:
    """`content` as a state dict; raises UserError naming the first entry that is no tensor."""
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise UserError(f"{path}: entry {name!r} is no tensor but a {type(value).__name__}; this is no state dict")
    return dict(content)


def fill(module: nn.Module, tensors: Mapping[str, Tensor], path: Path, what: str) -> None:
    """Give `module` the values of `tensors`, which must have its names and shapes; raises UserError naming those amiss.

    Counters of batch norm may be missing: files from before torch 0.4.1 have none, and nothing computed needs them.
    """
    wanted = module.state_dict()
    missing = [name for name in wanted if name not in tensors and not name.endswith("num_batches_tracked")]
    extra = [name for name in tensors if name not in wanted]
    shapes = [
        f"{name} {tuple(tensors[name].shape)} instead of {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in tensors and tensors[name].shape != value.shape
    ]
    problems = {"missing": missing, "extra": extra, "of another shape": shapes}
    found = [f"{len(names)} {kind} ({_list(names)})" for kind, names in problems.items() if names]
    if found:
        raise UserError(f"{path}: does not hold {what}: parameters {', '.join(found)}")
    values = {name: tensors.get(name, value) for name, value in wanted.items()}
    module.load_state_dict({name: value.to(wanted[name].dtype) for name, value in values.items()})


def _list(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _blamed(message: str) -> str:
    """What torch says it will not load, out of its page of advice."""
    for word in message.replace("`", " ").split():
        if "." in word.strip(".,:;") and word.count(".") >= 1 and word.strip(".,").replace(".", "").isidentifier():
            return word.strip(".,:;")
    return first_line(message)
