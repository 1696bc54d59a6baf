"""Where InterHand2.6M's 21 joints stand in other data sets: `theirs[ORDER]` is in our order (numpy only)."""

from __future__ import annotations

from typing import Final

import numpy as np

TIP_FIRST: Final = np.r_[1:21, 0]
"""RHD: the wrist, then thumb to little finger, each from tip to palm."""

BASE_FIRST: Final = np.array([4 * finger + k for finger in range(5) for k in (4, 3, 2, 1)] + [0])
"""COCO-WholeBody, OneHand10K, FreiHAND: the wrist, then thumb to little finger, each from palm to tip."""

LITTLE_FIRST: Final = np.array([4 * finger + k for finger in (4, 3, 2, 1, 0) for k in (4, 3, 2, 1)] + [0])
"""STB: the palm's centre, then little finger to thumb, each from palm to tip."""

TZIONAS: Final = np.array([-1, 13, 12, -1, -1, 11, 10, 9, -1, 8, 7, 6, -1, 5, 4, 3, -1, 2, 1, 0, -1])
"""Tzionas et al.: 14 joints a hand, little finger to index (base, middle, last joint), then two of the thumb.

-1: no tips, no thumb base and no wrist are labelled.
"""
