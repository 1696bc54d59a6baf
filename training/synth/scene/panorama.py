"""Light from a photographed panorama, as a key lamp, four fill lamps and an ambience (numpy and OpenCV; any thread)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engines.errors import UserError
from training.synth.person.appearance import Lights, Vector, sample_lights, unit

_SIZE: Final = (64, 32)
_EXPOSURE: Final = 0.62
"""Light on a white surface that looks up and to the camera, after the camera's own exposure."""


@dataclass(frozen=True)
class Panorama:
    """Radiance of a small equirectangular picture, row 0 up."""

    directions: NDArray[np.float64]
    """(N, 3) unit, frame with y down and z into the middle of the picture."""
    radiance: NDArray[np.float64]
    """(N, 3) linear RGB times the share of the sphere."""


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
    turn = Rotation.from_euler("zxy", [rng.normal(0, 6), rng.normal(5, 12), rng.uniform(0, 360)], degrees=True)
    directions = panorama.directions @ turn.as_matrix().T
    camera_side = np.clip(0.55 - 0.45 * directions[:, 2:], 0.1, 1)  # what is behind the hands lights their far side
    arriving = _white_balanced(panorama.radiance, rng.uniform(0.8, 0.98)) * camera_side
    key_direction = unit((arriving.sum(axis=1)[:, None] ** 2 * directions).sum(axis=0))
    key, rest = _split(arriving, directions, key_direction)
    fills = unit(rng.normal(size=(4, 3)) * [1, 0.6, 0.6] + [0, -0.2, -0.5])
    fill_radiance = np.stack([_lobe(rest, directions, fill) for fill in fills])
    up = turn.as_matrix() @ np.array([0.0, -1.0, 0.0])
    sky, ground = _lobe(rest, directions, up), _lobe(rest, directions, -up)
    white = key * 0.6 + fill_radiance.sum(axis=0) * 0.15 + (sky + ground) * 0.5
    gain = _EXPOSURE * np.exp(rng.normal(0, 0.2)) / max(float(white.mean()), 1e-6)
    return replace(
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


def _white_balanced(radiance: NDArray, share: float) -> NDArray[np.float64]:
    """The light as a camera shows it that takes out a share of its tint."""
    mean = radiance.sum(axis=0)
    return radiance * (mean.mean() / np.maximum(mean, 1e-9)) ** share


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
    return Panorama(directions.reshape(-1, 3), radiance.reshape(-1, 3))


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
