"""Weighted means that grow batch by batch."""

from __future__ import annotations

from torch import Tensor


class Means:
    """Means by name; what never had any weight is left out."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, float]] = {}

    def add(self, name: str, values: Tensor, weight: Tensor) -> None:
        """Count values with weights of the same shape."""
        total, whole = self._sums.get(name, (0.0, 0.0))
        weight = weight.expand_as(values).double()
        self._sums[name] = (total + float((values.double() * weight).sum()), whole + float(weight.sum()))

    def values(self) -> dict[str, float]:
        """The means so far."""
        return {name: total / whole for name, (total, whole) in self._sums.items() if whole > 0}
