"""Keyframes of the sample clip: where each wrist is, how the hand is turned, which gesture it makes (data only).

Each hand is directed as if it were the right one, on the left of the picture; the left hand is then mirrored at x = 0.
So +x always leads towards the other hand and across the middle. Times in seconds, lengths in mm, camera frame.
"""

from __future__ import annotations

from typing import Final

from engines.skeleton import Side

DURATION_S: Final = 10.0
TOGETHER_S: Final = (7.0, 9.1)
"""When the hands come near each other at one depth and contact is resolved."""
WristKey = tuple[float, tuple[float, float, float], tuple[float, float, float]]
"""Time; wrist x, y, z; degrees of yaw (palm to the other hand), lean (tips to the camera), roll (tips to +x)."""

_CLASP = (98.0, 23.0, 16.7)
_NEAR_Z, _FAR_Z = 537.0, 553.0
"""Half a finger's width apart in depth, so that the fingers find the gaps."""

WRIST_KEYS: Final[dict[Side, tuple[WristKey, ...]]] = {
    "right": (
        (0.35, (-165, 400, 560), (10, 15, 8)),
        (1.25, (-140, 85, 545), (8, 4, -4)),
        (2.30, (-145, 80, 550), (12, 2, -3)),
        (3.50, (-135, 75, 540), (-6, 6, 2)),
        (4.30, (-150, 80, 620), (6, 4, 2)),
        (5.00, (-125, 85, 475), (10, 6, -2)),
        (5.90, (75, 85, 470), (5, 2, 30)),
        (6.10, (80, 82, 472), (0, 4, 31)),
        (6.95, (-130, 92, 500), (30, 6, 2)),
        (7.40, (-120, 95, _FAR_Z), _CLASP),
        (7.85, (-73.5, 90, _FAR_Z), _CLASP),
        (8.55, (-73.5, 84, _FAR_Z), _CLASP),
        (8.90, (-128, 88, _FAR_Z), _CLASP),
        (9.95, (-175, 400, 570), (10, 15, 8)),
    ),
    "left": (
        (0.65, (-160, 410, 580), (10, 15, 8)),
        (1.60, (-145, 80, 560), (6, 2, -2)),
        (2.40, (-140, 85, 555), (14, 4, 2)),
        (3.50, (-140, 75, 560), (20, 6, 0)),
        (4.30, (-125, 88, 465), (6, 6, -3)),
        (5.00, (-150, 78, 625), (8, 2, 0)),
        (5.90, (70, 70, 630), (-5, 0, 28)),
        (6.10, (75, 72, 628), (-4, 2, 27)),
        (6.95, (-130, 88, 590), (30, 6, 2)),
        (7.40, (-120, 95, _NEAR_Z), _CLASP),
        (7.85, (-73.5, 90, _NEAR_Z), _CLASP),
        (8.55, (-73.5, 84, _NEAR_Z), _CLASP),
        (8.90, (-128, 88, _NEAR_Z), _CLASP),
        (9.98, (-165, 400, 570), (10, 15, 8)),
    ),
}

POSE_KEYS: Final[dict[Side, tuple[tuple[float, str], ...]]] = {
    "right": (
        (0.5, "relaxed"), (1.2, "open"), (2.15, "spread"), (2.5, "point"), (2.7, "point"), (2.95, "two"),
        (3.1, "two"), (3.35, "three"), (3.5, "three"), (3.75, "four"), (3.9, "four"), (4.2, "spread"),
        (4.6, "relaxed"), (5.1, "open"), (6.2, "open"), (6.8, "relaxed"), (7.3, "fold"), (7.8, "fold"),
        (8.05, "clasp"), (8.35, "clasp"), (8.6, "fold"), (8.85, "fold"), (9.25, "open"), (9.8, "relaxed"),
    ),
    "left": (
        (0.8, "relaxed"), (1.5, "open"), (1.8, "open"), (2.25, "pinch"), (2.5, "pinch"), (2.85, "open"),
        (3.2, "fist"), (3.45, "fist"), (3.8, "point"), (4.1, "point"), (4.5, "spread"), (5.1, "relaxed"),
        (5.6, "open"), (6.2, "open"), (6.8, "relaxed"), (7.3, "fold"), (7.8, "fold"), (8.05, "clasp"),
        (8.35, "clasp"), (8.6, "fold"), (8.85, "fold"), (9.25, "spread"), (9.8, "relaxed"),
    ),
}  # fmt: skip
