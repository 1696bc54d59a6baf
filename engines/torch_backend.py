"""The network in plain torch: the yardstick of the other backends, and what runs where none is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engines.backend import EngineRequest
from engines.errors import UserError
from engines.graph import deployed_module
from engines.presets import spec_of
from engines.spec import OUTPUT_NAMES


class TorchBackend:
    """Runs on the GPU if torch sees one, else on the CPU; always in fp32 unless bf16 is asked for."""

    name = "torch"

    def __init__(self, request: EngineRequest, weights: Path) -> None:
        self.precision = "bf16" if request.precision == "bf16" else "fp32"
        self.input_px = spec_of(request.preset).input_px
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if request.threads:
            torch.set_num_threads(request.threads)
        self._module = deployed_module(request.preset, weights).to(self.device)
        self._module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch takes it, its types do not

    @torch.inference_mode()
    def __call__(self, crops_bgr: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float32]]:
        """As `Backend.__call__`."""
        if crops_bgr.shape[1:] != (self.input_px, self.input_px, 3):
            raise UserError(f"crops have shape {crops_bgr.shape}, the network takes {self.input_px} px squares")
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            outputs = self._module(torch.from_numpy(crops_bgr).to(self.device))
        return {name: value.float().cpu().numpy() for name, value in zip(OUTPUT_NAMES, outputs, strict=True)}
