"""Weights of `paper` that several tests build engines of: always the same file, so that its graph is exported once."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.smooth_weights import smooth_paper
from engines.networks.paper import write_paper


def small_paper(path: Path) -> Path:
    """Untrained, on the smallest trunk: both hands are seen in every picture."""
    networks = smooth_paper(18)
    with torch.inference_mode():
        networks.internet.pose_net.hand_fc[2].bias.fill_(20.0)
    write_paper(networks, path, {})
    return path
