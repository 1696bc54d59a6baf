"""Shards of rendered hands as labelled samples, to look at them and to judge on them.

Training reads the same shards through `training.banks.bank`. The cut-out hands lie on plain grey here, or each on
a photograph of its own.
"""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics, project
from training.banks.bank import shard_labels
from training.datasets.files import content_of
from training.datasets.sample import LabelledSample, PackedPicture, box_around

PHOTO_SUFFIXES: Final = {".jpg", ".jpeg", ".png", ".webp"}
"""Of photographs to put behind rendered hands."""


def load_synthetic(root: Path, split: str) -> list[LabelledSample]:
    """All samples of the shards whose number begins with `split` (`all`: of every shard, `205`: of that one).

    Raises UserError naming a missing or damaged file.
    """
    wanted = "" if split == "all" else split
    labels = sorted(root.glob(f"shard-{wanted}*.npz"))
    if not labels:
        raise UserError(f"{root}: no shard-{wanted}*.npz; name one with --split 205, or --split all")
    return [sample for path in labels for sample in _load_shard(path)]


def photographs_in(folder: Path) -> list[Path]:
    """All photographs below a folder, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)


def on_photographs(samples: Sequence[LabelledSample], folder: Path) -> list[LabelledSample]:
    """The same samples, each before the photograph that its number chooses; raises UserError if there is none."""
    photographs = photographs_in(folder)
    if not photographs:
        raise UserError(f"{folder}: no photographs (jpg, png, webp) there")
    return [_before(sample, photographs[sample.annotation_id * 7919 % len(photographs)]) for sample in samples]


def balanced(samples: Sequence[LabelledSample], each: int) -> list[LabelledSample]:
    """The first `each` samples with one hand and the first `each` with both; raises UserError if there are fewer."""
    kinds = [[sample for sample in samples if sample.interacting == both] for both in (False, True)]
    fewest = min(len(kind) for kind in kinds)
    if fewest < each:
        raise UserError(f"only {fewest} pictures of each kind there: render more, or ask for {fewest}")
    return kinds[0][:each] + kinds[1][:each]


def _before(sample: LabelledSample, photograph: Path) -> LabelledSample:
    if not isinstance(sample.picture, PackedPicture):
        raise UserError("only cut-out hands can be laid on photographs")
    return replace(sample, picture=replace(sample.picture, background=photograph))


def _load_shard(path: Path) -> list[LabelledSample]:
    number = path.stem.removeprefix("shard-")
    pictures = _pictures(path.with_suffix(".tar"))
    with shard_labels(path) as labels:
        joints, valid, intrinsics = (labels[name] for name in ("joints_cam_mm", "joint_valid", "intrinsics_px"))
        modes = [str(mode) for mode in labels["mode"]] if "mode" in labels else [""] * len(joints)
    if not len(pictures) == len(joints) == len(valid) == len(intrinsics) == len(modes):
        raise UserError(f"{path}: {len(pictures)} pictures but {len(joints)} labels; fetch the shard again")
    with content_of(path):
        first = int(number) * 100_000 if number.isdigit() else 0
        return [
            replace(_sample(first + i, pictures[i], joints[i], valid[i], intrinsics[i], number), mode=modes[i])
            for i in range(len(pictures))
        ]


def _pictures(path: Path) -> list[PackedPicture]:
    try:
        with tarfile.open(path, "r:") as archive:
            members = sorted((m for m in archive.getmembers() if m.isfile()), key=lambda m: m.name)
    except (OSError, tarfile.TarError) as error:
        raise UserError(f"{path}: no archive that can be read ({error}); fetch the shard again") from error
    return [PackedPicture(path, member.offset_data, member.size) for member in members]


def _sample(
    annotation_id: int,
    picture: PackedPicture,
    joints_mm: np.ndarray,
    joint_valid: np.ndarray,
    camera: np.ndarray,
    shard: str,
) -> LabelledSample:
    fx, fy, cx, cy = map(float, camera)
    intrinsics = Intrinsics(fx, fy, cx - 0.5, cy - 0.5)  # the renderer counts from the picture's edge
    valid, joints = joint_valid.reshape(42) > 0, joints_mm.reshape(42, 3).astype(np.float64)
    pixels = np.zeros((42, 2))
    pixels[valid] = project(joints[valid], intrinsics)
    present = valid[[20, 41]]
    return LabelledSample(
        annotation_id=annotation_id,
        picture=picture,
        intrinsics=intrinsics,
        joints_cam_mm=joints * valid[:, None],
        joint_cam_valid=valid,
        joints_px=pixels,
        joint_px_valid=valid,
        hand_present=present,
        box_px=box_around(pixels, valid),
        interacting=bool(present.all()),
        sequence=shard,
        frame=annotation_id % 100_000,
    )
