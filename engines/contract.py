"""What every compiled network looks like from outside, and what it is asked for: all that a backend must know of us."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.errors import BackendUnavailable
from engines.geometry.crop import Crop

BackendName = Literal["auto", "tensorrt", "tensorrt_rtx", "openvino", "torch"]
Precision = Literal["auto", "fp32", "bf16", "fp16", "int8"]
BATCHES: Final = (1, 2)
"""Batch sizes that are compiled: one crop for near hands, two for hands apart."""

Say = Callable[[str], None]
"""Gets the lines that a user should see."""


class Backend(Protocol):
    """A network ready to run. One thread at a time; the arrays it returns are overwritten by the next call."""

    name: str
    precision: str
    input_px: int
    depth_along_ray: bool
    """As in `spec.NetworkSpec`: what the joints' depths mean."""
    witness: bool
    """Whether the graph hears a second opinion on single hands (`networks.witness`)."""
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
    at_once: tuple[int, ...] | None = None
    """Of these the sizes that are compiled at once; others only if they are asked for often (OpenVINO). None is all."""
    targets: tuple[str, ...] = ()
    """GPUs to build for, such as sm89 (TensorRT-RTX only); empty is the GPU at hand, or all the runtime can."""
    rootnet: Path | None = None
    """A RootNet checkpoint for preset `paper`, whose released weights are InterNet alone."""
    calibration: Path | None = None
    """Crops for int8 (`calibration.calibration_crops`); None is the sample clip."""
    witness: bool = True
    """The second opinion that goes along with the weights, if there is one; False is the network by itself."""
    compiled: bool = False
    """torch.compile in backend torch: worth its minute on a GPU only."""

    def __post_init__(self) -> None:
        """Take paths that are given as text."""
        for name in ("weights", "cache", "rootnet", "calibration"):
            value = getattr(self, name)
            if isinstance(value, str):
                object.__setattr__(self, name, Path(value))


@contextmanager
def unavailable_if_it_fails(backend: str) -> Iterator[None]:
    """Within it a RuntimeError, which is how a GPU's libraries say that they cannot, is a BackendUnavailable."""
    try:
        yield
    except RuntimeError as error:
        reason = " ".join(str(error).split("\n", 1)[0].split())[:200] or type(error).__name__
        other = "openvino" if backend != "openvino" else "torch"
        raise BackendUnavailable(f"backend {backend} cannot run here ({reason}); choose --engine {other}") from error
