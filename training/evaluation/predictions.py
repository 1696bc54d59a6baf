"""What anyone's network said of a data set: the arrays of a predictions file.

`numpy.savez(FILE, annotation_id=..., joints_px=..., ...)`, no pickled objects. Joints in InterHand2.6M's order, right
0-20, left 21-41.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from engines.errors import UserError
from engines.npz import ARCHIVE_ERRORS
from training.datasets.files import content_of

_SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "annotation_id": (),
    "joints_px": (42, 2),
    "joint_depth_mm": (42,),
    "left_minus_right_root_mm": (),
    "hand_probability": (2,),
    "joint_confidence": (42,),
    "root_depth_mm": (2,),
}
_OPTIONAL: Final = ("joint_confidence", "root_depth_mm")
MAX_SAMPLES: Final = 10_000_000


@dataclass(frozen=True)
class Predictions:
    """N answers."""

    annotation_id: NDArray[np.int64]
    """(N,)."""
    joints_px: NDArray[np.float64]
    """(N, 42, 2) pixels of the original picture."""
    joint_depth_mm: NDArray[np.float64]
    """(N, 42) relative to each hand's wrist."""
    left_minus_right_root_mm: NDArray[np.float64]
    """(N,) depth of the left wrist minus depth of the right one."""
    hand_probability: NDArray[np.float64]
    """(N, 2) right, left."""
    joint_confidence: NDArray[np.float64]
    """(N, 42); NaN if the file has none."""
    root_depth_mm: NDArray[np.float64]
    """(N, 2) the network's own absolute depth of the right and the left wrist; NaN if the file has none."""

    def __len__(self) -> int:
        return len(self.annotation_id)


def load_predictions(path: Path) -> Predictions:
    """Read a predictions file; raises UserError naming the array that is missing or of a wrong shape."""
    try:
        with np.load(path, allow_pickle=False) as file:
            _check_headers(path, file)
            arrays = {name: file[name] for name in _SHAPES if name in file.files}
    except (OSError, *ARCHIVE_ERRORS) as error:
        raise UserError(f"{path}: no predictions that can be read ({error})") from error
    with content_of(path):
        return _checked(arrays)


def save_predictions(predictions: Predictions, path: Path) -> None:
    """Write a predictions file that `load_predictions` reads; raises UserError if it cannot be written."""
    arrays = {f.name: getattr(predictions, f.name) for f in fields(Predictions)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.savez_compressed(file, **arrays)
    except OSError as error:
        raise UserError(f"{path}: the predictions cannot be written ({error.strerror})") from error


def aligned_with(predictions: Predictions, annotation_ids: Sequence[int]) -> Predictions:
    """The predictions in the order of the samples; what no sample asks for is left out.

    Raises UserError if a sample has no prediction, or an id stands twice.
    """
    row_of = {int(id_): row for row, id_ in enumerate(predictions.annotation_id)}
    if len(row_of) != len(predictions):
        raise UserError(f"the predictions name an annotation_id twice: {len(predictions)} rows, {len(row_of)} ids")
    missing = [id_ for id_ in annotation_ids if id_ not in row_of]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(annotation_ids)} samples have no prediction, such as annotation_id {missing[0]}"
        )
    rows = np.array([row_of[id_] for id_ in annotation_ids], np.int64)
    return Predictions(**{f.name: getattr(predictions, f.name)[rows] for f in fields(Predictions)})


def _check_headers(path: Path, file: np.lib.npyio.NpzFile) -> None:
    """Refuse absurd sizes before anything is allocated."""
    for name in set(_SHAPES) & set(file.files):
        with file.zip.open(f"{name}.npy") as member:
            version = npy_format.read_magic(member)
            read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
            shape = read(member)[0]
        if (shape[:1] and shape[0] > MAX_SAMPLES) or len(shape) > 3 or int(np.prod(shape[1:])) > 84:
            raise UserError(f"{path}: {name} has the shape {shape}, which no predictions have")


def _checked(arrays: dict[str, NDArray]) -> Predictions:
    for name in _SHAPES:
        if name not in arrays and name not in _OPTIONAL:
            raise ValueError(f"the array {name} is missing")
    count = len(np.atleast_1d(arrays["annotation_id"]))
    whole = {name: arrays.get(name, np.full((count, *shape), np.nan)) for name, shape in _SHAPES.items()}
    for name, shape in _SHAPES.items():
        if whole[name].shape != (count, *shape):
            raise ValueError(f"{name} has the shape {whole[name].shape}, not {(count, *shape)}")
        if not (np.issubdtype(whole[name].dtype, np.integer) or np.issubdtype(whole[name].dtype, np.floating)):
            raise ValueError(f"{name} holds no numbers")
        if name not in _OPTIONAL and not np.isfinite(whole[name]).all():
            raise ValueError(f"{name} holds values that are no numbers")
    return Predictions(
        annotation_id=whole.pop("annotation_id").astype(np.int64),
        **{name: values.astype(np.float64) for name, values in whole.items()},
    )
