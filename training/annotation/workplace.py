"""Where the steps keep what they make in the folder of a recording (any thread)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from engines.errors import UserError
from training.annotation.correction.marks import with_marks
from training.annotation.detection.detections import Detections, load_detections
from training.annotation.recordings.recording import Recording, read_json_object
from training.annotation.triangulation.hands import Hands, load_hands

HANDS: Final = "hands.npz"
REPORT: Final = "report.json"
PICTURES: Final = "reprojections"
MARKS: Final = "marks"
TRUTH: Final = "truth.npz"
_DETECTIONS: Final = "detections"


def require_no_marks(folder: Path) -> None:
    """Raise UserError where somebody corrected what another recording would replace."""
    marks = folder / MARKS
    if marks.is_dir() and any(marks.iterdir()):
        raise UserError(f"{marks}: somebody corrected what lies here; take another folder, or remove the marks")


def detections_folder(folder: Path, detector: str, guided: bool) -> Path:
    """Where a detector's answers are; weights are called by their file."""
    name = Path(detector).stem if Path(detector).suffix else detector
    return folder / _DETECTIONS / (f"{name}-guided" if guided else name)


def newest_detections(folder: Path) -> Path:
    """The folder of detections written last; raises UserError if there is none."""
    found = sorted((folder / _DETECTIONS).glob("*/*.npz"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise UserError(f"{folder}: no detections yet; run python -m training.annotation detect {folder}")
    return found[-1].parent


def detections_used(folder: Path) -> Path:
    """Those that the hands of the folder were made from, else the newest."""
    report = folder / REPORT
    if report.exists():
        named = folder / _DETECTIONS / str(read_json_object(report, "triangulate again").get("detections"))
        if named.is_dir():
            return named
    return newest_detections(folder)


def labelled_hands(recording: Recording) -> Hands:
    """The recording's hands with all that people marked in them; raises UserError if there are none."""
    return with_marks(load_hands(recording.folder / HANDS), recording.rig, recording.folder / MARKS)


def load_all(folder: Path, names: Sequence[str]) -> list[Detections]:
    """Detections of all cameras; raises UserError if one is missing."""
    return [load_detections(folder / f"{name}.npz") for name in names]
