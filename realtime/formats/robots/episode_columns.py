"""The per-frame features of a LeRobot data set: both hands in metres and unit quaternions (any thread).

Camera frame as everywhere: x right, y down, z forward. Quaternions are x, y, z, w, camera_from_joint, with OpenXR's
axes. The 21 joints come wrist first, then each finger from base to tip. What is not known is 0, as `valid` says:
training code takes no NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import JOINT_NAMES, SIDES, WRIST_FIRST, WRIST_FIRST_ROWS, WRISTS
from realtime.tracks.schema import ROOT_DEPTH_NAMES, Tracks

M_PER_MM: Final = 1e-3
_ROWS: Final = WRIST_FIRST_ROWS.ravel()
_JOINTS: Final = [f"{side}_{JOINT_NAMES[joint]}" for side in SIDES for joint in WRIST_FIRST]
_PLACE: Final = ("x_m", "y_m", "z_m")
_TURN: Final = ("qx", "qy", "qz", "qw")


@dataclass(frozen=True)
class Column:
    """One feature."""

    names: tuple[str, ...]
    """Of its components."""
    values: NDArray
    """(F, components), float32, int64 or bool."""
    known: NDArray[np.bool_]
    """(F, components) what its statistics count."""


def columns(tracks: Tracks) -> dict[str, Column]:
    """All features but the video and the counters, by LeRobot's names."""
    places_m, turns = tracks.joints_cam_mm * M_PER_MM, tracks.joint_rotations
    wrists = np.concatenate([places_m[:, list(WRISTS)], turns[:, list(WRISTS)]], axis=-1)
    camera = [*tracks.intrinsics_px, *tracks.distortion, float(tracks.lens_model), *tracks.size_px]
    camera_names = ("fx_px", "fy_px", "cx_px", "cy_px", *(f"d{i}" for i in range(len(tracks.distortion))))
    return {
        "observation.state": _floats(_names(("right_wrist", "left_wrist"), (*_PLACE, *_TURN)), wrists),
        "observation.hands.joints": _floats(_names(_JOINTS, _PLACE), places_m[:, _ROWS]),
        "observation.hands.rotations": _floats(_names(_JOINTS, _TURN), turns[:, _ROWS]),
        "observation.hands.joints_px": _floats(_names(_JOINTS, ("u_px", "v_px")), tracks.joints_px[:, _ROWS]),
        "observation.hands.confidence": _floats(tuple(_JOINTS), tracks.joint_confidence[:, _ROWS]),
        "observation.hands.valid": _whole(SIDES, tracks.root_depth_from > 0),
        "observation.hands.probability": _floats(SIDES, tracks.hand_probability),
        "observation.hands.depth_sigma": _floats(_names(SIDES, ("m",)), tracks.root_depth_sigma_mm * M_PER_MM),
        "observation.hands.depth_from": _whole(SIDES, tracks.root_depth_from.astype(np.int64)),
        "observation.camera": _floats(
            (*camera_names, "lens_model", "width_px", "height_px"), np.tile(camera, (len(tracks), 1))
        ),
        "observation.frame_index": _whole(("source_frame",), tracks.frame_index[:, None].astype(np.int64)),
    }


DEPTH_FROM: Final = dict(enumerate(ROOT_DEPTH_NAMES))
"""What the codes of `observation.hands.depth_from` mean."""


def _names(owners: Sequence[str], endings: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{owner}_{ending}" for owner in owners for ending in endings)


def _floats(names: tuple[str, ...], values: NDArray) -> Column:
    flat = values.reshape(len(values), len(names)).astype(np.float32)
    return Column(names, np.nan_to_num(flat), np.isfinite(flat))


def _whole(names: tuple[str, ...], values: NDArray) -> Column:
    return Column(names, values, np.ones(values.shape, bool))
