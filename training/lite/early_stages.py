"""The trunk's stages that never learn, run by OpenVINO: a third of the time that torch takes for them on a CPU.

They are a third of a training step, because they work on the largest maps; nothing has to be kept for a backward pass.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engines.networks.mobile_trunk import MobileTrunk
from engines.openvino_core import DEVICE, openvino_config, openvino_core, own_precision
from training.loop.run_settings import Precision


class EarlyStages:
    """RGB / 255 (B, 3, S, S) -> features after the first stages of a trunk, as it was when this was made."""

    def __init__(self, trunk: MobileTrunk, stages: int, precision: Precision) -> None:
        """Compiled with torch's number of threads; in bf16 where the run is and the processor gains by it."""
        import openvino as ov  # after `engines`, which tells it to be silent

        example = torch.zeros(1, 3, 64, 64)
        early = trunk.early_part(stages)  # without the other stages, which OpenVINO would wrap for nothing
        was_training = trunk.training
        early.eval()
        with torch.autocast("cpu", enabled=False):  # OpenVINO chooses the precision
            traced = torch.jit.trace(early, example, check_trace=False)  # which would trace it twice
            model = ov.convert_model(traced, example_input=example, input=[-1, 3, -1, -1])
        trunk.train(was_training)
        core = openvino_core()
        chosen = own_precision() if precision == "bf16" else "fp32"
        self._request = core.compile_model(
            model, DEVICE, openvino_config(chosen, torch.get_num_threads())
        ).create_infer_request()

    def __call__(self, images: Tensor) -> Tensor:
        """The features (B, C, S / 8, S / 8) for four stages, fp32, in memory of their own."""
        self._request.infer({0: np.ascontiguousarray(images.numpy())})
        found = torch.from_numpy(self._request.get_output_tensor().data.copy())
        return found.contiguous(memory_format=torch.channels_last)
