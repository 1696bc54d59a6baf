"""Colours that everything a person sees shares (pure functions; any thread).

Right and left have one pair of hues everywhere (`engines.skeleton.SIDE_RGB`).
Doubt is paleness, in the window and on the picture alike.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engines.skeleton import SIDE_RGB, Side

Rgb = tuple[float, float, float]
"""Red, green, blue, each 0..1."""
Bgr = tuple[int, int, int]
"""Blue, green, red, each 0..255, as OpenCV draws."""

SCENE_RGB: Final[dict[Side, Rgb]] = SIDE_RGB
"""Each hand in the 3D window, whose background is light."""
OVERLAY_RGB: Final[dict[Side, Rgb]] = {"right": (1.0, 0.49, 0.12), "left": (0.16, 0.62, 1.0)}
"""The same hues, brighter: on a camera's picture they must hold against dark and bright alike."""

DOUBT_BELOW: Final = 0.5
"""Joints with less confidence than this are drawn hollow on the picture."""
_PALEST, _FULL = 0.2, 0.8


def certainty(confidence: ArrayLike) -> NDArray[np.float64]:
    """How strongly to draw (...), 0 palest to 1 full colour, for a confidence (...) of 0..1."""
    return np.clip((np.asarray(confidence, np.float64) - _PALEST) / (_FULL - _PALEST), 0.0, 1.0)


def paled(colour: Rgb, confidence: ArrayLike, pale: Rgb) -> NDArray[np.float64]:
    """Colours (..., 3) between `pale` and `colour` for a confidence (...)."""
    weight = 0.15 + 0.85 * certainty(confidence)[..., None]
    return weight * np.asarray(colour) + (1.0 - weight) * np.asarray(pale)


def bgr(colour: ArrayLike) -> Bgr:
    """OpenCV's colour of red, green, blue (3,) in 0..1."""
    red, green, blue = (round(255 * float(c)) for c in np.asarray(colour))
    return blue, green, red
