"""How far the joints of one network's answers are from another's, and what a precision may bring them.

An INT8 graph is made by this measure, so it is among the sources that an engine's key holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import JOINTS_PER_HAND
from engines.spec import ROOTNET_AREA_MM2

LIMITS_MM: Final = {"fp32": 0.1, "fp16": 0.1, "int8": 0.5}
"""How far from torch in fp32 the joints of an engine may be on average; bf16 is known to be rougher."""

Answers = Mapping[str, NDArray[np.float32]]
"""Tensors of `spec.OUTPUT_NAMES` for a number of crops."""


def hands_that_count(theirs: Answers) -> NDArray[np.bool_]:
    """(B, 2) the hands that are there, right and left.

    If the reference sees no hand in any crop (weights of a network that was never trained), all hands count.
    """
    hands = theirs["hand_probability"] > 0.5
    return hands if hands.any() else np.ones_like(hands)


def joints_moved_mm(ours: Answers, theirs: Answers, input_px: int) -> float:
    """Mean distance in space of the joints of hands that count; `theirs` are the reference.

    Pixels of a crop of `input_px` count as many mm as the reference's root depth factor makes of them.
    """
    there = np.repeat(hands_that_count(theirs), JOINTS_PER_HAND, axis=1)
    pixels = np.linalg.norm(ours["joints_crop_px"] - theirs["joints_crop_px"], axis=-1)
    depth = np.abs(ours["joint_depth_mm"] - theirs["joint_depth_mm"])
    mm_per_px = np.repeat(theirs["root_depth_factor"], JOINTS_PER_HAND, axis=1) * ROOTNET_AREA_MM2**0.5 / input_px
    return float(np.hypot(pixels * mm_per_px, depth)[there].mean())
