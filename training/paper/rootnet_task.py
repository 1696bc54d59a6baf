"""Training RootNet: what the loop asks for."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from engines.errors import UserError
from engines.networks.paper import read_paper
from engines.networks.released import load_released
from engines.networks.resnet import load_imagenet, normalise
from engines.networks.rootnet import RootNet
from engines.spec import IMAGENET_MEAN, IMAGENET_STD
from training.loop.ranks import Ranks
from training.loop.run_settings import autocast
from training.loop.task import Loss
from training.paper.batches import CropBatch
from training.paper.crop_task import CropTask
from training.paper.losses import root_loss
from training.paper.means import Means
from training.paper.settings import RootNetSettings


class RootNetTask(CropTask[RootNet]):
    """L1 on the wrists' place in the crop and their absolute depth."""

    def __init__(self, settings: RootNetSettings, ranks: Ranks) -> None:
        """Read all labels; raises UserError naming what is missing."""
        super().__init__(settings, ranks)
        self._settings = settings

    def inputs(self, batch: CropBatch) -> tuple[Tensor, ...]:
        """RGB less ImageNet's mean and over its deviation, and k."""
        images = normalise(batch.images(), IMAGENET_MEAN, IMAGENET_STD)
        return images.contiguous(memory_format=torch.channels_last), batch.k_mm

    def loss(self, answer: object, batch: CropBatch) -> Loss:
        """The one published term."""
        total = root_loss(cast(Tensor, answer), batch)
        return Loss(total, {"root": total})

    @torch.no_grad()
    def validate(self, network: RootNet) -> dict[str, float]:
        """Error of the wrists' depth on what is held out, in mm and as a share of the depth."""
        means = Means()
        for batch in self.data.held_out():
            images, k = self.inputs(batch)
            with autocast(self._settings):
                gamma = network.gamma(images)
            depth = (gamma.float() * k[:, None]).expand(-1, 2)
            off = (depth - batch.root_depth_mm).abs()
            means.add("wrist_depth_mm", off, batch.root_depth_weight)
            means.add("wrist_depth_share", off / batch.root_depth_mm.clamp_min(1.0), batch.root_depth_weight)
        return means.values()


def start_rootnet(settings: RootNetSettings) -> RootNet:
    """RootNet with the weights the run starts from; raises UserError if they do not fit."""
    if settings.start is None:
        network = RootNet(settings.depth, settings.roots)
        if settings.trunk is not None:
            load_imagenet(network.trunk, settings.trunk)
        return network
    from_preset = settings.start.suffix == ".safetensors"
    found = read_paper(settings.start).rootnet if from_preset else load_released("rootnet", settings.start)
    if found is None:
        raise UserError(f"{settings.start}: holds InterNet alone; name a file with a RootNet, or start: null")
    if found.roots != settings.roots:
        raise UserError(f"{settings.start}: a RootNet of {found.roots} roots, the settings say roots: {settings.roots}")
    return found
