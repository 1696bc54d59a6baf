"""How much a moment needs a person's eye (numpy; any thread)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import HAND_SLICES
from training.annotation.triangulation.hands import NOT_SEEN, Hands
from training.annotation.triangulation.robust import known_mean


def doubts(hands: Hands) -> NDArray[np.float64]:
    """(M,) joints of seen hands that were rejected, and how badly the others fit, in joints' worth.

    A moment without any hand has none: there is nothing to correct.
    """
    result = np.zeros(len(hands.t_s))
    for rows in HAND_SLICES.values():
        seen = (hands.reason[:, rows] != NOT_SEEN).any(axis=1)
        rejected = (~hands.accepted[:, rows]).sum(axis=1)
        for moment in np.flatnonzero(seen):
            errors = hands.error_px[moment][:, rows][hands.used[moment][:, rows]].astype(np.float64)
            result[moment] += rejected[moment] + np.nan_to_num(known_mean(errors)) / 4
    return result
