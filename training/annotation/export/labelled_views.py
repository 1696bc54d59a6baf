"""Which hands of which moments are labels, and how a camera sees them (numpy; any thread)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import HAND_SLICES, SIDES, WRISTS
from training.annotation.triangulation.hands import NOT_SEEN, Hands

FEWEST_JOINTS: Final = 12
"""Accepted joints, the wrist among them, that make a hand a label."""
FEWEST_INSIDE: Final = 8
"""Labelled joints that a picture must show to be one of the set."""


@dataclass(frozen=True, eq=False)
class LabelledMoments:
    """M moments; which hands are labelled, and which may be there without being so."""

    joint_valid: NDArray[np.bool_]
    """(M, 42)."""
    labelled: NDArray[np.bool_]
    """(M, 2) right, left."""
    unsure: NDArray[np.bool_]
    """(M, 2) something was seen of the hand, but it is no label."""

    @property
    def certain(self) -> NDArray[np.bool_]:
        """(M,) at least one hand is labelled, and no other may be there."""
        return np.asarray(self.labelled.any(axis=1) & ~self.unsure.any(axis=1))


def labelled_moments(hands: Hands) -> LabelledMoments:
    """What of triangulated hands is fit to be taught."""
    valid = hands.accepted & np.isfinite(hands.joints_mm).all(axis=-1)
    labelled = np.zeros((len(valid), 2), bool)
    seen = np.zeros((len(valid), 2), bool)
    for k, side in enumerate(SIDES):
        rows = HAND_SLICES[side]
        labelled[:, k] = valid[:, WRISTS[k]] & (valid[:, rows].sum(axis=1) >= FEWEST_JOINTS)
        seen[:, k] = (hands.reason[:, rows] != NOT_SEEN).any(axis=1)
    valid = valid & np.repeat(labelled, 21, axis=1)
    return LabelledMoments(valid, labelled, seen & ~labelled)
