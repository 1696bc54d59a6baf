"""What a pipeline remembers survives as text, bit for bit."""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from engines.geometry.crop import Crop
from engines.skeleton import SIDES
from realtime.camera_space.fusion import Blend, FusionState
from realtime.camera_space.intrinsics import resolve_intrinsics
from realtime.camera_space.one_euro import FilterState
from realtime.camera_space.smoothing import HandFilters, SmootherState
from realtime.layers import load_settings
from realtime.live import run_recorded
from realtime.pipeline import HandPipeline, PipelineState
from realtime.rotations.hand_turner import RotationState
from realtime.snapshot import freeze, thaw
from realtime.sources.recording import VideoSource
from realtime.tracking.body_turns import BodyTurns
from realtime.tracking.track import Track
from realtime.tracking.tracker import TrackerState
from tests.support.engines import one_backend
from tests.support.recordings import ROOT, SAMPLE, cut

numbers = st.floats(allow_nan=False)
sides = st.sampled_from(SIDES)


def arrays(*shape: int) -> st.SearchStrategy[NDArray[np.float64]]:
    return hnp.arrays(np.float64, shape, elements=st.floats(), fill=st.floats())


crops = st.builds(Crop, st.tuples(numbers, numbers), numbers, numbers)
tracks = st.builds(
    Track,
    crops,
    *(numbers,) * 3,
    joints_px=st.none() | arrays(21, 2),
    velocity_px_s=st.none() | arrays(2),
    measured_px=st.none() | arrays(2),
    rightness_s=numbers,
    judged_s=numbers,
    missed=st.integers(0, 9),
)
named_tracks = st.dictionaries(sides, tracks)
filters = st.builds(FilterState, numbers, arrays(21, 2), numbers, arrays(21, 2), arrays(21, 2), numbers)
states = st.builds(
    PipelineState,
    st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
    numbers,
    st.builds(TrackerState, named_tracks, named_tracks, st.none() | tracks, st.booleans(), st.none() | crops, numbers),
    st.builds(
        FusionState,
        st.dictionaries(sides, st.builds(Blend, st.sampled_from(["rootnet", "fused-shared"]), numbers, numbers)),
    ),
    st.builds(SmootherState, numbers, st.dictionaries(sides, st.builds(HandFilters, filters, filters, filters))),
    st.builds(
        RotationState,
        st.dictionaries(sides, arrays(4)),
        st.dictionaries(sides, arrays(5, 3, 3)),
        st.dictionaries(sides, numbers),
    ),
    st.builds(BodyTurns, st.integers(0, 2), st.none() | numbers, numbers),
)


def assert_same(a: Any, b: Any) -> None:
    """Equal to the last bit, arrays with NaN included."""
    assert type(a) is type(b)
    if is_dataclass(a):
        for one in fields(a):
            assert_same(getattr(a, one.name), getattr(b, one.name))
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    else:
        assert repr(a) == repr(b)


@settings(max_examples=30)  # arrays are slow to make up
@given(states)
def test_states_come_back_the_same_through_text(state: PipelineState) -> None:
    assert_same(thaw(PipelineState, json.loads(json.dumps(freeze(state)))), state)


START: Any = freeze(PipelineState((640, 480), -math.inf, TrackerState(), FusionState(), SmootherState()))
TRACK: Any = freeze(Track(Crop((1.0, 2.0), 3.0), 0.0, 0.0, 0.0, np.zeros((21, 2))))


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ([1], "dictionary"),
        ({}, "size_px"),
        ({"_size_px": [640, 480]}, "size_px"),
        (START | {"size_px": [640]}, "size_px.1"),
        (START | {"searched_s": "soon"}, "searched_s"),
        (START | {"tracker": {"tracks": {"middle": TRACK}}}, "tracker.tracks.middle"),
        (START | {"tracker": {"tracks": {"left": TRACK | {"joints_px": [[0.0, 0.0]] * 20}}}}, "joints_px"),
        (START | {"tracker": {"tracks": {"left": TRACK | {"joints_px": [["a", "b"]] * 21}}}}, "joints_px"),
        (START | {"tracker": {"tracks": {"left": TRACK | {"joints_px": {"a": 1}}}}}, "joints_px"),
        (START | {"tracker": {"tracks": {"left": TRACK | {"crop": None}}}}, "crop"),
    ],
)
def test_nothing_else_is_read_and_the_place_is_named(data: Any, place: str) -> None:
    with pytest.raises(ValueError, match=place) as caught:
        thaw(PipelineState, data)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not (ROOT / "weights" / "lite.safetensors").exists(), reason="needs the shipped weights")
def test_another_pipeline_goes_on_with_the_same_results(tmp_path: Path) -> None:
    settings = load_settings(None, ["engine.threads=1"])
    backend = one_backend()(settings)

    def new() -> HandPipeline:
        return HandPipeline(settings, backend, partial(resolve_intrinsics, settings.intrinsics))

    with VideoSource(cut(tmp_path / "clip.mp4", 171, 40)) as source:
        frames = list(source)
    pipeline, state = new(), ""
    whole = []
    for frame in frames:
        whole.append(pipeline(frame))
        if frame.index == 19:
            state = json.dumps(freeze(pipeline.state))
    other = new()
    other.restore(thaw(PipelineState, json.loads(state)))
    assert any(one.hands for one in whole)
    for before, after in zip(whole[20:], map(other, frames[20:]), strict=True):
        assert before.crops == after.crops
        assert [hand.side for hand in before.hands] == [hand.side for hand in after.hands]
        for a, b in zip(before.hands, after.hands, strict=True):
            np.testing.assert_array_equal(a.joints_cam_mm, b.joints_cam_mm)
            np.testing.assert_array_equal(a.joints_px, b.joints_px)
            assert (a.hand_probability, a.root_depth_from) == (b.hand_probability, b.root_depth_from)
    for one in (pipeline, other):
        one.close()


def test_a_recording_begins_where_it_is_told_with_the_same_frames(tmp_path: Path) -> None:
    with VideoSource(SAMPLE) as whole, VideoSource(SAMPLE) as rest:
        rest.begin_at(250, 250)
        for a, b in zip((frame for frame in whole if frame.index >= 250), rest, strict=True):
            assert (a.index, a.t_capture_s) == (b.index, b.t_capture_s)
            np.testing.assert_array_equal(a.image_bgr, b.image_bgr)
    assert list(run_recorded(whole, lambda frame: pytest.fail("closed"))) == []
