"""MediaPipe's hand landmark network on crops of ours, straight and mirrored (OpenVINO; one thread at a time)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import JOINTS_PER_HAND
from training.lite.mediapipe_trunk import landmark_network

_OURS: Final = np.array([4 * finger + k for finger in range(5) for k in (4, 3, 2, 1)] + [0])
"""Row j holds MediaPipe's index of our joint j: it counts from the wrist out, and within fingers from the palm."""


class MediaPipeLandmarks:
    """`hand_landmark_full`, two crops at a time."""

    input_px: Final = 224

    def __init__(self) -> None:
        self._network = landmark_network(batch=2)

    def both_looks(self, crop_bgr: NDArray[np.uint8]) -> tuple[NDArray[np.float64], float]:
        """(S, S, 3) BGR -> (2, 21, 2) px of the crop, from it and from its mirror image; the lower presence, 0..1."""
        rgb = crop_bgr[..., ::-1].astype(np.float32) / 255
        joints, presence = self._network(np.stack([rgb, rgb[:, ::-1]]))
        places = joints.reshape(2, JOINTS_PER_HAND, 3)[:, _OURS, :2].astype(np.float64)
        places[1, :, 0] = self.input_px - places[1, :, 0]
        return places - 0.5, float(presence.min())  # MediaPipe counts from the picture's edge
