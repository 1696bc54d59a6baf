"""Unit shapes that meshes are made of (numpy only; any thread). Triangles wind counter-clockwise seen from outside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def icosphere(subdivisions: int) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Vertices (10 * 4**n + 2, 3) on the unit sphere, which are its normals too, and triangles (20 * 4**n, 3)."""
    golden = (1 + 5**0.5) / 2
    corners = [[-1, golden, 0], [1, golden, 0], [-1, -golden, 0], [1, -golden, 0]]
    corners += [[0, -1, golden], [0, 1, golden], [0, -1, -golden], [0, 1, -golden]]
    corners += [[golden, 0, -1], [golden, 0, 1], [-golden, 0, -1], [-golden, 0, 1]]
    faces = [[0, 11, 5], [0, 5, 1], [0, 1, 7], [0, 7, 10], [0, 10, 11], [1, 5, 9], [5, 11, 4], [11, 10, 2]]
    faces += [[10, 7, 6], [7, 1, 8], [3, 9, 4], [3, 4, 2], [3, 2, 6], [3, 6, 8], [3, 8, 9], [4, 9, 5]]
    faces += [[2, 4, 11], [6, 2, 10], [8, 6, 7], [9, 8, 1]]
    vertices = np.array(corners, np.float64)
    triangles = np.array(faces, np.int32)
    for _ in range(subdivisions):
        vertices, triangles = _quartered(vertices, triangles)
    return vertices / np.linalg.norm(vertices, axis=1, keepdims=True), triangles


def _quartered(
    vertices: NDArray[np.float64], triangles: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Split each triangle into four at the middles of its edges, pushed out to the unit sphere."""
    vertices = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]], axis=2).reshape(-1, 2)
    unique, edge_of = np.unique(edges, axis=0, return_inverse=True)
    middle = (edge_of.reshape(-1, 3) + len(vertices)).astype(np.int32)
    a, b, c = triangles.T
    ab, bc, ca = middle.T
    quarters = np.stack([[a, ab, ca], [b, bc, ab], [c, ca, bc], [ab, bc, ca]])
    return np.concatenate([vertices, vertices[unique].mean(axis=1)]), quarters.transpose(2, 0, 1).reshape(-1, 3)


def tube_triangles(segments: int) -> NDArray[np.int32]:
    """Triangles (2 * segments, 3) of an open tube: ring 0 .. n-1 at its start, n .. 2n-1 at its end.

    The rings run counter-clockwise seen from the end, looking back to the start.
    """
    k = np.arange(segments, dtype=np.int32)
    after = (k + 1) % segments
    lower = np.stack([k, after, after + segments], axis=1)
    upper = np.stack([k, after + segments, k + segments], axis=1)
    return np.concatenate([lower, upper]).astype(np.int32)


def circle(segments: int) -> NDArray[np.float64]:
    """(segments, 2) cosine and sine around the unit circle."""
    angle = 2 * np.pi * np.arange(segments) / segments
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def across(directions: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two unit vectors (N, 3) each, u and v with u x v = direction, for unit directions (N, 3).

    Branch-free orthonormal basis of Duff et al., "Building an Orthonormal Basis, Revisited" (JCGT 2017).
    """
    x, y, z = directions.T
    sign = np.where(z >= 0.0, 1.0, -1.0)
    a = -1.0 / (sign + z)
    b = x * y * a
    u = np.stack([1.0 + sign * x * x * a, sign * b, -sign * x], axis=1)
    v = np.stack([b, sign + y * y * a, -y], axis=1)
    return u, v
