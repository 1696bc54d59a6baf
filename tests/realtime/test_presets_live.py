"""Both presets the whole way, from a picture to hands in camera space, on every backend that a CPU runs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from engines.building.sample_crops import SAMPLE_CLIP, read_frames
from engines.installed import is_installed
from engines.presets import weights_of
from realtime.camera_space.intrinsics import resolve_intrinsics
from realtime.engine import backend_of
from realtime.layers import load_settings
from realtime.messages import Frame, HandFrame
from realtime.pipeline import HandPipeline
from tests.support.paper_weights import small_paper
from tests.support.slim_networks import half_width  # noqa: F401  pytest finds the fixture here

FIRST = 100
COUNTS = {"lite": 4, "paper": 2}
"""Frames: one in which hands are searched and others in which they are followed; torch takes 1.6 s for paper's."""


pytestmark = pytest.mark.usefixtures("half_width")


@pytest.fixture(scope="module")
def weights(half_width: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:  # noqa: F811
    paper = small_paper(tmp_path_factory.mktemp("weights") / "paper.safetensors")
    return {"lite": weights_of("lite", None), "paper": paper}


def _tracked(preset: str, backend: str, weights: Path, cache: Path) -> list[HandFrame]:
    """Some frames of the sample clip, as the live program goes through them."""
    engine: dict[str, object] = {"preset": preset, "backend": backend, "weights": weights, "precision": "fp32"}
    if preset != "lite":  # whose engine other tests build and keep, too
        engine["cache"] = cache
    settings = load_settings(None, [f"engine.{name}={value}" for name, value in engine.items()])
    pipeline = HandPipeline(settings, backend_of(settings), partial(resolve_intrinsics, settings.intrinsics))
    pictures = read_frames(SAMPLE_CLIP, set(range(FIRST, FIRST + COUNTS[preset])))
    results = [pipeline(Frame(k, k / 30, picture)) for k, picture in pictures.items()]
    pipeline.close()
    return results


@pytest.mark.skipif(not is_installed("openvino"), reason="openvino is not installed")
@pytest.mark.parametrize("preset", ["lite", "paper"])
def test_presets_track_alike_on_torch_and_openvino(preset: str, weights: dict[str, Path], tmp_path: Path) -> None:
    ours, theirs = (_tracked(preset, name, weights[preset], tmp_path) for name in ("openvino", "torch"))
    assert sum(len(result.hands) for result in theirs) >= COUNTS[preset]
    for k, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        assert [hand.side for hand in one.hands] == [hand.side for hand in other.hands]
        for a, b in zip(one.hands, other.hands, strict=True):
            assert np.isfinite(a.joints_cam_mm).all()
            assert (a.joints_cam_mm[:, 2] > 0).all()
            if preset == "lite" or k == 0:  # an untrained network that follows itself enlarges any rounding
                np.testing.assert_allclose(a.joints_px, b.joints_px, atol=1.0)
                np.testing.assert_allclose(a.joints_cam_mm, b.joints_cam_mm, rtol=0.01, atol=2.0)
