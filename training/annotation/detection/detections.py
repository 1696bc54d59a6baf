"""What a detector saw in the pictures of one camera, and its file (any thread)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.files import in_one_step
from engines.npz import ARCHIVE_ERRORS, ArrayArchive

_NAMES: Final = ("joints_px", "sigma_px", "confidence", "probability", "done")
_DIGEST_BYTES: Final = 32


@dataclass(frozen=True, eq=False)
class Detections:
    """F frames of one camera; right hand in rows 0-20, left in 21-41; NaN where a hand was not seen."""

    joints_px: NDArray[np.float32]
    """(F, 42, 2) pixels of the picture."""
    sigma_px: NDArray[np.float32]
    """(F, 42) how far off each is, one standard deviation along each axis."""
    confidence: NDArray[np.float32]
    """(F, 42) the detector's own, 0..1: height or spread of its heat maps."""
    probability: NDArray[np.float32]
    """(F, 2) that right and left hand are there."""
    done: NDArray[np.bool_]
    """(F,) frames that were looked at: a run that was killed goes on behind them."""
    made_of: NDArray[np.uint8]
    """(32,) SHA-256 of what they were found in; zeros where a file does not say."""

    @classmethod
    def empty(cls, frames: int, made_of: bytes = bytes(_DIGEST_BYTES)) -> Detections:
        """Nothing looked at yet."""
        joints, sigma, confidence = (
            np.full(shape, np.nan, np.float32) for shape in ((frames, 42, 2), (frames, 42), (frames, 42))
        )
        probability, done = np.zeros((frames, 2), np.float32), np.zeros(frames, bool)
        return cls(joints, sigma, confidence, probability, done, np.frombuffer(made_of, np.uint8))


def save_detections(path: Path, found: Detections) -> None:
    """Write the file in one step; raises UserError if it cannot be written."""
    try:
        with in_one_step(path) as unfinished:
            np.savez_compressed(unfinished, **vars(found))
    except OSError as error:
        raise UserError(f"{path}: the detections cannot be written ({error.strerror})") from error


def load_detections(path: Path) -> Detections:
    """Read the file; raises UserError if it is missing or damaged."""
    try:
        # what is read is read-only, and a run that goes on writes into it
        with ArrayArchive(path) as archive:
            fields = {name: archive.read(name).copy() for name in _NAMES}
            known = "made_of" in archive
            made_of = archive.read("made_of", "uint8", (_DIGEST_BYTES,)) if known else np.zeros(_DIGEST_BYTES, np.uint8)
        found = Detections(**fields, made_of=made_of)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such detections; run python -m training.annotation detect first") from error
    except (OSError, *ARCHIVE_ERRORS) as error:
        raise UserError(f"{path}: damaged detections ({error}); remove the file and detect again") from error
    if found.joints_px.shape[1:] != (42, 2) or found.sigma_px.shape != found.joints_px.shape[:2]:
        raise UserError(f"{path}: is of another form; remove the file and detect again")
    return found
