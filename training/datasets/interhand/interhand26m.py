"""InterHand2.6M, version 1.0 (and 0.0): two hands in a calibrated studio.

    <root>/images/<split>/Capture*/<sequence>/cam*/image*.jpg
    <root>/annotations/<split>/InterHand2.6M_<split>_{data,camera,joint_3d}.json            v1.0, human and machine
    <root>/annotations/<split>/aid_human_annot_<split>.txt                                  v1.0, which are human
    <root>/annotations/{all,human_annot,machine_annot}/InterHand2.6M_<split>_*.json         v0.0
    <root>/rootnet_output/rootnet_interhand2.6m_output_*.json

The 5 and the 30 frames-per-second versions differ in their folder only (`InterHand2.6M_5fps_batch1`,
`InterHand2.6M_30fps_batch1`): root is that folder. 1.4 million samples are kept as arrays (`interhand26m_labels`)
and made when asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, overload

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics, project
from engines.skeleton import HAND_SLICES, SIDES, WRISTS
from training.datasets.files import content_of, first_existing
from training.datasets.interhand.array_cache import cached_arrays
from training.datasets.interhand.labels import FORM, HAND_TYPES, LabelFiles, Labels, read_labels
from training.datasets.sample import LabelledSample

Subset = Literal["all", "human", "machine"]
SUBSETS: Final[tuple[Subset, ...]] = ("all", "human", "machine")
_HANDS: Final = ((True, False), (False, True), (True, True))
"""Right and left of each of `HAND_TYPES`."""
_INTERACTING: Final = HAND_TYPES.index("interacting")


@dataclass(frozen=True, eq=False)
class InterHand26M(Sequence[LabelledSample]):
    """One split; single hands and interacting ones in the order of the file."""

    pictures: Path
    labels: Labels = field(repr=False)
    rows: NDArray[np.int64] = field(repr=False)
    """(N,) the annotations of the subset."""
    source: Path = Path()

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> LabelledSample: ...

    @overload
    def __getitem__(self, index: slice) -> list[LabelledSample]: ...

    def __getitem__(self, index: int | slice) -> LabelledSample | list[LabelledSample]:
        """Sample(s); raises UserError if the files contradict one another there."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = int(self.rows[index])  # its IndexError is how a loop over a sequence ends
        with content_of(self.source):
            return self._sample(row)

    def is_interacting(self, index: int) -> bool:
        """Whether a sample is of an interacting sequence, without making it."""
        return bool(self.labels.hand_type[self.rows[index]] == _INTERACTING)

    def _sample(self, row: int) -> LabelledSample:
        labels = self.labels
        capture, frame = labels.capture[row], labels.frame[row]
        camera = _known(labels.camera_row[row], capture, labels.camera[row])
        world = labels.world_mm[_known(labels.world_row[row], capture, frame)].astype(np.float64)
        intrinsics = Intrinsics(*labels.intrinsics_px[camera].tolist())
        labelled = labels.joint_valid[row].copy()
        moved = (world - labels.camera_position_mm[camera]) @ labels.camera_from_world[camera].T
        joints = np.where(labelled[:, None], moved, 0.0)
        labelled &= joints[:, 2] > 0
        pixels = np.zeros((42, 2))
        pixels[labelled] = project(joints[labelled], intrinsics)
        hand_type = int(labels.hand_type[row])
        return LabelledSample(
            annotation_id=int(labels.annotation_id[row]),
            picture=self.pictures / (labels.folder[row] + labels.picture[row]),
            intrinsics=intrinsics,
            joints_cam_mm=joints * labelled[:, None],
            joint_cam_valid=labelled & _wrist_labelled(labelled),
            joints_px=pixels,
            joint_px_valid=labelled,
            hand_present=np.array(_HANDS[hand_type]),
            box_px=labels.box_px[row].copy(),
            handedness_known=bool(labels.hand_type_valid[row]),
            interacting=hand_type == _INTERACTING,
            sequence=labels.sequence[row],
            capture=capture,
            frame=int(frame),
        )


def load_interhand26m(root: Path, split: str, subset: Subset = "all", cache: Path | None = None) -> InterHand26M:
    """Read a split; raises UserError naming what is missing or damaged.

    Version 1.0 has one set of files for H+M; `human` and `machine` are then picked by the published lists of
    annotation ids. Without a list for the machine, it is what is not on the human one.

    Reading 1.4 million annotations takes a minute or more; with a folder `cache` it is done once, and again when a
    file has changed. Nothing is ever written into the data set: a `cache` in there is not used.
    """
    folder, listed = _annotation_folder(root, split, subset)
    files = LabelFiles.of(folder, split)
    if cache is None or cache.resolve().is_relative_to(root.resolve()):
        labels = read_labels(files)
    else:
        labels = Labels.from_arrays(cached_arrays(cache, FORM, files, lambda: read_labels(files).arrays()))
    rows = np.arange(len(labels.annotation_id)) if listed is None else _picked(labels, listed, subset)
    pictures = first_existing([root / "images" / split, root / split], "folder of pictures")
    return InterHand26M(pictures, labels, rows, files.data)


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


def _picked(labels: Labels, listed: Path, subset: Subset) -> NDArray[np.int64]:
    """Rows of the annotations that are of the subset."""
    try:
        ids = np.array([int(line) for line in listed.read_text().split()], np.int64)
    except (OSError, ValueError, OverflowError) as error:
        raise UserError(f"{listed}: no list of annotation ids ({error}); fetch the file again") from error
    wanted = listed.name.startswith(f"aid_{subset}_")
    return np.flatnonzero(np.isin(labels.annotation_id, ids) == wanted)


def _known(row: np.int32, *key: str) -> int:
    if row < 0:
        raise KeyError(key)
    return int(row)


def _wrist_labelled(labelled: NDArray) -> NDArray[np.bool_]:
    """(42,) whether the wrist of the joint's own hand is labelled."""
    result = np.zeros(42, bool)
    for side, wrist in zip(SIDES, WRISTS, strict=True):
        result[HAND_SLICES[side]] = labelled[wrist]
    return result
