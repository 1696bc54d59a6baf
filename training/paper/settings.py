"""Settings of a run that trains InterNet or RootNet; `training/configs/paper_*.yaml` hold the published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import Field, model_validator

from training.datasets.interhand.interhand26m import Subset
from training.loop.run_settings import Precision, RunSettings, Section
from training.paper.crops import Augmentation

DataSetName = Literal["interhand26m", "rhd", "stb", "freihand", "coco_wholebody", "tzionas", "synthetic"]
"""What can teach: not `webcam`, which only judges, nor `onehand10k`, which does not tell right from left."""
_ONLY_2D: Final = ("freihand", "coco_wholebody", "tzionas")
Hands = Literal["all", "single", "interacting"]


class PartSettings(Section):
    """One data set of a mix."""

    dataset: DataSetName
    root: Path
    split: str = "train"
    subset: Subset = "all"
    """InterHand2.6M: all (H+M), human (H) or machine (M) annotations; table 4 of the paper."""
    hands: Hands = "all"
    """Which sequences: table 3 of the paper."""
    share: float = Field(1.0, gt=0)
    """How often it is drawn from, against the other parts' shares."""
    limit: int | None = Field(None, gt=0)
    """So many samples only, evenly picked."""


class PaperDataSettings(Section):
    """Where the pictures are."""

    train: list[PartSettings] = Field(min_length=1)
    """Trained on together; an epoch is one pass through the first."""
    validation: list[PartSettings] = Field(default_factory=list)
    """Held out, for the curves; `training.evaluate` judges the result."""
    crop_px: int = Field(256, ge=64, le=512, multiple_of=32)
    """Side of the crops: 256 as published."""
    workers: int = Field(4, ge=0)
    """Processes that read and crop pictures ahead, for each GPU; 0 does it in between."""


class EpochSettings(Section):
    """Learning rates over the run."""

    epochs: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    decay: Literal["step", "cosine"] = "step"
    """`step` divides the rate after each epoch of `steps`; `cosine` lets it fall to zero over the whole run."""
    steps: list[int] = Field(default_factory=list)
    """After so many epochs the rate is divided by `divisor`."""
    divisor: float = Field(10.0, gt=1)
    warmup: int = Field(0, ge=0)
    """Samples over which the rate rises from nothing; none as published."""

    @model_validator(mode="after")
    def _in_order(self) -> EpochSettings:
        if self.steps != sorted(set(self.steps)):
            raise ValueError("steps must rise")
        return self


class PaperSettings(RunSettings):
    """What InterNet's and RootNet's runs have in common; the defaults are what both papers do."""

    data: PaperDataSettings
    schedule: EpochSettings
    augmentation: Augmentation
    depth: Literal[18, 34, 50, 101, 152] = 50
    """Which ResNet."""
    trunk: Path | None
    """ImageNet weights of the ResNet (torchvision's `.pth`); null begins with random ones, which nobody published."""
    start: Path | None = None
    """Weights of the whole network to start from: a file of preset `paper`, or a released checkpoint."""
    clip_norm: float | None = Field(None, gt=0)
    ema_half_life: int = Field(0, ge=0)
    weight_decay: float = Field(0.0, ge=0)
    precision: Precision = "fp32"
    validate_every: int = Field(100_000, gt=0)

    def amp(self) -> Precision:
        """The precision of the settings."""
        return self.precision


class InterNetSettings(PaperSettings):
    """One training run of InterNet."""

    network: Literal["internet"]
    pose_loss: Literal["heat_maps", "coordinates"] = "heat_maps"
    """`heat_maps`: squared error against 3D Gaussian blobs. `coordinates`: L1 after a soft-argmax, as in section 6.5;
    only this can learn from sets with 2D labels.
    """

    @model_validator(mode="after")
    def _labels_for_the_loss(self) -> InterNetSettings:
        flat = [part.dataset for part in self.data.train if part.dataset in _ONLY_2D]
        if flat and self.pose_loss == "heat_maps":
            raise ValueError(f"{flat[0]} has 2D labels only: it takes pose_loss: coordinates")
        return self


class RootNetSettings(PaperSettings):
    """One training run of RootNet."""

    network: Literal["rootnet"]
    roots: Literal[1, 2] = 2
    """Two: the right and the left wrist in one crop. One: whichever hand is there, for sets of single hands."""
