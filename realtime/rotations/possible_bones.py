"""Which way a bone can point, seen from the one before it (numpy only; any thread).

Joints in a picture too fast, too dark or cut off can lie where no hand has them. A bone keeps its measured direction
where that is possible. Elsewhere the nearest possible one stands for it, or, where it is so far off that nearest means
nothing, the middle of what is possible. A bone that is seen much shorter than it is says little of where it points
(between open hand and fist, which one blurred picture can show both, fingers shrink): its usual direction stands for
what is missing. So it does, in part, for one whose joints are unsure, and so does the direction that was told last. All
this is continuous, and leaves a hand that is possible, and sure, as it is.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import FINGER_BASES, MIDDLE_BASE
from realtime.camera_space.bone_lengths import USUAL_LENGTHS_MM
from realtime.rotations.quaternions import Floats
from realtime.rotations.rest_hand import FLEXION_LIMITS_DEG, MOST_ABDUCTION_DEG, STRAIGHT_ABDUCTION_DEG

_LOWER, _UPPER = np.moveaxis(np.radians(FLEXION_LIMITS_DEG), -1, 0)  # (5, 3) each, finger and bone
_MIDDLE: Final = (_UPPER + _LOWER) / 2
_HALF: Final = (_UPPER - _LOWER) / 2
_STRAIGHT: Final = np.radians(np.stack([STRAIGHT_ABDUCTION_DEG, np.zeros(5), np.zeros(5)], axis=1))
_SIN_STRAIGHT, _COS_STRAIGHT = np.sin(_STRAIGHT), np.cos(_STRAIGHT)
_LEAST_ASIDE, _MOST_ASIDE = np.sin(_STRAIGHT - np.radians(MOST_ABDUCTION_DEG) * [[[1.0]], [[-1.0]]])
_BEHIND: Final = _MIDDLE - np.pi
_BACK: Final = _HALF / np.radians(50.0)
"""Nearer than 50 degrees to opposite the middle of what is possible, a flexion means less and less."""
_SIDEWAYS: Final = _HALF / 0.3
"""Where less than this share of a bone lies in the plane of flexion, likewise."""
_USUAL_SHARES: Final = (USUAL_LENGTHS_MM / USUAL_LENGTHS_MM[MIDDLE_BASE])[np.array(FINGER_BASES)[:, None] - (1, 2, 3)]
"""(5, 3) usual lengths of bones, base to tip, as shares of the way from wrist to middle knuckle."""
_SHORT: Final = 0.7
"""Below this share of its usual length a bone is not believed entirely: shorter than any of 200 random hands'."""
_DOUBT: Final = 3.0
"""Weight of the usual direction against the measured one, for all of the length that is missing."""
_UNSURE: Final = 0.5
"""The same for a bone that is not sure at all."""
_MEMORY_S: Final = 0.2
"""Time constant with which such a bone leaves the direction that was told last; of a sure one it is 0."""
_LEAST_S, _LONG_AGO = 1e-3, 600.0
"""The shortest time that is told from none, and the longest one, in time constants, that is told from longer ones."""
_ON: Final = ((0.0, 0.35), (0.9, 0.25), (0.62, 0.0))
"""Usual flexion of each bone of a finger: a share of the flexion before, and radians more."""


def doubts(
    lengths_mm: NDArray, palms_mm: NDArray, doubt: NDArray | None, age_s: NDArray | None
) -> tuple[Floats, Floats]:
    """(N, 5, 3) each: weights of the usual direction and of the one told last, against the measured one's.

    Of bones' lengths (N, 5, 3) and palms' (N,), wrist to middle knuckle. `doubt` (N, 5, 3), 0 to 1, is how unsure a
    bone's joints are, None that all are sure; `age_s` (N,) how long ago their hands were told last, infinite if never.
    """
    shares = lengths_mm / np.maximum(palms_mm[:, None, None] * _USUAL_SHARES, 1e-9)
    usual = _DOUBT * np.maximum(_SHORT / np.maximum(shares, 1e-9) - 1.0, 0.0)
    if doubt is not None:
        usual = usual + _UNSURE * doubt
    if doubt is None or age_s is None:
        return usual, np.zeros_like(usual)
    # A first-order low-pass whose time constant goes with the doubt: exp(-age / constant) of what it gives is the last.
    passed = np.maximum(age_s, _LEAST_S)[:, None, None] / np.maximum(_MEMORY_S * doubt, 1e-9)
    return usual, 1.0 / np.expm1(np.minimum(passed, _LONG_AGO))


def possible(directions: Floats, usual: Floats, last: Floats, k: int, flexions: Floats | None) -> tuple[Floats, Floats]:
    """Bone k of every finger: its direction, and the flexion that the next bone's usual one follows from.

    `directions` (N, 5, 3) are unit vectors in the frame of the bone before (-z ahead, flexion about -x), `usual`
    (N, 5) the weights that `doubts` gives, `last` (N, 5, 3) the directions told last times theirs; `flexions` (N, 5)
    in radians are those of the bones before; returns the same two of this bone.
    """
    share, more = _ON[k]
    mixed = directions + last
    flexion = more + (0.0 if flexions is None else share * np.maximum(flexions, 0.0))
    aside = usual * _COS_STRAIGHT[:, k]
    x = mixed[..., 0] - usual * _SIN_STRAIGHT[:, k]
    y, z = mixed[..., 1] - aside * np.sin(flexion), mixed[..., 2] - aside * np.cos(flexion)
    length = np.maximum(np.sqrt(x * x + y * y + z * z), 1e-9)
    x, y, z = x / length, y / length, z / length
    # numpy.clip takes three times as long for so few.
    off = np.remainder(np.arctan2(-y, -z) - _BEHIND[:, k], 2 * np.pi) - np.pi
    most = np.minimum(_HALF[:, k], np.minimum((np.pi - np.abs(off)) * _BACK[:, k], np.hypot(y, z) * _SIDEWAYS[:, k]))
    flexion = _MIDDLE[:, k] + np.minimum(np.maximum(off, -most), most)
    found = np.empty_like(directions)
    found[..., 0] = x = np.minimum(np.maximum(x, -_MOST_ASIDE[:, k]), -_LEAST_ASIDE[:, k])
    flat = -np.sqrt(1.0 - x * x)
    found[..., 1], found[..., 2] = flat * np.sin(flexion), flat * np.cos(flexion)
    return found, flexion
