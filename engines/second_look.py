"""Looking twice: a crop that is alone in its batch is looked at a second time, mirrored (one thread at a time).

A network is run on one crop or on two. Where one hand is there, or both share a crop, the second place is free: the
mirror image goes there, in which a right hand is a left one, and the answers are averaged ("flip test", common where
pose networks are judged). What a look gets wrong by itself is halved, and no frame costs more than one with two crops.
A single hand is looked at once where a witness in the graph (`networks.witness`) has its say: that is worth more than a
second look and costs less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from engines.contract import Backend
from engines.geometry.crop import Crop
from engines.presets import spec_of
from engines.skeleton import SWAP_HANDS

_SWAP: Final = np.array(SWAP_HANDS)
_OF_JOINTS: Final = ("joints_crop_px", "joint_depth_mm", "joint_confidence")
_LEAST_WEIGHT: Final = np.float32(0.02)
"""Of a look that knows nothing of a joint: two such looks count the same."""


Looks = Literal["auto", "always", "never"]
"""When a crop that is alone is looked at twice: `auto` is where no witness has its say."""


def looking_twice(backend: Backend, preset: str, looks: Looks = "auto") -> Backend:
    """The backend of `preset` with a second look if its network takes one (`spec.NetworkSpec`), else as it is."""
    if not spec_of(preset).second_look or looks == "never":
        return backend
    return SecondLook(backend, always=looks == "always")


class SecondLook:
    """A `Backend` around another one; two crops go through unchanged, and one hand that a witness sees.

    `always`: one hand is looked at twice, too.
    """

    def __init__(self, backend: Backend, *, always: bool = False) -> None:
        self._once = backend.witness and not always
        self.name: str = backend.name
        self.precision: str = backend.precision
        self.input_px: int = backend.input_px
        self.depth_along_ray: bool = backend.depth_along_ray
        self.witness: bool = backend.witness
        self.folder: Path | None = backend.folder
        self._backend = backend
        self._pair = np.zeros((2, backend.input_px, backend.input_px, 3), np.uint8)

    def __call__(self, crops_bgr: Any) -> Mapping[str, NDArray[np.float32]]:
        """As `Backend.__call__`."""
        if len(crops_bgr) != 1:
            return self._backend(crops_bgr)
        return mean_of_looks(self._backend(self._with_mirror_image(crops_bgr)), self.input_px)

    def of_one_hand(self, crops_bgr: Any) -> Mapping[str, NDArray[np.float32]]:
        """As `__call__`, for crops in which one hand is expected."""
        return self._backend(crops_bgr) if self._once else self(crops_bgr)

    def cut(self, image_bgr: NDArray[np.uint8], crops: Sequence[Crop]) -> Any:
        """As `Backend.cut`."""
        return self._backend.cut(image_bgr, crops)

    def _with_mirror_image(self, crop_bgr: Any) -> Any:
        """(1, S, S, 3) -> (2, S, S, 3), where the crop is: in memory, or a tensor on a device."""
        if not isinstance(crop_bgr, np.ndarray):
            import torch

            return torch.cat([crop_bgr, crop_bgr.flip(2)])
        self._pair[0], self._pair[1] = crop_bgr[0], crop_bgr[0, :, ::-1]
        return self._pair


def mean_of_looks(tensors: Mapping[str, NDArray[np.float32]], input_px: int) -> dict[str, NDArray[np.float32]]:
    """Answers for a crop and its mirror image, `spec.OUTPUT_NAMES` of two each -> one answer for the crop.

    Joints are averaged by how sure each look is of them, everything else evenly.
    """
    here, there = ({name: value[k : k + 1] for name, value in tensors.items()} for k in (0, 1))
    there = mirrored(there, input_px)
    mean = {name: (value + there[name]) / 2 for name, value in here.items()}
    sure, other = (look["joint_confidence"] + _LEAST_WEIGHT for look in (here, there))
    share = sure / (sure + other)
    for name in _OF_JOINTS:
        weight = share.reshape(share.shape + (1,) * (here[name].ndim - share.ndim))
        mean[name] = there[name] + weight * (here[name] - there[name])
    return mean


def mirrored(tensors: Mapping[str, NDArray[np.float32]], input_px: int) -> dict[str, NDArray[np.float32]]:
    """What the answers for crops of `input_px` say of the mirrored crops; the inverse of itself."""
    joints = tensors["joints_crop_px"][:, _SWAP]
    return {
        "joints_crop_px": np.stack([input_px - 1 - joints[..., 0], joints[..., 1]], axis=-1),
        "joint_depth_mm": tensors["joint_depth_mm"][:, _SWAP],
        "joint_confidence": tensors["joint_confidence"][:, _SWAP],
        "hand_probability": tensors["hand_probability"][:, ::-1],
        "left_minus_right_root_mm": -tensors["left_minus_right_root_mm"],
        "root_depth_factor": tensors["root_depth_factor"][:, ::-1],
    }
