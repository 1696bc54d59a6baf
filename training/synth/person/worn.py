"""What hands and arms wear: rings, watches, bracelets, sleeves; and the upper arm beyond the elbow (any thread).

All of it is fitted to the posed surface of the hand, so it sits on any person's hand in any pose.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import SIDES, WRIST
from training.synth.hand.asset import finger_joint, load_asset, phalanx_bone
from training.synth.hand.model import HandMesh, HandSkeleton, HandState, hand_from_forearm
from training.synth.hand.shape import HandShape
from training.synth.person.appearance import EVERYWHERE_MM, NO_SLEEVE_MM, Material, Prop, Vector, coated, unit
from training.synth.person.bands import Axis, band, centered, outline

WATCH_MM: Final = 32.0
"""From the wrist to the middle of the strap."""
_METALS: Final[tuple[Vector, ...]] = ((0.83, 0.58, 0.22), (0.72, 0.72, 0.70), (0.80, 0.48, 0.36), (0.10, 0.10, 0.11))
_POINTS: Final = 28


@dataclass(frozen=True)
class Wardrobe:
    """What a person wears on both arms and on each hand; sizes in mm."""

    sleeve_start: float
    """From the wrist to the cuff; `NO_SLEEVE_MM` for bare arms."""
    sleeve_loose: float
    wrinkles_seed: int
    rings: tuple[tuple[int, ...], tuple[int, ...]]
    """Fingers (1 index .. 4 little) with a ring on the right and on the left hand."""
    ring_width: float
    metal: Vector
    watch_side: int
    """0 right, 1 left, -1 none."""
    strap: Vector
    dial: Vector
    dial_radius: float
    """0 for a bracelet without a dial."""


def sample_wardrobe(rng: np.random.Generator) -> Wardrobe:
    """Random clothes and jewellery: sleeves on half of all persons, rings on a fourth, watches on a sixth."""
    kind = rng.choice(3, p=[0.5, 0.22, 0.28])
    start = (NO_SLEEVE_MM, rng.uniform(2, 25), rng.uniform(25, 170))[kind]
    share = rng.choice([0.0, 0.12, 0.4], p=[0.72, 0.2, 0.08])
    rings = [tuple(f for f in range(1, 5) if rng.random() < share * (1.5 if f == 3 else 1)) for _ in range(2)]
    strap = rng.random(3) ** 2 * 0.5 if rng.random() < 0.6 else np.array([0.03, 0.03, 0.035])
    dial = np.full(3, rng.choice([0.02, 0.7])) if rng.random() < 0.7 else rng.random(3) * 0.5
    return Wardrobe(
        sleeve_start=float(start),
        sleeve_loose=rng.uniform(2, 14),
        wrinkles_seed=int(rng.integers(2**31)),
        rings=(rings[0], rings[1]),
        ring_width=rng.uniform(1.2, 3.0),
        metal=_METALS[int(rng.choice(4, p=[0.4, 0.4, 0.1, 0.1]))],
        watch_side=int(rng.choice([-1, 0, 1], p=[0.82, 0.05, 0.13])),
        strap=(float(strap[0]), float(strap[1]), float(strap[2])),
        dial=(float(dial[0]), float(dial[1]), float(dial[2])),
        dial_radius=rng.uniform(13, 19) if rng.random() < 0.7 else 0.0,
    )


class Dresser:
    """Fits what is worn to one posed hand."""

    def __init__(self, state: HandState, shape: HandShape, material: Material) -> None:
        self.side = state.side
        self._material = material
        self.mesh: HandMesh = state.mesh(shape)
        self.skeleton: HandSkeleton = state.skeleton(shape)
        self._size = float(np.mean(shape.finger_girth))
        turn = state.placement.camera_from_hand @ hand_from_forearm(state.angles.wrist_deg)
        self._wrist_deg = state.angles.wrist_deg
        self._dorsal = -turn[:, 2]
        self._points = self.mesh.vertices_mm.astype(np.float64)
        weights = load_asset().bone_weights
        self._arm_points = self._points[weights[:, :2].sum(axis=1) > 0.99]
        self._weights = weights

    def worn(self, wardrobe: Wardrobe, shoulder_mm: NDArray | None) -> list[Prop]:
        """All that this hand and arm wear, and the upper arm where a shoulder (3,) is given."""
        which = SIDES.index(self.side)
        parts = [self.ring(finger, wardrobe.ring_width, wardrobe.metal) for finger in wardrobe.rings[which]]
        if wardrobe.watch_side == which:
            parts += self.watch(wardrobe)
        if wardrobe.sleeve_start < NO_SLEEVE_MM:
            parts.append(self.sleeve(wardrobe))
        if shoulder_mm is not None:
            parts.append(self.upper_arm(shoulder_mm, wardrobe))
        return [part for part in parts if part is not None]

    def ring(self, finger: int, width_mm: float, metal: Vector) -> Prop | None:
        """A ring on the first phalanx of a finger (0 thumb .. 4)."""
        joints = self.skeleton.joints_mm
        start, end = joints[finger_joint(finger, 0)], joints[finger_joint(finger, 1)]
        points = self._points[self._weights[:, phalanx_bone(finger, 0)] > 0.6]
        axis = Axis.between(start, end, self._dorsal + 1e-3)
        place = 0.62 * float(np.linalg.norm(end - start))
        axis = centered(axis, points, place, 4)
        radius = outline(points, axis, place, 4, _POINTS)
        if radius is None or radius.min() < 3:
            return None
        around = 2 * np.pi * np.arange(9) / 8
        rise = radius + 0.5 + 0.9 * np.cos(around)[:, None]
        return band(self.side, axis, place - width_mm * np.sin(around), rise[::-1], _metal(self._material, metal))

    def watch(self, worn: Wardrobe) -> list[Prop]:
        """A strap round the wrist with a dial on its back, or a bracelet alone."""
        axis = self._forearm_axis()
        place, half = WATCH_MM * self._size, 8.0 if worn.dial_radius else 2.5
        if self._cuff_mm(worn) < place + 14:
            return []
        axis = centered(axis, self._arm_points, place, 8)
        radius = outline(self._arm_points, axis, place, 9, _POINTS)
        if radius is None:
            return []
        along = place + half * np.array([-1, -1, -0.8, 0.8, 1, 1])
        rise = np.stack([radius + r for r in (-2.0, 1.0, 2.3, 2.3, 1.0, -2.0)])
        strap = coated(self._material, worn.strap if worn.dial_radius else worn.metal, 0.5, 0.8)
        if not worn.dial_radius:
            strap = _metal(self._material, worn.metal)
        parts = [band(self.side, axis, along, rise, strap)]
        return parts + self._dial(worn, axis, place, float(radius[0])) if worn.dial_radius else parts

    def _dial(self, worn: Wardrobe, axis: Axis, place: float, radius: float) -> list[Prop]:
        top = axis.across[0]
        center = axis.origin_mm + place * axis.direction + (radius + 1) * top
        upright = Axis(center, top, np.stack([axis.direction, np.cross(top, axis.direction)]))
        ones = np.ones((1, _POINTS)) * worn.dial_radius * min(self._size, 1)
        case = np.concatenate([ones * k for k in (0.9, 1, 1, 0.86)])
        glass = np.concatenate([ones * k for k in (0.88, 0.8, 0.0)])
        return [
            band(self.side, upright, [-6, -3, 4.5, 6], case, _metal(self._material, worn.metal)),
            band(self.side, upright, [5.6, 6.1, 6.2], glass, coated(self._material, worn.dial, 0.25, 1.2)),
        ]

    def sleeve(self, worn: Wardrobe) -> Prop | None:
        """Cloth from the cuff to the elbow, with a rim turned inwards and wrinkles."""
        rng = np.random.default_rng(worn.wrinkles_seed + (self.side == "left"))
        axis = self._forearm_axis()
        length = self._forearm_length()
        start = self._cuff_mm(worn)
        stations = np.linspace(start, length, 26)
        rows = [outline(self._arm_points, axis, max(s, -5), 9, _POINTS) for s in stations]
        known = [(s, row) for s, row in zip(stations, rows, strict=True) if row is not None]
        if len(known) < 4:
            return None
        along = np.array([s for s, _ in known])
        skin = np.stack([row for _, row in known])
        skin = np.maximum(skin, skin[:, [*range(_POINTS // 2, _POINTS), *range(_POINTS // 2)]] * 0.8)
        loose = worn.sleeve_loose * (0.45 + 0.55 * np.clip((along - start) / 90, 0, 1))[:, None] + 1.5
        cloth = skin + loose + _wrinkles(rng, along, worn.sleeve_loose)
        rim = np.stack([np.minimum(skin[0] * 0.93, cloth[0] - 2), cloth[0] - 1.6, cloth[0] - 0.4])
        return band(
            self.side,
            axis,
            np.concatenate([[along[0] + 9, along[0] + 1.0, along[0]], along + 1.2]),
            np.vstack([rim, cloth]),
            self._cloth(),
        )

    def upper_arm(self, shoulder_mm: NDArray, worn: Wardrobe) -> Prop:
        """A tapered limb from the elbow to the shoulder; it closes the open end of the forearm."""
        axis, length = self._forearm_axis(), self._forearm_length()
        row = outline(self._arm_points, axis, length - 14, 12, _POINTS)
        bare = worn.sleeve_start >= NO_SLEEVE_MM
        radius = (float(row.max()) if row is not None else 42.0) + (3.0 if bare else worn.sleeve_loose + 3.0)
        elbow = axis.origin_mm + (length - 6) * axis.direction
        limb = Axis.between(elbow, shoulder_mm, self._dorsal + 1e-3)
        reach = float(np.linalg.norm(shoulder_mm - elbow))
        bend = np.radians([-90, -75, -60, -45, -30, -15])
        along = np.concatenate([radius * np.sin(bend), np.linspace(0, reach, 8)])
        radii = radius * np.concatenate([np.cos(bend), np.linspace(1, 1.2, 8)])
        material = self._material if bare else self._cloth()
        prop = band(self.side, limb, along, np.repeat(radii[:, None], _POINTS, axis=1), material)
        return replace(prop, rest_mm=prop.rest_mm - [0, 400, 0])

    def _cuff_mm(self, worn: Wardrobe) -> float:
        """Where the sleeve starts: a bent wrist pushes it back."""
        return max(worn.sleeve_start, 4 + 0.45 * float(np.abs(self._wrist_deg[:2]).max()))

    def elbow_mm(self) -> NDArray[np.float64]:
        """(3,) where the forearm ends."""
        axis = self._forearm_axis()
        return axis.origin_mm + self._forearm_length() * axis.direction

    def _forearm_axis(self) -> Axis:
        wrist = self.skeleton.joints_mm[WRIST]
        return Axis.between(wrist, self.skeleton.elbow_mm, self._dorsal)

    def _forearm_length(self) -> float:
        axis = self._forearm_axis()
        return float(((self._arm_points - axis.origin_mm) @ axis.direction).max())

    def _cloth(self) -> Material:
        return replace(self._material, sleeve_start_mm=EVERYWHERE_MM, sleeve_thickness_mm=0.0)


def _wrinkles(rng: np.random.Generator, along: NDArray, loose_mm: float) -> NDArray[np.float64]:
    """(M, K) folds that run round and along the arm."""
    angle = 2 * np.pi * np.arange(_POINTS) / _POINTS
    total = np.zeros((len(along), _POINTS))
    for _ in range(5):
        waves, per_mm, phase = rng.integers(0, 4), rng.normal(0, 0.09), rng.uniform(0, 2 * np.pi)
        total += np.sin(waves * angle + per_mm * along[:, None] + phase)
    return total * min(0.16 * loose_mm, 1.4)


def _metal(material: Material, colour: Vector) -> Material:
    dark = tuple(float(v) for v in unit(np.array(colour)) * np.linalg.norm(colour) * 0.55)
    return coated(material, (dark[0], dark[1], dark[2]), 0.3, 9.0)
