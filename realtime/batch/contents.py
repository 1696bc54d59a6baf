"""What the files that the settings name hold: under the same path another run may find another network (any thread)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from engines.errors import UserError
from engines.files import file_sha256
from engines.presets import weights_of
from realtime.config import Settings


def contents_of(settings: Settings) -> str:
    """A text that changes with the weights, RootNet's too, the camera's calibration and the pictures for INT8.

    It reads all of these files, so it is asked once for a run. Raises UserError if one cannot be read.
    """
    engine = settings.engine
    files = {"weights": weights_of(engine.preset, Path(engine.weights) if engine.weights else None)}
    if engine.rootnet:
        files["rootnet"] = Path(engine.rootnet)
    if settings.intrinsics.source == "file" and settings.intrinsics.file:
        files["intrinsics"] = Path(settings.intrinsics.file)
    digests = {name: _digest(path) for name, path in files.items()}
    if engine.calibration:
        from engines.building.calibration import calibration_sha256

        digests["calibration"] = calibration_sha256(Path(engine.calibration))
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


def _digest(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
