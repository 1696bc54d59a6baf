"""Simple solids: turned bodies and rounded boxes, each as a mesh and as a distance (numpy only; any thread).

A solid has its own frame, mm: y is the axis of a turned body, z the thin side of a slab. Distances are negative inside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.synth.person.appearance import Material, Owner, Prop
from training.synth.person.bands import ring_triangles, vertex_normals

Distance = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""(N, 3) points to (N,) mm: how far they are from a surface, negative inside."""
AROUND: Final = 30
_CORNER_POINTS: Final = 5


@dataclass(frozen=True)
class Part:
    """A closed piece of a solid that has one material."""

    vertices_mm: NDArray[np.float64]
    """(V, 3) in the solid's frame."""
    triangles: NDArray[np.int32]
    """(T, 3) counter-clockwise seen from outside."""
    material: Material

    def placed(self, rotation: NDArray, shift_mm: NDArray, owner: Owner) -> Prop:
        """The part after a (3, 3) rotation or reflection and then a (3,) shift."""
        triangles = self.triangles if np.linalg.det(rotation) > 0 else self.triangles[:, ::-1]
        vertices = self.vertices_mm @ rotation.T + shift_mm
        return Prop(owner, vertices, vertex_normals(vertices, triangles), triangles, self.vertices_mm, self.material)


@dataclass(frozen=True)
class Solid:
    """A thing made of parts."""

    kind: str
    parts: tuple[Part, ...]
    distance: Distance

    def placed(self, rotation: NDArray, shift_mm: NDArray, owner: Owner) -> list[Prop]:
        """All parts after a (3, 3) rotation or reflection and then a (3,) shift."""
        return [part.placed(rotation, shift_mm, owner) for part in self.parts]

    def turned(self, turn: NDArray) -> Solid:
        """The solid after a (3, 3) rotation."""
        parts = tuple(Part(part.vertices_mm @ turn.T, part.triangles, part.material) for part in self.parts)
        return Solid(self.kind, parts, lambda points: self.distance(points @ turn))


def turned(profile_mm: ArrayLike, material: Material, depth: float = 1.0, around: int = AROUND) -> Part:
    """A body turned about y from (M, 2) radii and places along it, upwards on the outside; `depth` scales z."""
    profile = np.asarray(profile_mm, np.float64)
    angle = 2 * np.pi * np.arange(around) / around
    rings = np.empty((len(profile), around, 3))
    rings[..., 0] = profile[:, :1] * np.sin(angle)
    rings[..., 1] = profile[:, 1:]
    rings[..., 2] = profile[:, :1] * np.cos(angle) * depth
    return from_rings(rings, material)


def from_rings(rings_mm: NDArray, material: Material) -> Part:
    """A surface through M rings of K points, (M, K, 3), that turn right about the direction in which they follow."""
    rings, around = rings_mm.shape[:2]
    return Part(rings_mm.reshape(-1, 3), ring_triangles(rings, around), material)


def ellipsoid(center_mm: ArrayLike, half_mm: ArrayLike, material: Material, around: int = 20) -> Part:
    """An ellipsoid with half axes (3,)."""
    rise = np.linspace(-np.pi / 2, np.pi / 2, 11)
    part = turned(np.stack([np.cos(rise), np.sin(rise)], axis=1), material, around=around)
    return Part(part.vertices_mm * np.asarray(half_mm) + np.asarray(center_mm), part.triangles, material)


def slab(
    half_mm: ArrayLike, corner_mm: float, bevel_mm: float, material: Material, center: ArrayLike = (0, 0, 0)
) -> Part:
    """A box with half sides (3,), corners rounded in the x-y plane, and edges rounded along z."""
    width, height, thick = np.asarray(half_mm, np.float64)
    bend = np.linspace(0, np.pi / 2, 4)
    insets = np.concatenate([[min(width, height)], bevel_mm * (1 - np.sin(bend))])
    places = np.concatenate([[thick], thick - bevel_mm * (1 - np.cos(bend))])
    insets, places = np.concatenate([insets, insets[::-1]]), np.concatenate([-places, places[::-1]])
    rings = np.stack(
        [
            _rounded_rectangle(width - i, height - i, max(corner_mm - i, 0.05), z)
            for i, z in zip(insets, places, strict=True)
        ]
    )
    return from_rings(rings + np.asarray(center, np.float64), material)


def _rounded_rectangle(width: float, height: float, corner: float, z: float) -> NDArray[np.float64]:
    corner = max(min(corner, width, height), 0.0)
    quarter = np.linspace(0, np.pi / 2, _CORNER_POINTS)
    points = []
    for k, (sx, sy) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        angle = quarter + k * np.pi / 2
        x = sx * max(width - corner, 0) + corner * np.cos(angle)
        y = sy * max(height - corner, 0) + corner * np.sin(angle)
        points.append(np.stack([x, y, np.full_like(x, z)], axis=1))
    return np.concatenate(points)


def box_distance(half_mm: ArrayLike, round_mm: float) -> Distance:
    """Of a box with rounded edges."""
    inner = np.asarray(half_mm, np.float64) - round_mm

    def distance(points: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y, z = (np.abs(points[..., axis]) - inner[axis] for axis in range(3))
        a, b, c = np.maximum(x, 0), np.maximum(y, 0), np.maximum(z, 0)
        outside = np.sqrt(a * a + b * b + c * c)
        return np.asarray(outside + np.minimum(np.maximum(np.maximum(x, y), z), 0) - round_mm)

    return distance


def turned_distance(profile_mm: ArrayLike) -> Distance:
    """Of a solid turned body whose (M, 2) profile runs from the axis to the axis."""
    profile = np.asarray(profile_mm, np.float64)
    (radius, height), (outward, upward) = profile[:-1].T, np.diff(profile, axis=0).T
    squared = np.maximum(outward * outward + upward * upward, 1e-9)
    steep = np.where(np.abs(upward) < 1e-9, 1e-9, upward)
    end = height + upward

    def distance(points: NDArray[np.float64]) -> NDArray[np.float64]:
        out, up = np.hypot(points[:, 0], points[:, 2])[:, None], points[:, 1, None]
        x, y = out - radius, up - height
        share = np.minimum(np.maximum((x * outward + y * upward) / squared, 0), 1)
        right, above = x - share * outward, y - share * upward
        nearest = np.sqrt(right * right + above * above).min(axis=1)
        rising = (height <= up) != (end <= up)
        crossing = radius + y / steep * outward
        inside = np.sum(rising & (crossing > out), axis=1) % 2 == 1
        return np.where(inside, -nearest, nearest)

    return distance
