"""What a pipeline remembers survives as text, bit for bit."""

from __future__ import annotations

import json
import subprocess
from collections import deque
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engines.geometry.crop import Crop
from realtime.camera_space.intrinsics import resolve_intrinsics
from realtime.camera_space.smoothing import OneEuroFilter
from realtime.config import load_settings
from realtime.engine import backend_of
from realtime.live import run_recorded
from realtime.pipeline import HandPipeline
from realtime.snapshot import freeze, thaw
from realtime.sources.recording import VideoSource
from tests.support.recordings import ROOT, SAMPLE

NUMBERS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
ARRAYS = hnp.arrays(
    st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_]), hnp.array_shapes(min_dims=0)
)
VALUES = st.recursive(
    NUMBERS | ARRAYS,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=8,
)


def through_text(value: Any) -> Any:
    return thaw(json.loads(json.dumps(freeze(value))))


def assert_same(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    if isinstance(a, np.ndarray | np.generic):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert repr(a) == repr(b)


@given(VALUES)
def test_values_come_back_the_same(value: Any) -> None:
    assert_same(through_text(value), value)


def test_objects_come_back_with_all_they_hold() -> None:
    settings = load_settings().smoothing
    one = OneEuroFilter(settings.image, settings.derivative_cutoff_hz)
    rng = np.random.default_rng(1)
    for i in range(5):
        one(rng.normal(size=(21, 2)), i / 30)
    again, crop = through_text((one, Crop((1.5, 2.5), 64.0, 0.25)))
    value = rng.normal(size=(21, 2))
    np.testing.assert_array_equal(again(value, 1.0), one(value, 1.0))
    assert crop == Crop((1.5, 2.5), 64.0, 0.25)


@dataclass
class Stranger:
    x: int


@pytest.mark.parametrize("value", [Stranger(1), deque(), {1, 2}, object(), np.array(["a"]), np.zeros(1 << 20), 1j])
def test_what_could_not_be_read_back_is_refused_at_once(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot be kept"):
        freeze({"deep": [value]})


@pytest.mark.parametrize(
    "data",
    [
        [1],
        {},
        {"kind": "other"},
        {"kind": "object", "class": "subprocess:Popen", "fields": {"args": "ls"}},
        {"kind": "object", "class": "realtime.tracking.tracker:np", "fields": {}},
        {"kind": "object", "class": "realtime.tracking.tracker:HandBox", "fields": {}},
        {"kind": "object", "class": "engines.geometry.crop:Crop", "fields": {"side_px": 1.0}},
        {"kind": "settings", "class": "engines.geometry.crop:Crop", "fields": {}},
        {"kind": "array", "dtype": "|O", "shape": [1], "scalar": False, "bytes": ""},
        {"kind": "array", "dtype": "<f4", "shape": [9], "scalar": False, "bytes": "AAAA"},
        {"kind": "tuple", "items": 3},
    ],
)
def test_nothing_else_is_read(data: Any) -> None:
    assert subprocess.Popen
    with pytest.raises(ValueError, match=r"."):
        thaw(data)


@pytest.mark.skipif(not (ROOT / "weights" / "lite.safetensors").exists(), reason="needs the shipped weights")
def test_another_pipeline_goes_on_with_the_same_results() -> None:
    settings = load_settings(None, ["engine.threads=1"])
    backend = backend_of(settings)

    def new() -> HandPipeline:
        return HandPipeline(settings, backend, partial(resolve_intrinsics, settings.intrinsics))

    with VideoSource(SAMPLE) as source:
        frames = [frame for frame in source if 90 <= frame.index < 150]
    pipeline, state = new(), ""
    whole = []
    for frame in frames:
        whole.append(pipeline(frame))
        if frame.index == 119:
            state = json.dumps(pipeline.state())
    other = new()
    other.restore(json.loads(state))
    assert any(one.hands for one in whole)
    for before, after in zip(whole[30:], map(other, frames[30:]), strict=True):
        assert before.crops == after.crops
        assert [hand.side for hand in before.hands] == [hand.side for hand in after.hands]
        for a, b in zip(before.hands, after.hands, strict=True):
            np.testing.assert_array_equal(a.joints_cam_mm, b.joints_cam_mm)
            np.testing.assert_array_equal(a.joints_px, b.joints_px)
            assert (a.hand_probability, a.root_depth_from) == (b.hand_probability, b.root_depth_from)
    with pytest.raises(ValueError, match="not the state"):
        other.restore(freeze({"_size_px": (1, 1)}))
    for one in (pipeline, other):
        one.close()


def test_a_recording_begins_where_it_is_told_with_the_same_frames(tmp_path: Path) -> None:
    with VideoSource(SAMPLE) as whole, VideoSource(SAMPLE) as rest:
        rest.begin_at(250, 250)
        for a, b in zip((frame for frame in whole if frame.index >= 250), rest, strict=True):
            assert (a.index, a.t_capture_s) == (b.index, b.t_capture_s)
            np.testing.assert_array_equal(a.image_bgr, b.image_bgr)
    assert list(run_recorded(whole, lambda frame: pytest.fail("closed"))) == []
