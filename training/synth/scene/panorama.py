"""Light from a photographed panorama, as a key lamp, four fill lamps and an ambience, and the view behind the hands.

Numpy and OpenCV; any thread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics
from training.synth.person.appearance import Lights, Vector, sample_lights, unit
from training.synth.scene.views import PICTURE_PX

_SIZE: Final = (64, 32)
_VIEW_SIZE: Final = (2048, 1024)
_EXPOSURE: Final = 0.62
"""Light on a white surface that looks up and to the camera, after the camera's own exposure."""


@dataclass(frozen=True)
class Panorama:
    """Radiance of a small equirectangular picture, row 0 up."""

    directions: NDArray[np.float64]
    """(N, 3) unit, frame with y down and z into the middle of the picture."""
    radiance: NDArray[np.float64]
    """(N, 3) linear RGB times the share of the sphere."""
    picture: NDArray[np.float32]
    """(H, W, 3) linear RGB, equirectangular, at most `_VIEW_SIZE` large."""


@dataclass(frozen=True)
class Room:
    """A panorama as the camera sees it behind the hands, in the light that falls on them."""

    panorama: Panorama
    panorama_from_camera: NDArray[np.float64]
    """(3, 3) rotation."""
    gain: NDArray[np.float64]
    """(3,) from radiance to the picture's linear RGB."""
    blur_px: float
    """Standard deviation, in pixels of a picture of `PICTURE_PX`: it is out of focus."""

    def view(self, intrinsics: Intrinsics, size_px: int) -> NDArray[np.float32]:
        """(size, size, 3) linear RGB 0..1 behind a square picture."""
        step = np.arange(size_px)
        x, y = np.meshgrid((step - intrinsics.cx) / intrinsics.fx, (step - intrinsics.cy) / intrinsics.fy)
        rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ self.panorama_from_camera.T
        rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
        height, width = self.panorama.picture.shape[:2]
        column = (np.arctan2(rays[..., 0], rays[..., 2]) / (2 * np.pi) + 0.5) * width - 0.5
        row = (np.arcsin(np.clip(rays[..., 1], -1, 1)) / np.pi + 0.5) * height - 0.5
        seen = cv2.remap(
            self.panorama.picture,
            column.astype(np.float32),
            row.astype(np.float32),
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_WRAP,
        )
        lit = np.clip(seen * self.gain.astype(np.float32), 0, 1)
        return np.asarray(cv2.GaussianBlur(lit, (0, 0), self.blur_px * size_px / PICTURE_PX), np.float32)


def panorama_paths(root: Path) -> list[Path]:
    """All `.hdr` panoramas below `root`, sorted; `UserError` where the folder is missing."""
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; --backgrounds wants one with pictures or .hdr panoramas")
    return sorted(path for path in root.rglob("*") if path.suffix.lower() == ".hdr")


def load_panoramas(root: Path) -> list[Panorama]:
    """The panoramas of `panorama_paths`; `UserError` on a damaged one."""
    return [_load(path) for path in panorama_paths(root)]


def panorama_lights(rng: np.random.Generator, panorama: Panorama) -> Lights:
    """A light rig with the panorama's colours from a random side; the camera is about level."""
    return panorama_room(rng, panorama)[0]


def panorama_room(rng: np.random.Generator, panorama: Panorama) -> tuple[Lights, Room]:
    """The same, and what the camera sees of the panorama."""
    turn = Rotation.from_euler("zxy", [rng.normal(0, 6), rng.normal(5, 12), rng.uniform(0, 360)], degrees=True)
    directions = panorama.directions @ turn.as_matrix().T
    camera_side = np.clip(0.55 - 0.45 * directions[:, 2:], 0.1, 1)  # what is behind the hands lights their far side
    balance = _white_balance(panorama.radiance, rng.uniform(0.8, 0.98))
    arriving = panorama.radiance * balance * camera_side
    key_direction = unit((arriving.sum(axis=1)[:, None] ** 2 * directions).sum(axis=0))
    key, rest = _split(arriving, directions, key_direction)
    fills = unit(rng.normal(size=(4, 3)) * [1, 0.6, 0.6] + [0, -0.2, -0.5])
    fill_radiance = np.stack([_lobe(rest, directions, fill) for fill in fills])
    up = turn.as_matrix() @ np.array([0.0, -1.0, 0.0])
    sky, ground = _lobe(rest, directions, up), _lobe(rest, directions, -up)
    white = key * 0.6 + fill_radiance.sum(axis=0) * 0.15 + (sky + ground) * 0.5
    gain = _EXPOSURE * np.exp(rng.normal(0, 0.2)) / max(float(white.mean()), 1e-6)
    lights = replace(
        sample_lights(rng, "indoor"),
        style="panorama",
        key_direction=_vector(key_direction),
        key_radiance=_vector(np.clip(gain * key, 0, 2.2)),
        fill_directions=fills,
        fill_radiance=gain * fill_radiance * 0.3,
        sky=_vector(gain * sky),
        ground=_vector(gain * ground),
        up=_vector(up),
    )
    return lights, Room(panorama, turn.as_matrix().T, gain * balance, float(np.exp(rng.uniform(-0.7, 1.4))))


def _white_balance(radiance: NDArray, share: float) -> NDArray[np.float64]:
    """(3,) factors of a camera that takes out a share of the light's tint."""
    mean = radiance.sum(axis=0)
    return np.asarray((mean.mean() / np.maximum(mean, 1e-9)) ** share)


def _load(path: Path) -> Panorama:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.ndim != 3 or picture.dtype != np.float32:
        raise UserError(f"{path}: no readable HDR panorama; remove it from the backgrounds or fetch it again")
    small = cv2.resize(picture[..., 2::-1], _SIZE, interpolation=cv2.INTER_AREA).astype(np.float64)
    width, height = _SIZE
    longitude = (np.arange(width) + 0.5) / width * 2 * np.pi - np.pi
    latitude = np.pi / 2 - (np.arange(height) + 0.5) / height * np.pi
    east, north = np.meshgrid(longitude, latitude)
    directions = np.stack([np.cos(north) * np.sin(east), -np.sin(north), np.cos(north) * np.cos(east)], axis=-1)
    share = np.cos(north) / np.cos(north).sum()
    radiance = np.clip(small, 0, 200) * share[..., None]
    shown = min(1.0, _VIEW_SIZE[0] / picture.shape[1])
    view = cv2.resize(picture[..., 2::-1], None, fx=shown, fy=shown, interpolation=cv2.INTER_AREA)
    return Panorama(directions.reshape(-1, 3), radiance.reshape(-1, 3), np.clip(view, 0, 200))


def _split(radiance: NDArray, directions: NDArray, key: NDArray) -> tuple[NDArray, NDArray]:
    """(3,) what the brightest side sends beyond its surroundings, and (N, 3) the light without it."""
    near = np.clip(directions @ key, 0, 1)[:, None] ** 6
    share = 0.75 * near
    return (radiance * share).sum(axis=0), radiance * (1 - share)


def _lobe(radiance: NDArray, directions: NDArray, towards: NDArray) -> NDArray[np.float64]:
    """(3,) cosine-weighted light from one side."""
    return (radiance * np.clip(directions @ towards, 0, 1)[:, None]).sum(axis=0) * 4


def _vector(values: NDArray) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
