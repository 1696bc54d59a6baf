"""Finds hands that touch in a whole picture, where palm detectors see one hand or none (OpenVINO on a CPU; one thread).

It is asked rarely, and costs a few milliseconds on one core whatever the other networks run on. Its graph is small and
the same for every machine, so it lies beside the weights as ONNX: nothing is built or cached.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.installed import require_installed
from engines.kept_networks import compiled_file
from engines.openvino_core import own_precision
from engines.pair_boxes import Proposal, proposals
from engines.pair_spec import MAPS, PICTURE_PX

PAIR_DETECTOR: Final = Path(__file__).parents[1] / "weights" / "pairs.onnx"
"""What `training.export --config training/configs/pairs.yaml` writes."""


class PairDetector:
    """Proposals of hands and pairs, each time from nothing."""

    def __init__(self, file: Path = PAIR_DETECTOR, precision: str = "auto", cache: Path | None = None) -> None:
        """Compile the graph; `auto` is bf16 where the processor is faster in it, else fp32. Raises UserError.

        `cache` is the folder of engines, None the user's.
        """
        require_installed("openvino")
        if not file.is_file():
            raise UserError(f"{file}: no such file; fetch the checkout again, or set detector.pairs to false")
        precision = own_precision() if precision == "auto" else precision
        try:
            self._request: Any = compiled_file(file, precision, cache).create_infer_request()
        except RuntimeError as error:
            raise UserError(f"{file}: damaged, or no graph that OpenVINO reads; fetch the checkout again") from error

    def __call__(self, image_bgr: NDArray[np.uint8], least: float) -> list[Proposal]:
        """What is in a (H, W, 3) BGR picture with a score of at least `least`, in its pixels, the surest first."""
        square, scale, corner = letterboxed(image_bgr)
        self._request.infer([square[None]], share_inputs=True)
        maps = [self._request.get_tensor(name).data[0] for name in MAPS]
        return [_in_picture(one, scale, corner) for one in proposals(maps, least)]


def letterboxed(image_bgr: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float, NDArray[np.float64]]:
    """The whole picture in a square (192, 192, 3) with black beside it; its scale, and where its corner (2,) lies."""
    height, width = image_bgr.shape[:2]
    scale = PICTURE_PX / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image_bgr, size, interpolation=how)
    left, top = (PICTURE_PX - size[0]) // 2, (PICTURE_PX - size[1]) // 2
    square = np.zeros((PICTURE_PX, PICTURE_PX, 3), np.uint8)
    square[top : top + size[1], left : left + size[0]] = small
    return square, scale, np.array([left, top], np.float64)


def _in_picture(one: Proposal, scale: float, corner: NDArray[np.float64]) -> Proposal:
    """A proposal in the square picture, in pixels of the picture it was made of."""
    return replace(one, box_px=(one.box_px - np.tile(corner, 2) + 0.5) / scale - 0.5)
