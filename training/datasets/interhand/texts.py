"""A million names without a million Python objects: each different text once, and a number for each row (any thread).

A Python object carries a count of its users: a forked process that merely reads a million of them writes to every page
they lie on, so that each loader process ends up with a copy of its own. Arrays stay shared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class CodedTexts:
    """A column of N texts, T of them different."""

    codes: NDArray[np.int32]
    """(N,) which text, 0 .. T - 1, in order of appearance."""
    letters: NDArray[np.uint8]
    """The different texts in UTF-8, one after the other."""
    ends: NDArray[np.int64]
    """(T,) where each one ends in `letters`."""

    @classmethod
    def of(cls, texts: Iterable[str]) -> CodedTexts:
        """Take a column in; raises ValueError for a text that UTF-8 cannot hold (half a surrogate pair)."""
        known: dict[str, int] = {}
        codes = np.fromiter((known.setdefault(text, len(known)) for text in texts), np.int32)
        encoded = [text.encode() for text in known]
        ends = np.fromiter(accumulate(len(each) for each in encoded), np.int64)
        return cls(codes, np.frombuffer(b"".join(encoded), np.uint8), ends)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> str:
        """The text of a row."""
        return self.text(int(self.codes[row]))

    def text(self, code: int) -> str:
        """One of the different texts."""
        start = self.ends[code - 1] if code else 0
        return self.letters[start : self.ends[code]].tobytes().decode()


def rows_of_pairs(first: CodedTexts, second: CodedTexts, rows: dict[tuple[str, str], int]) -> NDArray[np.int32]:
    """(N,) `rows` looked up by two columns of the same length; -1 where it does not know the pair."""
    width = len(second.ends)
    pairs, place = np.unique(first.codes.astype(np.int64) * width + second.codes, return_inverse=True)
    found = [rows.get((first.text(code // width), second.text(code % width)), -1) for code in pairs.tolist()]
    return np.array(found, np.int32)[place]
