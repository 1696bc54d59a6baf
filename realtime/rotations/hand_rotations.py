"""Rotations of a hand's joints from where they are, in closed form (numpy only; any thread).

The palm is rigid: its frame is the least-squares fit of wrist and knuckles (Kabsch 1976). From there outwards each bone
gives two of its three angles by its direction. The third, its turn about itself, comes from the joint before: a
finger's joints flex about one axis, carried along (a universal joint). How the whole finger is turned about itself
shows where it is bent, because its bones then span a plane; that is weighed against the axis that the palm says, by how
bent it is. So a straight finger takes the palm's, nothing flips, and what is smooth in the joints is smooth in the
rotations. Bones point where a hand's can (`possible_bones`), whatever the joints say; unsure ones lean on what is
usual, and in a sequence (`hand_turner`) on what was told last.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import FINGER_BASES, JOINTS_PER_HAND, MIDDLE_BASE, WRIST, Side
from realtime.rotations.possible_bones import doubts, possible
from realtime.rotations.quaternions import Floats, from_matrices, square_to, unit
from realtime.rotations.rest_hand import (
    FLEXION_AXES,
    MIRROR,
    MIRROR_TURN,
    PALM,
    PALM_JOINTS,
    PALM_WEIGHTS,
    THUMB_ROLL,
    WRIST_FROM_FINGER,
)

_CHAINS: Final = np.array(FINGER_BASES)[:, None] - np.arange(4)
"""(5, 4) joints of each finger from base to tip."""
_PALM_ARM: Final = (PALM - PALM_WEIGHTS @ PALM / PALM_WEIGHTS.sum()) * PALM_WEIGHTS[:, None]
_PALM_MEAN: Final = PALM_WEIGHTS / PALM_WEIGHTS.sum()
_DOUBT: Final = np.array([0.3, 0.6, 0.6, 0.6, 0.6])
"""Variance of a bone's direction against that of a finger's turn about itself: how bent it must be to say its turn."""
_MOST_TURN: Final = float(np.tan(np.radians(30.0)))
"""A finger is turned no farther about itself, against what the palm says."""


def hand_rotations(joints_mm: NDArray, side: Side) -> Floats:
    """(..., 21, 3) mm in any right-handed frame -> (..., 21, 4) unit quaternions x, y, z, w: frame_from_joint.

    Axes as OpenXR has them, both hands alike: -z along the bone to the next joint, y out of the back of the hand; a tip
    has its last bone's. NaN where a joint is. Signs: each joint's is that of its neighbour towards the wrist.
    """
    joints = np.asarray(joints_mm, np.float64)
    flat = (joints * MIRROR if side == "left" else joints).reshape(-1, JOINTS_PER_HAND, 3)
    there = np.isfinite(flat).all(axis=(1, 2))
    found = np.full((len(flat), JOINTS_PER_HAND, 4), np.nan)
    if there.any():
        found[there], _ = right_hands(flat if there.all() else flat[there])
    if side == "left":
        found *= MIRROR_TURN
    return found.reshape(*joints.shape[:-1], 4)


def right_hands(
    joints: Floats, doubt: NDArray | None = None, last: Floats | None = None, age_s: NDArray | None = None
) -> tuple[Floats, Floats]:
    """(N, 21, 3) right hands -> (N, 21, 4) rotations, and (N, 5, 3, 3) bones seen from the ones before them.

    Such bones of the same hands, `age_s` (N,) ago, are `last`; `doubt` (N, 5, 3) is how unsure bones are (0 to 1).
    Without them all bones are sure.
    """
    frames = np.empty((*joints.shape, 3))
    frames[:, WRIST] = wrist = _palm_frames(joints)
    chains, finger_frames = from_base_to_tip(joints), from_base_to_tip(frames)
    bones_mm = chains[:, :, 1:] - chains[:, :, :-1]  # (N, 5, 3, 3)
    lengths_mm = np.sqrt((bones_mm * bones_mm).sum(axis=-1))
    bones = bones_mm / np.maximum(lengths_mm, 1e-9)[..., None]
    palm_mm = joints[:, MIDDLE_BASE] - joints[:, WRIST]
    usual, held = doubts(lengths_mm, np.sqrt((palm_mm * palm_mm).sum(axis=-1)), doubt, age_s)
    told = np.zeros_like(bones) if last is None else held[..., None] * last
    before, flexions, x = wrist[:, None] @ WRIST_FROM_FINGER, None, None  # (N, 5, 3, 3) frame_from_bone
    for k in range(3):
        seen = (bones[:, :, k, None] @ before)[:, :, 0]
        seen, flexions = possible(seen, usual[..., k], told[:, :, k], k, flexions)
        told[:, :, k] = seen
        bones[:, :, k] = (before @ seen[..., None])[..., 0]
        if x is None:
            x = _first_axes(bones, np.einsum("nij,fj->nfi", wrist, FLEXION_AXES))
        z = -bones[:, :, k]
        x = square_to(x, z)
        before = finger_frames[:, :, k]
        before[..., 0], before[..., 1], before[..., 2] = x, _cross(z, x), z
    finger_frames[:, :, 3] = before
    return _signed_along(from_matrices(frames)), told


def from_base_to_tip(joints: NDArray) -> NDArray:
    """Of (N, 21, ...) the fingers' (N, 5, 4, ...), thumb first; a view, where that may be written to."""
    return joints[:, :WRIST].reshape(len(joints), 5, 4, *joints.shape[2:])[:, :, ::-1]


def _palm_frames(joints: Floats) -> Floats:
    """(N, 3, 3) frame_from_wrist, the rotation that turns the rest hand's palm onto this one best."""
    palm = joints[:, PALM_JOINTS]
    u, _, vt = np.linalg.svd(np.einsum("nki,kj->nij", palm - (_PALM_MEAN @ palm)[:, None], _PALM_ARM))
    proper = np.ones((len(joints), 3))
    proper[:, 2] = np.linalg.det(u @ vt)
    return np.asarray((u * proper[:, None]) @ vt, np.float64)


def _first_axes(bones: Floats, palms_axes: Floats) -> Floats:
    """(N, 5, 3) x axes of the first bones: the palm's, turned about the bone as far as the finger's bends say."""
    first = bones[:, :, 0]
    along = (palms_axes * first).sum(axis=-1, keepdims=True)
    x = unit(palms_axes - along * first)
    y = _cross(x, first)
    bend = -_cross(bones[:, :, :-1], bones[:, :, 1:])  # (N, 5, 2, 3) sines of the two bends, along the finger's x axis
    bend_x, bend_y = ((bend * axis[:, :, None]).sum(axis=-1) for axis in (x, y))
    usual = np.tan(THUMB_ROLL * np.arcsin(np.minimum(np.maximum(-along[..., 0], -1.0), 1.0)))
    # Least squares for the turn's tangent: bend_y = tangent * bend_x, and usual as if it were one more bend.
    turn = ((bend_x * bend_y).sum(axis=-1) + _DOUBT * usual) / ((bend_x**2).sum(axis=-1) + _DOUBT)
    turn = np.minimum(np.maximum(turn, usual - _MOST_TURN), usual + _MOST_TURN)[..., None]
    return np.asarray(unit(x + turn * y), np.float64)


def _signed_along(rotations: Floats) -> Floats:
    """Each joint turns by less than half a circle from the one before: its sign needs no memory."""
    fingers = from_base_to_tip(rotations)
    alike = np.empty(fingers.shape[:3])
    alike[:, :, 0] = (fingers[:, :, 0] * rotations[:, WRIST, None]).sum(axis=-1)
    alike[:, :, 1:] = (fingers[:, :, 1:] * fingers[:, :, :-1]).sum(axis=-1)
    fingers *= np.cumprod(np.where(alike < 0, -1.0, 1.0), axis=-1)[..., None]
    return rotations


def _cross(a: Floats, b: Floats) -> Floats:
    # numpy.cross takes five times as long for so few.
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    found = np.empty_like(a)
    found[..., 0], found[..., 1], found[..., 2] = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    return found


def rotation_confidence(joint_confidence: NDArray) -> NDArray:
    """(..., 21) of joints -> of rotations: the smaller one of a bone's two ends; the wrist's is the palm's mean."""
    found = np.array(joint_confidence)
    for k in range(3):
        start, end = _CHAINS[:, k], _CHAINS[:, k + 1]
        found[..., start] = np.minimum(joint_confidence[..., start], joint_confidence[..., end])
    found[..., _CHAINS[:, 3]] = found[..., _CHAINS[:, 2]]
    found[..., WRIST] = joint_confidence[..., PALM_JOINTS] @ _PALM_MEAN
    return found


def bone_doubts(joint_confidence: NDArray) -> Floats:
    """(N, 21) -> (N, 5, 3) how unsure each finger's bones are, base to tip: as unsure as the worse of their ends."""
    sure = from_base_to_tip(joint_confidence)
    return np.asarray(1.0 - np.minimum(sure[..., :-1], sure[..., 1:]), np.float64)


def steady_signs(rotations: NDArray) -> NDArray:
    """(F, 21, 4) of one hand in time, NaN where it is away, with signs that do not jump from frame to frame."""
    steady = rotations.copy()
    rows = np.flatnonzero(np.isfinite(steady[:, WRIST, 0]))
    if len(rows) > 1:
        wrist = steady[rows, WRIST]
        turns = np.where((wrist[1:] * wrist[:-1]).sum(axis=-1) < 0, -1.0, 1.0)
        steady[rows[1:]] *= np.cumprod(turns)[:, None, None].astype(steady.dtype)
    return steady
