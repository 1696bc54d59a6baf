"""What MediaPipe's palm detector sees in frames, by OpenVINO: the trunk does not learn, and torch takes longer."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.pair_spec import PICTURE_PX
from training.lite.mediapipe_trunk import compiled_part
from training.pairs.palm_weights import palm_file

_AT_8: Final = (25, 11)
_AT_16: Final = (22, 15)
"""Which of the file's PReLUs, in order, end the way up and the way down at strides 8 and 16."""


class PalmFeatures:
    """(B, 192, 192, 3) RGB -> features at strides 8 and 16, as `networks.palm_trunk.PalmTrunk` gives them."""

    def __init__(self, *, exact: bool = False) -> None:
        """`exact`: in fp32, else in bf16 where the processor is faster in it. Raises UserError without the wheel."""
        outputs = [("PRelu", k) for k in (*_AT_8, *_AT_16)]
        self._model: Any = compiled_part(palm_file(), outputs, [-1, PICTURE_PX, PICTURE_PX, 3], exact=exact)

    def __call__(self, rgb: NDArray[np.uint8], device: str) -> tuple[Tensor, Tensor]:
        """Features (B, 256, 24, 24) and (B, 512, 12, 12)."""
        found = self._model([rgb.astype(np.float32) / 255])
        parts = [torch.from_numpy(np.array(found[k])).to(device) for k in range(4)]
        return torch.cat(parts[:2], 1), torch.cat(parts[2:], 1)
