"""What the tests of engines share."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from engines.building import int8


@pytest.fixture(scope="package", autouse=True)
def _each_graph_is_quantised_once() -> Iterator[None]:
    """NNCF takes five seconds for the same graph and crops, of which five tests judge what comes out."""
    quantised = int8._quantised
    done: dict[str, bytes] = {}

    def kept(model: onnx.ModelProto, crops: NDArray[np.uint8], finest: set[str]) -> bytes:
        about = (model.SerializeToString(deterministic=True), crops.tobytes(), repr(sorted(finest)).encode())
        key = "-".join(sha256(part).hexdigest() for part in about)
        if key not in done:
            done[key] = quantised(model, crops, finest)
        return done[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(int8, "_quantised", kept)
        yield
