"""MediaPipe's hand landmark network on a crop of ours, looked at straight and mirrored (one thread at a time).

It has seen very many real hands, and knows them better than a network that was trained on renders. Its input is
RGB / 255 of 224 px with the hand pointing up, as in our crops; it says places in pixels of that input, a depth in the
same unit relative to the wrist, whether there is a hand, and which one, of the picture taken as a mirror's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.openvino_core import openvino_core
from engines.skeleton import WRIST, Side
from realtime.tracking.detector import OURS_FROM_MEDIAPIPE
from training.lite.mediapipe_trunk import landmark_file

INPUT_PX: Final = 224


@dataclass(frozen=True)
class LandmarkLook:
    """What one look at a crop says."""

    joints_px: NDArray[np.float64]
    """(21, 2) pixels of a crop of `INPUT_PX`, in our order."""
    depth_px: NDArray[np.float64]
    """(21,) relative to the wrist, positive away from the camera, in the same unit."""
    presence: float
    """Probability that there is a hand."""
    rightness: float
    """Probability that it is a right hand."""

    @property
    def side(self) -> Side:
        """The likelier side."""
        return "right" if self.rightness > 0.5 else "left"


class LandmarkNetwork:
    """`network(crop_bgr)` -> the straight and the mirrored look, both said of the crop as it is."""

    def __init__(self, *, exact: bool = False) -> None:
        """Compile the network of the installed wheel, `exact` in fp32; raises UserError if it is not there."""
        core = openvino_core()
        model = core.read_model(landmark_file())
        model.reshape([1, INPUT_PX, INPUT_PX, 3])
        hints = {"INFERENCE_PRECISION_HINT": "f32"} if exact else {}
        self._request: Any = core.compile_model(model, "CPU", hints).create_infer_request()
        names = [output.get_any_name() for output in model.outputs]
        self._rows = [names.index(f"Identity{suffix}") for suffix in ("", "_1", "_2")]

    def __call__(self, crop_bgr: NDArray[np.uint8]) -> tuple[LandmarkLook, LandmarkLook]:
        """Look at a (S, S, 3) uint8 BGR crop; places are in pixels of a crop of `INPUT_PX` whatever S is."""
        if crop_bgr.shape[0] != INPUT_PX:
            crop_bgr = cv2.resize(crop_bgr, (INPUT_PX, INPUT_PX), interpolation=cv2.INTER_LINEAR)
        return self._look(crop_bgr), mirrored(self._look(crop_bgr[:, ::-1]))

    def _look(self, crop_bgr: NDArray[np.uint8]) -> LandmarkLook:
        self._request.infer([crop_bgr[None, :, :, ::-1].astype(np.float32) / 255])
        points, presence, rightness = (self._request.get_output_tensor(k).data.copy() for k in self._rows)
        points = points.reshape(21, 3).astype(np.float64)[OURS_FROM_MEDIAPIPE]
        # its pixels count from the input's edge, ours from the first pixel's centre
        joints, depth = points[:, :2] - 0.5, points[:, 2] - points[WRIST, 2]
        return LandmarkLook(joints, depth, float(presence.item()), float(rightness.item()))


def mirrored(look: LandmarkLook) -> LandmarkLook:
    """What a look at the mirrored crop says of the crop itself; the inverse of itself."""
    joints = np.stack([INPUT_PX - 1 - look.joints_px[:, 0], look.joints_px[:, 1]], axis=-1)
    return LandmarkLook(joints, look.depth_px, look.presence, 1 - look.rightness)
