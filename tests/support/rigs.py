"""Cameras around the sample clip's hands, and what detectors would see of them, without any picture."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.annotation.cameras.camera import Rig
from training.annotation.rigs.layout import make_rig
from training.annotation.triangulation.observations import Observations, sights_of

SAMPLE = Path(__file__).parents[2] / "samples/two_hands.npz"
LENS = (-0.21, 0.06, 0.001, -0.0012)
SIZE = (640, 480)


@lru_cache
def hands_mm(moments: int = 30, start: int = 60, step: int = 3) -> NDArray[np.float64]:
    """(M, 42, 3) both hands of the sample clip; its camera's frame is the world."""
    with np.load(SAMPLE) as truth:
        return np.asarray(truth["joints_cam_mm"][start : start + moments * step : step], np.float64)


def rig_around(views: int, layout: str = "desk", seed: int = 1, lens: tuple[float, ...] = LENS) -> Rig:
    """Cameras that look at these hands, each through a lens that distorts."""
    middle = np.median(hands_mm(), axis=(0, 1))
    rig = make_rig(layout, views, SIZE, middle, seed)  # type: ignore[arg-type]
    return tuple(replace(c, intrinsics=replace(c.intrinsics, distortion=lens)) for c in rig)


def seen_by(rig: Rig, joints_mm: NDArray, noise_px: float = 0.0, seed: int = 0) -> Observations:
    """What all cameras see of joints (M, 42, 3), with noise; the sigmas tell it."""
    rng = np.random.default_rng(seed)
    pixels = np.stack([camera.project(joints_mm) for camera in rig], axis=1)
    pixels += rng.normal(0, noise_px, pixels.shape)
    sigma = np.full(pixels.shape[:-1], max(noise_px, 0.7))
    return Observations(rig, pixels, sigma, sights_of(rig, pixels), np.ones((len(pixels), len(rig), 2)))


def with_pixels(seen: Observations, pixels: NDArray) -> Observations:
    return replace(seen, joints_px=pixels, sights=sights_of(seen.rig, pixels))


def off_mm(found_mm: NDArray, joints_mm: NDArray) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(found_mm - joints_mm, axis=-1))


def turned_by(rig: Rig, view: int, degrees: float) -> Rig:
    """The rig with one camera that looks elsewhere than its calibration says."""
    turn = cv2.Rodrigues(np.radians([0.0, degrees, 0.0]))[0]
    moved = replace(
        rig[view],
        camera_from_world=turn @ rig[view].camera_from_world,
        translation_mm=turn @ rig[view].translation_mm,
    )
    return (*rig[:view], moved, *rig[view + 1 :])
