"""Several data sets in one stream, each with its share: the same batches for the same seed, from any step on.

Section 6.5 of the paper trains on half InterHand2.6M and half 2D labels: shares 1 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engines.errors import UserError
from training.datasets.sample import LabelledSample


@dataclass(frozen=True)
class Part:
    """One data set of a mix."""

    samples: Sequence[LabelledSample]
    share: float
    """Weight against the other parts'; they need not add up to 1."""


class Mix:
    """Draws batches; a part starts over, newly shuffled, when all of its samples were drawn."""

    def __init__(self, parts: Sequence[Part], seed: int) -> None:
        """Raises UserError for an empty part or shares that are not positive."""
        if not parts or any(not len(part.samples) or not part.share > 0 for part in parts):
            raise UserError("a mix needs data sets that are not empty, each with a share above 0")
        self._parts = tuple(parts)
        self._seed = seed
        rest = np.cumsum([part.share for part in parts][::-1])[::-1]
        self._of_rest = [part.share / float(whole) for part, whole in zip(parts, rest, strict=True)]
        self._orders: dict[tuple[int, int], np.ndarray] = {}

    def batch(self, step: int, size: int) -> list[LabelledSample]:
        """The samples of batch `step` (from 0), parts in their order, each close to its share."""
        before, after = self._drawn(step * size), self._drawn((step + 1) * size)
        return [
            self._parts[k].samples[self._row(k, n)] for k in range(len(self._parts)) for n in range(before[k], after[k])
        ]

    def _drawn(self, samples: int) -> list[int]:
        """How many of each part are among the first `samples`; never fewer for more samples.

        Each part takes its share of what the parts before it left: counts rounded apart could fall back by one.
        """
        counts = []
        for share in self._of_rest:
            counts.append(min(int(share * samples + 0.5), samples))
            samples -= counts[-1]
        return counts

    def _row(self, part: int, n: int) -> int:
        """Row of the n-th sample drawn from a part."""
        count = len(self._parts[part].samples)
        key = (part, n // count)
        if key not in self._orders:
            self._orders = {k: v for k, v in self._orders.items() if k[0] != part}
            self._orders[key] = np.random.default_rng((self._seed, *key)).permutation(count)
        return int(self._orders[key][n % count])
