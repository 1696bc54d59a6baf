"""What a network says of crops whose place in the picture is known (one thread at a time)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engines.contract import Backend
from engines.geometry.crop import Crop
from engines.geometry.pinhole import Intrinsics
from engines.geometry.ray_depth import with_axis_depths
from engines.output import NetworkOutput, outputs_of_batch
from engines.second_look import SecondLook


def answers(
    backend: Backend, pictures: Any, crops: Sequence[Crop], intrinsics: Intrinsics | None, *, one_hand: bool = False
) -> list[NetworkOutput]:
    """One answer for each of `crops`, joints' depths along the camera's axis.

    `pictures` are the crops as `Backend.cut` gives them. Without intrinsics depths stay as the network gives them.
    `one_hand`: each crop is expected to show one hand, not a pair.
    """
    look = backend.of_one_hand if one_hand and isinstance(backend, SecondLook) else backend
    outputs = outputs_of_batch(look(pictures))
    if intrinsics is None or not backend.depth_along_ray:
        return outputs
    pairs = zip(outputs, crops, strict=True)
    return [with_axis_depths(output, crop, backend.input_px, intrinsics) for output, crop in pairs]
