"""Both hands as one mesh that is allocated once and rewritten in place (numpy only; one thread at a time).

Spheres stand at the joints, tapered tubes along the bones. A hand that is absent shrinks to one point, which no
renderer draws. Camera frame, millimetres.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import BONE_CHILD, BONE_PARENT, BONES, FINGER_BASES, FINGER_TIPS, SIDES, WRIST, Side
from realtime.messages import HandFrame, HandPose
from viz.drawing.palette import SCENE_RGB, Rgb, paled
from viz.scene3d.primitives import across, circle, icosphere, tube_triangles

PALE_RGB: Final[Rgb] = (0.84, 0.85, 0.87)
"""What joints fade to as their confidence falls: nearly the background."""
BONE_GIRTH: Final = 0.62
"""A bone's radius at a joint, as a share of the joint's."""
HIDDEN_MM: Final = (0.0, 0.0, 0.0)
"""Where an absent hand's vertices lie."""


def _joint_radii_mm() -> NDArray[np.float64]:
    """(21,) thinner towards the tips; the wrist is the largest."""
    radii = np.full(21, 5.6)
    radii[list(FINGER_TIPS)] = 4.8
    radii[list(FINGER_BASES)] = 6.8
    radii[WRIST] = 9.0
    return radii


JOINT_RADII_MM: Final = _joint_radii_mm()
_PARENT_RADII_MM = np.minimum(BONE_GIRTH * JOINT_RADII_MM[BONE_PARENT], 4.6)
_CHILD_RADII_MM = BONE_GIRTH * JOINT_RADII_MM[BONE_CHILD]


class HandMesh:
    """`vertices_mm`, `normals`, `colours` (N, 3) float64 and `triangles` (T, 3) int32: the same arrays for ever.

    Rows 0 .. `hand_vertices`-1 are the right hand, the rest the left; in each, 21 spheres of `sphere_vertices` and
    then 20 tubes. `subdivisions` of an icosahedron make a sphere, `segments` go round a tube.
    """

    def __init__(self, subdivisions: int = 2, segments: int = 14) -> None:
        sphere, sphere_triangles = icosphere(subdivisions)
        self.sphere_vertices = len(sphere)
        self.hand_vertices = 21 * len(sphere) + len(BONES) * 2 * segments
        self._sphere_offsets_mm = JOINT_RADII_MM[:, None, None] * sphere  # (21, V, 3)
        self._circle = circle(segments)
        hand_triangles = _hand_triangles(sphere_triangles, len(sphere), segments)
        self.triangles = np.concatenate([hand_triangles, hand_triangles + self.hand_vertices]).astype(np.int32)
        self.vertices_mm = np.empty((2 * self.hand_vertices, 3))
        self.vertices_mm[:] = HIDDEN_MM
        self.normals = np.empty_like(self.vertices_mm)
        self.normals[:] = sphere[0]
        self.colours = np.empty_like(self.vertices_mm)
        for side in SIDES:
            rows = self.rows(side)
            self.colours[rows] = SCENE_RGB[side]
            self.normals[rows][: 21 * len(sphere)] = np.tile(sphere, (21, 1))

    def rows(self, side: Side) -> slice:
        """The rows of one hand's vertices."""
        first = SIDES.index(side) * self.hand_vertices
        return slice(first, first + self.hand_vertices)

    def update(self, hand_frame: HandFrame, mirror: bool = False) -> None:
        """Rewrite both hands; `mirror` turns x round, as in a mirror at the camera.

        A hand with a joint that is not finite counts as absent: one bad vertex would spoil the whole picture.
        """
        for side in SIDES:
            hand = hand_frame.hand(side)
            if hand is None or not np.isfinite(hand.joints_cam_mm).all():
                self.vertices_mm[self.rows(side)] = HIDDEN_MM
            else:
                self._write_hand(hand, mirror)

    def _write_hand(self, hand: HandPose, mirror: bool) -> None:
        joints = hand.joints_cam_mm * np.array([-1.0 if mirror else 1.0, 1.0, 1.0])  # (21, 3)
        rows, spheres = self.rows(hand.side), 21 * self.sphere_vertices
        vertices, normals, colours = self.vertices_mm[rows], self.normals[rows], self.colours[rows]
        np.add(self._sphere_offsets_mm, joints[:, None], out=vertices[:spheres].reshape(21, -1, 3))
        tubes = (len(BONES), 2, -1, 3)
        _write_tubes(joints, self._circle, vertices[spheres:].reshape(tubes), normals[spheres:].reshape(tubes))
        joint_colours = paled(SCENE_RGB[hand.side], np.nan_to_num(hand.confidence), PALE_RGB)  # (21, 3)
        colours[:spheres].reshape(21, -1, 3)[:] = joint_colours[:, None]
        tube_colours = colours[spheres:].reshape(tubes)
        tube_colours[:, 0] = joint_colours[BONE_PARENT][:, None]
        tube_colours[:, 1] = joint_colours[BONE_CHILD][:, None]


def _write_tubes(
    joints: NDArray[np.float64],
    around: NDArray[np.float64],
    vertices: NDArray[np.float64],
    normals: NDArray[np.float64],
) -> None:
    """Write the 20 bones' rings, (20, 2, segments, 3) each: ring 0 at the parent joint, ring 1 at the child."""
    along = joints[BONE_CHILD] - joints[BONE_PARENT]
    length = np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    axis = np.where(length > 1e-6, along / length, [0.0, 0.0, 1.0])
    u, v = across(axis)
    outward = around[:, :1] * u[:, None] + around[:, 1:] * v[:, None]  # (20, segments, 3)
    vertices[:, 0] = joints[BONE_PARENT][:, None] + _PARENT_RADII_MM[:, None, None] * outward
    vertices[:, 1] = joints[BONE_CHILD][:, None] + _CHILD_RADII_MM[:, None, None] * outward
    slope = (_PARENT_RADII_MM - _CHILD_RADII_MM)[:, None] / length
    leaning = outward + (slope * axis)[:, None]
    normals[:] = (leaning / np.sqrt(1.0 + slope**2)[:, None])[:, None]


def _hand_triangles(sphere_triangles: NDArray[np.int32], sphere_vertices: int, segments: int) -> NDArray[np.int32]:
    """(T, 3) of one hand, in the order of its vertices."""
    spheres = [sphere_triangles + k * sphere_vertices for k in range(21)]
    first = 21 * sphere_vertices
    tubes = [tube_triangles(segments) + first + k * 2 * segments for k in range(len(BONES))]
    return np.concatenate([*spheres, *tubes])
