"""The hand that rotations are told from: its palm, and each finger's flexion axis (numpy only; any thread).

A right hand in its wrist's frame, axes as OpenXR's: x to the little finger's side, y out of the back, z from the
fingers to the wrist. A left hand is its mirror image. Numbers are means over 200 random hands of the generator
(`training.synth.hand.shape.sample_shape`), the axes turned by up to 3 degrees to where the bones' mean error is least.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import FINGER_BASES, JOINTS_PER_HAND, WRIST, Side
from realtime.rotations.quaternions import Floats, square_to, unit

PALM_JOINTS: Final = (WRIST, *FINGER_BASES)
PALM: Final = np.array(
    [
        (0.0, 0.0, 0.0),
        (-0.300, -0.249, -0.245),
        (-0.297, -0.114, -0.952),
        (0.0, -0.062, -0.998),
        (0.232, -0.093, -0.929),
        (0.439, -0.158, -0.799),
    ]
)
"""(6, 3) wrist and bases of thumb .. little finger; the middle finger's is at the distance 1."""
PALM_WEIGHTS: Final = np.array([1.0, 0.3, 1.0, 1.0, 1.0, 1.0])
"""Share of each in the palm's fit: the thumb's base gives way, and is the hardest to see."""

FLEXION_AXES: Final = unit(
    np.array(
        [
            (0.067, 0.797, -0.600),
            (0.966, 0.146, -0.215),
            (0.991, 0.098, 0.087),
            (0.955, 0.151, 0.257),
            (0.907, 0.152, 0.392),
        ]
    )
)
"""(5, 3) each finger's x axis, thumb to little finger: a bone flexes by a turn about -x."""
_THUMB_FORWARD: Final = (-0.681, -0.403, -0.611)
"""The thumb's first bone at rest, where its flexion and abduction are 0."""
STRAIGHT_ABDUCTION_DEG: Final = np.array([0.0, -4.3, 5.9, 11.3, 12.5])
"""Where abduction is 0, from square to the flexion axis towards the thumb: with four fingers nearly side by side."""
FLEXION_LIMITS_DEG: Final = np.array(
    [[(-50, 60), (-30, 75), (-45, 95)], *4 * [[(-45, 100), (-15, 120), (-25, 90)]]], np.float64
)
"""(5, 3, 2) least and most flexion of each finger's bones, base to tip: adults' usual ranges (of fingers 90, 100
and 70 to 80, little beyond straight; AAOS, Joint Motion, 1965) and 10 to 25 more, because hands differ."""
MOST_ABDUCTION_DEG: Final = np.array([(45, 20, 15), *4 * [(35, 12, 12)]], np.float64)
"""(5, 3) to either side, from straight; the outer joints are hinges, and what is left is that hands differ."""
THUMB_ROLL: Final = np.array([0.35, 0.0, 0.0, 0.0, 0.0])
"""A thumb turns about itself as it is abducted: so much of that angle."""


def _rest_frames() -> Floats:
    """(5, 3, 3) wrist_from_finger: the frame in which a finger's first bone has no flexion, and no abduction yet."""
    forward = np.stack([FLEXION_AXES[:, 2], np.zeros(5), -FLEXION_AXES[:, 0]], axis=1)
    forward[0] = _THUMB_FORWARD
    forward = square_to(forward, FLEXION_AXES)
    return np.stack([FLEXION_AXES, np.cross(-forward, FLEXION_AXES), -forward], axis=-1)


WRIST_FROM_FINGER: Final = _rest_frames()

MIRROR: Final = np.array([-1.0, 1.0, 1.0])
"""Factors that make a right hand's vectors (..., 3) a left one's, and back."""
MIRROR_TURN: Final = np.array([1.0, -1.0, -1.0, 1.0])
"""The same for quaternions."""


def mirrored_for(side: Side, vectors: NDArray) -> Floats:
    """Vectors (..., 3) of a right hand, in its wrist's frame, as those of that hand."""
    return np.asarray(vectors * MIRROR if side == "left" else vectors, np.float64)


def mirrored_frames_for(side: Side, frames: NDArray) -> Floats:
    """The same for frames (..., 3, 3) in it."""
    return np.asarray(frames * np.outer(MIRROR, MIRROR) if side == "left" else frames, np.float64)


def rest_frames(side: Side) -> Floats:
    """(21, 3, 3) wrist_from_joint of the rest pose: straight fingers, all angles 0."""
    frames = np.tile(np.eye(3), (JOINTS_PER_HAND, 1, 1))
    c, s = np.cos(np.radians(STRAIGHT_ABDUCTION_DEG)), np.sin(np.radians(STRAIGHT_ABDUCTION_DEG))
    for finger, base in enumerate(FINGER_BASES):
        aside = np.array([[c[finger], 0.0, s[finger]], [0.0, 1.0, 0.0], [-s[finger], 0.0, c[finger]]])
        frames[base - 3 : base + 1] = WRIST_FROM_FINGER[finger] @ aside
    return mirrored_frames_for(side, frames)
