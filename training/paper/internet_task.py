"""Training InterNet: what the loop asks for."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from engines.networks.decode_paper import depth_mm, joints_of, mean_voxels, refined_voxels
from engines.networks.internet import InterNet
from engines.networks.paper import read_paper
from engines.networks.resnet import load_imagenet
from engines.spec import PAPER
from training.loop.ranks import Ranks
from training.loop.run_settings import autocast
from training.loop.task import Loss
from training.paper.batches import CropBatch
from training.paper.crop_task import CropTask
from training.paper.losses import coordinate_loss, handedness_loss, heat_map_loss, relative_depth_loss
from training.paper.means import Means
from training.paper.settings import InterNetSettings


class InterNetTask(CropTask[InterNet]):
    """L = L_h + L_pose + L_rel on crops of labelled pictures."""

    def __init__(self, settings: InterNetSettings, ranks: Ranks) -> None:
        """Read all labels; raises UserError naming what is missing."""
        super().__init__(settings, ranks)
        self._settings = settings
        self._pose_loss = heat_map_loss if settings.pose_loss == "heat_maps" else coordinate_loss

    def inputs(self, batch: CropBatch) -> tuple[Tensor, ...]:
        """RGB / 255."""
        return (batch.images().contiguous(memory_format=torch.channels_last),)

    def loss(self, answer: object, batch: CropBatch) -> Loss:
        """The three published terms, equally weighted."""
        heat, root_bins, hands = cast(tuple[Tensor, Tensor, Tensor], answer)
        terms = {
            "pose": self._pose_loss(heat, batch),
            "relative_depth": relative_depth_loss(root_bins, batch),
            "hands": handedness_loss(hands, batch),
        }
        return Loss(torch.stack(list(terms.values())).sum(), terms)

    @torch.no_grad()
    def validate(self, network: InterNet) -> dict[str, float]:
        """Errors on what is held out, as far as it is labelled: pixels of a 256 px crop, mm, share of flags right."""
        means = Means()
        for batch in self.data.held_out():
            with autocast(self._settings):
                answer = network(*self.inputs(batch))
            self._measure(answer, batch, means)
        return means.values()

    def _measure(self, answer: tuple[Tensor, Tensor, Tensor], batch: CropBatch, means: Means) -> None:
        heat, root_bins, hands = answer
        voxels = mean_voxels(heat) if self._settings.pose_loss == "coordinates" else _peaks(heat)
        joints_px, joint_depth = joints_of(voxels, PAPER)
        off_px = (joints_px - batch.joints_crop_px).norm(dim=-1) * (PAPER.input_px / self._settings.data.crop_px)
        pair = batch.hand_present.prod(1, keepdim=True)
        means.add("single_px", off_px, batch.place_weight * (1 - pair))
        means.add("pair_px", off_px, batch.place_weight * pair)
        means.add("joint_depth_mm", (joint_depth - batch.joint_depth_mm).abs(), batch.volume_weight)
        root = depth_mm(root_bins[:, 0], PAPER) - batch.left_minus_right_root_mm
        means.add("root_mm", root.abs(), batch.pair_weight)
        flags = ((hands > 0.5) == (batch.hand_present > 0.5)).all(1)
        means.add("hands_right", flags.float(), batch.hands_weight)


def _peaks(heat: Tensor) -> Tensor:
    """(B, J, D, H, W) -> (B, J, 3) x, y, depth of the maxima, refined; of crops of any size."""
    over_depth = heat.amax(2)
    along = (over_depth.amax(2), over_depth.amax(3), heat.amax((3, 4)))
    return torch.stack([refined_voxels(maxima.float()) for maxima in along], -1)


def start_internet(settings: InterNetSettings) -> InterNet:
    """InterNet with the weights the run starts from; raises UserError if they do not fit."""
    mean_readout = settings.pose_loss == "coordinates"
    if settings.start is None:
        network = InterNet(settings.depth, mean_readout=mean_readout)
        if settings.trunk is not None:
            load_imagenet(network.trunk, settings.trunk)
        return network
    network = read_paper(settings.start).internet
    network.mean_readout = mean_readout
    return network
