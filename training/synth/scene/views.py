"""From where a camera sees a person's hands (numpy and scipy; any thread).

A view turns the person frame of `arms.py` into the camera frame and tells where the hands lie before the camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engines.geometry.pinhole import Intrinsics
from training.synth.pair.arms import Stance

VIEW_SHARE: Final = {"webcam": 0.56, "egocentric": 0.17, "overhead": 0.10, "any": 0.17}
"""Shares of the kinds of view; they sum to 1."""
FAMILY_VIEW_SHARE: Final = {"webcam": 0.80, "egocentric": 0.08, "overhead": 0.04, "any": 0.08}
"""The same for hands that are brought together before a camera (`families.py`)."""
PICTURE_PX: Final = 360
NEAREST_SURFACE_MM: Final = 70.0
"""Nothing that is drawn comes nearer to the camera."""
BOX_SHARE: Final = (0.35, 0.47)
"""Range of the larger side of the joints' box, in sides of the picture: room for all that a tracker's crop may show, so
that no crop shows an arm cut off in its middle."""
BOX_SHIFT: Final = 0.05
"""Largest distance of the box's middle from the picture's, in sides of the picture."""
DISTANCE_MM: Final = (280.0, 1200.0)


@dataclass(frozen=True)
class View:
    """Where a camera is."""

    camera_from_person: NDArray[np.float64]
    """(3, 3) rotation."""
    hands_cam_mm: NDArray[np.float64]
    """(3,) where the middle of the hands is."""


def sample_stance(rng: np.random.Generator, kind: str) -> Stance:
    """How the hands are held where such a view is taken."""
    return (
        "table" if rng.random() < {"webcam": 0.12, "egocentric": 0.65, "overhead": 0.85, "any": 0.4}[kind] else "raised"
    )


def sample_view(rng: np.random.Generator, kind: str) -> View:
    """A random camera of a kind of `VIEW_SHARE`."""
    distance = float(np.clip(np.exp(rng.normal(np.log(520), 0.38)), *DISTANCE_MM))
    aside = np.clip(rng.normal(0, [0.2, 0.13]), -0.5, 0.5)
    return View(_ROTATIONS[kind](rng), np.array([*(aside * distance), distance]))


def frame_joints(rng: np.random.Generator, joints_cam_mm: NDArray) -> Intrinsics:
    """Intrinsics of a square picture of `PICTURE_PX` that shows the joints (N, 3): a cut from a larger picture."""
    on_plane = joints_cam_mm[:, :2] / joints_cam_mm[:, 2:]
    low, high = on_plane.min(axis=0), on_plane.max(axis=0)
    focal = rng.uniform(*BOX_SHARE) * PICTURE_PX / float((high - low).max())
    middle = (PICTURE_PX - 1) / 2 + rng.uniform(-BOX_SHIFT, BOX_SHIFT, 2) * PICTURE_PX
    principal = middle - focal * (low + high) / 2
    return Intrinsics(focal, focal, float(principal[0]), float(principal[1]))


def _webcam(rng: np.random.Generator) -> NDArray[np.float64]:
    """In front of the person, a little above or below; now and then from the side."""
    yaw = rng.uniform(-85, 85) if rng.random() < 0.2 else rng.normal(0, 18)
    return _euler(rng.normal(0, 7), rng.normal(-4, 15), yaw)


def _egocentric(rng: np.random.Generator) -> NDArray[np.float64]:
    """From the person's own eyes or chest, looking forward and down."""
    return _euler(rng.normal(0, 9), rng.uniform(5, 70), rng.normal(0, 18)) @ _BEHIND


def _overhead(rng: np.random.Generator) -> NDArray[np.float64]:
    """From above a table at which the person sits at any side of the picture."""
    seat = rng.choice([0.0, 180.0, rng.uniform(-180, 180)], p=[0.55, 0.2, 0.25])
    return _euler(seat + rng.normal(0, 12), rng.normal(84, 9), 0) @ _BEHIND


def _any(rng: np.random.Generator) -> NDArray[np.float64]:
    return Rotation.random(random_state=np.random.RandomState(rng.integers(2**31))).as_matrix()


def _euler(roll_deg: float, down_deg: float, yaw_deg: float) -> NDArray[np.float64]:
    """Turn of a camera that looks `down_deg` below the horizon; positive yaw moves it to the person's left."""
    turns = Rotation.from_euler("y", yaw_deg, degrees=True), Rotation.from_euler("x", down_deg, degrees=True)
    return (Rotation.from_euler("z", roll_deg, degrees=True) * turns[1] * turns[0]).as_matrix()


_BEHIND: Final = np.diag([-1.0, 1.0, -1.0])
"""A camera on the person's side, looking the way the person looks."""
_ROTATIONS: Final = {"webcam": _webcam, "egocentric": _egocentric, "overhead": _overhead, "any": _any}
