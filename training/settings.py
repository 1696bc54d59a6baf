"""Settings of a training run: a YAML file, checked strictly, every field with its meaning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import yaml
from pydantic import Field, ValidationError, model_validator

from engines.errors import UserError
from engines.text_file import read_text
from training.banks.banks import BankSource
from training.lite.crop_places import CropNoise
from training.lite.losses import LossWeights
from training.loop.run_settings import Precision, RunSettings, Section
from training.paper.settings import InterNetSettings, RootNetSettings


class BankSettings(Section):
    """One folder of rendered hands."""

    root: Path
    train: list[str] = Field(default_factory=list)
    """Numbers of the shards to train on: "100" is shard-100; `all`: every shard that is not held out."""
    validation: list[str] = Field(default_factory=list)
    """Held out: never trained on."""
    share: float | None = Field(default=None, gt=0)
    """How often it is drawn from, against the other banks' shares; null is the number of its pictures."""
    leave_out: dict[str, list[str]] = Field(default_factory=dict)
    """Pictures not to train on, by label: `held: ["*"]` leaves out all with a held object (ablations)."""

    @model_validator(mode="after")
    def _apart(self) -> BankSettings:
        both = sorted(set(self.train) & set(self.validation))
        if both:
            raise ValueError(f"shards {', '.join(both)} are both trained on and held out")
        return self


class DataSettings(Section):
    """Where the pictures are."""

    banks: list[BankSettings] = Field(min_length=1)
    """Folders of rendered hands, trained on together."""
    backgrounds: Path
    """Folder of photographs without hands."""
    cache: Path = Path("out/bank")
    """Folder of the decoded pictures."""
    picture_px: int = Field(224, ge=64, le=512)
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


AnySettings: TypeAlias = Settings | InterNetSettings | RootNetSettings
_KINDS: Final[dict[str, type[AnySettings]]] = {
    "lite": Settings,
    "internet": InterNetSettings,
    "rootnet": RootNetSettings,
}


def start_override(weights: Path | None) -> list[str]:
    """What `--weights` of a command changes in the settings: the run starts, or started, from these."""
    return [f"start={json.dumps(str(weights))}"] if weights else []


def load_settings(path: Path, overrides: list[str]) -> Settings:
    """`load_any_settings` where only `lite` will do."""
    settings = load_any_settings(path, overrides)
    if not isinstance(settings, Settings):
        raise UserError(f"{path}: settings of network {settings.network}; this takes those of lite")
    return settings


def load_any_settings(path: Path, overrides: list[str]) -> AnySettings:
    """Read a YAML file and apply `a.b=value` overrides; raises UserError naming what does not fit.

    `network` (lite, internet, rootnet) says what the rest means. With `base: other.yaml` the file only holds what
    differs from that other one, which lies beside it.
    """
    values = _read(path)
    for override in overrides:
        _apply(values, override)
    kind = str(values.get("network", "lite"))
    if kind not in _KINDS:
        raise UserError(f"{path}: network {kind!r} is unknown; choose one of {', '.join(_KINDS)}")
    try:
        return _KINDS[kind].model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: {name}: {first['msg']} (got {first.get('input')!r})") from error


def _read(path: Path, within: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The file's values over those of its `base`, which is named from its own folder."""
    if path.resolve() in within:
        raise UserError(f"{path}: is its own base; name another file there")
    if not path.exists():
        raise UserError(f"{path}: no such settings file")
    try:
        values = yaml.safe_load(read_text(path)) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise UserError(f"{path}: not a file of settings: it needs lines of name: value")
    base = values.pop("base", None)
    return values if base is None else _merged(_read(path.parent / str(base), (*within, path.resolve())), values)


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Sections are merged, everything else is replaced."""
    merged = dict(base)
    for name, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merged(merged[name], value) if both else value
    return merged


def _apply(values: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    if not equals:
        raise UserError(f"--set {override}: write it as name=value, for example schedule.samples=100000")
    *parents, last = name.split(".")
    section: Any = values
    for parent in parents:
        section = (
            section.setdefault(parent, {}) if isinstance(section, dict) else section[_place(section, parent, override)]
        )
        if not isinstance(section, dict | list):
            raise UserError(f"--set {override}: {parent} is no section")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"--set {override}: the value is not valid YAML") from error
    section[last if isinstance(section, dict) else _place(section, last, override)] = value


def _place(entries: list[Any], name: str, override: str) -> int:
    """Number of an entry of a list, from 0: `data.train.0.root`."""
    if not name.isdecimal() or int(name) >= len(entries):
        raise UserError(f"--set {override}: {name} is no entry of a list of {len(entries)}, counted from 0")
    return int(name)
