"""A soft, procedural room behind the hands (numpy and OpenCV; any thread).

Wall, desk, window, shelves with books, a plant and a lamp, out of focus as behind a person at a webcam. All drawn from
a seed; no photograph is involved.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def room(width: int, height: int, seed: int) -> NDArray[np.float32]:
    """(height, width, 3) linear RGB of a blurred room."""
    rng = np.random.default_rng(seed)
    canvas = _wall(rng, width, height)
    window_left = bool(rng.random() < 0.5)
    _draw_window(canvas, rng, window_left)
    _draw_shelf(canvas, rng, not window_left)
    _draw_plant(canvas, rng, window_left)
    _draw_lamp(canvas, rng, not window_left)
    blurred = cv2.GaussianBlur(canvas, (0, 0), width * rng.uniform(0.007, 0.011))
    return np.clip(blurred * (0.94 + 0.12 * fractal(rng, width, height)[..., None]), 0, 1).astype(np.float32)


def fractal(rng: np.random.Generator, width: int, height: int, slope: float = 1.8) -> NDArray[np.float32]:
    """(height, width) cloudy noise 0..1 whose spectrum falls with frequency to the power `slope`."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = 1
    spectrum = (rng.normal(size=frequency.shape) + 1j * rng.normal(size=frequency.shape)) / frequency**slope
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, s=(height, width))
    return ((field - field.min()) / np.ptp(field)).astype(np.float32)


def _wall(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    """A wall lit from one side, darker towards the floor, and a desk edge behind the person."""
    colour = np.array([0.46, 0.42, 0.37]) * np.exp(rng.normal(0, 0.04, 3)) * rng.uniform(0.75, 1.05)
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    light = 0.72 + 0.35 * np.exp(-(((x - rng.uniform(0, 1)) / 0.6) ** 2 + (y / 0.8) ** 2)) - 0.25 * y**2
    canvas = (light[..., None] * colour).astype(np.float32)
    skirting = int(height * rng.uniform(0.80, 0.86))
    canvas[skirting:] *= np.float32(0.55) * np.array([1.0, 0.85, 0.7], np.float32)
    return canvas


def _rectangle(canvas: NDArray, box: tuple[float, float, float, float], colour: NDArray) -> None:
    """Fill a box given in shares of the picture: x0, y0, x1, y1."""
    height, width = canvas.shape[:2]
    start = (round(box[0] * width), round(box[1] * height))
    end = (round(box[2] * width), round(box[3] * height))
    cv2.rectangle(canvas, start, end, tuple(float(value) for value in colour), -1)


def _draw_window(canvas: NDArray, rng: np.random.Generator, left: bool) -> None:
    x0 = rng.uniform(0.02, 0.08) if left else rng.uniform(0.66, 0.72)
    y0, x1, y1 = rng.uniform(0.03, 0.08), x0 + rng.uniform(0.22, 0.28), rng.uniform(0.50, 0.58)
    _rectangle(canvas, (x0 - 0.018, y0 - 0.025, x1 + 0.018, y1 + 0.03), np.array([0.62, 0.60, 0.56]))
    middle = (x0 + x1) / 2
    for a, b in ((x0, middle - 0.008), (middle + 0.008, x1)):
        _rectangle(canvas, (a, y0, b, y1), np.array([0.78, 0.86, 0.92]))
        _rectangle(canvas, (a, y0 + 0.7 * (y1 - y0), b, y1), np.array([0.42, 0.52, 0.40]))
    curtain = np.array([0.48, 0.45, 0.42]) * np.exp(rng.normal(0, 0.05, 3))
    _rectangle(canvas, (x1, 0.0, x1 + 0.045, y1 + 0.1), curtain)
    _rectangle(canvas, (x0 - 0.06, 0.0, x0, y1 + 0.1), curtain * 0.9)


def _draw_shelf(canvas: NDArray, rng: np.random.Generator, left: bool) -> None:
    x0 = rng.uniform(0.03, 0.08) if left else rng.uniform(0.66, 0.70)
    x1 = x0 + rng.uniform(0.24, 0.28)
    wood = np.array([0.24, 0.15, 0.085]) * rng.uniform(0.7, 1.3)
    _rectangle(canvas, (x0, 0.04, x1, 0.78), wood * 0.45)
    for top in (0.08, 0.30, 0.52):
        _draw_books(canvas, rng, (x0 + 0.012, top, x1 - 0.012, top + 0.19))
        _rectangle(canvas, (x0, top + 0.19, x1, top + 0.215), wood)


def _draw_books(canvas: NDArray, rng: np.random.Generator, box: tuple[float, float, float, float]) -> None:
    x, top, right, bottom = box
    while x < right - 0.02:
        thickness = rng.uniform(0.012, 0.032)
        if rng.random() < 0.82:
            grey = rng.uniform(0.04, 0.26)
            colour = np.clip(grey * np.exp(rng.normal(0, 0.22, 3) + [0.1, 0.0, -0.15]), 0.02, 0.7)
            tall = rng.uniform(0.62, 0.95) * (bottom - top)
            _rectangle(canvas, (x, bottom - tall, min(x + thickness, right), bottom), colour)
        x += thickness


def _draw_plant(canvas: NDArray, rng: np.random.Generator, left: bool) -> None:
    height, width = canvas.shape[:2]
    x = rng.uniform(0.36, 0.42) if left else rng.uniform(0.58, 0.63)
    for _ in range(26):
        center = (round((x + rng.normal(0, 0.03)) * width), round((0.66 + rng.normal(0, 0.05)) * height))
        axes = (round(width * rng.uniform(0.006, 0.012)), round(height * rng.uniform(0.03, 0.06)))
        green = np.array([0.09, 0.20, 0.07]) * rng.uniform(0.5, 1.5)
        cv2.ellipse(canvas, center, axes, rng.uniform(-60, 60), 0, 360, tuple(float(v) for v in green), -1)
    _rectangle(canvas, (x - 0.03, 0.72, x + 0.03, 0.83), np.array([0.42, 0.27, 0.19]))


def _draw_lamp(canvas: NDArray, rng: np.random.Generator, left: bool) -> None:
    height, width = canvas.shape[:2]
    x = rng.uniform(0.42, 0.46) if left else rng.uniform(0.54, 0.58)
    warm = np.array([0.95, 0.78, 0.52])
    yy, xx = np.mgrid[:height, :width].astype(np.float32)
    glow = np.exp(-(((xx / width - x) / 0.12) ** 2 + ((yy / height - 0.2) / 0.18) ** 2))
    canvas += (0.22 * glow[..., None] * warm).astype(np.float32)
    _rectangle(canvas, (x - 0.003, 0.22, x + 0.003, 0.80), np.array([0.12, 0.11, 0.10]))
    _rectangle(canvas, (x - 0.035, 0.12, x + 0.035, 0.22), warm * 0.9)
