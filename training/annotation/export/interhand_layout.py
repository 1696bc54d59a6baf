"""A recording in InterHand2.6M's layout, as the project's own loader reads it (one thread).

    images/<split>/Capture0/<sequence>/cam<k>/image<moment>.jpg
    annotations/<split>/InterHand2.6M_<split>_{data,camera,joint_3d}.json
    annotations/<split>/aid_human_annot_<split>.txt          which of them a person marked

World coordinates in mm; X_camera = camrot (X_world - campos). The layout knows no distortion, so pictures of cameras
that distort are undistorted with the same focal length and centre. Several recordings may share one folder: each is a
capture of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics, project
from engines.skeleton import HAND_SLICES, SIDES
from training.annotation.cameras.camera import Camera
from training.annotation.export.labelled_views import FEWEST_INSIDE, LabelledMoments, labelled_moments
from training.annotation.recordings.recording import Recording, read_json_object, write_text
from training.annotation.triangulation.delays import as_shown
from training.annotation.triangulation.hands import HUMAN, Hands
from training.annotation.triangulation.robust import known_median
from training.datasets.sample import box_around

_FILES: Final = ("data", "camera", "joint_3d")
_QUALITY: Final = 95
_MOST_MOVED_MM: Final = 4.0
"""All cameras share a moment's joints: a late camera's picture is left out where the hands have moved by more."""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    pictures: dict[str, int]
    """By split."""
    moments: int
    left_out: int
    """Moments with a hand that may be there and is no label, or none."""


def export_interhand(
    recording: Recording,
    hands: Hands,
    root: Path,
    splits: Sequence[tuple[str, NDArray[np.bool_]]],
    every: int = 1,
    say: Callable[[str], None] = print,
) -> Exported:
    """Write the recording; `splits` are names with the moments (M,) that belong to each. Raises UserError.

    A recording that the folder holds already is written anew under the same capture.
    """
    labels = labelled_moments(hands)
    chosen = labels.certain.copy()
    chosen[np.arange(len(chosen)) % every != 0] = False
    files = {name: _Files.open(root, name) for name, _ in splits}
    numbers = [files[name].capture_of(recording) for name, _ in splits]
    capture = max(numbers) if numbers else 0
    split_of = np.full(len(chosen), -1)
    for k, (_, moments) in enumerate(splits):
        split_of[moments & chosen] = k
    for name, _ in splits:
        files[name].begin(capture, recording)
    for view, camera in enumerate(recording.rig):
        count = _write_view(recording, hands, labels, view, split_of, [files[name] for name, _ in splits], capture)
        say(f"exported    {camera.name}: {count} pictures")
    for k, (name, _) in enumerate(splits):
        files[name].add_moments(capture, hands, labels, np.flatnonzero(split_of == k))
        files[name].save()
    pictures = {name: files[name].count(capture) for name, _ in splits}
    return Exported(pictures, int((split_of >= 0).sum()), int((~labels.certain).sum()))


class _Files:
    """The label files of one split while they are made."""

    def __init__(self, root: Path, split: str, content: dict[str, Any]) -> None:
        self.root, self.split = root, split
        self._content = content
        self.human: list[int] = []
        old = self._human_file
        if old.exists():
            self.human = [int(line) for line in old.read_text().split()]

    @classmethod
    def open(cls, root: Path, split: str) -> _Files:
        """What is there already, or nothing yet."""
        content: dict[str, Any] = {"data": {"images": [], "annotations": []}, "camera": {}, "joint_3d": {}}
        for name in _FILES:
            path = cls._file(root, split, name)
            if path.exists():
                content[name] = read_json_object(path, "choose another folder")
        return cls(root, split, content)

    @staticmethod
    def _file(root: Path, split: str, name: str) -> Path:
        return root / "annotations" / split / f"InterHand2.6M_{split}_{name}.json"

    @property
    def _human_file(self) -> Path:
        return self.root / "annotations" / self.split / f"aid_human_annot_{self.split}.txt"

    def capture_of(self, recording: Recording) -> int:
        """The number of a recording that is there already, else the next one."""
        images = self._content["data"]["images"]
        own = [int(i["capture"]) for i in images if i["seq_name"] == recording.folder.resolve().name]
        return own[0] if own else 1 + max((int(k) for k in self._content["camera"]), default=-1)

    def begin(self, capture: int, recording: Recording) -> None:
        """Forget what this capture had, and tell its cameras."""
        data = self._content["data"]
        kept = [image for image in data["images"] if int(image["capture"]) != capture]
        ids = {image["id"] for image in kept}
        gone = {a["id"] for a in data["annotations"] if a["image_id"] not in ids}
        data["images"], data["annotations"] = kept, [a for a in data["annotations"] if a["image_id"] in ids]
        self.human = [k for k in self.human if k not in gone]
        rig = recording.rig
        self._content["camera"][str(capture)] = {
            "campos": {str(k): c.position_mm.tolist() for k, c in enumerate(rig)},
            "camrot": {str(k): c.camera_from_world.tolist() for k, c in enumerate(rig)},
            "focal": {str(k): [c.intrinsics.fx, c.intrinsics.fy] for k, c in enumerate(rig)},
            "princpt": {str(k): [c.intrinsics.cx, c.intrinsics.cy] for k, c in enumerate(rig)},
        }

    def add_picture(self, image: dict[str, Any], annotation: dict[str, Any], human: bool) -> None:
        """One picture with its annotation; ids are given here."""
        data = self._content["data"]
        number = 1 + max((i["id"] for i in data["images"][-1:]), default=-1)
        data["images"].append({"id": number, **image})
        data["annotations"].append({"id": number, "image_id": number, **annotation})
        if human:
            self.human.append(number)

    def add_moments(self, capture: int, hands: Hands, labels: LabelledMoments, moments: NDArray) -> None:
        """The joints of the capture's moments in the world."""
        self._content["joint_3d"][str(capture)] = {
            str(m): {
                "world_coord": np.where(labels.joint_valid[m, :, None], hands.joints_mm[m], 0.0).tolist(),
                "joint_valid": labels.joint_valid[m, :, None].astype(int).tolist(),
                "hand_type": hand_type(labels.labelled[m]),
                "hand_type_valid": True,
            }
            for m in moments.tolist()
        }

    def count(self, capture: int) -> int:
        """Pictures of a capture."""
        return sum(int(image["capture"]) == capture for image in self._content["data"]["images"])

    def save(self) -> None:
        """Write the files, each in one step; those that pictures refer to first."""
        for name in ("camera", "joint_3d", "data"):
            write_text(self._file(self.root, self.split, name), json.dumps(self._content[name]) + "\n")
        write_text(self._human_file, "".join(f"{k}\n" for k in self.human))


def hand_type(labelled: NDArray[np.bool_]) -> str:
    """InterHand2.6M's word for hands (2,) right, left."""
    return "interacting" if labelled.all() else SIDES[int(labelled[1])]


def _write_view(
    recording: Recording,
    hands: Hands,
    labels: LabelledMoments,
    view: int,
    split_of: NDArray[np.int64],
    files: Sequence[_Files],
    capture: int,
) -> int:
    """Pictures and annotations of one camera."""
    camera = recording.rig[view]
    frame_of = recording.frames[:, view]
    moved = _moved_mm(hands, view)
    moment_of = {int(f): m for m, f in enumerate(frame_of) if f >= 0 and split_of[m] >= 0 and moved[m] < _MOST_MOVED_MM}
    maps = _undistortion(camera)
    plain = Intrinsics(*camera.intrinsics.as_array().tolist())
    sequence = recording.folder.resolve().name
    count = 0
    for frame in recording.pictures(view):
        moment = moment_of.get(frame.index)
        if moment is None:
            continue
        valid = labels.joint_valid[moment] & (camera.in_camera(hands.joints_mm[moment])[:, 2] > 1)
        pixels = np.zeros((42, 2))
        pixels[valid] = project(camera.in_camera(hands.joints_mm[moment][valid]), plain)
        if not _shown(pixels, valid, camera.size_px):
            continue
        target = files[split_of[moment]]
        name = f"Capture{capture}/{sequence}/cam{view}/image{moment:06d}.jpg"
        _write_picture(target.root / "images" / target.split / name, frame.image_bgr, maps)
        person = hands.source[moment][labels.joint_valid[moment]] == HUMAN
        target.add_picture(
            {
                "file_name": name,
                "width": camera.size_px[0],
                "height": camera.size_px[1],
                "capture": capture,
                "subject": capture,
                "seq_name": sequence,
                "camera": str(view),
                "frame_idx": int(moment),
            },
            {
                "bbox": box_around(pixels, valid).tolist(),
                "joint_valid": labels.joint_valid[moment].astype(int).tolist(),
                "hand_type": hand_type(labels.labelled[moment]),
                "hand_type_valid": 1,
            },
            bool(person.any()),
        )
        count += 1
    return count


def _moved_mm(hands: Hands, view: int) -> NDArray[np.float64]:
    """(M,) how far the hands were, when a camera that is late took its picture, from where they are at the moment."""
    shown_mm, known = as_shown(hands, view)
    off = np.where(known & hands.accepted, np.linalg.norm(shown_mm - hands.joints_mm, axis=-1), np.nan)
    return np.nan_to_num(known_median(off, axis=1), nan=np.inf)


def _shown(pixels: NDArray, valid: NDArray[np.bool_], size_px: tuple[int, int]) -> bool:
    """Whether every labelled hand is in the picture with at least a few joints."""
    inside = valid & ((pixels >= 0) & (pixels <= np.array(size_px) - 1)).all(axis=-1)
    counts = [(int(valid[rows].sum()), int(inside[rows].sum())) for rows in HAND_SLICES.values()]
    return all(shown >= FEWEST_INSIDE for known, shown in counts if known)


def _undistortion(camera: Camera) -> tuple[NDArray, NDArray] | None:
    if not camera.intrinsics.distortion:
        return None
    lens = np.array(camera.intrinsics.distortion)
    return cv2.initUndistortRectifyMap(camera.matrix, lens, np.eye(3), camera.matrix, camera.size_px, cv2.CV_32FC1)


def _write_picture(path: Path, image_bgr: NDArray[np.uint8], maps: tuple[NDArray, NDArray] | None) -> None:
    picture = image_bgr if maps is None else cv2.remap(image_bgr, maps[0], maps[1], cv2.INTER_LINEAR)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error
