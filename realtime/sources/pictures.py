"""Single pictures: what sizes are taken, and how any of them becomes BGR bytes (any thread)."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from engines.errors import UserError

MAX_PIXELS: Final = 8192 * 8192
"""Above 8K video (7680 x 4320); anything larger is refused before memory is asked for."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_LOOKED_AT: Final = 8
_PILLOW_ERRORS: Final = (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError)


def check_size(name: str, size_px: tuple[int, int]) -> None:
    """Raise UserError unless pictures of `size_px` (width, height) can be worked on."""
    width, height = size_px
    if width < 1 or height < 1:
        raise UserError(f"{name}: has no pictures (size {width}x{height})")
    if width * height > MAX_PIXELS:
        raise UserError(f"{name}: {width}x{height} pixels are more than the {MAX_PIXELS // 10**6} million allowed")


def to_bgr(image: NDArray, bits: int = 16) -> NDArray[np.uint8]:
    """Turn a grey, BGR or BGRA picture, (H, W[, 1, 3 or 4]) of 8 or 16 bits, into (H, W, 3) uint8.

    Of 16 bits only so many may be used, as cameras of 10, 12 or 14 bits do; what is brighter is white.
    """
    if image.dtype == np.uint16:
        image = np.minimum(image >> (bits - 8), 255).astype(np.uint8)
    if image.dtype != np.uint8:
        raise ValueError(f"a picture of {image.dtype} is neither 8 nor 16 bits deep")
    if image.ndim == 2:
        image = image[:, :, np.newaxis]
    channels = image.shape[2]
    if channels not in (1, 3, 4):
        raise ValueError(f"a picture of {channels} channels is neither grey, BGR nor BGRA")
    return np.ascontiguousarray(np.broadcast_to(image[:, :, :3], (*image.shape[:2], 3)))


def picture_size(path: Path | str) -> tuple[int, int]:
    """Read (width, height) as displayed from a picture's header.

    Raises UnreadablePicture if it is none, UserError if it is too large.
    """
    path = Path(path)
    with _opened(path) as picture:
        return _displayed_size(picture)


def read_picture(path: Path | str, bits: int = 16) -> NDArray[np.uint8]:
    """Read a picture, turned upright, as (H, W, 3) uint8 BGR; `bits` of its 16 are used, where it has so many.

    Raises UnreadablePicture if it is damaged.
    """
    path = Path(path)
    with _opened(path) as picture:
        try:
            upright = ImageOps.exif_transpose(picture)
            deep = _sixteen_bits(path) if upright.size == picture.size else None
            if deep is not None:
                return to_bgr(deep, bits)
            if upright.mode.startswith("I"):
                return to_bgr(np.asarray(upright).astype(np.uint16), bits)
            return np.ascontiguousarray(np.asarray(upright.convert("RGB"))[:, :, ::-1])
        except _PILLOW_ERRORS as error:
            raise UnreadablePicture(f"{path}: the picture is damaged") from error


def bits_used(paths: Sequence[Path]) -> int:
    """How many of 16 bits the pictures use: 10, 12, 14 or 16, as the brightest of some of them needs."""
    brightest = 0
    for path in paths[:: max(len(paths) // _LOOKED_AT, 1)]:
        deep = _sixteen_bits(path)
        brightest = max(brightest, 0 if deep is None else int(deep.max()))
    return next(bits for bits in (10, 12, 14, 16) if brightest < 1 << bits) if brightest else 16


def _sixteen_bits(path: Path) -> NDArray[np.uint16] | None:
    """A PNG of 16 bits as it is stored; Pillow takes the upper 8 of them. None for every other picture."""
    with contextlib.suppress(OSError, cv2.error):
        with path.open("rb") as file:
            head = file.read(25)
        if head[:8] == _PNG and head[24:] == b"\x10":
            image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
            return image if image is not None and image.dtype == np.uint16 else None
    return None


class UnreadablePicture(Exception):
    """One picture of many that cannot be read; the source skips and counts it."""


def _opened(path: Path) -> Image.Image:
    """Open the header; no pixel is decoded yet."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(path)
    except Image.DecompressionBombError as error:
        raise UserError(f"{path}: more than the {MAX_PIXELS // 10**6} million pixels allowed") from error
    except _PILLOW_ERRORS as error:
        raise UnreadablePicture(f"{path}: is no picture") from error
    check_size(str(path), picture.size)
    return picture


def _displayed_size(picture: Image.Image) -> tuple[int, int]:
    width, height = picture.size
    try:
        orientation = picture.getexif().get(0x0112, 1)
    except _PILLOW_ERRORS:
        orientation = 1
    return (height, width) if orientation in (5, 6, 7, 8) else (width, height)


def turned_back(image_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture (H, W, 3) of a source that is mirrored, as the world is."""
    return cv2.flip(image_bgr, 1).astype(np.uint8, copy=False)
