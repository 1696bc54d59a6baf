"""Networks of the mediapipe wheel, run by OpenVINO on a CPU in fp32, as MediaPipe has them (one thread)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.installed import is_installed
from engines.kept_networks import compiled_file
from engines.mediapipe_wheel import wheel_file


def wheel_request(name: str, cache: Path | None, outputs: Sequence[int] | None = None) -> Any:
    """A request of the network in the wheel's file `name`; `cache` is the folder of engines, None the user's.

    `outputs`: those that are wanted, None for all. Raises UserError where OpenVINO or the network is not here.
    """
    file = wheel_file(name)
    if not is_installed("openvino"):
        raise UserError("openvino, which runs the detector of hands, is not installed: run make setup")
    try:
        return compiled_file(file, "fp32", cache, outputs).create_infer_request()
    except RuntimeError as error:
        raise UserError(f"{file}: damaged, or no network that OpenVINO reads; install mediapipe==0.10.21") from error


def ask(request: Any, crop_rgb: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The network's outputs for a (S, S, 3) crop; they hold until it is asked again."""
    request.infer([crop_rgb[None]], share_inputs=True)
    return [tensor.data for tensor in request.output_tensors]
