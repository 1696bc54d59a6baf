"""The paper's networks with fewer channels: a loop, a file or a builder does not depend on their width.

A checkpoint of the true InterNet on a ResNet-18 has 330 MB, and a file of tests writes dozens.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engines.networks import internet, resnet, rootnet
from training.annotation.keypoints import network as keypoints

PUBLISHED = 64, 256
HALF = 32, 128
"""Channels of the trunk's first stage, and of the up-sampled maps."""


@contextmanager
def slim(first: int = 8, upsampled: int = 32) -> Iterator[None]:
    """InterNets, RootNets and detectors of keypoints that are made or read in here have so many channels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resnet, "FIRST_CHANNELS", first)
        for module in (internet, rootnet, keypoints):  # each of which has the number by its own name
            patch.setattr(module, "UPSAMPLED_CHANNELS", upsampled)
        yield


@pytest.fixture(scope="module")
def slim_networks() -> Iterator[None]:
    """`slim` for all tests of a file that say `pytestmark = pytest.mark.usefixtures("slim_networks")`."""
    with slim():
        yield


@pytest.fixture(scope="module")
def half_width() -> Iterator[None]:
    """The same for what judges the size of a file: weights must be the most of it."""
    with slim(*HALF):
        yield
