"""C3D, the motion-capture laboratories' file: markers, and what is known of them as analog channels (any thread).

Points are millimetres in OpenSim's axes; one that is not there has the residual -1, as the format says. Beside them,
one value a frame: each marker's confidence, each hand's probability, its depth's source and sigma (-1: not known).
The only home of ezc3d.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

import ezc3d
import numpy as np
from numpy.typing import NDArray

from engines.skeleton import SIDES, WRIST_FIRST_ROWS
from realtime.formats.biomechanics.markers import MARKERS, SIDE_LETTERS, markers_mm
from realtime.formats.steady import at_steady_rate
from realtime.tracks.schema import ROOT_DEPTH_NAMES, Tracks

_OF_A_HAND: Final = {
    "probability": ("hand_probability", "0..1", "probability that the hand is there"),
    "depth_from": ("root_depth_from", "code", " ".join(f"{i} {name}" for i, name in enumerate(ROOT_DEPTH_NAMES))),
    "depth_sigma": ("root_depth_sigma_mm", "mm", "standard deviation of the wrist's depth; -1: not known"),
}


def write(tracks: Tracks, path: Path) -> None:
    """Write markers and channels at a steady rate. Raises OSError."""
    step_s, tracks = at_steady_rate(tracks)
    file = ezc3d.c3d()
    point, analog, data = file["parameters"]["POINT"], file["parameters"]["ANALOG"], file["data"]
    del data["rotations"]
    places = np.moveaxis(markers_mm(tracks), 0, -1).swapaxes(0, 1)
    data["points"] = np.concatenate([places, np.ones_like(places[:1])])
    data["meta_points"]["residuals"] = np.where(np.isnan(places[:1]), -1.0, 0.0)
    data["meta_points"]["camera_masks"] = np.zeros((7, *places.shape[1:]), bool)
    point["UNITS"]["value"] = ["mm"]
    point["RATE"]["value"] = analog["RATE"]["value"] = [1 / step_s]
    point["LABELS"]["value"] = list(MARKERS)
    file.add_parameter("POINT", "X_SCREEN", ["-Z"])
    file.add_parameter("POINT", "Y_SCREEN", ["+Y"])
    channels = _channels(tracks)
    data["analogs"] = np.nan_to_num(np.array([values for _, _, _, values in channels]), nan=-1.0)[None]
    for key, column in (("LABELS", 0), ("UNITS", 1), ("DESCRIPTIONS", 2)):
        analog[key]["value"] = [channel[column] for channel in channels]
    for key, fill in (("SCALE", 1.0), ("OFFSET", 0)):
        analog[key]["value"] = [fill] * len(channels)
    file.add_parameter("MANUFACTURER", "COMPANY", ["two-hands-live"])
    file.add_parameter("MANUFACTURER", "SOFTWARE", ["two-hands-live"])
    with tempfile.TemporaryDirectory() as folder:  # its C++ takes no name that is not UTF-8
        plain = Path(folder) / "tracks.c3d"
        file.write(str(plain))
        shutil.copyfile(plain, path)


def _channels(tracks: Tracks) -> list[tuple[str, str, str, NDArray]]:
    """Label, unit, description and values (F,) of each."""
    found = []
    for h, side in enumerate(SIDES):
        letter = SIDE_LETTERS[side]
        for name, (field, unit, meaning) in _OF_A_HAND.items():
            found.append((f"{letter}_{name}", unit, meaning, getattr(tracks, field)[:, h]))
        confidence = tracks.joint_confidence[:, WRIST_FIRST_ROWS[h]]
        labels = MARKERS[21 * h : 21 * h + 21]
        meaning = "probability that the marker is where it should be; -1: no hand"
        found += [(f"{label}_conf", "0..1", meaning, confidence[:, k]) for k, label in enumerate(labels)]
    return found
