"""MediaPipe's palm detector in the trunk of the pair detector; read from the installed mediapipe wheel.

`palm_detection_lite.tflite` is licensed Apache-2.0 and credited in NOTICE. OpenVINO reads the file; its constants are
copied layer by layer, which is exact.
"""

from __future__ import annotations

from pathlib import Path

import torch

from engines.errors import UserError
from engines.mediapipe_wheel import wheel_file
from engines.palm_detector import PALM_FILE
from training.lite.mediapipe_trunk import convolutions_of, copy_layers, slopes_of
from training.pairs.palm_trunk import PalmTrunk


def palm_file() -> Path:
    """Path of the palm detector in the installed wheel; raises UserError where it is not."""
    return wheel_file(PALM_FILE)


def load_palm_weights(trunk: PalmTrunk) -> None:
    """Fill `trunk` with the published weights; raises UserError if the file holds another network."""
    layers, slopes = convolutions_of(palm_file()), slopes_of(palm_file())
    convolutions, parameters = trunk.convolutions(), trunk.slopes()
    if len(layers) < len(convolutions) or len(slopes) != len(parameters):
        raise UserError(f"mediapipe's palm detector has {len(layers)} convolutions, expected {len(convolutions)}")
    copy_layers(convolutions, layers[: len(convolutions)])  # its own heads come last
    with torch.no_grad():
        for parameter, slope in zip(parameters, slopes, strict=True):
            parameter.copy_(torch.from_numpy(slope))
