"""Bands, sleeves and limbs: closed rings of points about an axis, joined to a mesh (numpy only; any thread)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.synth.person.appearance import Material, Owner, Prop, unit


@dataclass(frozen=True)
class Axis:
    """A line with two directions across it; `origin_mm + along * direction`."""

    origin_mm: NDArray[np.float64]
    """(3,)."""
    direction: NDArray[np.float64]
    """(3,) unit."""
    across: NDArray[np.float64]
    """(2, 3) unit vectors at right angles to the direction and to each other; right-handed with it last."""

    @staticmethod
    def between(start_mm: NDArray, end_mm: NDArray, towards: NDArray) -> Axis:
        """From one point to another; angle 0 about it lies on the side of (3,) `towards`."""
        direction = unit(end_mm - start_mm)
        first = unit(towards - towards @ direction * direction)
        return Axis(start_mm, direction, np.stack([first, np.cross(direction, first)]))


def outline(points_mm: NDArray, axis: Axis, along_mm: float, half_mm: float, count: int) -> NDArray[np.float64] | None:
    """(count,) largest distance from the axis of the points (N, 3) in a slab, by angle; None where there are too few.

    Angles without a point take the value between their neighbours.
    """
    offsets = points_mm - axis.origin_mm
    local = offsets[np.abs(offsets @ axis.direction - along_mm) < half_mm] @ axis.across.T
    if len(local) < 6:
        return None
    sector = np.floor(np.arctan2(local[:, 1], local[:, 0]) / (2 * np.pi) * count + 0.5).astype(int) % count
    radius = np.zeros(count)
    np.maximum.at(radius, sector, np.linalg.norm(local, axis=1))
    known = np.flatnonzero(radius)
    filled = np.interp(np.arange(count), known, radius[known], period=count)
    return np.real(np.fft.ifft(np.fft.fft(filled) * _low_pass(count)))


def centered(axis: Axis, points_mm: NDArray, along_mm: float, half_mm: float) -> Axis:
    """The axis shifted to the middle of the points in a slab."""
    offsets = points_mm - axis.origin_mm
    local = offsets[np.abs(offsets @ axis.direction - along_mm) < half_mm] @ axis.across.T
    if not len(local):
        return axis
    middle = (local.min(axis=0) + local.max(axis=0)) / 2
    return Axis(axis.origin_mm + middle @ axis.across, axis.direction, axis.across)


def band(owner: Owner, axis: Axis, along_mm: ArrayLike, radii_mm: NDArray, material: Material) -> Prop:
    """A mesh from M rings of K points: (M,) places along the axis and (M, K) radii, from the inside to the outside.

    Rings run along the axis where the outer side is to be seen.
    """
    along = np.asarray(along_mm, np.float64)
    rings, count = radii_mm.shape
    angle = 2 * np.pi * np.arange(count) / count
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    flat = radii_mm[..., None] * circle  # (M, K, 2)
    points = axis.origin_mm + along[:, None, None] * axis.direction + flat @ axis.across
    vertices, triangles = points.reshape(-1, 3), ring_triangles(rings, count)
    rest = np.stack([flat[..., 0], np.broadcast_to(-along[:, None], flat.shape[:2]), flat[..., 1]], axis=-1)
    return Prop(owner, vertices, vertex_normals(vertices, triangles), triangles, rest.reshape(-1, 3), material)


def _low_pass(count: int) -> NDArray[np.float64]:
    """Keeps four waves around the ring, so that single vertices leave no spikes."""
    return (np.abs(np.fft.fftfreq(count) * count) <= 4).astype(np.float64)


def ring_triangles(rings: int, count: int) -> NDArray[np.int32]:
    """(T, 3) of a surface through rings of equally many points."""
    row, column = np.meshgrid(np.arange(rings - 1), np.arange(count), indexing="ij")
    a, b = row * count + column, row * count + (column + 1) % count
    c, d = a + count, b + count
    return np.concatenate([np.stack([a, b, c], -1), np.stack([b, d, c], -1)]).reshape(-1, 3).astype(np.int32)


def vertex_normals(vertices: NDArray, triangles: NDArray) -> NDArray[np.float64]:
    """(V, 3) area-weighted unit normals of a mesh."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(total, triangles[:, k], face)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)
