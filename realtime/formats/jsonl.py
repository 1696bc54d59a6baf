"""JSON lines: a head, then one object a frame with the hands that are there (any thread)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import BONES, HAND_SLICES, JOINT_NAMES, SIDES
from realtime.tracks.schema import FRAME_FIELDS, ROOT_DEPTH_NAMES, Tracks

FORMAT: Final = "two-hands-jsonl 1"
_OF_A_HAND: Final = [name for name, (_, shape) in FRAME_FIELDS.items() if shape == (len(SIDES),)]
_OF_JOINTS: Final = [name for name, (_, shape) in FRAME_FIELDS.items() if shape[:1] == (2 * len(JOINT_NAMES),)]


def write(tracks: Tracks, path: Path) -> None:
    """Write the head and the frames. Raises OSError."""
    fx, fy, cx, cy = tracks.intrinsics_px.tolist()
    head = {
        "format": FORMAT,
        "intrinsics_px": {"fx": fx, "fy": fy, "cx": cx, "cy": cy},
        "distortion": list(tracks.intrinsics.distortion),
        "lens_model": tracks.intrinsics.lens_model,
        "size_px": tracks.size_px.tolist(),
        "joints": list(JOINT_NAMES),
        "bones": [list(bone) for bone in BONES],
        "settings": json.loads(tracks.settings),
        "versions": json.loads(tracks.versions),
    }
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(_line(head))
        for i in range(len(tracks)):
            file.write(_line(_frame(tracks, i)))


def _frame(tracks: Tracks, i: int) -> dict[str, Any]:
    there = [h for h in range(len(SIDES)) if tracks.root_depth_from[i, h]]
    crops = [_numbers(crop) for crop in tracks.crops_px[i] if np.isfinite(crop).all()]
    return {
        "frame_index": int(tracks.frame_index[i]),
        "t_s": float(tracks.t_s[i]),
        "dropped": int(tracks.dropped[i]),
        "hands": [_hand(tracks, i, h) for h in there],
        "crops_px": crops,
    }


def _hand(tracks: Tracks, i: int, h: int) -> dict[str, Any]:
    hand: dict[str, Any] = {"side": SIDES[h]}
    for name in _OF_A_HAND:
        hand[name] = _numbers(getattr(tracks, name)[i, h])
    hand["root_depth_from"] = ROOT_DEPTH_NAMES[tracks.root_depth_from[i, h]]
    for name in _OF_JOINTS:
        hand[name] = _numbers(getattr(tracks, name)[i, HAND_SLICES[SIDES[h]]])
    return hand


def _numbers(values: NDArray) -> Any:
    """Nested lists; single precision as the shortest decimal that reads back the same, NaN as null."""
    if values.ndim:
        return [_numbers(value) for value in values]
    if np.isnan(values):
        return None
    return float(str(values)) if values.dtype.kind == "f" else int(values)


def _line(data: Mapping[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), allow_nan=False) + "\n"
