"""Draws a result onto a copy of the camera's picture: skeletons, crops, a label per hand, a status line (any thread).

Everything scales with the picture. Mirroring turns picture and joints round, never the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import Crop
from engines.skeleton import BONE_CHILD, BONE_PARENT, BONES, FINGER_BASES, FINGER_TIPS, WRIST
from realtime.messages import HandFrame, HandPose
from viz.drawing.canvas import Canvas, points
from viz.drawing.labels import draw_help, draw_label, draw_status, label_place
from viz.drawing.palette import DOUBT_BELOW, OVERLAY_RGB, bgr, paled
from viz.drawing.status import OverlayStatus

PALE_RGB: Final = (0.90, 0.90, 0.88)
"""What bones and joints fade to as their confidence falls."""
OUTLINE_BGR: Final = (28, 24, 22)
CROP_BGR: Final = (235, 235, 235)
_CROP_CORNER: Final = 0.16
"""Length of a crop's corner strokes, as a share of its side."""


def draw_overlay(
    image_bgr: NDArray[np.uint8],
    hand_frame: HandFrame,
    status: OverlayStatus,
    mirror: bool = False,
    help_lines: Sequence[str] = (),
) -> NDArray[np.uint8]:
    """A new picture (H, W, 3) uint8 with the result drawn on it; `image_bgr` stays as it is.

    Coordinates of `hand_frame` are scaled to the picture if it is shown at another size than it was tracked at.
    """
    picture = cv2.flip(image_bgr, 1) if mirror else image_bgr.copy()
    canvas = Canvas(picture, hand_frame.size_px, mirror)
    for crop in hand_frame.crops:
        _draw_crop(canvas, crop)
    hands = [hand for hand in _far_to_near(hand_frame) if np.isfinite(hand.joints_px).all()]
    for hand in hands:
        _draw_hand(canvas, hand)
    taken: list[tuple[int, int, int, int]] = []
    for hand in hands:
        taken.append(label_place(canvas, hand, taken))
        draw_label(canvas, hand, taken[-1])
    draw_status(canvas, hand_frame, status)
    if help_lines:
        draw_help(canvas, help_lines)
    return picture


def _far_to_near(hand_frame: HandFrame) -> list[HandPose]:
    """The nearer hand is drawn last, so that it covers the other one as it does in the picture."""
    return sorted(hand_frame.hands, key=lambda hand: -float(np.nan_to_num(hand.joints_cam_mm[WRIST, 2])))


def _draw_crop(canvas: Canvas, crop: Crop) -> None:
    """Strokes at the corners of the turned square, and a tick in the middle of its upper side."""
    corners = canvas.place(crop.corners_px())
    before, behind = np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0)
    top = (corners[:1] + corners[1:2]) / 2
    starts = points(np.concatenate([corners, corners, top]))
    directions = [
        _CROP_CORNER * (before - corners),
        _CROP_CORNER * (behind - corners),
        0.04 * (corners[3:] - corners[:1]),
    ]
    ends = points(np.concatenate([corners, corners, top]) + np.concatenate(directions))
    strokes = list(zip(starts, ends, strict=True))
    for start, end in strokes:
        canvas.line(start, end, OUTLINE_BGR, canvas.scale * 2.6)
    for start, end in strokes:
        canvas.line(start, end, CROP_BGR, canvas.scale * 1.2)


def _draw_hand(canvas: Canvas, hand: HandPose) -> None:
    """A dark rim under everything, then bones, then joints: readable on bright and dark."""
    joints = canvas.place(hand.joints_px)  # (21, 2)
    confidence = np.nan_to_num(hand.confidence)
    shades = paled(OVERLAY_RGB[hand.side], confidence, PALE_RGB)  # (21, 3)
    bone_colours = [bgr(shade) for shade in 0.88 * shades]
    joint_colours = [bgr(shade) for shade in 0.7 * shades + 0.3]
    size = canvas.scale * _size_in_picture(joints, canvas)
    radii = (size * _JOINT_RADII).tolist()
    doubtful = np.minimum(confidence[BONE_CHILD], confidence[BONE_PARENT]) < DOUBT_BELOW
    bone_widths = (size * np.where(doubtful, 1.5, 3.2)).tolist()
    rim = 1.3 * size
    places = points(joints)
    for (child, parent), width in zip(BONES, bone_widths, strict=True):
        canvas.line(places[child], places[parent], OUTLINE_BGR, width + 2 * rim)
    for place, radius in zip(places, radii, strict=True):
        canvas.disc(place, radius + rim, OUTLINE_BGR)
    for (child, parent), width in zip(BONES, bone_widths, strict=True):
        canvas.line(places[child], places[parent], bone_colours[child], width)
    for j, (joint, radius) in enumerate(zip(places, radii, strict=True)):
        canvas.disc(joint, radius, joint_colours[j])
        if confidence[j] < DOUBT_BELOW:
            canvas.disc(joint, 0.55 * radius, OUTLINE_BGR)


def _size_in_picture(joints: NDArray[np.float64], canvas: Canvas) -> float:
    """Strokes of a small, far hand are thinner: 0.55 .. 1.2 of the usual."""
    extent = float((joints.max(axis=0) - joints.min(axis=0)).max())
    return float(np.clip(extent / (170.0 * canvas.scale), 0.55, 1.2))


def _joint_radii() -> NDArray[np.float64]:
    radii = np.full(21, 3.4)
    radii[list(FINGER_TIPS)] = 4.2
    radii[list(FINGER_BASES)] = 3.4
    radii[WRIST] = 5.4
    return radii


_JOINT_RADII: Final = _joint_radii()
