"""What limits of joints do to real hands: `python -m benchmarks.possible_bones [--root DIR]`.

Of labelled real hands, which are possible, limits should move no bone; of what the network says of their pictures, and
of the sample clip's, those that are wrong. Prints how many bones rotations turn away from their joints, and how far
bones are off the labels', seen from the palm: as measured, inside the limits, and where unsure ones lean on what is
usual, too (`realtime.rotations.possible_bones`; in a sequence they also lean on what was told last).
"""

from __future__ import annotations

import sys
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.bone_lengths import Hands, report_both
from engines.skeleton import FINGER_BASES, WRIST
from engines.terminal import command
from realtime.rotations.hand_rotations import bone_doubts, right_hands
from realtime.rotations.quaternions import matrices, unit
from realtime.rotations.rest_hand import MIRROR

_BONES: Final = np.array(FINGER_BASES)[:, None] - np.arange(3)
"""(5, 3) the joint at which each bone begins."""
_MOVED_DEG: Final = 5.0
Floats = NDArray[np.float64]


def directions(joints_mm: Floats, left: NDArray[np.bool_], confidence: Floats | None = None) -> tuple[Floats, Floats]:
    """(N, 5, 3, 3) bones of hands (N, 21, 3) in their palms' frames, as right ones: measured, and as rotations say."""
    joints_mm = np.where(left[:, None, None], joints_mm * MIRROR, joints_mm)
    frames = matrices(right_hands(joints_mm, None if confidence is None else bone_doubts(confidence))[0])
    palms = frames[:, WRIST][:, None, None]
    measured = unit(joints_mm[:, _BONES - 1] - joints_mm[:, _BONES])
    return (measured[..., None, :] @ palms)[..., 0, :], (-frames[..., 2][:, _BONES][..., None, :] @ palms)[..., 0, :]


def apart_deg(a: Floats, b: Floats) -> Floats:
    """Degrees between unit vectors (..., 3)."""
    return np.degrees(np.arccos(np.clip((a * b).sum(axis=-1), -1.0, 1.0)))


def report(name: str, hands: Hands) -> None:
    """Print the rows of one source."""
    found, labels = (directions(mm, hands.left) for mm in (hands.in_space(hands.depth_mm), hands.truth_mm))
    for whose, (measured, inside) in (("labels", labels), ("network", found)):
        moved = 100.0 * np.mean(apart_deg(measured, inside) > _MOVED_DEG)
        print(f"{name}, {whose}: {moved:.2f} % of bones are moved by more than {_MOVED_DEG:.0f} degrees")
    leaning = directions(hands.in_space(hands.depth_mm), hands.left, hands.confidence)[1]
    for way, bones in zip(("as measured", "inside the limits", "unsure ones leaning"), (*found, leaning), strict=True):
        errors = apart_deg(bones, labels[0])
        print(f"  {way:20} {errors.mean():6.2f} degrees off the labels, 99 of 100 {np.percentile(errors, 99):6.1f}")


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    return report_both("benchmarks.possible_bones", __doc__, report, argv)


if __name__ == "__main__":
    sys.exit(main())
