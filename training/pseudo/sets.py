"""Sets of labelled pictures as they are written: part by part, so that a stopped run goes on (one thread).

A part is `NAME-000.tar` and `NAME-000.npz`, which `training.banks.real_bank` reads, and `NAME-000.jpg` to be looked at.
`bank.json` says of each set where it is from, on what terms, what labelled it, and which parts are done.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.files import in_one_step, write_json
from engines.skeleton import HAND_SLICES, SIDES
from training.banks.real_bank import STORED_PX
from training.evaluation.pictures import BLUE, ORANGE, TILE_PX, draw_hand, save_sheet
from training.pseudo.labelling import Labelled

RECIPE: Final = "bank.json"
_WEBP_QUALITY: Final = 92
_TILES: Final = 64


class LabelBank:
    """The folder of `--out`: `begin` a set, then `write` its parts one after the other."""

    def __init__(self, root: Path) -> None:
        """Make the folder or read what it holds; raises UserError if it cannot be written or holds something else."""
        self._root = root
        try:
            root.mkdir(parents=True, exist_ok=True)
            path = root / RECIPE
            self._sets: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["sets"] if path.exists() else {}
        except OSError as error:
            raise UserError(f"--out {root}: cannot be written ({error.strerror})") from error
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{root / RECIPE}: no list of labelled sets; choose another --out") from error

    def begin(self, name: str, facts: dict[str, Any]) -> int:
        """Begin or go on with a set: the number of the next part. `facts` are JSON values.

        Raises UserError if the set was begun from other pictures, by other weights or with other words.
        """
        found = self._sets.setdefault(name, {**facts, "parts": []})
        different = sorted(key for key in facts if found.get(key) != facts[key])
        if different:
            raise UserError(f"{self._root}: {name} was begun with other {', '.join(different)}; choose another --out")
        return len(found["parts"])

    def write(self, name: str, rows: Sequence[Labelled], pictures: int, rejected: Counter[str]) -> None:
        """Keep the next part: what was labelled in so many pictures; each file appears whole, the list last."""
        parts = self._sets[name]["parts"]
        stem = f"{name}-{len(parts):03d}"
        try:
            if rows:
                _write_part(self._root, stem, rows)
            parts.append({"pictures": pictures, "hands": len(rows), "rejected": dict(rejected.most_common())})
            write_json(self._root / RECIPE, {"sets": self._sets}, indent=1)
        except OSError as error:
            raise UserError(f"--out {self._root}: cannot be written ({error.strerror}); make room and go on") from error

    def totals(self, name: str) -> tuple[int, int, Counter[str]]:
        """Pictures looked at, hands labelled, and why others were not."""
        parts = self._sets[name]["parts"]
        rejected: Counter[str] = Counter()
        for part in parts:
            rejected.update(part["rejected"])
        return sum(part["pictures"] for part in parts), sum(part["hands"] for part in parts), rejected


def _write_part(root: Path, stem: str, rows: Sequence[Labelled]) -> None:
    """Pictures, sheet, and the labels last: a part without them does not count."""
    pictures, labels = root / f"{stem}.tar", root / f"{stem}.npz"
    with in_one_step(pictures) as unfinished, tarfile.open(unfinished, "w", format=tarfile.USTAR_FORMAT) as tar:
        for place, row in enumerate(rows):
            good, webp = cv2.imencode(".webp", row.picture_bgr, [cv2.IMWRITE_WEBP_QUALITY, _WEBP_QUALITY])
            if not good:
                raise RuntimeError("OpenCV cannot write WebP")
            info = tarfile.TarInfo(f"{place:05d}.webp")
            info.size = len(webp)
            tar.addfile(info, io.BytesIO(webp.tobytes()))
    save_sheet([_tile(row) for row in rows[:_TILES]], root / f"{stem}.jpg")
    depth = np.stack([row.joint_depth_mm for row in rows])
    with in_one_step(labels) as unfinished:
        np.savez_compressed(
            unfinished,
            joints_px=np.stack([row.joints_px for row in rows]),
            joint_depth_mm=np.nan_to_num(depth),
            depth_known=np.isfinite(depth),
            right_is_main=np.array([row.right_is_main for row in rows]),
            other_hand_known=np.array([row.other_hand_known for row in rows]),
        )


def _tile(row: Labelled) -> NDArray[np.uint8]:
    scale = TILE_PX / STORED_PX
    tile = np.asarray(cv2.resize(row.picture_bgr, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA), np.uint8)
    for side, colour in zip(SIDES, (BLUE, ORANGE), strict=True):
        points = row.joints_px[HAND_SLICES[side]]
        if np.isfinite(points).all():
            draw_hand(tile, (points + 0.5) * scale - 0.5, np.ones(len(points), bool), colour)
    return tile
