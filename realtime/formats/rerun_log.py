"""Rerun's .rrd: the hands in 3D and in the picture, over time, for its viewer. The only home of rerun (any thread)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import rerun as rr
from numpy.typing import NDArray

from engines.skeleton import BONES, HAND_SLICES, SIDE_RGB, SIDES, Side
from realtime.tracks.schema import Tracks

_PATHS: Final = {"joints_cam_mm": "camera/{}", "joints_px": "camera/image/{}"}


def write(tracks: Tracks, path: Path) -> None:
    """Write joints as points and bones as lines, in camera millimetres and in pixels. Raises OSError."""
    fx, fy, cx, cy = tracks.intrinsics_px.tolist()
    size = tracks.size_px.tolist()
    log: Any = rr.new_recording("two_hands")
    memory = log.memory_recording()  # Rerun itself tells of a full disk, or of a name that is no text, to nobody
    log.log("camera", rr.ViewCoordinates.RDF, static=True)
    log.log("camera/image", rr.Pinhole(focal_length=[fx, fy], principal_point=[cx, cy], resolution=size), static=True)
    for side in SIDES:
        for field, place in _PATHS.items():
            _log_hand(log, tracks, side, getattr(tracks, field)[:, HAND_SLICES[side]], place.format(side))
    path.write_bytes(memory.drain_as_bytes())
    log.disconnect()


def _log_hand(log: Any, tracks: Tracks, side: Side, joints: NDArray[np.float32], place: str) -> None:
    """Points and lines (F, 21, 2 or 3) at their times; frames without the hand hold none, which clears the view."""
    there = np.isfinite(joints[:, 0, 0])
    times = [
        rr.TimeSecondsColumn("t", tracks.t_s),
        rr.TimeSequenceColumn("frame", tracks.frame_index),
    ]
    flat = there.astype(int)
    colour = [round(255 * value) for value in SIDE_RGB[side]]
    points, lines = (rr.Points3D, rr.LineStrips3D) if joints.shape[-1] == 3 else (rr.Points2D, rr.LineStrips2D)
    log.log(f"{place}/joints", points.from_fields(colors=[colour]), static=True)
    log.log(f"{place}/bones", lines.from_fields(colors=[colour]), static=True)
    dots = points.columns(positions=joints[there].reshape(-1, joints.shape[-1])).partition(flat * joints.shape[1])
    bones = joints[there][:, np.array(BONES)].reshape(-1, 2, joints.shape[-1])
    strokes = lines.columns(strips=list(bones)).partition(flat * len(BONES))
    rr.send_columns(f"{place}/joints", times, dots, recording=log)
    rr.send_columns(f"{place}/bones", times, strokes, recording=log)
