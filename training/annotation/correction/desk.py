"""What the page shows and does, without HTTP: moments, marks, what follows from them (any thread, one at a time)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engines.skeleton import BONES, JOINT_NAMES
from training.annotation.correction import locks
from training.annotation.correction.doubt import doubts
from training.annotation.correction.marks import MomentMarks, load_marks, marks_of_tree, save_marks, with_marks
from training.annotation.correction.placing import epipolar_line, place_joint
from training.annotation.recordings.recording import Recording
from training.annotation.triangulation.delays import as_shown
from training.annotation.triangulation.hands import REASONS, Hands
from training.annotation.triangulation.solve import bone_statistics
from training.json_numbers import without_nan

Tree = dict[str, Any]


class Locked(Exception):
    """Somebody else is at this moment."""


class Desk:
    """A recording being corrected."""

    def __init__(self, recording: Recording, hands: Hands, marks: Path) -> None:
        self.recording, self._hands, self._marks = recording, hands, marks
        self._names = list(recording.names)
        self._shown = [as_shown(hands, view)[0] for view in range(len(recording.rig))]
        self._lengths, self._spread = bone_statistics(with_marks(hands, recording.rig, marks).labelled_mm)

    def overview(self) -> Tree:
        """Cameras, joints, bones, and all moments with their doubt, those most in need of an eye first."""
        hands = with_marks(self._hands, self.recording.rig, self._marks)
        doubt = doubts(hands)
        own = [load_marks(self._marks, moment) for moment in range(len(doubt))]
        order = sorted(range(len(doubt)), key=lambda m: (own[m].checked, -doubt[m], m))
        return {
            "cameras": [{"name": c.name, "size": list(c.size_px)} for c in self.recording.rig],
            "joints": [f"{side} {name}" for side in ("right", "left") for name in JOINT_NAMES],
            "bones": [[c + k, p + k] for k in (0, 21) for c, p in BONES],
            "moments": [{"doubt": round(float(d), 2), "checked": m.checked} for d, m in zip(doubt, own, strict=True)],
            "order": order,
        }

    def moment(self, moment: int) -> Tree:
        """All of one moment: joints in every view, errors, marks."""
        own = load_marks(self._marks, moment)
        joints, reason = self._hands.joints_mm[moment].copy(), self._hands.reason[moment].copy()
        views = np.stack([self._shown[v][moment] for v in range(len(self._names))])
        for joint, marks in own.marks.items():
            placed = place_joint(self.recording.rig, self._by_view(marks))
            if placed is not None:
                joints[joint], views[:, joint], reason[joint] = placed.joint_mm, placed.joint_mm, 0
        pixels = np.stack([c.project(views[v]) for v, c in enumerate(self.recording.rig)])
        return without_nan(
            {
                "moment": moment,
                "has_picture": [bool(f >= 0) for f in self.recording.frames[moment]],
                "projected": pixels.tolist(),
                "error": self._hands.error_px[moment].astype(float).tolist(),
                "used": self._hands.used[moment].tolist(),
                "reason": [REASONS[k] for k in reason],
                "bones": self._bone_states(joints),
                **own.as_tree(),
            }
        )

    def place(self, moment: int, joint: int, marks: Mapping[str, Any]) -> Tree:
        """Where a joint is with these marks, by camera; nothing is kept. Raises ValueError for no such marks."""
        points = marks_of_tree(moment, {"marks": {str(joint): marks}}).marks[joint]
        by_view = self._by_view(points)
        rig = self.recording.rig
        lines = {
            f"{self._names[a]}>{self._names[b]}": epipolar_line(rig[a], by_view[a], rig[b]).round(2).tolist()
            for a in by_view
            for b in range(len(rig))
            if a != b
        }
        placed = place_joint(rig, by_view)
        if placed is None:
            return {"lines": lines, "joint_mm": None, "projected": None, "error": {}, "bones": None}
        joints = self._current(moment)
        joints[joint] = placed.joint_mm
        return without_nan(
            {
                "lines": lines,
                "joint_mm": placed.joint_mm.tolist(),
                "sigma_mm": placed.sigma_mm,
                "projected": [camera.project(placed.joint_mm).tolist() for camera in rig],
                "error": {self._names[v]: error for v, error in placed.error_px.items()},
                "bones": self._bone_states(joints),
            }
        )

    def save(self, moment: int, tree: Mapping[str, Any], page: str, person: str) -> Tree:
        """Keep a moment's marks; raises Locked if another page has it, ValueError for marks that are none."""
        marks = replace(marks_of_tree(moment, tree), by=person)
        self.lock(moment, page, person)
        save_marks(self._marks, marks)
        return self.moment(moment)

    def lock(self, moment: int, page: str, person: str) -> None:
        """Take or renew; raises Locked with the name of who has it."""
        other = locks.take(self._marks, moment, page, person)
        if other is not None:
            raise Locked(f"{other or 'somebody'} is correcting moment {moment}; choose another one")

    def release(self, moment: int, page: str) -> None:
        """Give the lock back."""
        locks.release(self._marks, moment, page)

    def marks_of(self, moment: int) -> MomentMarks:
        """What is kept of a moment."""
        return load_marks(self._marks, moment)

    def _current(self, moment: int) -> np.ndarray:
        joints = self._hands.joints_mm[moment].copy()
        for joint, marks in load_marks(self._marks, moment).marks.items():
            placed = place_joint(self.recording.rig, self._by_view(marks))
            if placed is not None:
                joints[joint] = placed.joint_mm
        return joints

    def _by_view(self, marks: Mapping[str, tuple[float, float]]) -> dict[int, np.ndarray]:
        return {self._names.index(name): np.array(point) for name, point in marks.items() if name in self._names}

    def _bone_states(self, joints_mm: np.ndarray) -> list[list[float]]:
        """(40) bones of both hands: length, and how many sigmas it is from the recording's median."""
        states = []
        for k in (0, 1):
            for bone, (child, parent) in enumerate(BONES):
                length = float(np.linalg.norm(joints_mm[21 * k + child] - joints_mm[21 * k + parent]))
                sigma = max(3.0, float(np.nan_to_num(self._spread[k, bone], nan=3.0)))
                states.append([length, (length - float(self._lengths[k, bone])) / sigma])
        return states
