"""Batches of `lite`: rendered and real crops, each kind with its share, made one step ahead of the network."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.banks.bank import HandBank
from training.banks.banks import BankMix
from training.banks.real_bank import RealBank
from training.lite.augment import Augmenter
from training.lite.batch import Labels, joined, of_rows, random_crops, stored_batch
from training.lite.real_batch import random_real_crops, stored_real
from training.lite.settings import Settings
from training.lite.spectrum import with_spectrum_of


@dataclass(frozen=True)
class LiteBatch:
    """Crops (B, 3, S, S) in 0..1 and what should be said of them; rendered ones first."""

    images: Tensor
    labels: Labels
    clean: Tensor
    """(B, 3, S, S) the real crops before they were degraded; the rendered ones are those of `images`."""
    real: Tensor
    """(B,) which are real."""

    def rows(self, rows: slice) -> LiteBatch:
        """These samples of it."""
        return LiteBatch(self.images[rows], of_rows(self.labels, rows), self.clean[rows], self.real[rows])


def real_count(batch: int, share: float) -> int:
    """How many of a batch are real, at least one of each kind."""
    return min(max(round(batch * share), 1), batch - 1)


def sample_rng(seed: int, samples: int, device: str) -> torch.Generator:
    """The random numbers of the batch that begins at this sample of a run: the same wherever it was interrupted."""
    state = int(np.random.SeedSequence([seed, samples]).generate_state(1, np.uint64)[0]) >> 1
    return torch.Generator(device=device).manual_seed(state)


class LiteBatches:
    """Draws the batch of any place of a run; the next one is made in a thread of its own meanwhile."""

    def __init__(
        self,
        settings: Settings,
        crop_px: int,
        rendered: BankMix[HandBank],
        real: BankMix[RealBank] | None,
        backgrounds: Tensor,
    ) -> None:
        self._settings, self._crop_px = settings, crop_px
        self._rendered, self._real = rendered, real
        self._backgrounds = backgrounds.to(settings.device)
        self._ahead: dict[int, Future[LiteBatch]] = {}
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="batches")

    def draw(self, samples: int) -> LiteBatch:
        """The whole batch that begins at this sample; raises what reading a picture raises."""
        ready = self._ahead.pop(samples, None)
        self._ahead.clear()
        after = samples + self._settings.batch
        self._ahead[after] = self._worker.submit(self.make, after)
        return self.make(samples) if ready is None else ready.result()

    def make(self, samples: int) -> LiteBatch:
        """The same, made here and now."""
        settings, real = self._settings, self._real
        rng = sample_rng(settings.seed, samples, settings.device)
        reals = 0 if real is None else real_count(settings.batch, self._real_share(real))
        parts = [self._rendered_part(settings.batch - reals, rng)]
        if real is not None:
            parts.append(self._real_part(real, reals, rng))
            self._sharpen_as(parts[0].images, parts[1].clean, rng)
        return LiteBatch(
            torch.cat([part.images for part in parts]),
            joined([part.labels for part in parts]),
            torch.cat([part.clean for part in parts]),
            torch.cat([part.real for part in parts]),
        )

    def _sharpen_as(self, rendered: Tensor, real: Tensor, rng: torch.Generator) -> None:
        """Give some rendered crops, in place, a part of the way to the fine structure of real ones."""
        dice = torch.rand(len(rendered), generator=rng, device=rendered.device)
        chosen = (dice < self._settings.data.augmentation.rendered.spectrum).nonzero()[:, 0]
        if len(chosen):
            others = torch.randint(len(real), (len(chosen),), generator=rng, device=rendered.device)
            share = torch.rand(len(chosen), generator=rng, device=rendered.device)
            rendered[chosen] = with_spectrum_of(rendered[chosen], real[others], share)

    def _real_share(self, real: BankMix[RealBank]) -> float:
        given = self._settings.data.real
        return real.share / (real.share + self._rendered.share) if given is None else given

    def _rendered_part(self, count: int, rng: torch.Generator) -> LiteBatch:
        data = self._settings.data
        index = self._rendered.draw(count, rng, data.pairs)
        stored = stored_batch(self._rendered, index, self._settings.device)
        hands, labels = random_crops(stored, self._crop_px, data.crop_noise, rng)
        images = Augmenter(self._backgrounds, rng, data.augmentation.rendered)(hands)
        return LiteBatch(images, labels, images, torch.zeros(count, dtype=torch.bool, device=images.device))

    def _real_part(self, real: BankMix[RealBank], count: int, rng: torch.Generator) -> LiteBatch:
        data = self._settings.data
        stored = stored_real(real, real.draw(count, rng), self._settings.device)
        crops, labels = random_real_crops(stored, self._crop_px, data.crop_noise, rng)
        images = Augmenter(self._backgrounds, rng, data.augmentation.real).degrade(crops.clone())
        return LiteBatch(images, labels, crops, torch.ones(count, dtype=torch.bool, device=images.device))
