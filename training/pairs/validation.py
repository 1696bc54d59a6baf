"""How well the pair detector finds what is in held-out frames, and what it finds in pictures without hands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from engines.pair_boxes import Proposal, iou, proposals
from engines.pair_spec import KINDS
from training.loop.run_settings import RunSettings, autocast
from training.pairs.batches import Sources, compose
from training.pairs.frames import Framed, blank_frame
from training.pairs.network import PairHead
from training.pairs.palm_features import PalmFeatures
from training.pairs.settings import PairDataSettings

_BATCH, _SEED = 50, 271828
_FOUND_IOU: Final = 0.5
_LEAST: Final = 0.05
"""Proposals below this score are not looked at."""

Detect = Callable[[NDArray[np.uint8]], list[list[Proposal]]]
"""(B, 192, 192, 3) RGB -> the proposals of each, in its pixels."""


@dataclass(frozen=True)
class HeldOutFrames:
    """Frames that are the same at every call."""

    frames: list[Framed]
    empty: NDArray[np.uint8]
    """(N, 192, 192, 3) RGB without hands."""


def held_out_frames(sources: Sources, data: PairDataSettings) -> HeldOutFrames:
    """Composed of pieces and photographs that no run trains on; every held-out photograph, whole, is an empty one."""
    rng = np.random.default_rng(_SEED)
    frames = [compose(sources, data, rng) for _ in range(data.held_out_frames)]
    empty = [blank_frame(photo, rng).rgb for photo in sources.photos]
    return HeldOutFrames(frames, np.stack(empty))


def detect_with(head: PairHead, features: PalmFeatures, settings: RunSettings) -> Detect:
    """A head in training as a detector."""

    def detect(rgb: NDArray[np.uint8]) -> list[list[Proposal]]:
        with torch.no_grad(), autocast(settings):
            maps = head(*features(rgb, settings.device))
        arrays = [part.float().cpu().numpy() for part in maps]
        return [proposals([part[k] for part in arrays], _LEAST) for k in range(len(rgb))]

    return detect


def recall(detect: Detect, held_out: HeldOutFrames, least: float) -> dict[str, float]:
    """Share of targets of each kind that a proposal covers (IoU 0.5), and proposals that are none, a frame."""
    hits: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    wrong = 0
    for framed, found in _answers(detect, held_out.frames):
        there = [one for one in found if one.score >= least]
        for target in framed.targets:
            ious = [iou(target.box_px, one.box_px) for one in there if one.kind == target.kind]
            hits[target.kind].append(max(ious, default=0.0) >= _FOUND_IOU)
        pairs = [target.box_px for target in framed.targets if target.kind == "pair"] + framed.unknown["pair"]
        told = [one for one in there if one.kind == "pair"]
        wrong += sum(max((iou(box, one.box_px) for box in pairs), default=0.0) < 0.2 for one in told)
    return {f"{kind}_found": float(np.mean(values or [False])) for kind, values in hits.items()} | {
        "wrong_pairs": wrong / max(len(held_out.frames), 1)
    }


def false_alarms(detect: Detect, empty: NDArray[np.uint8], least: float) -> dict[str, float]:
    """Share of pictures without hands in which something of each kind is found."""
    found = [one for k in range(0, len(empty), _BATCH) for one in detect(empty[k : k + _BATCH])]
    return {
        f"{kind}_in_empty": float(np.mean([any(o.kind == kind and o.score >= least for o in one) for one in found]))
        for kind in KINDS
    }


def _answers(detect: Detect, frames: Sequence[Framed]) -> Iterator[tuple[Framed, list[Proposal]]]:
    for start in range(0, len(frames), _BATCH):
        part = frames[start : start + _BATCH]
        yield from zip(part, detect(np.stack([framed.rgb for framed in part])), strict=True)
