"""Where the cameras of a rendered rig stand (numpy; any thread)."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics
from training.annotation.cameras.camera import Camera, Rig

Layout = Literal["dome", "desk"]
LAYOUTS: Final[tuple[Layout, ...]] = ("dome", "desk")
_HALF_WIDTH_MM: Final = 300.0
"""Half of what a camera sees across at the hands."""
_DISTANCE_MM: Final = {"dome": (680.0, 820.0), "desk": (520.0, 760.0)}
_GOLDEN: Final = np.pi * (3 - np.sqrt(5))


def make_rig(layout: Layout, views: int, size_px: tuple[int, int], middle_mm: NDArray, seed: int) -> Rig:
    """`views` cameras that look at `middle_mm` of the world, whose y points down and whose z leads away from a viewer.

    `dome`: spread evenly over a sphere, from a little below the hands to steeply above, all around. `desk`: in an arc
    of 140 degrees before the person, as webcams on screens, shelves and tripods stand.
    """
    rng = np.random.default_rng([seed, 11])
    directions = _dome(views) if layout == "dome" else _desk(views, rng)
    rig = []
    for k, direction in enumerate(directions):
        distance = rng.uniform(*_DISTANCE_MM[layout])
        aim = middle_mm + rng.normal(0, 12, 3)
        turn = looking(-direction, rng.normal(0, 0.05 if layout == "dome" else 0.1))
        focal = size_px[0] / 2 * distance / (_HALF_WIDTH_MM * rng.uniform(0.95, 1.1))
        intrinsics = Intrinsics(focal, focal, (size_px[0] - 1) / 2, (size_px[1] - 1) / 2)
        position = aim + distance * direction
        rig.append(Camera(f"cam_{k}", size_px, intrinsics, turn, -turn @ position))
    return tuple(rig)


def looking(forward: NDArray, roll_rad: float = 0.0) -> NDArray[np.float64]:
    """(3, 3) camera from world of a camera that looks along `forward`, the world's y down, but for a roll."""
    z = forward / np.linalg.norm(forward)
    down = np.array([0.0, 1.0, 0.0])
    x = np.cross(down, z)
    x = x / np.linalg.norm(x) if np.linalg.norm(x) > 1e-6 else np.array([1.0, 0.0, 0.0])
    y = np.cross(z, x)
    c, s = np.cos(roll_rad), np.sin(roll_rad)
    return np.stack([c * x + s * y, c * y - s * x, z])


def _dome(views: int) -> NDArray[np.float64]:
    """(views, 3) directions from the middle, spiralling from 15 degrees below to 65 above the horizon."""
    k = np.arange(views)
    height = np.sin(np.radians(-15)) + (k + 0.5) / views * (np.sin(np.radians(65)) - np.sin(np.radians(-15)))
    around = np.sqrt(1 - height**2)
    angle = _GOLDEN * k
    return np.stack([around * np.sin(angle), -height, -around * np.cos(angle)], axis=1)


def _desk(views: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(views, 3) directions in an arc before the person, at changing heights."""
    angle = np.radians(np.linspace(-70, 70, views) + rng.normal(0, 4, views)) if views > 1 else np.zeros(1)
    height = np.sin(np.radians(rng.uniform(-5, 45, views)))
    around = np.sqrt(1 - height**2)
    return np.stack([around * np.sin(angle), -height, -around * np.cos(angle)], axis=1)
