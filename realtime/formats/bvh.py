"""BVH: both hands as one skeleton with a rest pose, in centimetres, y up (any thread).

Bones keep their lengths, so fingertips lie a little off the tracks; frames come at a steady rate, as the format asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engines.skeleton import FINGER_BASES, JOINT_NAMES, JOINTS_PER_HAND, SIDES, WRIST, WRIST_FIRST
from realtime.formats.rig import CHILD, HandMotion, hand_motion
from realtime.formats.steady import at_steady_rate
from realtime.tracks.schema import Tracks

CM_PER_MM: Final = 0.1
_TIPS: Final = [joint for joint in range(WRIST) if joint not in CHILD]
_FINGER_ORDER: Final = "XZY"
"""Flexion, abduction, turn about the bone: the middle angle stays far from a quarter, where the others would whirl."""
_WRIST_ORDERS: Final = ("ZXY", "YZX", "XYZ")
_PLACE: Final = "Xposition Yposition Zposition"
_BLOCK: Final = 1024


def write(tracks: Tracks, path: Path) -> None:
    """Write hierarchy and motion. Raises OSError."""
    step_s, tracks = at_steady_rate(tracks)
    hands = [hand_motion(tracks, side) for side in SIDES]
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(f"HIERARCHY\nROOT hands\n{{\n\tOFFSET 0 0 0\n\tCHANNELS 6 {_PLACE} {_turn(_WRIST_ORDERS[0])}\n")
        orders = [_wrist_order(hand) for hand in hands]
        for hand, order in zip(hands, orders, strict=True):
            _write_joint(file, hand, order, WRIST, 1)
        file.write(f"}}\nMOTION\nFrames: {len(tracks)}\nFrame Time: {step_s:.9f}\n")
        for rows in _rows(hands, orders, len(tracks)):
            file.write("\n".join(" ".join(f"{value:.5f}" for value in row) for row in rows) + "\n")


def _write_joint(file: TextIO, hand: HandMotion, wrist_order: str, joint: int, depth: int) -> None:
    """A joint and all behind it; the last phalanx ends in an End Site, the fingertip."""
    tabs = "\t" * depth
    x, y, z = hand.rest_mm[joint] * CM_PER_MM
    if joint in _TIPS:
        file.write(f"{tabs}End Site\n{tabs}{{\n{tabs}\tOFFSET {x:.6f} {y:.6f} {z:.6f}\n{tabs}}}\n")
        return
    channels = f"6 {_PLACE} {_turn(wrist_order)}" if joint == WRIST else f"3 {_turn(_FINGER_ORDER)}"
    file.write(f"{tabs}JOINT {hand.side}_{JOINT_NAMES[joint]}\n{tabs}{{\n")
    file.write(f"{tabs}\tOFFSET {x:.6f} {y:.6f} {z:.6f}\n{tabs}\tCHANNELS {channels}\n")
    for child in FINGER_BASES if joint == WRIST else (CHILD[joint],):
        _write_joint(file, hand, wrist_order, child, depth + 1)
    file.write(f"{tabs}}}\n")


def _turn(order: str) -> str:
    return " ".join(f"{axis}rotation" for axis in order)


def _wrist_order(hand: HandMotion) -> str:
    """The order of Euler angles whose middle one, of all frames, stays farthest from a quarter turn."""
    turns = hand.rotations.as_matrix()[WRIST::JOINTS_PER_HAND]
    if not len(turns):
        return _WRIST_ORDERS[0]
    # The sine of the middle angle stands in the matrix where the first axis' row meets the last axis' column.
    sines = [np.abs(turns[:, "XYZ".index(order[0]), "XYZ".index(order[2])]).max() for order in _WRIST_ORDERS]
    return _WRIST_ORDERS[int(np.argmin(sines))]


def _rows(hands: list[HandMotion], orders: list[str], count: int) -> Iterator[NDArray[np.float64]]:
    """Blocks of rows with all channels in the order of the hierarchy."""
    turning = [joint for joint in WRIST_FIRST if joint not in _TIPS]
    before: list[NDArray[np.float64] | None] = [None] * len(hands)
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        cells: list[NDArray[np.float64]] = [np.zeros((stop - start, 6))]
        for h, hand in enumerate(hands):
            turns = hand.rotations[start * JOINTS_PER_HAND : stop * JOINTS_PER_HAND]
            angles = _unwound(_angles_deg(turns, orders[h]), before[h])
            before[h] = angles[-1]
            cells.append(hand.wrist_mm[start:stop] * CM_PER_MM)
            cells.append(angles[:, turning].reshape(stop - start, -1))
        yield np.concatenate(cells, axis=1)


def _angles_deg(turns: Rotation, wrist_order: str) -> NDArray[np.float64]:
    """(F, 21, 3) of F * 21 rotations, in the order of their channels."""
    angles = turns.as_euler(_FINGER_ORDER, degrees=True).reshape(-1, JOINTS_PER_HAND, 3)
    if len(angles):
        angles[:, WRIST] = turns[WRIST::JOINTS_PER_HAND].as_euler(wrist_order, degrees=True)
    return angles


def _unwound(angles_deg: NDArray[np.float64], before_deg: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """The same turns (F, 21, 3) with no jumps from -180 to 180 degrees, which programs would show as a whirl.

    Each turn A, B, C is also A + 180, 180 - B, C + 180, and whole turns more: of all these the one nearest to the frame
    before, `before_deg` (21, 3) for the first.
    """
    both = np.stack([angles_deg, angles_deg * (1.0, -1.0, 1.0) + 180.0])
    found = np.empty_like(angles_deg)
    for i in range(len(found)):
        last = both[0, i] if before_deg is None else before_deg
        near = both[:, i] - 360.0 * np.round((both[:, i] - last) / 360.0)
        second = np.abs(near - last).sum(axis=-1).argmin(axis=0).astype(bool)
        found[i] = before_deg = np.where(second[:, None], near[1], near[0])
    return found
