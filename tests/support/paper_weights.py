"""Weights of `paper` that several tests build engines of: always the same file, so that its graph is exported once."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from benchmarks import smooth_weights
from engines.files import file_sha256
from engines.networks import resnet
from engines.networks.paper import write_paper
from tests.support.kept_graphs import once


def small_paper(path: Path) -> Path:
    """Untrained, on the smallest trunk: both hands are seen in every picture."""
    kept = Path(os.environ.get("TEST_GRAPHS") or path.parent)
    made_by = file_sha256(Path(smooth_weights.__file__))
    name = f"small-paper-{resnet.FIRST_CHANNELS}-{made_by}.safetensors"
    path.write_bytes(once(kept / name, lambda: _written(path)))
    return path


def _written(path: Path) -> bytes:
    """Of another process they would differ in the last bits, for which torch splits its sums in another way."""
    networks = smooth_weights.smooth_paper(18)
    with torch.inference_mode():
        networks.internet.pose_net.hand_fc[2].bias.fill_(20.0)
    write_paper(networks, path, {})
    return path.read_bytes()
