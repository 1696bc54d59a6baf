"""InterHand2.6M, version 1.0 (and 0.0): two hands in a calibrated studio.

    <root>/images/<split>/Capture*/<sequence>/cam*/image*.jpg
    <root>/annotations/<split>/InterHand2.6M_<split>_{data,camera,joint_3d}.json            v1.0, human and machine
    <root>/annotations/<split>/aid_human_annot_<split>.txt                                  v1.0, which are human
    <root>/annotations/{all,human_annot,machine_annot}/InterHand2.6M_<split>_*.json         v0.0
    <root>/rootnet_output/rootnet_interhand2.6m_output_*.json

The 5 and the 30 frames-per-second versions differ in their folder only (`InterHand2.6M_5fps_batch1`,
`InterHand2.6M_30fps_batch1`): root is that folder. 1.4 million samples are kept as columns and made when asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, overload

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.pinhole import Intrinsics, project
from engines.skeleton import HAND_SLICES, SIDES, WRISTS
from training.datasets.files import content_of, first_existing, read_coco, read_json
from training.datasets.sample import LabelledSample

Subset = Literal["all", "human", "machine"]
SUBSETS: Final[tuple[Subset, ...]] = ("all", "human", "machine")
_HANDS: Final = {"right": (True, False), "left": (False, True), "interacting": (True, True)}


@dataclass(frozen=True)
class _Camera:
    camera_from_world: NDArray[np.float64]
    """(3, 3) rotation."""
    position_mm: NDArray[np.float64]
    intrinsics: Intrinsics


@dataclass(frozen=True)
class InterHand26M(Sequence[LabelledSample]):
    """One split; single hands and interacting ones in the order of the file."""

    pictures: Path
    images: dict[int, dict[str, Any]] = field(repr=False)
    annotations: list[dict[str, Any]] = field(repr=False)
    cameras: dict[tuple[str, str], _Camera] = field(repr=False)
    world_mm: dict[tuple[str, str], NDArray[np.float32]] = field(repr=False)
    """(42, 3) of (capture, frame)."""
    source: Path = Path()

    def __len__(self) -> int:
        return len(self.annotations)

    @overload
    def __getitem__(self, index: int) -> LabelledSample: ...

    @overload
    def __getitem__(self, index: slice) -> list[LabelledSample]: ...

    def __getitem__(self, index: int | slice) -> LabelledSample | list[LabelledSample]:
        """Sample(s); raises UserError if the files contradict one another there."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        annotation = self.annotations[index]  # its IndexError is how a loop over a sequence ends
        with content_of(self.source):
            return self._sample(annotation)

    def is_interacting(self, index: int) -> bool:
        """Whether a sample is of an interacting sequence, without making it."""
        return bool(self.annotations[index]["hand_type"] == "interacting")

    def _sample(self, annotation: dict[str, Any]) -> LabelledSample:
        image = self.images[int(annotation["image_id"])]
        capture, frame = str(image["capture"]), str(image["frame_idx"])
        camera = self.cameras[capture, str(image["camera"])]
        world = self.world_mm[capture, frame].astype(np.float64)
        labelled = annotation["joint_valid"] > 0
        joints = np.where(labelled[:, None], (world - camera.position_mm) @ camera.camera_from_world.T, 0.0)
        labelled &= joints[:, 2] > 0
        pixels = np.zeros((42, 2))
        pixels[labelled] = project(joints[labelled], camera.intrinsics)
        return LabelledSample(
            annotation_id=int(annotation["id"]),
            picture=self.pictures / image["file_name"],
            intrinsics=camera.intrinsics,
            joints_cam_mm=joints * labelled[:, None],
            joint_cam_valid=labelled & _wrist_labelled(labelled),
            joints_px=pixels,
            joint_px_valid=labelled,
            hand_present=np.array(_HANDS[annotation["hand_type"]]),
            box_px=np.array(annotation["bbox"], np.float64).reshape(4),
            handedness_known=bool(annotation["hand_type_valid"]),
            interacting=annotation["hand_type"] == "interacting",
            sequence=str(image["seq_name"]),
            capture=capture,
            frame=int(frame),
        )


def load_interhand26m(root: Path, split: str, subset: Subset = "all") -> InterHand26M:
    """Read a split; raises UserError naming what is missing or damaged.

    Version 1.0 has one set of files for H+M; `human` and `machine` are then picked by the published lists of
    annotation ids. Without a list for the machine, it is what is not on the human one.
    """
    folder, listed = _annotation_folder(root, split, subset)
    path = folder / f"InterHand2.6M_{split}_data.json"
    images, annotations = read_coco(path)
    if listed is not None:
        annotations = _picked(annotations, listed, subset)
    with content_of(path):
        for annotation in annotations:
            annotation["joint_valid"] = np.array(annotation["joint_valid"], np.int8).reshape(42)
            if annotation["hand_type"] not in _HANDS:
                raise ValueError(f"hand_type {annotation['hand_type']!r}")
    pictures = first_existing([root / "images" / split, root / split], "folder of pictures")
    cameras = _cameras(folder / f"InterHand2.6M_{split}_camera.json")
    joints = _world_joints(folder / f"InterHand2.6M_{split}_joint_3d.json")
    return InterHand26M(pictures, images, annotations, cameras, joints, path)


def _annotation_folder(root: Path, split: str, subset: Subset) -> tuple[Path, Path | None]:
    """Where the three files are, and the list of ids that picks the subset, if it takes one."""
    if subset not in SUBSETS:
        raise UserError(f"subset {subset!r} is unknown; choose one of {', '.join(SUBSETS)}")
    old = root / "annotations" / ("all" if subset == "all" else f"{subset}_annot")
    if (old / f"InterHand2.6M_{split}_data.json").exists():
        return old, None
    new = root / "annotations" / split
    if subset == "all":
        return new, None
    names = [f"aid_{subset}_annot_{split}.txt", f"aid_human_annot_{split}.txt"]
    return new, first_existing([folder / n for n in names for folder in (new, root, root / "annotations")], "id list")


def _picked(annotations: list[dict[str, Any]], listed: Path, subset: Subset) -> list[dict[str, Any]]:
    try:
        ids = {int(line) for line in listed.read_text().split()}
    except (OSError, ValueError) as error:
        raise UserError(f"{listed}: no list of annotation ids ({error}); fetch the file again") from error
    wanted = listed.name.startswith(f"aid_{subset}_")
    return [annotation for annotation in annotations if (int(annotation["id"]) in ids) == wanted]


def _cameras(path: Path) -> dict[tuple[str, str], _Camera]:
    cameras = {}
    content = read_json(path)
    with content_of(path):
        for capture, fields in content.items():
            for name in fields["camrot"]:
                cameras[capture, name] = _Camera(
                    np.array(fields["camrot"][name], np.float64).reshape(3, 3),
                    np.array(fields["campos"][name], np.float64).reshape(3),
                    Intrinsics(*map(float, [*fields["focal"][name], *fields["princpt"][name]])),
                )
    return cameras


def _world_joints(path: Path) -> dict[tuple[str, str], NDArray[np.float32]]:
    joints = {}
    content = read_json(path)
    with content_of(path):
        for capture, frames in content.items():
            for frame, fields in frames.items():
                joints[capture, frame] = np.array(fields["world_coord"], np.float32).reshape(42, 3)
    return joints


def _wrist_labelled(labelled: NDArray) -> NDArray[np.bool_]:
    """(42,) whether the wrist of the joint's own hand is labelled."""
    result = np.zeros(42, bool)
    for side, wrist in zip(SIDES, WRISTS, strict=True):
        result[HAND_SLICES[side]] = labelled[wrist]
    return result
