"""Triangulated hands of a recording: joints in the world, which are to be trusted, and why the others are not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.files import in_one_step
from engines.npz import ARCHIVE_ERRORS, load_arrays
from training.annotation.cameras.camera import Rig

REASONS: Final = (
    "accepted",
    "not seen",
    "one view",
    "views disagree",
    "rays nearly parallel",
    "bone too long or short",
    "place too unsure",
)
"""What `Hands.reason` counts through."""
ACCEPTED, NOT_SEEN, ONE_VIEW, DISAGREE, NARROW, BONE, UNSURE = range(len(REASONS))
HUMAN: Final = 1
MACHINE: Final = 0


@dataclass(frozen=True, eq=False)
class Hands:
    """M moments, V views; right hand in rows 0-20, left in 21-41."""

    joints_mm: NDArray[np.float64]
    """(M, 42, 3) world frame; NaN where there is no idea of it. Only those with reason 0 are labels."""
    sigma_mm: NDArray[np.float64]
    """(M, 42) standard deviation of the place, root of the sum over three axes, from the views' own sigmas."""
    reason: NDArray[np.int8]
    """(M, 42) which of `REASONS`."""
    error_px: NDArray[np.float32]
    """(M, V, 42) distance of the reprojection from what the view saw; NaN where it saw nothing."""
    used: NDArray[np.bool_]
    """(M, V, 42) views that a joint was made from."""
    source: NDArray[np.int8]
    """(M, 42) `HUMAN` where a person marked the joint, else `MACHINE`."""
    t_s: NDArray[np.float64]
    """(M,)."""
    delays_s: NDArray[np.float64]
    """(V,) by how much each camera's pictures are older than `t_s` says; see `delays.as_shown`."""

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """(M, 42)."""
        return np.asarray(self.reason == ACCEPTED)

    @property
    def labelled_mm(self) -> NDArray[np.float64]:
        """(M, 42, 3) joints that are accepted, NaN for the others."""
        return np.where(self.accepted[..., None], self.joints_mm, np.nan)


def save_hands(path: Path, hands: Hands) -> None:
    """Write the file in one step; raises UserError if it cannot be written."""
    try:
        with in_one_step(path) as unfinished:
            np.savez_compressed(unfinished, **vars(hands))
    except OSError as error:
        raise UserError(f"{path}: the hands cannot be written ({error.strerror})") from error


def load_hands(path: Path) -> Hands:
    """Read the file; raises UserError if it is missing or damaged."""
    try:
        return Hands(**load_arrays(path, Hands.__dataclass_fields__))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such hands; run python -m training.annotation triangulate first") from error
    except (OSError, *ARCHIVE_ERRORS) as error:
        raise UserError(f"{path}: damaged ({error}); triangulate again") from error


def projected(rig: Rig, joints_mm: NDArray) -> NDArray[np.float64]:
    """World joints (..., 42, 3) in every view, (..., V, 42, 2) px."""
    return np.stack([camera.project(joints_mm) for camera in rig], axis=-3)
