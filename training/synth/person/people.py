"""Random persons: age, skin, what they wear (numpy only; any thread)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from training.synth.hand.shape import HandShape, sample_shape
from training.synth.person.appearance import NO_SLEEVE_MM, Material, Vector, sample_material
from training.synth.person.worn import Wardrobe, sample_wardrobe

Age = Literal["child", "adult", "elder"]
AGE_SHARE: Final[dict[Age, float]] = {"child": 0.14, "adult": 0.70, "elder": 0.16}
POLISH_SHARE: Final = 0.12
STRIPED_SHARE: Final = 0.22
DARKEST_TONE: Final = 5.99


@dataclass(frozen=True)
class Person:
    """Whose hands they are."""

    age: Age
    tone: float
    """Position on the skin ramp, 0 light .. 6 dark."""
    shape: HandShape
    material: Material
    wardrobe: Wardrobe


def sample_person(rng: np.random.Generator) -> Person:
    """A random person; skin tones are drawn evenly over the whole ramp."""
    ages = tuple(AGE_SHARE)
    age = ages[int(rng.choice(len(ages), p=list(AGE_SHARE.values())))]
    tone = rng.uniform(0, DARKEST_TONE)
    size, girth = _build(rng, age)
    return _looking(rng, age, tone, sample_shape(rng, size, girth))


def another_look(rng: np.random.Generator, person: Person) -> Person:
    """Hands of the same shape and age with another skin and other clothes."""
    return _looking(rng, person.age, rng.uniform(0, DARKEST_TONE), person.shape)


def _looking(rng: np.random.Generator, age: Age, tone: float, shape: HandShape) -> Person:
    # Cloth is a mesh of its own here; the material's sleeve only keeps the cloth's colours.
    material = replace(
        sample_material(rng, tone),
        sleeve_start_mm=NO_SLEEVE_MM,
        sleeve=cloth_colour(rng),
        sleeve_stripe=cloth_colour(rng),
        stripe_frequency=rng.uniform(0.02, 0.1) if rng.random() < STRIPED_SHARE else 0.0,
    )
    return Person(age, tone, shape, _aged(rng, _polished(rng, material), age), sample_wardrobe(rng))


def _build(rng: np.random.Generator, age: Age) -> tuple[float, float]:
    """Size of the hand and girth of its fingers."""
    if age == "child":
        size = rng.uniform(0.66, 0.93)
        return size, 1.30 - 0.15 * (size - 0.66) / 0.27
    return (1.0, 1.08) if age == "elder" else (1.0, 1.15)


def cloth_colour(rng: np.random.Generator) -> Vector:
    """Mostly black, grey, white and dull colours, now and then a bright one."""
    grey, colour = rng.beta(0.8, 1.3) * 0.75 + 0.01, rng.random(3) ** 2 * 0.7
    strength = rng.choice([0.08, 0.45, 1.0], p=[0.56, 0.34, 0.10])
    mixed = (1 - strength) * grey + strength * colour
    return float(mixed[0]), float(mixed[1]), float(mixed[2])


def _aged(rng: np.random.Generator, material: Material, age: Age) -> Material:
    if age == "child":
        return replace(material, veins=0.0, hair=0.0, fine=0.5 * material.fine, crease=0.7 * material.crease)
    if age == "adult":
        return material
    return replace(
        material,
        mottling=rng.uniform(0.45, 0.8),
        crease=rng.uniform(0.4, 0.7),
        fine=rng.uniform(0.2, 0.38),
        veins=rng.uniform(0.25, 0.7),
    )


def _polished(rng: np.random.Generator, material: Material) -> Material:
    if rng.random() >= POLISH_SHARE:
        return material
    red, other = np.array([0.5, 0.02, 0.04]), rng.random(3) ** 1.5 * 0.8
    colour = red * rng.uniform(0.5, 1.4) if rng.random() < 0.45 else other
    return replace(material, nail=(float(colour[0]), float(colour[1]), float(colour[2])))
