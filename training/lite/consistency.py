"""What nobody has labelled: the network must say of a degraded crop what its own average says of the clean one.

Mean teacher (Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017). Two real hands that touch
get no label from any detector or landmark network, and hands beside a labelled one often have none. The averaged
network sees the crop as the camera took it, the learning one the same crop degraded; only answers that the teacher is
sure of count, and only where there is no label.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engines.networks.decode import confidence, crop_from_heat, joint_cells, joint_depth_mm, left_minus_right_root_mm
from engines.networks.lite import LiteMaps
from engines.spec import NetworkSpec
from training.lite.batch import DEPTH_LIMIT_MM, Labels, inside_square
from training.lite.losses import LossWeights, weighted_mean

SURE_JOINT = 0.5
"""Least confidence of a joint that teaches."""
SURE_HAND = 0.9
"""Least probability of a hand that teaches, and of one that is said to be absent."""


def taught_labels(teacher: LiteMaps, known: Labels, fit: Tensor, spec: NetworkSpec, size_px: int) -> Labels:
    """The teacher's answers as labels of the same crops, weight 0 where they are unsure or a label is known.

    `fit` (2,) makes confidences of the heat maps' spreads (`engines.networks.decode.confidence`).
    """
    cells, variance = joint_cells(teacher)
    places, depths = crop_from_heat(cells, spec.heatmap_stride), joint_depth_mm(teacher)
    there = teacher.hand_logits.sigmoid()
    labelled = known.place_weight.unflatten(1, (2, 21)).amax(-1) > 0
    taught = (there > SURE_HAND) & ~labelled & ~((known.hand_weight > 0) & (known.hand_present == 0))
    sure = (confidence(variance, fit) > SURE_JOINT).float() * inside_square(places, size_px)
    place = sure * taught.float().repeat_interleave(21, 1)
    said = ((there - 0.5).abs() > SURE_HAND - 0.5) & (known.hand_weight == 0) & ~labelled
    root = left_minus_right_root_mm(teacher.root_logits, spec)
    both = (there > SURE_HAND).all(1) & (known.root_weight == 0)
    return Labels(
        joints_crop_px=places,
        place_weight=place,
        joint_depth_mm=depths,
        depth_weight=place * (depths.abs() < DEPTH_LIMIT_MM),
        hand_present=there,
        hand_weight=said.float(),
        left_minus_right_root_mm=root,
        root_weight=both.float(),
        gamma=teacher.gamma,
        gamma_weight=taught.float(),
        hand_masks=known.hand_masks,
        mask_weight=torch.zeros_like(root),
    )


def consistency(student: LiteMaps, taught: Labels, spec: NetworkSpec, weights: LossWeights) -> Tensor:
    """The weighted sum of L1 distances to what was taught, and the cross entropy of its hands; scalar."""
    cells, _ = joint_cells(student)
    off_px = (crop_from_heat(cells, spec.heatmap_stride) - taught.joints_crop_px).abs().mean(-1)
    off_mm = (joint_depth_mm(student) - taught.joint_depth_mm).abs()
    root = (left_minus_right_root_mm(student.root_logits, spec) - taught.left_minus_right_root_mm).abs()
    hands = F.binary_cross_entropy_with_logits(student.hand_logits, taught.hand_present, reduction="none")
    gamma = (student.gamma - taught.gamma).abs()
    terms = (
        weights.joints_px * weighted_mean(off_px, taught.place_weight),
        weights.joint_depth_mm * weighted_mean(off_mm, taught.depth_weight),
        weights.root_mm * weighted_mean(root, taught.root_weight),
        weights.hands * weighted_mean(hands, taught.hand_weight),
        weights.gamma * weighted_mean(gamma, taught.gamma_weight),
    )
    return torch.stack(terms).sum()


def of_samples(maps: LiteMaps, rows: Tensor) -> LiteMaps:
    """The answers for the chosen samples (B,) of a batch."""
    return LiteMaps(*(part[rows] for part in maps))
