"""Which optional packages are here, and what to type for one that is not; nothing is imported for it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from engines.errors import BackendUnavailable

INSTALL: Final = {"tensorrt": "EXTRAS=tensorrt", "tensorrt_rtx": "EXTRAS=rtx", "nncf": "EXTRAS=int8"}
"""What `make setup` is to be given for a package; one that is not named here always belongs to the program."""


def is_installed(package: str) -> bool:
    """Whether a package, such as that of a backend, is there."""
    return find_spec(package) is not None


def require_installed(backend: str) -> None:
    """Raise BackendUnavailable saying how to install the package of a backend."""
    if not is_installed(backend):
        way = f"make setup {INSTALL.get(backend, '')}".strip()
        other = "torch" if backend == "openvino" else "openvino"
        raise BackendUnavailable(f"backend {backend} is not installed: run {way}, or choose --engine {other}")


def require_nncf() -> None:
    """Raise BackendUnavailable saying how to install what quantises."""
    missing = [package for package in ("nncf", "onnxruntime") if not is_installed(package)]
    if missing:
        raise BackendUnavailable(
            f"precision int8 needs {' and '.join(missing)}: run make setup {INSTALL['nncf']}, "
            "or choose another --precision"
        )
