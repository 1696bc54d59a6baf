"""What hands and light look like: skin and sleeve materials, light rigs (numpy only; any thread).

Colours are linear RGB reflectance, light is linear radiance; directions are unit vectors in the camera frame that
point towards the light. Field names are the uniforms of `shaders/hand_fragment.glsl`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from training.synth.hand.model import HandMesh

Vector = tuple[float, float, float]
LightStyle = Literal["studio", "indoor", "hard", "panorama"]
Owner = Literal["right", "left", "held", "behind"]
"""What a surface belongs to: a hand with its arm, something a hand holds, something behind the hands."""
OWNERS: Final[tuple[Owner, ...]] = ("right", "left", "held", "behind")
NO_SLEEVE_MM: Final = 1.0e4
EVERYWHERE_MM: Final = -1.0e6
"""As a sleeve's start: all of the mesh is cloth, metal or leather and none of it skin."""

SKIN_TONES: Final = (
    np.array(
        [
            [0.93, 0.76, 0.68],
            [0.88, 0.68, 0.58],
            [0.80, 0.58, 0.46],
            [0.69, 0.47, 0.35],
            [0.54, 0.35, 0.25],
            [0.38, 0.24, 0.17],
            [0.27, 0.17, 0.13],
        ]
    )
    ** 2.2
)
"""(7, 3) from light to dark."""


@dataclass(frozen=True)
class Material:
    """Skin, nails, hair and sleeve of one hand."""

    seed: Vector
    """Where in the noise volume this hand's mottling lies."""
    skin: Vector
    palm: Vector
    redness: Vector
    nail: Vector
    vein: Vector
    mottling: float
    crease: float
    fine: float
    veins: float
    roughness: float
    specular: float
    hair: float
    wrap: float
    """How far diffuse light wraps around: cheap subsurface scattering."""
    sleeve_start_mm: float
    """Distance of the cuff from the wrist; `NO_SLEEVE_MM` for a bare arm."""
    sleeve_thickness_mm: float
    sleeve: Vector
    sleeve_stripe: Vector
    stripe_frequency: float
    """Stripes per mm along the arm; 0 is plain cloth."""
    sleeve_roughness: float = 0.9
    sleeve_specular: float = 0.1
    print_frequency: float = 0.0
    """Patches of the second colour per mm, rather than stripes; 0 for none."""
    weave: float = 0.5
    """How much the brightness of cloth varies from thread to thread; 0 for what is not woven."""

    def for_other_hand(self) -> Material:
        """The same person's other hand: only the mottling differs."""
        return replace(self, seed=_vector(np.array(self.seed) + 0.31))


@dataclass(frozen=True)
class DressedHand:
    """A hand's surface in the camera frame and what it looks like."""

    mesh: HandMesh
    material: Material


@dataclass(frozen=True)
class Prop:
    """Something worn on a hand or arm, more of the arm, something held or behind: a mesh in the camera frame."""

    owner: Owner
    vertices_mm: NDArray[np.float64]
    """(V, 3)."""
    normals: NDArray[np.float64]
    """(V, 3) unit length, outwards."""
    triangles: NDArray[np.int32]
    """(T, 3)."""
    rest_mm: NDArray[np.float64]
    """(V, 3) where its points lie in the hand's or the thing's own frame, for noise and stripes."""
    material: Material


@dataclass(frozen=True)
class Lights:
    """One shadow-casting key light, four fill lights and a sky/ground ambience."""

    style: LightStyle
    key_direction: Vector
    key_radiance: Vector
    key_shadow: float
    """0 no shadow .. 1 full."""
    fill_directions: NDArray[np.float64]
    """(4, 3)."""
    fill_radiance: NDArray[np.float64]
    """(4, 3)."""
    sky: Vector
    ground: Vector
    up: Vector
    occlusion_radius_mm: float
    occlusion_strength: float


def coated(material: Material, colour: Vector, roughness: float, specular: float) -> Material:
    """Paint, plastic or leather of one colour instead of skin."""
    return replace(
        material,
        sleeve_start_mm=EVERYWHERE_MM,
        sleeve_thickness_mm=0.0,
        sleeve=colour,
        sleeve_stripe=colour,
        stripe_frequency=0.0,
        print_frequency=0.0,
        sleeve_roughness=roughness,
        sleeve_specular=specular,
        fine=0.0,
        weave=0.08,
    )


def _vector(values: NDArray) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z


def unit(values: NDArray) -> NDArray[np.float64]:
    """(..., 3) scaled to length 1."""
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def skin_tone(position: float) -> NDArray[np.float64]:
    """(3,) colour at a position 0 (light) .. 6 (dark) of the ramp."""
    index = min(int(position), len(SKIN_TONES) - 2)
    share = position - index
    return SKIN_TONES[index] * (1 - share) + SKIN_TONES[index + 1] * share


def sample_material(rng: np.random.Generator, tone: float | None = None) -> Material:
    """A random person's skin and sleeve; `tone` fixes the position on the skin ramp."""
    position = float(np.clip(rng.normal(1.6, 1.6), 0, 5.99)) if tone is None else tone
    skin = skin_tone(position) * np.exp(rng.normal(0, 0.06, 3)) * np.exp(rng.normal(0, 0.1))
    palm = skin * (1 - 0.02 * position) + SKIN_TONES[1] * (0.05 + 0.07 * position) * 0.9
    palm = np.clip(palm * [1.05, 0.93, 0.93], 0, 1)
    natural = np.clip(0.55 * palm + 0.35 * np.array([0.75, 0.5, 0.46]), 0, 1)
    return Material(
        seed=_vector(rng.random(3)),
        skin=_vector(skin),
        palm=_vector(palm),
        redness=_vector(np.array([1.05, 0.72, 0.70]) ** rng.uniform(0.4, 1.5)),
        nail=_vector(natural if rng.random() < 0.93 else rng.random(3) * 0.7),
        vein=(0.72, 0.86, 0.95),
        mottling=rng.uniform(0.1, 0.5),
        crease=rng.uniform(0.15, 0.5),
        fine=rng.uniform(0.05, 0.28),
        veins=rng.uniform(0, 0.8),
        roughness=rng.uniform(0.36, 0.62),
        specular=rng.uniform(0.3, 1.1),
        hair=max(0.0, rng.normal(-0.1, 0.6)) if position < 4 else 0.0,
        wrap=rng.uniform(0.15, 0.4),
        sleeve_start_mm=rng.uniform(15, 200) if rng.random() < 0.45 else NO_SLEEVE_MM,
        sleeve_thickness_mm=rng.uniform(3, 9),
        sleeve=_vector(rng.random(3) ** 2 * 0.8),
        sleeve_stripe=_vector(rng.random(3) ** 2 * 0.8),
        stripe_frequency=float(rng.choice([0, 0, rng.uniform(0.02, 0.1)])),
    )


_STYLE_SHARE: Final[dict[LightStyle, float]] = {"studio": 0.40, "indoor": 0.42, "hard": 0.18}


def sample_lights(rng: np.random.Generator, style: LightStyle | None = None) -> Lights:
    """A random light rig: studio (even, grey), indoor (window or lamp with fill) or hard (one strong lamp)."""
    styles = tuple(_STYLE_SHARE)
    style = style or styles[int(rng.choice(len(styles), p=list(_STYLE_SHARE.values())))]
    key = unit(np.array([rng.normal(0, 0.8), -abs(rng.normal(0.6, 0.6)), -abs(rng.normal(0.9, 0.4))]))
    fills = unit(rng.normal(size=(4, 3)) + [0, -0.3, -0.2])

    def tint(deviation: float) -> NDArray:
        return np.exp(rng.normal(0, 0.0 if style == "studio" else deviation, 3))

    key_range, shadow, fill_range, sky_range, ground_range, strength = {
        "studio": ((0.05, 0.35), (0.3, 0.8), (0.05, 0.28), (0.35, 0.6), (0.12, 0.35), (0.8, 1.25)),
        "indoor": ((0.3, 0.8), (0.5, 1.0), (0.0, 0.22), (0.2, 0.5), (0.08, 0.3), (0.7, 1.15)),
        "hard": ((0.8, 1.6), (1.0, 1.0), (0.0, 0.1), (0.08, 0.25), (0.05, 0.15), (0.7, 1.1)),
    }[style]
    return Lights(
        style=style,
        key_direction=_vector(key),
        key_radiance=_vector(rng.uniform(*key_range) * tint(0.05)),
        key_shadow=rng.uniform(*shadow),
        fill_directions=fills,
        fill_radiance=rng.uniform(*fill_range, (4, 1)) * tint(0.07),
        sky=_vector(rng.uniform(*sky_range) * tint(0.04)),
        ground=_vector(rng.uniform(*ground_range) * tint(0.06)),
        up=_vector(unit(np.array([0, -1, 0]) + rng.normal(0, 0.35, 3))),
        occlusion_radius_mm=rng.uniform(12, 30),
        occlusion_strength=rng.uniform(*strength),
    )
