"""What a person marked, moment by moment, and what it makes of the triangulated hands (any thread).

`marks/moment-000012.json` holds every joint that was touched: the pixels marked in the views (by camera), or that it is
to be rejected. A file is replaced in one step at every mark, so nothing is lost however the program ends.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from training.annotation.cameras.camera import Rig
from training.annotation.correction.placing import place_joint
from training.annotation.recordings.recording import read_json_object, write_text
from training.annotation.triangulation.hands import ACCEPTED, DISAGREE, HUMAN, Hands

JOINTS: Final = 42
PointPx = tuple[float, float]


@dataclass(frozen=True)
class MomentMarks:
    """All that was done to one moment."""

    moment: int
    marks: Mapping[int, Mapping[str, PointPx]] = field(default_factory=dict)
    """By joint (0 .. 41), then by camera."""
    rejected: frozenset[int] = frozenset()
    """Joints that are no labels, whatever the machine says."""
    checked: bool = False
    """A person has looked at the moment and left it so."""
    by: str = ""
    """Who was last."""

    def as_tree(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "moment": self.moment,
            "marks": {str(j): {c: list(p) for c, p in own.items()} for j, own in self.marks.items() if own},
            "rejected": sorted(self.rejected),
            "checked": self.checked,
            "by": self.by,
        }


def marks_path(folder: Path, moment: int) -> Path:
    """The file of a moment in the folder of marks."""
    return folder / f"moment-{moment:06d}.json"


def marks_of_tree(moment: int, tree: Mapping[str, Any]) -> MomentMarks:
    """What JSON values say; raises ValueError, TypeError or KeyError if they are none of ours."""
    marks: dict[int, dict[str, PointPx]] = {}
    for joint, own in dict(tree.get("marks", {})).items():
        points = {str(camera): (float(x), float(y)) for camera, (x, y) in dict(own).items()}
        if not 0 <= int(joint) < JOINTS or not all(np.isfinite(point).all() for point in points.values()):
            raise ValueError(f"joint {joint}")
        marks[int(joint)] = points
    rejected = frozenset(int(j) for j in tree.get("rejected", []))
    if not all(0 <= j < JOINTS for j in rejected):
        raise ValueError("rejected joints")
    return MomentMarks(moment, marks, rejected, bool(tree.get("checked", False)), str(tree.get("by", ""))[:80])


def load_marks(folder: Path, moment: int) -> MomentMarks:
    """A moment's marks, none if nobody touched it; raises UserError if the file is damaged."""
    path = marks_path(folder, moment)
    if not path.exists():
        return MomentMarks(moment)
    try:
        return marks_of_tree(moment, read_json_object(path, "remove it and mark the moment again"))
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}: damaged marks ({error}); remove it and mark the moment again") from error


def save_marks(folder: Path, marks: MomentMarks) -> None:
    """Put the file in place at once."""
    write_text(marks_path(folder, marks.moment), json.dumps(marks.as_tree(), indent=1) + "\n")


def with_marks(hands: Hands, rig: Rig, folder: Path) -> Hands:
    """Hands with all that people marked: a joint with marks in two views is where they say, a rejected one no label."""
    joints, sigma, reason = hands.joints_mm.copy(), hands.sigma_mm.copy(), hands.reason.copy()
    source, error, used = hands.source.copy(), hands.error_px.copy(), hands.used.copy()
    names = [camera.name for camera in rig]
    for path in sorted(folder.glob("moment-*.json")):
        moment = int(path.stem.removeprefix("moment-"))
        if moment >= len(joints):
            raise UserError(f"{path}: of another recording, this one has {len(joints)} moments; move the marks away")
        own = load_marks(folder, moment)
        for joint, marks in own.marks.items():
            placed = place_joint(rig, _by_view(marks, names))
            if placed is None:
                continue
            joints[moment, joint], sigma[moment, joint] = placed.joint_mm, placed.sigma_mm
            reason[moment, joint], source[moment, joint] = ACCEPTED, HUMAN
            used[moment, :, joint] = [name in marks for name in names]
            error[moment, :, joint] = [placed.error_px.get(v, np.nan) for v in range(len(rig))]
        reason[moment, list(own.rejected)] = DISAGREE
    return replace(hands, joints_mm=joints, sigma_mm=sigma, reason=reason, source=source, error_px=error, used=used)


def _by_view(marks: Mapping[str, PointPx], names: list[str]) -> dict[int, NDArray[np.float64]]:
    return {names.index(camera): np.array(point) for camera, point in marks.items() if camera in names}
