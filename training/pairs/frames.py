"""Frames to train on: photographs with hands pasted in at any size, place and turn, and where they are (numpy, OpenCV).

All of it happens at the size that the detector sees, in bytes, so that a frame costs about a millisecond.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import transform, upright_angle_rad
from engines.pair_spec import BOX_GROWTH, KINDS, PICTURE_PX, Kind
from engines.skeleton import HAND_SLICES, SIDES
from realtime.tracking.next_crop import overlap
from training.pairs.pieces import Piece, faded, mirrored, reduced

PAIR_OVERLAP: Final = 0.15
"""Two hands are a pair where the tracker would begin to follow them in one crop (`tracker.merge_overlap`)."""
_WHOLE: Final = 0.6
"""So much of a box must lie in the frame, or it is neither to be found nor wrong to find."""
_GONE: Final = 0.15
"""Less of it in the frame does not count as a hand."""
_ASPECTS: Final = (4 / 3, 4 / 3, 16 / 9, 16 / 9, 1.0, 3 / 4, 9 / 16)
_TRIES: Final = 6
_ANY_TURN: Final = 0.1
"""Share of cut-outs that are turned by any angle."""
_MOST_COMMON: Final = 0.02
"""Boxes of pieces overlap by no more than this: no two cut-outs are to look like a pair."""


_OPAQUE: Final = 0.9
"""A piece with so much of its area filled is a picture with a scene of its own ..."""
_FILLS: Final = 0.55
"""... and so often it is the whole frame."""


Placement = tuple[Piece, NDArray[np.float64]]
"""A piece, averaged down, and the (2, 3) matrix from its pixels to the frame's."""


@dataclass(frozen=True)
class Target:
    """A hand, or a pair, in a frame."""

    kind: Kind
    box_px: NDArray[np.float32]
    """(4,) left, top, right, bottom; the part in the frame."""
    up: NDArray[np.float32]
    """(2,) unit vector in the picture; zeros where two hands have no common one."""


@dataclass
class Framed:
    """A frame as it is being made."""

    rgb: NDArray[np.uint8]
    """(192, 192, 3)."""
    targets: list[Target] = field(default_factory=list)
    unknown: dict[Kind, list[NDArray[np.float32]]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    """Boxes within which nothing is taught about a kind, unless it is a target."""
    taken: list[NDArray[np.float32]] = field(default_factory=list)
    """Boxes of all hands in it."""


@dataclass(frozen=True)
class Sizes:
    """Of hands in frames: the longer side of their box as a share of the frame's longer side."""

    smallest: float
    largest: float


def blank_frame(photo: NDArray[np.uint8], rng: np.random.Generator) -> Framed:
    """A part of a square photograph (S, S, 3) RGB as a frame, mirrored or not."""
    side = photo.shape[0]
    wide = int(side * rng.uniform(0.45, 1.0))
    left, top = rng.integers(0, side - wide + 1, 2)
    part = photo[top : top + wide, left : left + wide]
    how = cv2.INTER_AREA if wide > PICTURE_PX else cv2.INTER_LINEAR
    rgb = cv2.resize(part, (PICTURE_PX, PICTURE_PX), interpolation=how)
    return Framed(cv2.flip(rgb, 1) if rng.random() < 0.5 else rgb)


def visible_area(rng: np.random.Generator) -> NDArray[np.float32]:
    """(4,) left, top, right, bottom of the picture in its square: cameras are wide, high or square."""
    aspect = _ASPECTS[rng.integers(len(_ASPECTS))]
    width, height = (1.0, 1 / aspect) if aspect >= 1 else (aspect, 1.0)
    half = 0.5 * PICTURE_PX * np.array([width, height])
    middle = PICTURE_PX / 2
    return np.array([*(middle - half), *(middle + half)], np.float32)


def paste(framed: Framed, piece: Piece, area: NDArray, sizes: Sizes, rng: np.random.Generator) -> None:
    """Put a piece into the frame at a random size, turn and place, in place; not at all where there is no room."""
    if rng.random() < 0.5:
        piece = mirrored(piece)
    opaque = float(piece.rgba[..., 3].mean()) > _OPAQUE * 255
    placed: Placement | None
    if opaque and not framed.taken and rng.random() < _FILLS:
        placed = _filling(piece, area, rng)
    else:
        if opaque or rng.random() < 0.6:
            piece = faded(piece, rng.uniform(0.02, 0.15))
        placed = _placement(framed, piece, area, sizes, opaque, rng)
    if placed is None:
        return
    small, matrix = placed
    layer = cv2.warpAffine(_tinted(small.rgba, rng), matrix, (PICTURE_PX, PICTURE_PX), flags=cv2.INTER_LINEAR)
    through = cv2.cvtColor(cv2.bitwise_not(cv2.extractChannel(layer, 3)), cv2.COLOR_GRAY2RGB)
    colours = cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB)
    framed.rgb = cv2.add(cv2.multiply(framed.rgb, through, scale=1 / 255), colours)
    _note(framed, small, matrix, area)


def shown(framed: Framed, area: NDArray, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The frame as a camera might show it: exposure, blur, few pixels, noise, compression; black beyond `area`."""
    rgb = framed.rgb
    gamma, gain = rng.uniform(0.75, 1.3), rng.uniform(0.7, 1.15)
    cast = rng.uniform(0.9, 1.1, 3)
    curve = (np.linspace(0, 1, 256) ** gamma)[:, None] * (255 * gain * cast)
    rgb = cv2.LUT(rgb, curve.clip(0, 255).astype(np.uint8)[None])
    if rng.random() < 0.3:
        small = int(PICTURE_PX * rng.uniform(0.45, 0.9))
        rgb = cv2.resize(rgb, (small, small), interpolation=cv2.INTER_AREA)
        rgb = cv2.resize(rgb, (PICTURE_PX, PICTURE_PX), interpolation=cv2.INTER_LINEAR)
    elif rng.random() < 0.3:
        rgb = cv2.GaussianBlur(rgb, (5, 5), rng.uniform(0.4, 1.2))
    if rng.random() < 0.4:
        noise = rng.integers(-12, 13, (PICTURE_PX, PICTURE_PX, 3), np.int16) * rng.uniform(0.1, 1.0)
        rgb = (rgb + noise).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        _, packed = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 90))])
        rgb = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    left, top, right, bottom = np.rint(area).astype(int)
    whole = np.zeros_like(rgb)
    whole[top:bottom, left:right] = rgb[top:bottom, left:right]
    return whole


def box_of(joints_px: NDArray) -> NDArray[np.float32]:
    """(4,) box around joints (N, 2), as labels have it."""
    low, high = joints_px.min(0), joints_px.max(0)
    grow = BOX_GROWTH * (high - low)
    return np.concatenate([low - grow, high + grow]).astype(np.float32)


def _tinted(rgba: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    gains = np.append(rng.uniform(0.7, 1.2) * rng.uniform(0.92, 1.08, 3), 1.0)
    curve = (np.arange(256)[:, None] * gains).clip(0, 255).astype(np.uint8)
    return cv2.LUT(rgba, curve[None])


def _placement(
    framed: Framed, piece: Piece, area: NDArray, sizes: Sizes, opaque: bool, rng: np.random.Generator
) -> Placement | None:
    """A place where its hands overlap no others, if one is found."""
    middle, spread = 0.5 * (area[:2] + area[2:]), 0.5 * (area[2:] - area[:2])
    box = box_of(piece.of_all())
    for _ in range(_TRIES):
        wanted = PICTURE_PX * np.exp(rng.uniform(np.log(sizes.smallest), np.log(sizes.largest)))
        small, scale = reduced(piece, float(wanted / max((box[2:] - box[:2]).max(), 1.0)))
        turn = rng.normal(0, 0.15 if opaque else 0.4)
        if not opaque and rng.random() < _ANY_TURN:
            turn = rng.uniform(-np.pi, np.pi)
        c, s = scale * np.cos(turn), scale * np.sin(turn)
        linear = np.array([[c, -s], [s, c]])
        centre = middle + spread * rng.uniform(-1.08, 1.08, 2)
        own = box_of(small.of_all())
        matrix = np.column_stack([linear, centre - linear @ (0.5 * (own[:2] + own[2:]))])
        now = box_of(transform(matrix, small.of_all()))
        if all(_share(now, other) <= _MOST_COMMON for other in framed.taken):
            return small, matrix
    return None


def _filling(piece: Piece, area: NDArray, rng: np.random.Generator) -> Placement:
    """A picture with a scene of its own as the whole frame."""
    size = area[2:] - area[:2]
    wanted = float(size.max()) * rng.uniform(1.0, 1.15)
    small, scale = reduced(piece, wanted / piece.rgba.shape[0])
    left, top = area[:2] - rng.random(2) * (wanted - size)
    return small, np.array([[scale, 0.0, left], [0.0, scale, top]])


def _note(framed: Framed, piece: Piece, matrix: NDArray, area: NDArray) -> None:
    """Add what is to be found of a pasted piece."""
    joints = transform(matrix, piece.joints_px)
    hands = {side: joints[HAND_SLICES[side]] for k, side in enumerate(SIDES) if piece.present[k]}
    for side, own in hands.items():
        _add(framed, side, own, [own], area)
    if len(hands) == len(SIDES):
        both = np.concatenate(list(hands.values()))
        if overlap(hands["right"], hands["left"]) > PAIR_OVERLAP:
            _add(framed, "pair", both, list(hands.values()), area)
    whole = box_of(transform(matrix, piece.of_all()))
    framed.taken.append(whole)
    if not piece.known.all():  # somebody's other hand may be there, or may not
        end = piece.rgba.shape[0] - 1
        corners = transform(matrix, np.array([[0, 0], [end, 0], [end, end], [0, end]], np.float32))
        everywhere = np.concatenate([corners.min(0), corners.max(0)]).astype(np.float32)
        for kind in KINDS:
            if kind == "pair" or not piece.known[SIDES.index(kind)]:
                framed.unknown[kind].append(everywhere)


def _add(framed: Framed, kind: Kind, joints_px: NDArray, hands: list[NDArray], area: NDArray) -> None:
    box = box_of(joints_px)
    inside = np.concatenate([np.maximum(box[:2], area[:2]), np.minimum(box[2:], area[2:])]).astype(np.float32)
    whole, left = _area(box), _area(inside)
    if left <= _GONE * whole:
        return
    if left < _WHOLE * whole:
        framed.unknown[kind].append(inside)
        return
    angle = upright_angle_rad(hands, np.nan)
    up = np.zeros(2) if np.isnan(angle) else np.array([np.sin(angle), -np.cos(angle)])
    framed.targets.append(Target(kind, inside, up.astype(np.float32)))


def _area(box: NDArray) -> float:
    return float(np.prod(np.clip(box[2:] - box[:2], 0, None)))


def _share(a: NDArray, b: NDArray) -> float:
    """Intersection over the smaller one's area."""
    common = np.concatenate([np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])])
    return _area(common) / max(min(_area(a), _area(b)), 1.0)
