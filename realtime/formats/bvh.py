"""BVH: both hands as one skeleton with a rest pose, in centimetres, y up (any thread).

Bones keep their lengths, so fingertips lie a little off the tracks; frames come at a steady rate, as the format asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, TextIO

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import FINGER_BASES, HAND_SLICES, JOINT_NAMES, JOINTS_PER_HAND, SIDES, WRIST
from realtime.formats.rig import CHILD, FROM_WRIST, HandMotion, hand_motion
from realtime.tracks.schema import Tracks

CM_PER_MM: Final = 0.1
_TIPS: Final = [joint for joint in range(WRIST) if joint not in CHILD]
_TURN: Final = "Zrotation Xrotation Yrotation"
_PLACE: Final = "Xposition Yposition Zposition"
_STEADY: Final = 0.01
"""Time stamps that stray less than this share of a step count as steady."""
_BLOCK: Final = 1024


def write(tracks: Tracks, path: Path) -> None:
    """Write hierarchy and motion. Raises OSError."""
    step_s, tracks = _steady(tracks)
    hands = [hand_motion(tracks.joints_cam_mm[:, HAND_SLICES[side]], side) for side in SIDES]
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(f"HIERARCHY\nROOT hands\n{{\n\tOFFSET 0 0 0\n\tCHANNELS 6 {_PLACE} {_TURN}\n")
        for hand in hands:
            _write_joint(file, hand, WRIST, 1)
        file.write(f"}}\nMOTION\nFrames: {len(tracks)}\nFrame Time: {step_s:.9f}\n")
        for rows in _rows(hands, len(tracks)):
            file.write("\n".join(" ".join(f"{value:.5f}" for value in row) for row in rows) + "\n")


def _steady(tracks: Tracks) -> tuple[float, Tracks]:
    """Step in seconds, and tracks at that steady rate: those nearest in time where the stamps stray."""
    if len(tracks) < 2:
        return 1 / 30, tracks
    times_s = tracks.t_s - tracks.t_s[0]
    step_s = float(np.median(np.diff(times_s)))
    even_s = np.arange(round(times_s[-1] / step_s) + 1) * step_s
    if len(even_s) == len(tracks) and np.abs(even_s - times_s).max() < _STEADY * step_s:
        return step_s, tracks
    after = np.clip(np.searchsorted(times_s, even_s), 1, len(times_s) - 1)
    share = np.clip((even_s - times_s[after - 1]) / (times_s[after] - times_s[after - 1]), 0.0, 1.0)[:, None, None]
    before, behind = tracks.joints_cam_mm[after - 1], tracks.joints_cam_mm[after]
    between = before + (behind - before) * share
    nearest = np.where(share < 0.5, before, behind)
    return step_s, replace(tracks, t_s=even_s, joints_cam_mm=np.where(np.isnan(between), nearest, between))


def _write_joint(file: TextIO, hand: HandMotion, joint: int, depth: int) -> None:
    """A joint and all behind it; the last phalanx ends in an End Site, the fingertip."""
    tabs = "\t" * depth
    x, y, z = hand.rest_mm[joint] * CM_PER_MM
    if joint in _TIPS:
        file.write(f"{tabs}End Site\n{tabs}{{\n{tabs}\tOFFSET {x:.6f} {y:.6f} {z:.6f}\n{tabs}}}\n")
        return
    channels = f"6 {_PLACE} {_TURN}" if joint == WRIST else f"3 {_TURN}"
    file.write(f"{tabs}JOINT {hand.side}_{JOINT_NAMES[joint]}\n{tabs}{{\n")
    file.write(f"{tabs}\tOFFSET {x:.6f} {y:.6f} {z:.6f}\n{tabs}\tCHANNELS {channels}\n")
    for child in FINGER_BASES if joint == WRIST else (CHILD[joint],):
        _write_joint(file, hand, child, depth + 1)
    file.write(f"{tabs}}}\n")


def _rows(hands: list[HandMotion], count: int) -> Iterator[NDArray[np.float64]]:
    """Blocks of rows with all channels in the order of the hierarchy."""
    turning = [joint for joint in FROM_WRIST if joint not in _TIPS]
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        cells: list[NDArray[np.float64]] = [np.zeros((stop - start, 6))]
        for hand in hands:
            turns = hand.rotations[start * JOINTS_PER_HAND : stop * JOINTS_PER_HAND]
            angles = turns.as_euler("ZXY", degrees=True).reshape(-1, JOINTS_PER_HAND, 3)
            cells.append(hand.wrist_mm[start:stop] * CM_PER_MM)
            cells.append(angles[:, turning].reshape(stop - start, -1))
        yield np.concatenate(cells, axis=1)
