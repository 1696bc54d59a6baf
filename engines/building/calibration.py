"""Crops that INT8 ranges are measured on: the sample clip's, or the user's own (numpy and OpenCV; any thread)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.building.sample_crops import SAMPLE_CLIP, read_frames, sample_crops
from engines.errors import UserError
from engines.geometry.crop import Crop, extract
from engines.npz import ARCHIVE_ERRORS, load_arrays

CALIBRATION_CROPS: Final = 64
"""Half of them give the ranges, the other half judge the result."""
_FEWEST: Final = 8
_Item = TypeVar("_Item")
_PICTURES: Final = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}


def calibration_crops(source: Path | None, input_px: int, count: int = CALIBRATION_CROPS) -> NDArray[np.uint8]:
    """(N, S, S, 3) uint8 BGR crops, up to `count`, spread evenly over what there is.

    `source` is None for the sample clip, a folder of pictures that are crops, or a video with its track file beside it
    (`clip.mp4`, `clip.npz` of --save-tracks). Raises UserError if it is neither, or holds fewer than eight.
    """
    if source is None:
        return sample_crops(input_px, count=count)
    crops = _from_folder(source, input_px, count) if source.is_dir() else _from_video(source, input_px, count)
    if len(crops) < _FEWEST:
        raise UserError(f"{source}: {len(crops)} crops are too few to calibrate with; give at least {_FEWEST}")
    return np.stack(crops)


def calibration_sha256(source: Path | None) -> str:
    """What the ranges depend on: hash of the files that `calibration_crops` reads."""
    digest = hashlib.sha256()
    for path in _files(source or SAMPLE_CLIP):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _files(source: Path) -> list[Path]:
    if source.is_dir():
        return sorted(path for path in source.iterdir() if path.suffix.lower() in _PICTURES)
    files = [source, source.with_suffix(".npz")]
    for path in files:
        if not path.is_file():
            raise UserError(
                f"{path}: no such file; --calibration takes a folder of crops, or a video with its track file beside it"
            )
    return files


def _from_folder(folder: Path, input_px: int, count: int) -> list[NDArray[np.uint8]]:
    crops = []
    for path in _spread(_files(folder), count):
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise UserError(f"{path}: is no picture that can be read")
        height, width = picture.shape[:2]
        middle = Crop(((width - 1) / 2, (height - 1) / 2), float(min(height, width)))
        crops.append(extract(picture.astype(np.uint8), middle, input_px))
    return crops


def _from_video(video: Path, input_px: int, count: int) -> list[NDArray[np.uint8]]:
    tracks = _files(video)[1]
    try:
        content = load_arrays(tracks, ("frame_index", "crops_px"))
        indices, places = content["frame_index"].astype(np.int64), content["crops_px"].astype(np.float64)
    except (OSError, *ARCHIVE_ERRORS) as error:
        raise UserError(f"{tracks}: is no track file; make one with run_demo.py --save-tracks") from error
    if indices.ndim != 1 or places.shape != (len(indices), 2, 4):
        raise UserError(f"{tracks}: is no track file; make one with run_demo.py --save-tracks")
    found = np.argwhere(np.isfinite(places).all(axis=-1))
    picks = [(int(indices[i]), places[i, k]) for i, k in _spread(found.tolist(), count)]
    frames = read_frames(video, {index for index, _ in picks})
    return [
        extract(frames[index], Crop((place[0], place[1]), max(place[2], 1.0), place[3]), input_px)
        for index, place in picks
        if index in frames
    ]


def _spread(items: Sequence[_Item], count: int) -> list[_Item]:
    """Up to `count` of the items, evenly spread."""
    picks = np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).astype(int)) if items else []
    return [items[k] for k in picks]
