"""Looking twice: what is said of a crop and of its mirror image agrees, and two crops are left alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.answers import answers as answers_of
from engines.backends.opening import open_backend
from engines.contract import Backend, EngineRequest
from engines.geometry.crop import Crop
from engines.presets import DEFAULT_WEIGHTS, SPECS
from engines.second_look import SecondLook, looking_twice, mean_of_looks, mirrored
from engines.spec import OUTPUT_NAMES
from realtime.sources.recording import VideoSource
from tests.support.recordings import ROOT

SAMPLE = ROOT / "samples" / "two_hands.mp4"
pytestmark = pytest.mark.skipif(not DEFAULT_WEIGHTS["lite"].exists(), reason="needs the shipped weights")


@pytest.fixture(scope="module", params=["openvino", "torch"])
def plain(request: pytest.FixtureRequest) -> Backend:
    """The network without a second look, in fp32 so that a batch of two is that of two times one."""
    return open_backend(EngineRequest(backend=request.param, precision="fp32"))


@pytest.fixture(scope="module")
def crop(plain: Backend) -> NDArray[np.uint8]:
    """(1, S, S, 3) the middle of a picture with two hands."""
    with VideoSource(SAMPLE) as source:
        picture = next(iter(source)).image_bgr
    side = plain.input_px
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    return picture[None, top : top + side, left : left + side].copy()


def answers() -> Iterator[dict[str, NDArray[np.float32]]]:
    """Random answers for two crops."""
    rng = np.random.default_rng(0)
    shapes = ((2, 42, 2), (2, 42), (2, 42), (2, 2), (2, 1), (2, 2))
    while True:
        values = (rng.random(shape, np.float32) for shape in shapes)
        yield dict(zip(OUTPUT_NAMES, values, strict=True))


def test_a_mirrored_crop_gets_the_mirrored_answer(plain: Backend, crop: NDArray[np.uint8]) -> None:
    twice = SecondLook(plain)
    here = {name: value.copy() for name, value in twice(crop).items()}
    there = mirrored(twice(np.ascontiguousarray(crop[:, :, ::-1])), plain.input_px)
    assert set(here) == set(OUTPUT_NAMES)
    for name, value in here.items():
        np.testing.assert_allclose(there[name], value, atol=2.0e-2, err_msg=name)


def test_one_look_does_not_agree_with_itself_so_there_is_something_to_average(
    plain: Backend, crop: NDArray[np.uint8]
) -> None:
    here = plain(crop)["joints_crop_px"].copy()
    there = mirrored(plain(np.ascontiguousarray(crop[:, :, ::-1])), plain.input_px)["joints_crop_px"]
    assert np.abs(here - there).mean() > 0.2


def test_two_crops_are_looked_at_once(plain: Backend, crop: NDArray[np.uint8]) -> None:
    crops = np.concatenate([crop, crop[:, ::-1]])
    once = {name: value.copy() for name, value in plain(crops).items()}
    for name, value in SecondLook(plain)(crops).items():
        np.testing.assert_array_equal(value, once[name], err_msg=name)


def test_a_network_says_whether_it_is_looked_at_twice(plain: Backend) -> None:
    twice = {name for name in SPECS if isinstance(looking_twice(plain, name), SecondLook)}
    assert twice == {name for name, spec in SPECS.items() if spec.second_look} == {"lite"}
    assert looking_twice(plain, "paper") is plain


def test_one_hand_is_looked_at_once_where_a_witness_has_its_say(plain: Backend, crop: NDArray[np.uint8]) -> None:
    def told(backend: Backend, one_hand: bool) -> NDArray[np.float32]:
        whole = Crop((plain.input_px / 2, plain.input_px / 2), float(plain.input_px))
        return answers_of(backend, crop, [whole], None, one_hand=one_hand)[0].joints_crop_px

    once, twice = told(plain, False), told(looking_twice(plain, "lite", "always"), True)
    assert plain.witness
    assert np.abs(once - twice).mean() > 0.1
    np.testing.assert_array_equal(told(looking_twice(plain, "lite"), True), once)
    np.testing.assert_array_equal(told(looking_twice(plain, "lite", "never"), False), once)
    np.testing.assert_array_equal(told(looking_twice(plain, "lite"), False), twice)


def test_without_a_witness_one_hand_is_looked_at_twice(crop: NDArray[np.uint8]) -> None:
    alone = open_backend(EngineRequest(backend="torch", precision="fp32", witness=False))
    auto, always = (SecondLook(alone, always=always).of_one_hand(crop) for always in (False, True))
    for name, value in auto.items():
        np.testing.assert_array_equal(value, always[name], err_msg=name)


def test_mirroring_twice_changes_nothing() -> None:
    tensors = next(answers())
    for name, value in mirrored(mirrored(tensors, 192), 192).items():
        np.testing.assert_allclose(value, tensors[name], atol=2.0e-5, err_msg=name)


def test_the_mean_lies_between_the_looks_nearer_to_the_sure_one() -> None:
    tensors = next(answers())
    tensors["joint_confidence"][0], tensors["joint_confidence"][1] = 0.9, 0.1
    here, there = tensors["joint_depth_mm"][:1], mirrored(tensors, 192)["joint_depth_mm"][1:]
    mean = mean_of_looks(tensors, 192)["joint_depth_mm"]
    assert (np.abs(mean - here) <= np.abs(mean - there) + 1.0e-6).all()
    assert (mean >= np.minimum(here, there) - 1.0e-6).all()
    assert (mean <= np.maximum(here, there) + 1.0e-6).all()
