"""What every compiled network looks like from outside, and the one place that picks an implementation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from engines.backends.gpu import nvidia_gpu
from engines.building.cache import default_cache
from engines.errors import UserError
from engines.geometry.crop import Crop
from engines.presets import weights_of

BackendName = Literal["auto", "tensorrt", "tensorrt_rtx", "openvino", "torch"]
Precision = Literal["auto", "fp32", "bf16", "fp16", "int8"]
BATCHES: Final = (1, 2)
"""Batch sizes that are compiled: one crop for near hands, two for hands apart."""

Say = Callable[[str], None]
Flavour = Literal["tensorrt", "tensorrt_rtx"]
_TENSORRT: Final[tuple[Flavour, ...]] = get_args(Flavour)
_TORCH_ON_CPU: Final = "torch on the CPU"
_EXTRAS: Final = {"tensorrt": "EXTRAS=tensorrt", "tensorrt_rtx": "EXTRAS=rtx"}


class BackendUnavailable(UserError):
    """This backend cannot run here, whatever the weights; another one may."""


class Backend(Protocol):
    """A network ready to run. One thread at a time; the arrays it returns are overwritten by the next call."""

    name: str
    precision: str
    input_px: int
    depth_along_ray: bool
    """As in `spec.NetworkSpec`: what the joints' depths mean."""
    folder: Path | None
    """Where the compiled engine lies in the cache; None where nothing is compiled."""

    def __call__(self, crops_bgr: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float32]]:
        """(B, S, S, 3) uint8 BGR crops, B of `BATCHES` -> the tensors of `spec.OUTPUT_NAMES`."""
        ...

    def cut(self, image_bgr: NDArray[np.uint8], crops: Sequence[Crop]) -> Any:
        """(H, W, 3) uint8 BGR and crops of it -> what `__call__` takes, valid until the next cut.

        As `crop.extract` cuts them; a backend on a GPU does it there, so that the picture goes up once and no crop
        exists in the computer's memory.
        """
        ...


@dataclass(frozen=True)
class EngineRequest:
    """What the user asked for."""

    preset: str = "lite"
    weights: Path | None = None
    """None is the preset's own file."""
    backend: BackendName = "auto"
    precision: Precision = "auto"
    threads: int = 0
    """CPU threads of the network; 0 lets the runtime choose."""
    cache: Path | None = None
    """Folder of compiled engines; None is the user's cache folder."""
    batches: tuple[int, ...] = BATCHES
    targets: tuple[str, ...] = ()
    """GPUs to build for, such as sm89 (TensorRT-RTX only); empty is the GPU at hand, or all the runtime can."""
    rootnet: Path | None = None
    """A RootNet checkpoint for preset `paper`, whose released weights are InterNet alone."""
    calibration: Path | None = None
    """Crops for int8 (`calibration.calibration_crops`); None is the sample clip."""
    compiled: bool = False
    """torch.compile in backend torch: worth its minute on a GPU only."""

    def __post_init__(self) -> None:
        """Take paths that are given as text."""
        for name in ("weights", "cache", "rootnet", "calibration"):
            value = getattr(self, name)
            if isinstance(value, str):
                object.__setattr__(self, name, Path(value))


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


@contextmanager
def unavailable_if_it_fails(backend: str) -> Iterator[None]:
    """Within it a RuntimeError, which is how a GPU's libraries say that they cannot, is a BackendUnavailable."""
    try:
        yield
    except RuntimeError as error:
        reason = " ".join(str(error).split("\n", 1)[0].split())[:200] or type(error).__name__
        other = "openvino" if backend != "openvino" else "torch"
        raise BackendUnavailable(f"backend {backend} cannot run here ({reason}); choose --engine {other}") from error


def weights_for(request: EngineRequest, say: Say = lambda _: None) -> Path:
    """The file of weights that a request means; a RootNet of its own is put into one file with the InterNet."""
    weights = weights_of(request.preset, request.weights)
    if request.rootnet is None:
        return weights
    if request.preset == "lite":
        raise UserError("preset lite has RootNet's factor in it: leave --rootnet out, or choose --preset paper")
    from engines.convert import joined

    return joined(weights, request.rootnet, request.cache or default_cache(), say)


def is_installed(backend: str) -> bool:
    """Whether the package of a backend is there; nothing is imported."""
    return find_spec(backend) is not None


def require_installed(backend: str) -> None:
    """Raise BackendUnavailable saying how to install the backend."""
    if not is_installed(backend):
        way = f"make setup {_EXTRAS.get(backend, '')}".strip()
        other = "torch" if backend == "openvino" else "openvino"
        raise BackendUnavailable(f"backend {backend} is not installed: run {way}, or choose --engine {other}")


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
        say(f"{gpu.name}: make setup {_EXTRAS['tensorrt']} would let TensorRT use it")
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
