"""What a retraining is asked to do, and the settings of its training runs that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engines.errors import UserError
from training.banks.banks import whole_shards
from training.lite.settings import BankSettings, Settings
from training.retraining.stage import digest, file_digest
from training.settings import load_settings

CONFIGS: Final = (Path("training/configs/lite.yaml"), Path("training/configs/lite_finish.yaml"))
"""Small crops first, then full ones."""
REAL_CONFIG: Final = Path("training/configs/lite_real.yaml")
"""Then with real hands, where there are any."""
_HELD_OUT_SHARE: Final = 8
"""One in so many shards is held out."""
_PLACES: Final[Any] = {"output": True, "start": True, "device": True, "data": {"banks", "backgrounds", "cache"}}
"""Where things lie, on which the weights do not depend; what lies there has a key of its own."""
DRY_RUN_SETTINGS: Final = (
    "data.picture_px=96",
    "data.crop_px=64",
    "schedule.samples=48",
    "schedule.warmup=8",
    "schedule.decay_from=16",
    "schedule.release_trunk=16",
    "batch=8",
    "bfloat16=false",
    "validate_every=24",
    "ema_half_life=16",
)
"""The same way with next to nothing to learn; what a user sets goes on top."""


@dataclass(frozen=True)
class RetrainPlan:
    """What was asked for."""

    output: Path
    data: tuple[Path, ...]
    """Existing banks; empty renders one."""
    count: int
    shard_size: int
    seed: int
    workers: int
    backgrounds: Path | None
    """Photographs without hands; None draws rooms."""
    settings: tuple[tuple[str, Settings], ...]
    """Name and settings of each training run; each starts from the weights of the one before."""
    real: tuple[Path, ...]
    """Folders of real hands with labels; empty goes without."""
    pictures: tuple[Path, ...]
    """Pictures or videos of real hands that are yet to be labelled."""
    real_settings: tuple[str, Settings]
    """Name and settings of the run that takes them."""
    webcam: Path
    """Folder of real labelled hands, which may be missing."""
    dry_run: bool
    install: bool
    force: bool


@dataclass(frozen=True)
class Banks:
    """The shards that a run learns from and is judged on."""

    banks: tuple[BankSettings, ...]
    key: str
    """Changes with what the shards hold and which are held out."""


def settings_of(config: Path, overrides: Sequence[str], dry_run: bool) -> Settings:
    """The settings of a training run before its places are known; raises UserError naming what does not fit."""
    return load_settings(config, [*(DRY_RUN_SETTINGS if dry_run else ()), *overrides])


def placed(plan: RetrainPlan, settings: Settings, banks: Banks, backgrounds: Path, start: Path | None) -> Settings:
    """The settings with everything where this retraining has it."""
    places: dict[str, Any] = {"banks": list(banks.banks), "backgrounds": backgrounds}
    if plan.dry_run:
        places["cache"] = plan.output / "decoded"
    return settings.model_copy(update={"data": settings.data.model_copy(update=places), "start": start})


def without_places(settings: Settings) -> dict[str, Any]:
    """What of the settings the weights depend on."""
    content: dict[str, Any] = settings.model_dump(mode="json", exclude=_PLACES)
    return content


def banks_of(roots: Sequence[Path], settings: Settings) -> Banks:
    """What to train on and what to hold out of these folders: as the settings have it if they name the folder.

    Else the last eighth of its shards is held out. Raises UserError if a folder has too few shards.
    """
    known = {bank.root.resolve(): bank for bank in settings.data.banks}
    banks = tuple(known.get(root.resolve()) or _split(root) for root in roots)
    shards = {str(k): _shard_keys(bank.root) for k, bank in enumerate(banks)}
    described = [bank.model_dump(mode="json", exclude={"root"}) for bank in banks]
    return Banks(banks, digest({"shards": shards, "banks": described})[:10])


def with_real(banks: Banks, roots: Sequence[Path], settings: Settings) -> Banks:
    """The banks and these folders of real hands: as the settings have them if they name them.

    Else the last of a folder's sets is held out if there are several. Raises UserError for a folder without sets.
    """
    known = {bank.root.resolve(): bank for bank in settings.data.banks if bank.kind == "real"}
    real = tuple(known.get(root.resolve()) or _real_bank(root) for root in roots)
    return _with_sets(banks, real)


def with_composed(banks: Banks, roots: Sequence[Path]) -> Banks:
    """The banks and these folders of composed pairs; none of them is held out."""
    return _with_sets(banks, [BankSettings(root=root.absolute(), kind="real", train=["all"]) for root in roots])


def _with_sets(banks: Banks, sets: Sequence[BankSettings]) -> Banks:
    """Banks of real pictures added; the key changes with what their labels hold."""
    keys = {str(bank.root): {path.name: file_digest(path) for path in sorted(bank.root.glob("*.npz"))} for bank in sets}
    return Banks((*banks.banks, *sets), digest({"rendered": banks.key, "real": keys})[:10])


def _real_bank(root: Path) -> BankSettings:
    names = whole_shards(root, "real")
    if not names:
        raise UserError(f"{root}: no sets of real hands (NAME.tar with NAME.npz beside it)")
    kept = names[-1:] if len(names) > 1 else []
    return BankSettings(root=root.absolute(), kind="real", train=names[: len(names) - len(kept)], validation=kept)


def _split(root: Path) -> BankSettings:
    names = list(_shard_keys(root))
    if len(names) < 2:
        raise UserError(f"{root}: {len(names)} shards; it takes two, one to learn from and one to hold out")
    first = len(names) - max(1, len(names) // _HELD_OUT_SHARE)
    return BankSettings(root=root.absolute(), train=names[:first], validation=names[first:], share=None)


def _shard_keys(root: Path) -> dict[str, str]:
    """Each shard of a folder and a key of it: what its labels hold, and how large its pictures are."""
    labels = sorted(root.glob("shard-*.npz"))
    try:
        sizes = [path.with_suffix(".tar").stat().st_size for path in labels]
        names = [path.stem.removeprefix("shard-") for path in labels]
        return {n: f"{file_digest(path)[:16]}-{s}" for n, path, s in zip(names, labels, sizes, strict=True)}
    except OSError as error:
        raise UserError(f"{error.filename}: half of a shard is missing; fetch or render it again") from error
