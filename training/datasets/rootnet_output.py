"""What RootNet said of a data set: absolute wrist depths and boxes, as the released files hold them.

A list of `{"annot_id": int, "bbox": [x, y, width, height], "abs_depth": [right, left]}` (one number for sets of single
hands). The boxes are the final squares, RootNet's margin included.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.geometry.crop import Crop
from training.datasets.files import content_of, read_json


@dataclass(frozen=True)
class RootNetOutput:
    """RootNet's answer for one annotation."""

    depth_mm: NDArray[np.float64]
    """(2,) right and left wrist."""
    crop: Crop


def load_rootnet_output(path: Path) -> dict[int, RootNetOutput]:
    """Answers by annotation id; raises UserError if the file is missing or damaged."""
    content = read_json(path)
    with content_of(path):
        return {int(entry["annot_id"]): _answer(entry["bbox"], entry["abs_depth"]) for entry in content}


def find_rootnet_output(root: Path, split: str) -> Path:
    """The file that belongs to a split; raises UserError if there is none or more than one."""
    found = sorted((root / "rootnet_output").glob("rootnet_*.json"))
    named = [path for path in found if path.stem.endswith(f"_{split}")] or [
        path for path in found if not path.stem.endswith(("_train", "_val", "_test"))
    ]
    if len(named) != 1:
        raise UserError(
            f"{root / 'rootnet_output'}: {len(named)} files of RootNet's output for {split!r}; "
            "name the file with --root-depth FILE"
        )
    return named[0]


def _answer(box: list[float], depth: float | list[float]) -> RootNetOutput:
    x, y, width, height = map(float, box)
    crop = Crop((x + width / 2, y + height / 2), max(width, height))
    return RootNetOutput(np.broadcast_to(np.asarray(depth, np.float64), 2).copy(), crop)
