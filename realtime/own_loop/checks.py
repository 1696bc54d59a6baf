"""What another program hands over, checked: one line that names the mistake and the way out (any thread)."""

from __future__ import annotations

import math
from numbers import Real
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.sources.pictures import check_size

_DEPTH: Final = "a picture is (height, width, 3) of uint8, blue first"


def checked_picture(frame_bgr: object) -> NDArray[np.uint8]:
    """The picture (H, W, 3) uint8 BGR, its rows one after the other in memory; raises UserError for anything else."""
    if frame_bgr is None:
        raise UserError(
            "frame: None instead of a picture; a camera that gives none says so: look at what read() returns"
        )
    if not isinstance(frame_bgr, np.ndarray):
        kind = f"{type(frame_bgr).__module__}.{type(frame_bgr).__qualname__}".removeprefix("builtins.")
        raise UserError(
            f"frame: {kind} is no NumPy array; {_DEPTH}; of an RGB picture that is np.asarray(it)[..., ::-1]"
        )
    _check_shape(frame_bgr.shape)
    if frame_bgr.dtype != np.uint8:
        raise UserError(f"frame: {frame_bgr.dtype} instead of uint8; {_advice(frame_bgr.dtype)}")
    height, width = frame_bgr.shape[:2]
    check_size("frame", (width, height))
    return np.ascontiguousarray(frame_bgr)


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) == 2 or (len(shape) == 3 and shape[2] == 1):
        raise UserError(f"frame: a grey picture {shape}; cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR) makes it BGR")
    if len(shape) == 3 and shape[2] == 4:
        raise UserError(f"frame: four channels {shape}; frame[..., :3] leaves blue, green and red")
    if len(shape) == 3 and shape[0] == 3:
        raise UserError(f"frame: channels first {shape}; frame.transpose(1, 2, 0) puts them last")
    if len(shape) != 3 or shape[2] != 3:
        raise UserError(f"frame: shape {shape}; {_DEPTH}")


def _advice(dtype: np.dtype) -> str:
    if dtype == np.uint16:
        return "(frame >> 8).astype(np.uint8) does it where all 16 bits are used"
    if dtype == np.bool_:
        return "255 * frame.astype(np.uint8) makes white of True"
    if dtype.kind == "f":
        return "(255 * frame).astype(np.uint8) does it where the picture is 0 to 1"
    return "frame.astype(np.uint8) does it where the picture is 0 to 255"


def checked_time(t_s: object, last_s: float, again: str) -> float:
    """Seconds, later than `last_s`; raises UserError for anything else: `again` is the way out if time runs back."""
    if isinstance(t_s, bool | np.bool_) or not isinstance(t_s, Real) or not math.isfinite(t_s):
        raise UserError(f"t_s: {t_s!r} is no time; give seconds, such as time.monotonic() when the picture was taken")
    seconds = float(t_s)
    if seconds <= last_s:
        raise UserError(f"t_s: {seconds:g} s after {last_s:g} s; times must grow: {again}")
    return seconds
