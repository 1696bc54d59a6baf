"""What stands or lies behind hands: the person's own body, others, bare arms, skin-coloured things (numpy; any thread).

The own body is where the arms come from; everything else is put behind all that the picture shows of the hands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engines.geometry.pinhole import Intrinsics
from engines.skeleton import WRIST
from training.synth.hand.model import HandSkeleton
from training.synth.person.appearance import DressedHand, Prop, Vector, coated, sample_material, skin_tone
from training.synth.person.bodies import (
    HEAD_MM,
    SHOULDER_MM,
    TORSO_HALF_MM,
    TORSO_MIDDLE_MM,
    Look,
    behind,
    head,
    limb,
    sample_look,
    torso,
)
from training.synth.person.people import DARKEST_TONE, Person, cloth_colour
from training.synth.person.solids import Part, ellipsoid, slab
from training.synth.scene.views import PICTURE_PX

BEHIND_SHARE: Final[dict[str, float]] = {"webcam": 0.62, "egocentric": 0.30, "overhead": 0.25, "any": 0.30}
"""For each view the share of pictures with something behind the hands: at a webcam mostly the person."""
BEHIND: Final[dict[str, dict[str, float]]] = {
    "webcam": {"person": 0.78, "other": 0.08, "arm": 0.07, "clutter": 0.07},
    "egocentric": {"lap": 0.34, "other": 0.12, "arm": 0.32, "clutter": 0.22},
    "overhead": {"person": 0.34, "lap": 0.0, "arm": 0.36, "clutter": 0.30},
    "any": {"person": 0.40, "other": 0.12, "arm": 0.26, "clutter": 0.22},
}
"""For each view the shares of the kinds: own body, another person, own lap, a bare arm, skin-coloured things."""
UPPER_ARM_MM: Final = (180.0, 345.0)
_BODY_TRIES: Final = 40
_ROOM_MM: Final = 25.0
_NEAR_MM: Final = 60.0
_LEAST_POINTS: Final = 10


@dataclass(frozen=True)
class Body:
    """The place of the person's own body in the person frame."""

    middle_mm: NDArray[np.float64]
    """(3,) between the shoulders."""
    scale: float

    def shoulder(self, side: str) -> NDArray[np.float64]:
        """(3,)."""
        return self.middle_mm + np.array([SHOULDER_MM if side == "left" else -SHOULDER_MM, 50, 0]) * self.scale


def draw_behind(rng: np.random.Generator, view: str) -> str:
    """The kind of thing behind the hands in a view; empty for none."""
    shares = BEHIND[view]
    kind = str(rng.choice(list(shares), p=list(shares.values())))
    return kind if rng.random() < BEHIND_SHARE[view] else ""


def body_scale(person: Person) -> float:
    """Size of a person against the mean adult, from the hand."""
    palm = float(np.linalg.norm(person.shape.joints_mm[11] - person.shape.joints_mm[20]))
    return float(np.clip(palm / 84.4, 0.68, 1.1))


def place_body(rng: np.random.Generator, arms: Sequence[HandSkeleton], scale: float) -> Body | None:
    """A body at whose shoulders these arms can be, clear of hands and forearms, person frame; None if there is none."""
    elbows = {arm.side: arm.elbow_mm for arm in arms}
    points = np.vstack([np.vstack([arm.joints_mm, _forearm(arm)]) for arm in arms])
    for _ in range(_BODY_TRIES):
        across = [
            e[0] + (1 if s == "right" else -1) * (SHOULDER_MM + rng.normal(25, 50)) * scale for s, e in elbows.items()
        ]
        low = min(e[1] for e in elbows.values()), np.mean([e[1] for e in elbows.values()])
        middle = np.array(
            [
                np.mean(across),
                rng.choice(low) - rng.uniform(60, 330) * scale,
                np.mean([e[2] for e in elbows.values()]) + rng.uniform(-60, 300) * scale,
            ]
        )
        body = Body(middle, scale)
        reach = [float(np.linalg.norm(body.shoulder(side) - elbow)) / scale for side, elbow in elbows.items()]
        if min(reach) > UPPER_ARM_MM[0] and max(reach) < UPPER_ARM_MM[1] and _is_clear(points, body):
            return body
    return None


def _forearm(arm: HandSkeleton) -> NDArray[np.float64]:
    share = np.linspace(0, 0.9, 5)[:, None]
    return arm.joints_mm[WRIST] + share * (arm.elbow_mm - arm.joints_mm[WRIST])


def _is_clear(points: NDArray, body: Body) -> bool:
    """Whether points (N, 3) of hands and forearms are outside torso and head."""
    local = (points - body.middle_mm) / body.scale
    chest = np.linalg.norm((local - TORSO_MIDDLE_MM) / (TORSO_HALF_MM + _ROOM_MM), axis=1)
    skull = np.linalg.norm((local - HEAD_MM) / (np.array([85.0, 125, 112]) + _ROOM_MM), axis=1)
    return bool(chest.min() > 1 and skull.min() > 1)


def own_body(
    rng: np.random.Generator, person: Person, body: Body, rotation: NDArray, shift_mm: NDArray, arms: Sequence[str]
) -> list[Prop]:
    """Torso, head and, for a single hand, the other upper arm; `rotation` and `shift_mm` lead into the camera frame."""
    look = sample_look(rng, person.material, body.scale)
    parts = [*torso(rng, look), *head(rng, look)]
    for side, sign in (("right", -1), ("left", 1)):
        if side not in arms:
            top = np.array([sign * SHOULDER_MM, 50, 0])
            material = look.skin if person.wardrobe.sleeve_start > 300 else look.cloth
            down = limb(
                top * body.scale, (top + [sign * 25, 300, rng.normal(10, 40)]) * body.scale, [52, 46, 40], material
            )
            parts.append(down)
    return behind(parts, rotation, rotation @ body.middle_mm + shift_mm)


def lap(rng: np.random.Generator, person: Person, eye_mm: NDArray, rotation: NDArray, shift_mm: NDArray) -> list[Prop]:
    """Chest, thighs and knees of a person who looks down; `eye_mm` is the camera in the person frame."""
    scale = body_scale(person)
    look = sample_look(rng, person.material, scale)
    middle = eye_mm + np.array([rng.normal(0, 15), 190 + rng.normal(0, 15), 95.0 + rng.uniform(0, 60)]) * scale
    chest = [part for part in torso(rng, look) if part.material != look.trousers]
    parts = [Part(p.vertices_mm + middle, p.triangles, p.material) for p in chest]
    trousers = look.skin if rng.random() < 0.3 else look.trousers
    rise, reach = rng.uniform(-90, 60), rng.uniform(380, 460)
    for sign in (-1, 1):
        hip = middle + np.array([sign * 92, 500, -10]) * scale
        knee = hip + np.array([sign * rng.uniform(0, 110), -rise, -reach]) * scale
        foot = knee + np.array([0, 400, rng.uniform(-60, 60)]) * scale
        parts.append(limb(hip, knee, np.array([88, 80, 66, 60]) * scale, trousers))
        parts.append(limb(knee, foot, np.array([60, 58, 46]) * scale, trousers))
    return behind(parts, rotation, shift_mm)


def other_person(
    rng: np.random.Generator, view: str, rotation: NDArray, intrinsics: Intrinsics, beyond_mm: float
) -> list[Prop]:
    """Somebody else, upright, who looks more or less at the camera."""
    look = _stranger(rng)
    about = Rotation.from_euler("y", rng.normal(0, 30) + 180 * (view == "egocentric"), degrees=True).as_matrix()
    parts = [*torso(rng, look), *head(rng, look)]
    anchor = rng.choice(np.array([HEAD_MM, [0, 60, 0], [130, 20, 0], [-130, 20, 0]]))
    turn = rotation @ about
    depth = beyond_mm + 260 + rng.uniform(0, 1100)
    place = _ray(rng.uniform(0.05, 0.95, 2) * PICTURE_PX, intrinsics) * depth
    return behind(parts, turn, place - turn @ anchor)


def arm(rng: np.random.Generator, person: Person, intrinsics: Intrinsics, beyond_mm: float) -> list[Prop]:
    """A bare or half-covered limb right across the picture, of the same person or of another."""
    look = sample_look(rng, person.material, 1.0) if rng.random() < 0.5 else _stranger(rng)
    angle, middle = rng.uniform(0, np.pi), rng.uniform(0.2, 0.8, 2) * PICTURE_PX
    along = np.array([np.cos(angle), np.sin(angle)])
    radii = np.array([0.66, 0.8, 1.02, 0.94, 1.1]) * rng.uniform(32, 54) * rng.uniform(0.93, 1.07, 5)
    depth = beyond_mm + radii.max() + rng.uniform(10, 260)
    lean = rng.uniform(0, 0.25, 2) * depth
    ends = [
        _ray(middle + sign * 1.3 * PICTURE_PX * along, intrinsics) * (depth + far)
        for sign, far in zip((-1, 1), lean, strict=True)
    ]
    parts = [limb(ends[0], ends[1], radii, look.skin)]
    if rng.random() < 0.4:
        cut = rng.uniform(0.35, 0.65)
        between = ends[0] * (1 - cut) + ends[1] * cut
        parts.append(limb(between, ends[1], radii[3:] + rng.uniform(4, 12), look.cloth))
    return behind(parts, np.eye(3), np.zeros(3))


def clutter(rng: np.random.Generator, intrinsics: Intrinsics, beyond_mm: float) -> list[Prop]:
    """A few rounded things and boxes, most of them as skin is coloured."""
    base = sample_material(rng)
    parts = []
    for _ in range(int(rng.integers(2, 7))):
        half = np.exp(rng.normal(np.log(42), 0.5, 3)).clip(12, 130)
        material = coated(base, _skin_like(rng), float(rng.uniform(0.25, 0.9)), float(rng.uniform(0.1, 0.9)))
        part = (
            ellipsoid([0, 0, 0], half, material) if rng.random() < 0.6 else slab(half, 8, min(6, half[2] / 2), material)
        )
        turn = Rotation.random(random_state=np.random.RandomState(rng.integers(2**31))).as_matrix()
        place = _ray(rng.uniform(-0.05, 1.05, 2) * PICTURE_PX, intrinsics)
        depth = beyond_mm + float(np.linalg.norm(half)) + rng.uniform(5, 350)
        parts.append(Part(part.vertices_mm @ turn.T + place * depth, part.triangles, material))
    return behind(parts, np.eye(3), np.zeros(3))


def beyond(hands: Sequence[DressedHand], props: Sequence[Prop], intrinsics: Intrinsics) -> float:
    """Depth in mm behind everything that the picture shows of these."""
    points = np.vstack([*(h.mesh.vertices_mm for h in hands), *(p.vertices_mm for p in props)])
    points = points[points[:, 2] > 1]
    px = points[:, :2] / points[:, 2:] * [intrinsics.fx, intrinsics.fy] + [intrinsics.cx, intrinsics.cy]
    shown = np.all((px > -0.1 * PICTURE_PX) & (px < 1.1 * PICTURE_PX), axis=1)
    return float(points[shown, 2].max())


def shows(props: Sequence[Prop], intrinsics: Intrinsics) -> bool:
    """Whether more than a little of these is in the picture, hidden or not."""
    points = np.vstack([prop.vertices_mm for prop in props])
    points = points[points[:, 2] > _NEAR_MM]
    px = points[:, :2] / points[:, 2:] * [intrinsics.fx, intrinsics.fy] + [intrinsics.cx, intrinsics.cy]
    return int(np.all((px > 0.04 * PICTURE_PX) & (px < 0.96 * PICTURE_PX), axis=1).sum()) >= _LEAST_POINTS


def _ray(px: NDArray, intrinsics: Intrinsics) -> NDArray[np.float64]:
    """(3,) point at depth 1 that projects to a pixel."""
    return np.array([(px[0] - intrinsics.cx) / intrinsics.fx, (px[1] - intrinsics.cy) / intrinsics.fy, 1.0])


def _stranger(rng: np.random.Generator) -> Look:
    material = replace(sample_material(rng, rng.uniform(0, DARKEST_TONE)), sleeve=cloth_colour(rng))
    return sample_look(rng, material, float(rng.uniform(0.85, 1.1)))


def _skin_like(rng: np.random.Generator) -> Vector:
    colour = skin_tone(rng.uniform(0, DARKEST_TONE)) * np.exp(rng.normal(0, 0.06, 3))
    if rng.random() < 0.3:
        return cloth_colour(rng)
    return float(colour[0]), float(colour[1]), float(colour[2])
