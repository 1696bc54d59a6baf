"""TensorRT's and TensorRT-RTX's packages, what they say and whom they build for. The only home of either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from engines.errors import BackendUnavailable, UserError

Flavour = Literal["tensorrt", "tensorrt_rtx"]
_WARNINGS: Final = 2
"""Severities up to this one are kept: internal error, error, warning."""


@dataclass(frozen=True)
class TensorRt:
    """One flavour's package, and what its logger was told; a process has one logger per flavour."""

    flavour: Flavour
    package: Any
    logger: Any

    @property
    def version(self) -> str:
        """Version of the package."""
        return str(self.package.__version__)

    def failure(self, what: str) -> str:
        """`what`, and the last error that the logger was given."""
        errors = [text for severity, text in self.logger.lines if severity < _WARNINGS]
        reason = " ".join(errors[-1].split())[:300] if errors else "no reason given"
        return f"{self.flavour} {self.version} {what}: {reason}"

    def unavailable(self, what: str) -> BackendUnavailable:
        """The same as an exception, with the way out."""
        return BackendUnavailable(f"{self.failure(what)}; choose --engine openvino")


@cache
def load_tensorrt(flavour: Flavour) -> TensorRt:
    """Import a flavour; raises BackendUnavailable if its libraries cannot be loaded."""
    try:
        package: Any = _imported(flavour)
    except (ImportError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise BackendUnavailable(f"backend {flavour} cannot be loaded ({reason}); choose --engine openvino") from error

    class Logger(package.ILogger):
        """Keeps what matters for a message; TensorRT calls it from its own threads too."""

        def __init__(self) -> None:
            package.ILogger.__init__(self)
            self.lines: list[tuple[int, str]] = []

        def log(self, severity: Any, text: str) -> None:
            if int(severity) <= _WARNINGS:
                self.lines.append((int(severity), text))

    return TensorRt(flavour, package, Logger())


def _imported(flavour: Flavour) -> Any:
    if flavour == "tensorrt":
        import tensorrt

        return tensorrt
    import tensorrt_rtx

    return tensorrt_rtx


def supported_targets(tensorrt: TensorRt) -> tuple[str, ...]:
    """Compute capabilities that can be built for by name: sm80, sm89, ...; none where only the GPU at hand counts."""
    names = getattr(getattr(tensorrt.package, "ComputeCapability", None), "__members__", {})
    return tuple(name.lower() for name in names if name.startswith("SM"))


def check_targets(tensorrt: TensorRt, targets: Sequence[str]) -> None:
    """Raise UserError for a target that cannot be built for."""
    known = supported_targets(tensorrt)
    if targets and not known:
        raise UserError(f"backend {tensorrt.flavour} builds for the GPU at hand only: leave --target out")
    for target in targets:
        if target not in known:
            raise UserError(f"{tensorrt.flavour} cannot build for {target}; it knows {', '.join(known)}")
