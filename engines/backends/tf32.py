"""Whether torch may compute fp32 on an NVIDIA GPU in TF32, whose factors have 11 bits instead of 24 (any thread)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Within it products and convolutions in fp32 may be rounded so, or not; torch's own choice is yes, for the latter.

    What is captured in a CUDA graph keeps the choice. It is one for the whole process: other threads see it, too.
    """
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, products.allow_tf32
    cudnn.allow_tf32 = products.allow_tf32 = allowed
    try:
        yield
    finally:
        cudnn.allow_tf32, products.allow_tf32 = before
