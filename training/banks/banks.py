"""Several banks of hands, rendered or real, as one source of batches: each with its share and its weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Final, Generic, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from engines.errors import UserError
from training.banks.bank import HandBank, load_bank, shard_labels
from training.banks.real_bank import RealBank, load_real

ANY: Final = "*"
"""In what is left out: every value but the empty one."""

BankKind = Literal["rendered", "real"]
BankT = TypeVar("BankT", HandBank, RealBank)


@dataclass(frozen=True)
class TermWeights:
    """What each term of the loss counts for the pictures of one bank, against the same term for other banks."""

    place: float = 1.0
    """Heat maps and places in the crop."""
    depth: float = 1.0
    """Depths of the joints relative to their wrist."""
    hands: float = 1.0
    """Which hands are there."""
    root: float = 1.0
    """z(R->L)."""
    gamma: float = 1.0
    """RootNet's factor."""

    def __post_init__(self) -> None:
        """Raises ValueError for a weight below 0."""
        if min(astuple(self)) < 0:
            raise ValueError("a weight is 0 or more")


@dataclass(frozen=True)
class BankSource:
    """Which pictures of a folder of shards are used, and how often."""

    root: Path
    shards: tuple[str, ...]
    share: float | None = None
    """Weight against the other sources'; None is the number of pictures."""
    leave_out: Mapping[str, Sequence[str]] | None = None
    """Label array of the shards -> values (`ANY`: all but the empty one) whose pictures are not used."""
    weights: TermWeights = TermWeights()


@dataclass(frozen=True)
class BankMix(Generic[BankT]):
    """Banks of one kind to draw from; rows are counted through all of them in their order."""

    parts: tuple[BankT, ...]
    shares: tuple[float, ...]
    weights: tuple[TermWeights, ...] = ()
    """One a part; empty: all count alike."""

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    @property
    def share(self) -> float:
        """Of all parts together, against other mixes."""
        return sum(self.shares)

    def draw(self, count: int, rng: torch.Generator, pairs: float | None = None) -> NDArray[np.int64]:
        """(count,) random rows; a bank is chosen by its share, a picture in it with equal chances.

        With `pairs` so large a share of the pictures shows both hands, and each kind comes from the banks that have it:
        a bank of pairs alone takes no single hand's place.
        """
        shares, each = torch.tensor(self.shares, device=rng.device), count
        rows: Sequence[list[NDArray[np.int64]]] = ([np.arange(len(bank)) for bank in self.parts],)
        kind = np.zeros(count, np.int64)
        if pairs is not None:
            rows = self._by_kind
            has = torch.tensor([[len(own) > 0 for own in some] for some in rows], device=rng.device)
            wanted = (torch.rand(count, generator=rng, device=rng.device) < pairs).long()
            wanted = torch.where(has.any(1)[wanted], wanted, 1 - wanted)  # a kind that nobody has is not drawn
            shares, each, kind = (shares * has)[wanted], 1, wanted.cpu().numpy()
        part = torch.multinomial(shares, each, replacement=True, generator=rng).flatten().cpu().numpy()
        within = torch.rand(count, generator=rng, device=rng.device, dtype=torch.float64).cpu().numpy()
        starts = np.concatenate([[0], np.cumsum([len(bank) for bank in self.parts])])
        places = [(rows[k][p], starts[p], at) for k, p, at in zip(kind, part, within, strict=True)]
        return np.array([start + own[int(at * len(own))] for own, start, at in places], np.int64)

    @cached_property
    def _by_kind(self) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
        """Of each part the rows that show one hand (or none), and those that show both."""
        both = [bank.hand_present.all(1) for bank in self.parts]
        return [np.nonzero(~shown)[0] for shown in both], [np.nonzero(shown)[0] for shown in both]

    def rows(self, index: NDArray[np.int64]) -> BankT:
        """These rows as a small bank of their own, in memory."""
        sizes = np.array([len(bank) for bank in self.parts])
        ends = np.cumsum(sizes)
        part = np.searchsorted(ends, index, side="right")
        pieces = [(np.nonzero(part == k)[0], bank, ends[k] - sizes[k]) for k, bank in enumerate(self.parts)]
        pieces = [piece for piece in pieces if len(piece[0])]
        order = np.argsort(np.concatenate([places for places, _, _ in pieces]))

        def gather(name: str) -> NDArray:
            found = [getattr(bank, name)[index[places] - start] for places, bank, start in pieces]
            return np.concatenate(found)[order]

        kind = type(self.parts[0])
        return kind(**{field.name: gather(field.name) for field in fields(kind)})

    def term_weights(self, index: NDArray[np.int64]) -> NDArray[np.float32]:
        """(B, 5) what each term counts for these rows, in the order of `TermWeights`."""
        table = np.array([astuple(one) for one in self.weights or [TermWeights()] * len(self.parts)], np.float32)
        part = np.searchsorted(np.cumsum([len(bank) for bank in self.parts]), index, side="right")
        return table[part]


def whole_shards(root: Path, kind: BankKind) -> list[str]:
    """Numbers of the rendered shards, or names of the real sets, of which labels and pictures lie in a folder."""
    start = "" if kind == "real" else "shard-"
    whole = [path for path in sorted(root.glob(f"{start}*.npz")) if path.with_suffix(".tar").exists()]
    return [path.stem.removeprefix(start) for path in whole]


def load_mix(sources: Sequence[BankSource], size_px: int, cache: Path) -> BankMix[HandBank]:
    """Read all rendered sources, decoding what `cache` does not hold; raises UserError for missing shards or nothing.

    Each shard is a part of its own, whose pictures stay in their file: the system keeps in memory what fits, once for
    all runs.
    """
    if not sources:
        raise UserError("no bank of hands is named: list one under data.banks in the settings")
    loaded = [[_load(source, shard, size_px, cache) for shard in _progress(source)] for source in sources]
    return _mix(sources, loaded)


def load_real_mix(sources: Sequence[BankSource], size_px: int, cache: Path) -> BankMix[RealBank] | None:
    """The same for sets of real hands; None if no source is named."""
    if not sources:
        return None
    return _mix(sources, [[load_real(s.root, name, size_px, cache) for name in _progress(s)] for s in sources])


def _progress(source: BankSource) -> Iterable[str]:
    progress: Iterable[str] = tqdm(source.shards, desc=source.root.name, unit="shard", disable=None)
    return progress


def _mix(sources: Sequence[BankSource], loaded: Sequence[Sequence[BankT]]) -> BankMix[BankT]:
    parts: list[BankT] = []
    shares: list[float] = []
    weights: list[TermWeights] = []
    for source, shards in zip(sources, loaded, strict=True):
        sizes = [float(len(shard)) for shard in shards]
        if not sum(sizes):
            raise UserError(f"{source.root}: leave_out leaves no picture; name fewer values")
        whole = sum(sizes) if source.share is None else source.share
        parts += shards
        shares += [whole * size / sum(sizes) for size in sizes]
        weights += [source.weights] * len(shards)
    return BankMix(tuple(parts), tuple(shares), tuple(weights))


def _load(source: BankSource, shard: str, size_px: int, cache: Path) -> HandBank:
    bank = load_bank(source.root, [shard], size_px, cache)
    if not source.leave_out:
        return bank
    kept = np.nonzero(~_left_out(source, shard))[0]
    return HandBank(*(getattr(bank, field.name)[kept] for field in fields(HandBank)))


def _left_out(source: BankSource, shard: str) -> NDArray[np.bool_]:
    """(N,) pictures of a shard that are not used."""
    path = source.root / f"shard-{shard}.npz"
    with shard_labels(path) as labels:
        out = np.zeros(len(labels["joint_valid"]), bool)
        for name, values in (source.leave_out or {}).items():
            if name not in labels:
                raise UserError(f"{path}: has no label {name}; leave_out may name {', '.join(sorted(labels))}")
            out |= _matches(labels[name], values)
    return out


def _matches(label: NDArray, values: Sequence[str]) -> NDArray[np.bool_]:
    text = label.astype(np.str_)
    anything = (text != "") if label.dtype.kind == "U" else label != 0
    return np.isin(text, list(values)) | (anything if ANY in values else np.zeros(len(label), bool))
