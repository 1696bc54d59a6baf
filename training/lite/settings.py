"""Settings of a run that trains `lite`; `training/configs/lite*.yaml` hold those of the weights that ship."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from engines.errors import UserError
from training.banks.banks import BankKind, BankSource, TermWeights, whole_shards
from training.lite.augment import Augmentation, RealAugmentation
from training.lite.crop_places import CropNoise
from training.lite.losses import LossWeights
from training.loop.run_settings import Precision, RunSettings, Section


class BankSettings(Section):
    """One folder of hands, rendered or real."""

    root: Path
    kind: BankKind = "rendered"
    """`rendered`: shards of cut-out hands (`training.synth`). `real`: sets of photographs (`NAME.tar`, `NAME.npz`)."""
    train: list[str] = Field(default_factory=list)
    """Numbers of the shards to train on: "100" is shard-100; names of the sets, if they are real; `all`: every one
    that is not held out.
    """
    validation: list[str] = Field(default_factory=list)
    """Held out: never trained on."""
    share: float | None = Field(default=None, gt=0)
    """How often it is drawn from, against the other banks' shares; null is the number of its pictures."""
    weights: TermWeights = TermWeights()
    """What each term of the loss counts for its pictures."""
    leave_out: dict[str, list[str]] = Field(default_factory=dict)
    """Pictures not to train on, by label: `held: ["*"]` leaves out all with a held object (ablations)."""

    @model_validator(mode="after")
    def _fits(self) -> BankSettings:
        both = sorted(set(self.train) & set(self.validation))
        if both:
            raise ValueError(f"shards {', '.join(both)} are both trained on and held out")
        if self.kind == "real" and self.leave_out:
            raise ValueError("real hands have no labels to leave out by")
        return self


class Banks(Section):
    """Folders of hands, some of each held out."""

    banks: list[BankSettings] = Field(min_length=1)
    """Folders of hands, trained on together."""

    def training_sources(self, kind: BankKind = "rendered") -> list[BankSource]:
        """What to train on."""
        return [
            BankSource(bank.root, training_shards(bank), bank.share, bank.leave_out, bank.weights)
            for bank in self.banks
            if bank.train and bank.kind == kind
        ]

    def real_sets(self) -> list[str]:
        """Names of the real sets that are trained on, for a side-car; not part by part (`NAME-000`)."""
        parts = [name for source in self.training_sources("real") for name in source.shards]
        return sorted({re.sub(r"-\d{3}$", "", part) for part in parts})

    def validation_sources(self, kind: BankKind = "rendered") -> list[BankSource]:
        """What is held out."""
        return [
            BankSource(bank.root, tuple(bank.validation))
            for bank in self.banks
            if bank.validation and bank.kind == kind
        ]


class AugmentationSettings(Section):
    """How strongly crops are degraded, by where they come from."""

    rendered: Augmentation = Augmentation()
    real: RealAugmentation = RealAugmentation()


class DataSettings(Banks):
    """Where the pictures are."""

    backgrounds: Path
    """Folder of photographs without hands."""
    cache: Path = Path("out/bank")
    """Folder of the decoded pictures."""
    picture_px: int = Field(224, ge=64, le=512)
    """Side of the rendered pictures kept in memory."""
    real_px: int = Field(288, ge=64, le=512)
    """Side of the real ones: hands are smaller in them."""
    pairs: float | None = Field(None, ge=0, le=1)
    """Share of both hands among the rendered crops; null is as the banks hold them."""
    real: float | None = Field(None, gt=0, lt=1)
    """Share of real crops in a batch; null is as the banks' shares say."""
    crop_px: int | None = Field(None, ge=64, le=512, multiple_of=32)
    """Side of the training crops; null is the network's input. Fewer pixels first: most is learned in less time."""
    crop_noise: CropNoise = CropNoise()
    augmentation: AugmentationSettings = AugmentationSettings()


def training_shards(bank: BankSettings) -> tuple[str, ...]:
    """The numbers or names that `train` means; raises UserError if it means none."""
    if bank.train != ["all"]:
        return tuple(bank.train)
    rest = tuple(shard for shard in whole_shards(bank.root, bank.kind) if shard not in bank.validation)
    if not rest:
        raise UserError(f"{bank.root}: no shards; render them (docs/synthetic.md) or change data.banks in the settings")
    return rest


class ScheduleSettings(Section):
    """Learning rates over the run: warm up, hold, then fall to zero (cosine) between `decay_from` and `samples`."""

    samples: int = Field(gt=0)
    """Length of the run in samples."""
    decay_from: int = Field(ge=0)
    """Sample at which the rate starts to fall."""
    warmup: int = Field(10_000, ge=0)
    release_trunk: int = Field(100_000, ge=0)
    """Until this sample only the heads learn; the trunk's pre-trained features are kept."""
    frozen_stages: int = Field(4, ge=0, le=14)
    """Stages of the trunk that never learn (general features, and half of the time)."""
    depthwise: bool = False
    """Whether the trunk's depth-wise kernels learn; their gradient is most of a step's time on a CPU."""
    learning_rate: float = Field(2.0e-3, gt=0)
    trunk_factor: float = Field(0.1, ge=0)
    """The trunk's share of the learning rate; it has no batch norm and breaks at high rates."""
    added_factor: float = Field(1.0, gt=0)
    """How many times faster the network's newest parts learn (`Lite.added`), for a run from weights without them."""


class Settings(RunSettings):
    """One training run of `lite`."""

    network: Literal["lite"] = "lite"
    data: DataSettings
    schedule: ScheduleSettings
    start: Path | None = None
    """Weights to start from (safetensors); null is MediaPipe's trunk with random heads."""
    loss: LossWeights = LossWeights()
    bfloat16: bool = True

    def amp(self) -> Precision:
        """bfloat16 or full precision."""
        return "bf16" if self.bfloat16 else "fp32"

    def crop_px(self, input_px: int) -> int:
        """Side of the crops of this run, for a network that takes `input_px`."""
        return self.data.crop_px or input_px
