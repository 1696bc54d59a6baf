"""Several banks of rendered hands as one source of batches: each with its share, some pictures left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from engines.errors import UserError
from training.banks.bank import HandBank, load_bank, shard_labels

ANY: Final = "*"
"""In what is left out: every value but the empty one."""


@dataclass(frozen=True)
class BankSource:
    """Which pictures of a folder of shards are used, and how often."""

    root: Path
    shards: tuple[str, ...]
    share: float | None = None
    """Weight against the other sources'; None is the number of pictures."""
    leave_out: Mapping[str, Sequence[str]] | None = None
    """Label array of the shards -> values (`ANY`: all but the empty one) whose pictures are not used."""


@dataclass(frozen=True)
class BankMix:
    """Banks to draw from; rows are counted through all of them in their order."""

    parts: tuple[HandBank, ...]
    shares: tuple[float, ...]

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def draw(self, count: int, rng: torch.Generator) -> NDArray[np.int64]:
        """(count,) random rows; a bank is chosen by its share, a picture in it with equal chances."""
        weights = torch.tensor(self.shares, device=rng.device)
        part = torch.multinomial(weights, count, replacement=True, generator=rng).cpu().numpy()
        within = torch.rand(count, generator=rng, device=rng.device, dtype=torch.float64).cpu().numpy()
        sizes = np.array([len(bank) for bank in self.parts])
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        return starts[part] + (within * sizes[part]).astype(np.int64)

    def rows(self, index: NDArray[np.int64]) -> HandBank:
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

        return HandBank(
            pictures=gather("pictures"),
            joints_cam_mm=gather("joints_cam_mm"),
            hand_present=gather("hand_present"),
            intrinsics_px=gather("intrinsics_px"),
        )


def load_mix(sources: Sequence[BankSource], size_px: int, cache: Path) -> BankMix:
    """Read all sources, decoding what `cache` does not hold; raises UserError for missing shards or nothing at all.

    Each shard is a part of its own, whose pictures stay in their file: the system keeps in memory what fits, once for
    all runs.
    """
    if not sources:
        raise UserError("no bank of hands is named: list one under data.banks in the settings")
    parts: list[HandBank] = []
    shares: list[float] = []
    for source in sources:
        progress = tqdm(source.shards, desc=source.root.name, unit="shard", disable=None)
        shards = [_load(source, shard, size_px, cache) for shard in progress]
        sizes = [float(len(shard)) for shard in shards]
        if not sum(sizes):
            raise UserError(f"{source.root}: leave_out leaves no picture; name fewer values")
        whole = sum(sizes) if source.share is None else source.share
        parts += shards
        shares += [whole * size / sum(sizes) for size in sizes]
    return BankMix(tuple(parts), tuple(shares))


def _load(source: BankSource, shard: str, size_px: int, cache: Path) -> HandBank:
    bank = load_bank(source.root, [shard], size_px, cache)
    if not source.leave_out:
        return bank
    kept = np.nonzero(~_left_out(source, shard))[0]
    return HandBank(bank.pictures[kept], bank.joints_cam_mm[kept], bank.hand_present[kept], bank.intrinsics_px[kept])


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
