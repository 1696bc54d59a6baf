"""Random everyday objects that hands hold: cups, bottles, balls, boxes, pens, phones, books (numpy only; any thread).

Upright objects stand along +y of their frame; slabs lie in its x-y plane.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.synth.person.appearance import Material, coated
from training.synth.person.people import cloth_colour
from training.synth.person.solids import Part, Solid, box_distance, slab, turned, turned_distance

METAL_SHARE: Final = 0.1
UPRIGHT: Final = ("cup", "bottle", "can")
"""Kinds that are mostly held with their top up."""


def make_object(rng: np.random.Generator, kind: str, skin: Material) -> Solid:
    """A random object of a kind of `MAKERS`; `skin` gives what its surface does not define."""
    return MAKERS[kind](rng, skin)


def surface(rng: np.random.Generator, base: Material, length_mm: float) -> Material:
    """Plain, striped, two-tone or printed; dull, satin or glossy."""
    first, second = _paint(rng), _paint(rng)
    roughness, specular = ((0.85, 0.15), (0.5, 0.6), (0.22, 1.2))[int(rng.integers(3))]
    if rng.random() < METAL_SHARE:
        grey = rng.uniform(0.2, 0.7)
        first, roughness, specular = (grey, grey, grey * 0.97), 0.32, 7.0
    made = coated(base, first, float(roughness), float(specular))
    pattern = rng.choice(4, p=[0.45, 0.15, 0.15, 0.25])
    if pattern == 0:
        return made
    stripes = (0.0, rng.uniform(0.03, 0.15), 0.48 / length_mm, 0.0)[pattern]
    size = rng.uniform(0.002, 0.012) if pattern == 3 else 0.0
    return replace(made, sleeve_stripe=second, stripe_frequency=float(stripes), print_frequency=float(size))


def _paint(rng: np.random.Generator) -> tuple[float, float, float]:
    """Object colours: as of clothes, more often bright, now and then like skin or wood."""
    kind = rng.choice(4, p=[0.35, 0.35, 0.15, 0.15])
    if kind == 0:
        return cloth_colour(rng)
    if kind == 1:
        colour = rng.random(3) ** 1.6 * 0.85
    elif kind == 2:
        colour = np.array([0.55, 0.33, 0.2]) * rng.uniform(0.3, 1.4) * np.exp(rng.normal(0, 0.12, 3))
    else:
        colour = np.full(3, rng.uniform(0.55, 0.85))
    return float(colour[0]), float(colour[1]), float(colour[2])


def _profile(*points: ArrayLike) -> NDArray[np.float64]:
    return np.array(points, np.float64)


def _solid_turned(kind: str, outer: NDArray, parts: list[Part]) -> Solid:
    return Solid(kind, tuple(parts), turned_distance(outer))


def _cup(rng: np.random.Generator, base: Material) -> Solid:
    """A mug, paper cup or glass without its handle, open at the top."""
    top, height = rng.uniform(32, 44), rng.uniform(38, 65)
    bottom = top * rng.uniform(0.72, 1.0)
    wall = _profile((0, -height), (bottom - 3, -height), (bottom, -height + 3), (top, height - 2), (top - 1, height))
    inside = _profile((top - 3, height), (top - 4, height - 3), (bottom - 4, height * -0.2))
    drink = rng.uniform(0.0, 0.75) * height
    within = bottom - 4 + (top - bottom) * (drink + 0.2 * height) / (1.2 * height)
    material = surface(rng, base, height)
    lip = coated(base, _paint(rng) if rng.random() < 0.3 else material.sleeve, 0.4, 0.8)
    liquid = coated(base, (0.05, 0.022, 0.01) if rng.random() < 0.6 else _paint(rng), 0.15, 1.0)
    parts = [
        turned(wall, material),
        turned(np.vstack([wall[-1:], inside]), lip),
        turned(_profile((within, drink), (0, drink)), liquid),
    ]
    return _solid_turned("cup", np.vstack([wall, [(0, height)]]), parts)


def _bottle(rng: np.random.Generator, base: Material) -> Solid:
    """A bottle with neck, cap and often a label."""
    radius, height = rng.uniform(22, 38), rng.uniform(70, 115)
    neck, shoulder = radius * rng.uniform(0.3, 0.5), height * rng.uniform(0.3, 0.6)
    body = _profile(
        (0, -height), (radius - 4, -height), (radius, -height + 4), (radius, shoulder - 5), (radius * 0.97, shoulder),
        ((radius + neck) / 2 + 2, shoulder + 0.2 * height), (neck, shoulder + 0.32 * height), (neck, height - 14),
    )  # fmt: skip
    cap = _profile(
        (neck + 2, height - 14), (neck + 2.5, height - 12), (neck + 2.5, height - 1), (neck, height), (0, height)
    )
    material = surface(rng, base, height)
    parts = [turned(body, material), turned(np.vstack([body[-1:], cap]), coated(base, _paint(rng), 0.4, 0.8))]
    if rng.random() < 0.6:
        low, high = -height * rng.uniform(0.2, 0.7), shoulder * rng.uniform(0.3, 0.85)
        label = _profile((radius, low), (radius + 0.5, low + 0.2), (radius + 0.5, high - 0.2), (radius, high))
        parts.append(turned(label, surface(rng, base, high - low)))
    return _solid_turned("bottle", np.vstack([body, cap]), parts)


def _can(rng: np.random.Generator, base: Material) -> Solid:
    """A can, jar, tin or roll."""
    radius, height = rng.uniform(20, 38), rng.uniform(42, 85)
    side = _profile(
        (0, -height), (radius - 4, -height), (radius, -height + 4), (radius, height - 4), (radius - 3, height)
    )
    lid = _profile((radius - 3, height), (radius - 5, height - 2), (0, height - 2))
    parts = [turned(side, surface(rng, base, height)), turned(lid, coated(base, (0.5, 0.5, 0.5), 0.35, 5.0))]
    return _solid_turned("can", np.vstack([side, [(0, height)]]), parts)


def _ball(rng: np.random.Generator, base: Material) -> Solid:
    return sphere(rng, base, rng.uniform(20, 42))


def sphere(rng: np.random.Generator, base: Material, radius: float) -> Solid:
    """A ball, now and then an egg or a fruit."""
    rise = np.linspace(-np.pi / 2, np.pi / 2, 19)
    long = rng.uniform(1.0, 1.25) if rng.random() < 0.3 else 1.0
    profile = np.stack([radius * np.cos(rise), radius * long * np.sin(rise)], axis=1)
    profile[[0, -1], 0] = 0
    return _solid_turned("ball", profile, [turned(profile, surface(rng, base, radius))])


def _handle(rng: np.random.Generator, base: Material) -> Solid:
    """A stick, tube or grip of a tool; what it holds is a thicker piece at the end."""
    radius, height = rng.uniform(8, 18), rng.uniform(65, 150)
    swell = radius * rng.uniform(0.85, 1.15)
    grip = _profile(
        (0, -height),
        (radius - 2, -height),
        (radius, -height + 3),
        (swell, 0),
        (radius, height - 3),
        (radius - 2, height),
    )
    parts = [turned(np.vstack([grip, [(0, height)]]), surface(rng, base, height))]
    if rng.random() < 0.5:
        wide, far = radius * rng.uniform(1.2, 2.6), height + rng.uniform(15, 90)
        head = _profile(
            (0, height - 2), (wide, height), (wide * rng.uniform(0.6, 1.1), far - 3), (wide * 0.5, far), (0, far)
        )
        parts.append(turned(head, surface(rng, base, far - height)))
    return _solid_turned("handle", np.vstack([grip, [(0, height)]]), parts)


def _pen(rng: np.random.Generator, base: Material) -> Solid:
    """A pen, pencil, marker or brush; its point is at -y."""
    radius, half = rng.uniform(3.5, 6.5), rng.uniform(60, 85)
    shaft = _profile(
        (radius * 0.6, -half + 12), (radius, -half + 20), (radius, half - 2), (radius - 1, half), (0, half)
    )
    point = _profile((0, -half), (1.2, -half + 0.5), (radius * 0.6, -half + 12))
    parts = [
        turned(shaft, surface(rng, base, half), around=16),
        turned(point, coated(base, _paint(rng), 0.5, 0.6), around=16),
    ]
    return _solid_turned("pen", np.vstack([point, shaft]), parts)


def box(rng: np.random.Generator, base: Material, half_mm: ArrayLike, kind: str = "box") -> Solid:
    """A box, carton or block with a sticker or without."""
    half = np.asarray(half_mm, np.float64)
    bevel = float(min(rng.uniform(0.8, 5), 0.45 * half.min()))
    parts = [slab(half, bevel, bevel, surface(rng, base, float(half[1])))]
    if rng.random() < 0.5:
        sticker = np.array([*(half[:2] * rng.uniform(0.3, 0.9, 2)), half[2] + 0.4])
        parts.append(slab(sticker, 1.0, 0.2, surface(rng, base, float(sticker[1]))))
    return Solid(kind, tuple(parts), box_distance(half, bevel))


def _box(rng: np.random.Generator, base: Material) -> Solid:
    return box(rng, base, [rng.uniform(22, 45), rng.uniform(35, 80), rng.uniform(14, 34)])


def _phone(rng: np.random.Generator, base: Material) -> Solid:
    return _screen(rng, base, "phone", [rng.uniform(33, 39), rng.uniform(66, 80), rng.uniform(3.8, 6)])


def _tablet(rng: np.random.Generator, base: Material) -> Solid:
    return _screen(rng, base, "tablet", [rng.uniform(60, 95), rng.uniform(90, 125), rng.uniform(3.2, 5)])


def _screen(rng: np.random.Generator, base: Material, kind: str, half: list[float]) -> Solid:
    """A slab with a screen at +z and a camera's bump at -z."""
    corner, thick = rng.uniform(5, 11), half[2]
    grey = float(rng.choice([0.015, 0.05, 0.5, 0.7]))
    cover = coated(base, (grey, grey, grey) if rng.random() < 0.6 else _paint(rng), 0.4, 0.9)
    screen = coated(base, (0.012, 0.012, 0.015), 0.12, 1.4)
    if rng.random() < 0.55:
        screen = replace(
            screen, sleeve=_paint(rng), sleeve_stripe=_paint(rng), print_frequency=rng.uniform(0.002, 0.008)
        )
    lens = coated(base, (0.01, 0.01, 0.012), 0.15, 1.4)
    front = [half[0] - rng.uniform(2, 5), half[1] - rng.uniform(2, 12), 0.6]
    bump = [rng.uniform(6, 13), rng.uniform(6, 15), 1.2]
    back_place = [half[0] * 0.9 - bump[0], half[1] * 0.93 - bump[1], -thick - 0.6]
    parts = [
        slab(half, corner, min(thick * 0.9, 3.0), cover),
        slab(front, max(corner - 3, 1), 0.3, screen, (0, 0, thick)),
        slab(bump, 4, 0.6, lens, back_place),
    ]
    return Solid(kind, tuple(parts), box_distance(half, min(thick * 0.9, 3.0)))


def _book(rng: np.random.Generator, base: Material) -> Solid:
    """A closed book or notepad: covers a little larger than its pages."""
    half = np.array([rng.uniform(50, 85), rng.uniform(70, 120), rng.uniform(3, 12)])
    pages = coated(base, (0.75, 0.72, 0.62), 0.9, 0.1)
    cover = surface(rng, base, float(half[1]))
    lid = np.array([half[0], half[1], 0.9])
    parts = [slab(half - [2.5, 2.5, 0.9], 1, 0.5, pages)]
    parts += [slab(lid, 1.5, 0.4, cover, (0, 0, sign * (half[2] - 0.9))) for sign in (-1, 1)]
    return Solid("book", tuple(parts), box_distance(half, 0.8))


def _card(rng: np.random.Generator, base: Material) -> Solid:
    """A bank card, photograph or sheet of paper."""
    half = np.array([27.0, 43.0, 0.6]) * [*rng.uniform(0.8, 2.2, 2), 1.0]
    return box(rng, base, half, "card")


MAKERS: Final[dict[str, Callable[[np.random.Generator, Material], Solid]]] = {
    "cup": _cup,
    "bottle": _bottle,
    "can": _can,
    "ball": _ball,
    "box": _box,
    "handle": _handle,
    "pen": _pen,
    "phone": _phone,
    "tablet": _tablet,
    "book": _book,
    "card": _card,
}
