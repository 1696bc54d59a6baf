"""The text on the camera's picture: a label per hand, the status line, the help (any thread)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from engines.skeleton import MIDDLE_BASE, SIDES, WRIST
from realtime.messages import HandFrame, HandPose
from viz.drawing.canvas import Box, Canvas, points
from viz.drawing.palette import OVERLAY_RGB, Bgr, bgr
from viz.drawing.status import OverlayStatus

PANEL_BGR: Final[Bgr] = (26, 22, 20)
PANEL_OPACITY: Final = 0.74
TEXT_BGR: Final[Bgr] = (245, 245, 245)
DIM_BGR: Final[Bgr] = (150, 150, 150)
_LETTER: Final = 10.5
"""Height of a capital letter at 640 x 480."""
_PAD: Final = 7.0
STATUS_HEIGHT: Final = _LETTER + 2 * _PAD + 2
"""Height of the status line at 640 x 480."""


def label_text(hand: HandPose) -> str:
    """Side, distance of the wrist from the camera plane, and how sure the network is that the hand is there."""
    depth_cm = float(hand.joints_cam_mm[WRIST, 2]) / 10.0
    depth = f"{depth_cm:.0f} cm" if np.isfinite(depth_cm) else "? cm"
    return f"{hand.side} {depth} {100 * hand.hand_probability:.0f}%"


def label_place(canvas: Canvas, hand: HandPose, taken: Sequence[Box]) -> Box:
    """Beyond the wrist, inside the picture, above the status line, and not on another label."""
    s = canvas.scale
    height_px, width_px = canvas.picture.shape[:2]
    text_width, letter = canvas.text_size(label_text(hand), _LETTER * s)
    width, height = round(text_width + (2 * _PAD + 5) * s), round(letter + 2 * _PAD * s)
    joints = canvas.place(hand.joints_px)
    away = joints[WRIST] - joints[MIDDLE_BASE]
    away /= max(float(np.linalg.norm(away)), 1e-6)
    reach = 10 * s + np.abs(away) @ np.array([width, height]) / 2
    center = joints[WRIST] + away * reach
    lowest = height_px - STATUS_HEIGHT * s - height - 2 * s
    left = int(np.clip(center[0] - width / 2, 0, max(width_px - width, 0)))
    top = int(np.clip(center[1] - height / 2, 0, max(lowest, 0)))
    for box in taken:
        if left < box[2] and box[0] < left + width and top < box[3] and box[1] < top + height:
            above, below = box[1] - height - round(3 * s), box[3] + round(3 * s)
            top = above if (away[1] < 0 and above >= 0) or below > lowest else below
    return left, top, left + width, top + height


def draw_label(canvas: Canvas, hand: HandPose, box: Box) -> None:
    """Text on a dark panel with a stripe in the hand's colour."""
    s = canvas.scale
    left, top, _, bottom = box
    canvas.shade(box, PANEL_BGR, PANEL_OPACITY)
    canvas.shade((left, top, left + round(5 * s), bottom), bgr(OVERLAY_RGB[hand.side]), 1.0)
    canvas.text(label_text(hand), left + (5 + _PAD) * s, bottom - _PAD * s, _LETTER * s, TEXT_BGR)


def draw_status(canvas: Canvas, hand_frame: HandFrame, status: OverlayStatus) -> None:
    """A strip along the lower edge: rate, latency and the rest to the left, which hands are there to the right."""
    s = canvas.scale
    height, width = canvas.picture.shape[:2]
    strip = round(STATUS_HEIGHT * s)
    canvas.shade((0, height - strip, width, height), PANEL_BGR, PANEL_OPACITY)
    baseline = height - (_PAD + 1) * s
    right = _draw_presence(canvas, hand_frame, width - 10 * s, baseline)
    left = 10 * s
    for part in status.parts():
        part_width = canvas.text_size(part, _LETTER * s)[0]
        if left + part_width > right:
            break
        canvas.text(part, left, baseline, _LETTER * s, TEXT_BGR)
        left += part_width + 18 * s


def _draw_presence(canvas: Canvas, hand_frame: HandFrame, right: float, baseline: float) -> float:
    """A dot and a name for each hand, as they lie in the picture, dim if absent; returns where they begin."""
    s = canvas.scale
    for side in SIDES if canvas.mirror else SIDES[::-1]:
        present = hand_frame.hand(side) is not None
        right -= canvas.text_size(side, _LETTER * s)[0]
        canvas.text(side, right, baseline, _LETTER * s, TEXT_BGR if present else DIM_BGR)
        right -= 9 * s
        (dot,) = points(np.array([[right, baseline - 0.5 * _LETTER * s]]))
        canvas.disc(dot, 4.5 * s, bgr(OVERLAY_RGB[side]) if present else DIM_BGR)
        if not present:
            canvas.disc(dot, 3.0 * s, PANEL_BGR)
        right -= 16 * s
    return right


def draw_help(canvas: Canvas, lines: Sequence[str]) -> None:
    """A panel with one line of text each in the upper left."""
    s = canvas.scale
    line_height = (_LETTER + _PAD) * s
    width = max(canvas.text_size(line, _LETTER * s)[0] for line in lines) + 4 * _PAD * s
    height = len(lines) * line_height + 3 * _PAD * s
    left = top = 10 * s
    canvas.shade((round(left), round(top), round(left + width), round(top + height)), PANEL_BGR, 0.8)
    for i, line in enumerate(lines):
        baseline = top + 2 * _PAD * s + _LETTER * s + i * line_height
        canvas.text(line, left + 2 * _PAD * s, baseline, _LETTER * s, TEXT_BGR)
