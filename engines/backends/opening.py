"""The one place that knows all backends, and picks one: each is imported only then, for its package may not be here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final, get_args

from engines.backends.gpu import nvidia_gpu
from engines.building.tensorrt_package import Flavour
from engines.cache.key import EngineKey
from engines.cache.weights import weights_for
from engines.contract import Backend, EngineRequest, Say
from engines.errors import BackendUnavailable, UserError
from engines.installed import INSTALL, is_installed, require_installed

_TENSORRT: Final[tuple[Flavour, ...]] = get_args(Flavour)
_TORCH_ON_CPU: Final = "torch on the CPU"


def open_backend(request: EngineRequest, say: Say = lambda _: None) -> Backend:
    """Load the engine, building it first if the cache has none that fits; `say` gets the lines a user should see.

    `auto` takes the fastest that runs here: TensorRT, TensorRT-RTX, torch on a GPU, OpenVINO, torch on the CPU.
    Raises UserError for weights that do not fit, BackendUnavailable if a named backend cannot run here.
    """
    weights = weights_for(request, say)
    if request.backend != "auto":
        return _open(request.backend, request, weights, say)
    return first_that_opens({name: partial(_open, name, request, weights, say) for name in _choices(say)}, say)


def first_that_opens(openers: Mapping[str, Callable[[], Backend]], say: Say) -> Backend:
    """The first backend, in the order of `openers`, that can run here; says of each before it why it cannot.

    Raises the last one's BackendUnavailable if none can.
    """
    for name, following in pairwise(openers):
        try:
            return openers[name]()
        except BackendUnavailable as error:
            say(f"{error} - trying {following}")
    return openers[list(openers)[-1]]()


def build_ahead(request: EngineRequest, say: Say) -> tuple[Path, EngineKey]:
    """Folder and key of an engine of backend `tensorrt_rtx` for GPUs that need not be here; built if there is none.

    Raises UserError for targets it does not know, BackendUnavailable where it cannot build.
    """
    from engines.backends.tensorrt_engine import ensure_engine

    return ensure_engine("tensorrt_rtx", request, weights_for(request, say), say)


def _choices(say: Say) -> list[str]:
    """What to try, best first; says what could be had that is not used."""
    gpu = nvidia_gpu()
    tensorrts = [name for name in _TENSORRT if is_installed(name)]
    on_cpu = [*(["openvino"] if is_installed("openvino") else []), _TORCH_ON_CPU]
    if gpu is None:
        if tensorrts:
            say(f"no NVIDIA GPU answers, so {' and '.join(tensorrts)} cannot run: taking {on_cpu[0]}")
        elif on_cpu == [_TORCH_ON_CPU]:
            say("openvino is not installed: running the network in torch, several times slower")
        return on_cpu
    if not tensorrts:
        say(f"{gpu.name}: make setup {INSTALL['tensorrt']} would let TensorRT use it")
    return [*tensorrts, *(["torch"] if _torch_has_cuda() else []), *on_cpu]


def _torch_has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _open(choice: str, request: EngineRequest, weights: Path, say: Say) -> Backend:
    if choice == "openvino":
        require_installed(choice)
        from engines.backends.openvino_backend import OpenVinoBackend

        return OpenVinoBackend.open(request, weights, say)
    if choice in ("torch", _TORCH_ON_CPU):
        from engines.backends.torch_backend import TorchBackend

        return TorchBackend(request, weights, on_cpu=choice == _TORCH_ON_CPU)
    if choice in _TENSORRT:
        require_installed(choice)
        from engines.backends.tensorrt_backend import TensorRtBackend

        return TensorRtBackend.open(choice, request, weights, say)
    raise UserError(f"backend {choice!r} is unknown; choose auto, tensorrt, tensorrt_rtx, openvino or torch")
