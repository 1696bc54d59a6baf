"""Batches of training crops, read and cropped ahead by other processes; the same ones for the same seed and step."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from engines.errors import UserError
from training.datasets.sample import LabelledSample
from training.paper.crops import Augmentation, TrainingCrop, training_crop


@dataclass(frozen=True)
class CropBatch:
    """`TrainingCrop`s of a batch, each field with one more dimension in front."""

    picture: Tensor
    gain: Tensor
    joints_crop_px: Tensor
    joint_depth_mm: Tensor
    place_weight: Tensor
    volume_weight: Tensor
    hand_present: Tensor
    hands_weight: Tensor
    left_minus_right_root_mm: Tensor
    pair_weight: Tensor
    root_depth_mm: Tensor
    root_depth_weight: Tensor
    k_mm: Tensor

    def pin_memory(self) -> CropBatch:
        """In memory that a GPU can fetch by itself."""
        return self._each(Tensor.pin_memory)

    def to(self, device: str) -> CropBatch:
        """On another device."""
        return self._each(lambda values: values.to(device, non_blocking=True))

    def images(self) -> Tensor:
        """(B, 3, S, S) RGB in 0..1 with the drawn colours."""
        rgb = self.picture.permute(0, 3, 1, 2).flip(1).float()
        return (rgb * self.gain[:, :, None, None]).clamp(0, 255) / 255

    def _each(self, change: Callable[[Tensor], Tensor]) -> CropBatch:
        return CropBatch(**{field.name: change(getattr(self, field.name)) for field in fields(self)})


def collated(crops: Sequence[TrainingCrop]) -> CropBatch:
    """Crops as one batch."""
    names = [field.name for field in fields(CropBatch)]
    return CropBatch(**{name: torch.from_numpy(np.stack([getattr(c, name) for c in crops])) for name in names})


class SampleSource(Protocol):
    """Where the samples of a batch come from: a mix, or a fixed list."""

    def batch(self, step: int, size: int) -> list[LabelledSample]:
        """The samples of batch `step`."""


@dataclass(frozen=True)
class InOrder:
    """Samples one after the other, once."""

    samples: Sequence[LabelledSample]

    def batch(self, step: int, size: int) -> list[LabelledSample]:
        """The samples of batch `step`; the last one may be shorter."""
        return [self.samples[i] for i in range(step * size, min((step + 1) * size, len(self.samples)))]


@dataclass(frozen=True)
class CropBatches(Dataset["CropBatch | UserError"]):
    """Batch `step` on demand; every sample has random numbers of its own, whoever crops it."""

    source: SampleSource
    size: int
    """Samples of a whole batch, over all processes of the run."""
    rows: slice
    """This process's part of it."""
    crop_px: int
    augmentation: Augmentation
    seed: int

    def __getitem__(self, step: int) -> CropBatch | UserError:
        """A batch, or what is wrong with a picture: an error must cross processes in one piece."""
        try:
            samples = self.source.batch(step, self.size)
            places = range(len(samples))[self.rows]
            return collated([self._crop(samples[k], step * self.size + k) for k in places])
        except UserError as error:
            return error

    def _crop(self, sample: LabelledSample, number: int) -> TrainingCrop:
        rng = np.random.default_rng((self.seed, number))
        return training_crop(sample, self.crop_px, self.augmentation, rng)


def read_ahead(batches: CropBatches, steps: Iterable[int], workers: int, device: str) -> Iterator[CropBatch]:
    """These batches on the device; raises UserError naming a picture that cannot be read."""
    on_gpu = torch.device(device).type == "cuda"
    loader: DataLoader[CropBatch | UserError] = DataLoader(
        batches,
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        prefetch_factor=2 if workers else None,
        collate_fn=_unchanged,
        pin_memory=on_gpu,
        worker_init_fn=_start_worker,
    )
    try:
        for batch in _started(loader):
            if isinstance(batch, UserError):
                raise batch
            yield batch.to(device)
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise UserError("a process that reads pictures died, perhaps for lack of memory: lower data.workers") from error


def _started(loader: DataLoader[CropBatch | UserError]) -> Iterator[CropBatch | UserError]:
    """The loader's batches, its processes forked while OpenCV has no threads.

    A forked process has none of its parent's threads, and OpenCV waits for ever when it is told to end them there.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return iter(loader)
    finally:
        cv2.setNumThreads(threads)


def _unchanged(batch: Any) -> Any:
    return batch


def _start_worker(index: int) -> None:
    """Stopping is for the main process, which ends its step and then its workers.

    Ctrl-C and torchrun signal the whole group of processes.
    """
    del index
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
