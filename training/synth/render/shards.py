"""Writes samples as shards that `training.banks.bank` reads; a run that was stopped goes on where it was.

`shard-NNN.tar` holds the pictures as WebP with alpha, `shard-NNN.npz` beside it the labels, row i for picture i:
the arrays of `Labels`. `bank.json` tells what made them; `sheet-NNN.jpg` is to be looked at.
"""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engines.errors import UserError
from engines.skeleton import HAND_SLICES, SIDES
from training.synth.render.sampler import VERSION, Sample
from training.synth.render.sheet import contact_sheet, tile

SHEET_TILES: Final = 64
_WEBP_QUALITY: Final = 92
_WEBP_EFFORT: Final = 2
"""Half the time of the usual 4 for 3 % more bytes."""
_RECIPE_FILE: Final = "bank.json"


@dataclass(frozen=True)
class BankPlan:
    """What a bank is made of; the same plan always gives the same shards."""

    seed: int
    shard_size: int
    panoramas: tuple[str, ...]
    """Names of the panoramas that light it."""
    modes: tuple[str, ...] = ()
    """What its pictures show in turn; empty for the usual mixture."""
    version: int = VERSION
    views: int = 1
    """Pictures of the same hands, one after the other and all in one shard."""


@dataclass(frozen=True)
class Encoded:
    """A sample on its way from a worker to its shard."""

    index: int
    webp: bytes
    labels: dict[str, NDArray]
    tile: NDArray[np.uint8] | None
    """For the sheet; None beyond its size."""
    rejected: Counter[str]


def encode(sample: Sample, place: int) -> Encoded:
    """Compress a sample; `place` is its row in its shard."""
    webp = io.BytesIO()
    Image.fromarray(sample.picture).save(webp, "WEBP", quality=_WEBP_QUALITY, method=_WEBP_EFFORT)
    camera = sample.intrinsics
    shares = [sample.joint_visible[HAND_SLICES[side]].mean() for side in SIDES]
    labels: dict[str, NDArray] = {
        "joints_cam_mm": sample.joints_cam_mm,
        "joint_valid": np.repeat(sample.present, 21).astype(np.uint8),
        "joint_visible": sample.joint_visible.astype(np.uint8),
        # the bank counts from the picture's edge, the program from the first pixel's centre
        "intrinsics_px": np.array([camera.fx, camera.fy, camera.cx + 0.5, camera.cy + 0.5], np.float32),
        "hand_present": sample.present.astype(np.uint8),
        "mask": sample.mask,
        "visible_share": np.array(shares, np.float32),
        "gap_mm": np.asarray(sample.gap_mm, np.float32),
        "skin_tone": np.asarray(sample.tone, np.float32),
        "mode": np.asarray(sample.recipe.mode, np.str_),
        "view": np.asarray(sample.recipe.view, np.str_),
        "style": np.asarray(sample.style, np.str_),
        "age": np.asarray(sample.age, np.str_),
        "held": np.asarray(sample.recipe.held, np.str_),
        "behind": np.asarray(sample.recipe.behind, np.str_),
        "motion_px": np.asarray(sample.motion_px, np.float32),
        "sample_index": np.asarray(sample.index, np.int64),
    }
    return Encoded(sample.index, webp.getvalue(), labels, _tile(sample, place), sample.rejected)


def prepare(root: Path, plan: BankPlan) -> None:
    """Make the folder, or check that what it holds was made from the same plan; `UserError` if not."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        _check_plan(root, plan)
    except OSError as error:
        raise UserError(f"cannot write to {root} ({error.strerror}): choose another --out") from error


def _check_plan(root: Path, plan: BankPlan) -> None:
    path, wanted = root / _RECIPE_FILE, json.loads(json.dumps(asdict(plan)))
    if not path.exists():
        if any(root.glob("shard-*")):
            raise UserError(f"{root}: holds shards that this command did not make; choose another --out")
        path.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: damaged; remove the folder or choose another --out") from error
    found = {"views": 1, **found}  # not said by banks that are older
    different = sorted(key for key in wanted if found.get(key) != wanted[key])
    if different:
        raise UserError(f"{root}: made with another {', '.join(different)}; use the same or choose another --out")


def missing(root: Path, plan: BankPlan, count: int) -> list[range]:
    """The sample indices of each shard that is not there in full."""
    starts = range(0, count, plan.shard_size)
    shards = [range(start, min(start + plan.shard_size, count)) for start in starts]
    return [indices for indices in shards if not _is_finished(root, indices, plan)]


def write_shards(root: Path, plan: BankPlan, shards: Sequence[range], samples: Iterable[Encoded]) -> Iterator[Encoded]:
    """Write samples that come in the order of `shards`; yields each, so that the caller may count."""
    stream = iter(samples)
    for indices in shards:
        members = []
        for _ in indices:
            encoded = next(stream)
            members.append(encoded)
            yield encoded
        try:
            _write_shard(root, indices.start // plan.shard_size, members)
        except OSError as error:
            raise UserError(f"cannot write to {root} ({error.strerror}): make room and start it again") from error


def shard_name(number: int) -> str:
    """`000` for the first: what `load_bank` is given."""
    return f"{number:03d}"


def _is_finished(root: Path, indices: range, plan: BankPlan) -> bool:
    name = shard_name(indices.start // plan.shard_size)
    labels, pictures = root / f"shard-{name}.npz", root / f"shard-{name}.tar"
    if not labels.exists() or not pictures.exists():
        return False
    try:
        with np.load(labels, allow_pickle=False) as stored:
            return len(stored["sample_index"]) >= len(indices)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return False  # damaged: rendered again


def _write_shard(root: Path, number: int, members: Sequence[Encoded]) -> None:
    """Pictures, sheet and labels; each file appears only when it is complete, the labels last."""
    name = shard_name(number)
    pictures, labels = root / f"shard-{name}.tar", root / f"shard-{name}.npz"
    labels.unlink(missing_ok=True)
    partial = pictures.with_suffix(".tar.partial")
    with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as archive:
        for place, member in enumerate(members):
            info = tarfile.TarInfo(f"{place:05d}.webp")
            info.size = len(member.webp)
            archive.addfile(info, io.BytesIO(member.webp))
    partial.replace(pictures)
    tiles = [member.tile for member in members if member.tile is not None]
    cv2.imwrite(str(root / f"sheet-{name}.jpg"), contact_sheet(tiles), [cv2.IMWRITE_JPEG_QUALITY, 90])
    partial = labels.with_suffix(".partial.npz")
    np.savez_compressed(partial, **{key: np.stack([m.labels[key] for m in members]) for key in members[0].labels})
    partial.replace(labels)


def _tile(sample: Sample, place: int) -> NDArray[np.uint8] | None:
    if place >= SHEET_TILES:
        return None
    text = f"{sample.index} {sample.recipe.mode} {sample.recipe.view} {sample.style} {sample.age}"
    text += "".join(f" {word}" for word in (sample.recipe.held, sample.recipe.behind) if word)
    text += f" {sample.motion_px:.0f}px" if sample.motion_px else ""
    joints = sample.joints_cam_mm if place % 2 else None
    return tile(sample.picture, joints, sample.intrinsics, text)
