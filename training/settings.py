"""Settings of a training run: a YAML file, checked strictly, every field with its meaning."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engines.errors import UserError
from training.batch import CropNoise
from training.datasets.banks import BankSource
from training.losses import LossWeights


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BankSettings(_Section):
    """One folder of rendered hands."""

    root: Path
    train: list[str] = []
    """Numbers of the shards to train on: "100" is shard-100; `all`: every shard that is not held out."""
    validation: list[str] = []
    """Held out: never trained on."""
    share: float | None = Field(None, gt=0)
    """How often it is drawn from, against the other banks' shares; null is the number of its pictures."""
    leave_out: dict[str, list[str]] = {}
    """Pictures not to train on, by label: `held: ["*"]` leaves out all with a held object (ablations)."""

    @model_validator(mode="after")
    def _apart(self) -> BankSettings:
        both = sorted(set(self.train) & set(self.validation))
        if both:
            raise ValueError(f"shards {', '.join(both)} are both trained on and held out")
        return self


class DataSettings(_Section):
    """Where the pictures are."""

    banks: list[BankSettings] = Field(min_length=1)
    """Folders of rendered hands, trained on together."""
    backgrounds: Path
    """Folder of photographs without hands."""
    cache: Path = Path("out/bank")
    """Folder of the decoded pictures."""
    picture_px: int = Field(192, ge=64, le=512)
    """Side of the pictures kept in memory."""
    crop_px: int | None = Field(None, ge=64, le=512, multiple_of=32)
    """Side of the training crops; null is the network's input. Fewer pixels first: most is learned in less time."""
    crop_noise: CropNoise = CropNoise()

    def training_sources(self) -> list[BankSource]:
        """What to train on."""
        return [
            BankSource(bank.root, _training_shards(bank), bank.share, bank.leave_out)
            for bank in self.banks
            if bank.train
        ]

    def validation_sources(self) -> list[BankSource]:
        """What is held out."""
        return [BankSource(bank.root, tuple(bank.validation)) for bank in self.banks if bank.validation]


def _training_shards(bank: BankSettings) -> tuple[str, ...]:
    if bank.train != ["all"]:
        return tuple(bank.train)
    found = [path.stem.removeprefix("shard-") for path in sorted(bank.root.glob("shard-*.npz"))]
    rest = tuple(shard for shard in found if shard not in bank.validation)
    if not rest:
        raise UserError(f"{bank.root}: no shards; check data.banks in the settings")
    return rest


class ScheduleSettings(_Section):
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


class Settings(_Section):
    """One training run."""

    data: DataSettings
    schedule: ScheduleSettings
    start: Path | None = None
    """Weights to start from (safetensors); null is MediaPipe's trunk with random heads."""
    loss: LossWeights = LossWeights()
    batch: int = Field(48, gt=0)
    weight_decay: float = 0.01
    clip_norm: float = 5.0
    ema_half_life: int = 30_000
    """Samples after which a weight's past counts half in the averaged network, which is what is kept."""
    seed: int = 0
    device: str = "cpu"
    bfloat16: bool = True
    validate_every: int = 20_000
    output: Path = Path("out/training")

    def crop_px(self, input_px: int) -> int:
        """Side of the crops of this run, for a network that takes `input_px`."""
        return self.data.crop_px or input_px


def load_settings(path: Path, overrides: list[str]) -> Settings:
    """Read a YAML file and apply `a.b=value` overrides; raises UserError naming what does not fit."""
    if not path.exists():
        raise UserError(f"{path}: no such settings file")
    try:
        values = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    for override in overrides:
        _apply(values, override)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: {name}: {first['msg']} (got {first.get('input')!r})") from error


def _apply(values: dict[str, object], override: str) -> None:
    name, equals, text = override.partition("=")
    if not equals:
        raise UserError(f"--set {override}: write it as name=value, for example schedule.samples=100000")
    *parents, last = name.split(".")
    section = values
    for parent in parents:
        child = section.setdefault(parent, {})
        if not isinstance(child, dict):
            raise UserError(f"--set {override}: {parent} is no section")
        section = child
    section[last] = yaml.safe_load(text)
