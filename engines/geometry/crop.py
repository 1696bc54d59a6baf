"""From a hand's place in the picture to the square crop a network sees (numpy and OpenCV; any thread).

A crop is a square that may be turned, so that the hand points up in it. One definition serves live tracking,
training and evaluation: the extent of the joints along the crop's own axes, times 1.2, made square, times 1.25.
RootNet's depth depends on exactly this side length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import MIDDLE_BASE, WRIST

ANNOTATION_FACTOR = 1.2
"""InterHand2.6M's box around the joints' extent."""
CONTEXT_FACTOR = 1.25
"""What InterNet adds to that box."""
BOX_FACTOR = ANNOTATION_FACTOR * CONTEXT_FACTOR


@dataclass(frozen=True)
class Crop:
    """A square of the picture: centre (x, y) and side in pixels, and the turn that makes the hand point up.

    `angle_rad` turns the crop's axes into the picture: its x axis is (cos, sin), its y axis (-sin, cos).
    """

    center_px: tuple[float, float]
    side_px: float
    angle_rad: float = 0.0

    def image_from_crop(self, size_px: int) -> NDArray[np.float64]:
        """(3, 3) matrix from pixels of a `size_px` square crop to pixels of the picture."""
        scale = self.side_px / size_px
        c, s = scale * np.cos(self.angle_rad), scale * np.sin(self.angle_rad)
        middle = (size_px - 1) / 2
        x, y = self.center_px
        return np.array([[c, -s, x - (c - s) * middle], [s, c, y - (s + c) * middle], [0.0, 0.0, 1.0]])

    def crop_from_image(self, size_px: int) -> NDArray[np.float64]:
        """(3, 3) matrix from pixels of the picture to pixels of a `size_px` square crop."""
        return np.linalg.inv(self.image_from_crop(size_px))

    def corners_px(self) -> NDArray[np.float64]:
        """(4, 2) corners in the picture, clockwise from the crop's top left."""
        corners = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        return transform(self.image_from_crop(1), corners - 0.5)


def transform(b_from_a: NDArray, points_a: NDArray) -> NDArray:
    """Apply a (3, 3) affine matrix, or its upper two rows, to points (..., 2)."""
    return points_a @ b_from_a[:2, :2].T + b_from_a[:2, 2]


def upright_angle_rad(hands_px: list[NDArray], fallback_rad: float = 0.0) -> float:
    """Turn of the crop in which the hands, each (21, 2) px, point up together.

    Two hands that point against each other have no common up: then `fallback_rad` is kept.
    """
    directions = [joints[MIDDLE_BASE] - joints[WRIST] for joints in hands_px]
    total = np.sum(directions, axis=0)
    if np.linalg.norm(total) < 0.5 * max(np.linalg.norm(d) for d in directions) + 1e-6:
        return fallback_rad
    return float(np.arctan2(total[0], -total[1]))


def crop_around(points_px: NDArray, angle_rad: float = 0.0, factor: float = BOX_FACTOR) -> Crop:
    """The square crop around joints (N, 2) px whose axes are turned by `angle_rad`."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    image_from_axes = np.array([[c, -s], [s, c]])
    along_axes = points_px @ image_from_axes
    low, high = along_axes.min(axis=0), along_axes.max(axis=0)
    center = image_from_axes @ ((low + high) / 2)
    side = max(float((high - low).max()) * factor, 1.0)
    return Crop((float(center[0]), float(center[1])), side, angle_rad)


@dataclass(frozen=True)
class Basis:
    """What a crop is cut from: the picture, or the part under a large crop with squares of pixels averaged to one.

    So no texture turns into noise where a crop is much larger than the network's input.
    """

    rows: slice
    columns: slice
    factor: int
    """Side of the averaged squares; 1 is the picture as it is."""
    width: int
    height: int
    """Pixels after averaging; a part that is narrower than one square still gives one."""
    crop: Crop
    """The crop in these pixels."""


def basis_of(crop: Crop, size_px: int, width: int, height: int) -> Basis:
    """The basis of a crop of `size_px` out of a picture of `width` x `height`."""
    factor = int(crop.side_px / size_px)
    if factor < 2:
        return Basis(slice(0, height), slice(0, width), 1, width, height, crop)
    corners = crop.corners_px()
    x0, y0 = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, [width - 1, height - 1]).tolist()
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, [x0 + 1, y0 + 1], [width, height]).tolist()
    out_w, out_h = max(1, (x1 - x0) // factor), max(1, (y1 - y0) // factor)
    half = (factor - 1) / 2
    x, y = crop.center_px
    small = Crop(((x - x0 - half) / factor, (y - y0 - half) / factor), crop.side_px / factor, crop.angle_rad)
    rows, columns = (slice(k, min(k + n * factor, end)) for k, n, end in ((y0, out_h, y1), (x0, out_w, x1)))
    return Basis(rows, columns, factor, out_w, out_h, small)


def extract(image_bgr: NDArray[np.uint8], crop: Crop, size_px: int, out: NDArray[np.uint8] | None = None) -> NDArray:
    """Cut `crop` out of the picture as (size_px, size_px, 3) uint8; what lies outside the picture is black."""
    import cv2  # 30 MB, which a process that only knows where crops are, such as the 3D window's, does without

    basis = basis_of(crop, size_px, image_bgr.shape[1], image_bgr.shape[0])
    if basis.factor > 1:
        part = image_bgr[basis.rows, basis.columns]
        image_bgr = cv2.resize(part, (basis.width, basis.height), interpolation=cv2.INTER_AREA)
    matrix = basis.crop.image_from_crop(size_px)[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image_bgr, matrix, (size_px, size_px), dst=out, flags=flags, borderMode=cv2.BORDER_CONSTANT)
