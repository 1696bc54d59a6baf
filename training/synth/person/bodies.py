"""Simple bodies: torso, head with a face, limbs, as meshes that look right from a few pixels away (numpy; any thread).

Body frame: x to the person's left, y down, z to the back, origin between the shoulder joints, mm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from training.synth.person.appearance import EVERYWHERE_MM, Material, Prop, Vector, coated, unit
from training.synth.person.people import cloth_colour
from training.synth.person.solids import Part, ellipsoid, from_rings, turned

SHOULDER_MM: Final = 168.0
"""From the middle to a shoulder joint."""
HEAD_MM: Final = np.array([0.0, -215.0, -22.0])
"""Middle of the head."""
TORSO_MIDDLE_MM: Final = np.array([0.0, 230.0, 0.0])
TORSO_HALF_MM: Final = np.array([185.0, 330.0, 118.0])
"""An ellipsoid about the torso, to keep other things out."""
_AROUND: Final = 36
_TORSO_MM: Final = np.array(
    [
        [-62, 0, 0],
        [-60, 60, 56],
        [-38, 72, 60],
        [-18, 125, 66],
        [8, 168, 76],
        [45, 186, 90],
        [110, 182, 108],
        [210, 168, 112],
        [330, 156, 108],
        [440, 168, 118],
        [560, 178, 124],
        [620, 170, 118],
        [660, 0, 0],
    ],
    np.float64,
)
"""Place along y, half width, half depth."""


@dataclass(frozen=True)
class Look:
    """What a body looks like."""

    skin: Material
    cloth: Material
    trousers: Material
    hair: Vector
    hair_length: float
    """0 bald, 1 short, 2 long."""
    scale: float


def as_skin(material: Material) -> Material:
    """Bare skin without the hair of forearms."""
    return replace(material, hair=0.0, veins=0.0, sleeve_start_mm=-EVERYWHERE_MM)


def as_cloth(material: Material) -> Material:
    """The material's own sleeve everywhere."""
    return replace(material, sleeve_start_mm=EVERYWHERE_MM, sleeve_thickness_mm=0.0, weave=0.3)


def sample_look(rng: np.random.Generator, material: Material, scale: float) -> Look:
    """A random head of hair over a person's skin and clothes."""
    dark = rng.random() < 0.65
    hair = np.array([0.035, 0.022, 0.015]) if dark else np.array([0.3, 0.19, 0.1])
    hair = hair * rng.uniform(0.3, 1.6) if rng.random() > 0.12 else np.full(3, rng.uniform(0.25, 0.6))
    length = float(rng.choice([0, 1, 2], p=[0.1, 0.55, 0.35]))
    trousers = replace(as_cloth(material), sleeve=cloth_colour(rng), stripe_frequency=0.0)
    colour = float(hair[0]), float(hair[1]), float(hair[2])
    return Look(as_skin(material), as_cloth(material), trousers, colour, length, scale)


def torso(rng: np.random.Generator, look: Look) -> list[Part]:
    """Chest and shoulders in clothes, with folds, a neck and legs."""
    places = np.unique(np.concatenate([_TORSO_MM[:, 0], np.linspace(60, 600, 17)]))
    width, depth = (np.interp(places, _TORSO_MM[:, 0], _TORSO_MM[:, k]) for k in (1, 2))
    build = rng.uniform(0.9, 1.15)
    angle = 2 * np.pi * np.arange(_AROUND) / _AROUND
    x, z = (np.sign(v) * np.abs(v) ** 0.85 for v in (np.sin(angle), np.cos(angle)))
    folds = _folds(rng, places, angle) * np.clip(width[:, None] / 150, 0, 1)
    rings = np.stack(
        [
            (width[:, None] * build + folds) * x,
            np.broadcast_to(places[:, None], folds.shape),
            (depth[:, None] * build + folds) * z,
        ],
        axis=-1,
    )
    neck = turned([(58, 40), (54, -20), (52, -70), (54, -130)][::-1], look.skin, around=20)
    parts = [from_rings(rings, look.cloth), moved(neck, [0, 0, -4])]
    for side in (-1, 1):
        parts.append(ellipsoid([side * (SHOULDER_MM - 2), 52, 2], [58, 66, 62], look.cloth))
        parts.append(limb([side * 88, 580, 0], [side * 95, 1450, 0], [90, 70, 55], look.trousers))
    return [_scaled(part, look.scale) for part in parts]


def _folds(rng: np.random.Generator, places: NDArray, angle: NDArray) -> NDArray[np.float64]:
    """(M, K) mm: waves of the cloth, smooth all round."""
    total = np.zeros((len(places), len(angle)))
    for _ in range(5):
        waves, per_mm, phase = rng.integers(0, 5), rng.normal(0, 0.02), rng.uniform(0, 2 * np.pi)
        total += np.sin(waves * angle + per_mm * places[:, None] + phase)
    return total * rng.uniform(0.6, 2.6)


def head(rng: np.random.Generator, look: Look) -> list[Part]:
    """A head with hair and a simple face, turned a little."""
    skin, hair = look.skin, coated(look.skin, look.hair, 0.55, 0.6)
    hair = replace(hair, weave=0.6)
    half = np.array([73.0, 112.0, 92.0]) * np.exp(rng.normal(0, 0.035, 3))
    parts = [ellipsoid([0, -6, 0], half, skin, 28), ellipsoid([0, 52, -22], half * [0.72, 0.58, 0.66], skin, 24)]
    parts += [ellipsoid([side * half[0], 6, 8], [8, 30, 18], skin, 12) for side in (-1, 1)]
    parts += _face(rng, skin, hair, half)
    if look.hair_length > 0:
        parts.append(ellipsoid([0, -26, 19], half * [1.09, 1.02, 1.04], hair, 28))
    if look.hair_length > 1:
        low = rng.uniform(30, 150)
        parts.append(ellipsoid([0, low / 2, 40], [half[0] * 1.2, 95 + low / 2, 66], hair, 24))
    turn = Rotation.from_euler("yxz", rng.normal(0, [16, 9, 6]), degrees=True).as_matrix()
    placed = [Part(p.vertices_mm @ turn.T + HEAD_MM, p.triangles, p.material) for p in parts]
    return [_scaled(part, look.scale) for part in placed]


def _face(rng: np.random.Generator, skin: Material, hair: Material, half: NDArray) -> list[Part]:
    """Eyes, brows, nose and mouth on an ellipsoid of half axes (3,)."""
    white, iris = coated(skin, (0.62, 0.6, 0.57), 0.25, 0.8), coated(skin, (0.03, 0.022, 0.018), 0.15, 1.2)
    red = np.array(skin.skin) * [0.85, 0.5, 0.5]
    lips = coated(skin, (float(red[0]), float(red[1]), float(red[2])), 0.45, 0.6)
    apart, eyes = rng.uniform(28, 34), rng.uniform(-14, -4)
    front = -half[2] * np.sqrt(1 - (apart / half[0]) ** 2)
    parts = []
    for side in (-1, 1):
        parts.append(ellipsoid([side * apart, eyes, front + 2], [14, 6.5, 5], white, 12))
        parts.append(ellipsoid([side * apart, eyes, front - 1], [6, 6, 3.4], iris, 10))
        parts.append(ellipsoid([side * apart, eyes - 19, front - 1], [19, 3.8, 5], hair, 10))
    parts.append(ellipsoid([0, 18, -half[2] + 1], [rng.uniform(12, 18), 24, 19], skin, 14))
    parts.append(ellipsoid([0, 62, -half[2] * 0.82 - 4], [rng.uniform(22, 28), rng.uniform(6, 10), 8], lips, 14))
    return parts


def limb(start_mm: ArrayLike, end_mm: ArrayLike, radii_mm: ArrayLike, material: Material) -> Part:
    """A rounded limb through radii at even places between two points."""
    start, end = np.asarray(start_mm, np.float64), np.asarray(end_mm, np.float64)
    radii = np.asarray(radii_mm, np.float64)
    length = float(np.linalg.norm(end - start))
    along = np.linspace(0, length, 12)
    thick = np.interp(along, np.linspace(0, length, len(radii)), radii)
    bend = np.linspace(0.05, 1, 5)[:-1] * np.pi / 2
    near = np.stack([radii[0] * np.sin(bend), -radii[0] * np.cos(bend)], axis=1)
    far = np.stack([radii[-1] * np.cos(bend), length + radii[-1] * np.sin(bend)], axis=1)
    part = turned(np.vstack([near, np.stack([thick, along], axis=1), far]), material, around=24)
    axis = unit(end - start)
    helper = np.array([1.0, 0, 0]) if abs(axis[0]) < 0.9 else np.array([0.0, 1, 0])
    across = unit(np.cross(helper, axis))
    turn = np.stack([np.cross(axis, across), axis, across], axis=1)
    return Part(part.vertices_mm @ turn.T + start, part.triangles, material)


def moved(part: Part, shift_mm: ArrayLike) -> Part:
    """The part shifted by (3,) mm."""
    return Part(part.vertices_mm + np.asarray(shift_mm, np.float64), part.triangles, part.material)


def _scaled(part: Part, factor: float) -> Part:
    return Part(part.vertices_mm * factor, part.triangles, part.material)


def behind(parts: list[Part], rotation: NDArray, shift_mm: NDArray) -> list[Prop]:
    """Parts after a (3, 3) rotation and a (3,) shift, as things behind hands.

    For noise they lie where the skin shader draws an arm's back.
    """
    props = [part.placed(rotation, shift_mm, "behind") for part in parts]
    return [replace(prop, rest_mm=prop.rest_mm - [0, 2000, 0]) for prop in props]
