"""From linear light to a webcam's picture: exposure, soft lens, noise, sRGB (numpy and OpenCV; any thread)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Webcam:
    """Strengths of what a cheap camera does to a picture."""

    exposure: float = 1.0
    lens_blur_px: float = 0.45
    read_noise: float = 0.006
    """Standard deviation in dark parts, of full scale 1 after the sRGB curve."""
    shot_noise: float = 0.006
    """What brightness adds to it."""

    def expose(self, linear_rgb: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
        """(H, W, 3) linear RGB to (H, W, 3) uint8 sRGB."""
        light = cv2.GaussianBlur(linear_rgb * np.float32(self.exposure), (0, 0), self.lens_blur_px)
        picture = srgb_from_linear(_shoulder(light))
        grain = rng.standard_normal(picture.shape, np.float32)
        # A sensor's noise is correlated by demosaicing and the camera's own denoiser.
        grain = cv2.GaussianBlur(grain, (0, 0), 0.7) * 2.0
        deviation = self.read_noise + self.shot_noise * np.sqrt(picture)
        return np.round(np.clip(picture + grain * deviation, 0, 1) * 255).astype(np.uint8)


def srgb_from_linear(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light 0..1 to sRGB values 0..1."""
    linear = np.clip(linear, 0, 1)
    curve = 1.055 * np.power(np.maximum(linear, 1e-6), 1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, curve).astype(np.float32)


def _shoulder(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Roll highlights off smoothly above 0.7 instead of clipping them."""
    over = np.maximum(light - 0.7, 0)
    return np.where(light > 0.7, 0.7 + 0.3 * (1 - np.exp(-over / 0.3)), light)
