"""A mix of data sets keeps its shares, shows every sample once an epoch, and goes on from any step."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.errors import UserError
from tests.support import dataset_files as files
from training.datasets.interhand.interhand26m import load_interhand26m
from training.datasets.mix import Mix, Part
from training.datasets.sample import LabelledSample


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledSample]:
    root: Path = tmp_path_factory.mktemp("interhand26m")
    files.interhand26m(root)
    return list(load_interhand26m(root, "test"))


def ids(samples: list[LabelledSample]) -> list[int]:
    return [sample.annotation_id for sample in samples]


def test_equal_shares_are_halves_of_every_batch(four: list[LabelledSample]) -> None:
    mix = Mix([Part(four[:1], 2.0), Part(four[1:], 2.0)], seed=1)
    for step in range(7):
        assert ids(mix.batch(step, 8)).count(100) == 4


@given(st.integers(1, 9), st.floats(0.05, 20))
def test_shares_hold_over_any_number_of_batches(size: int, share: float) -> None:
    markers = ["a"], ["b", "c"]
    mix = Mix([Part(markers[0], share), Part(markers[1], 1.0)], seed=0)  # type: ignore[arg-type]
    drawn = Counter(name for step in range(20) for name in mix.batch(step, size))
    assert sum(drawn.values()) == 20 * size
    assert drawn["a"] == pytest.approx(20 * size * share / (share + 1), abs=0.51)
    assert abs(drawn["b"] - drawn["c"]) <= 1


@given(st.integers(1, 9), st.lists(st.floats(0.05, 20), min_size=1, max_size=5))
def test_batches_are_full_and_draw_each_sample_in_its_turn(size: int, shares: list[float]) -> None:
    parts = [Part([f"{k} {i}" for i in range(3)], share) for k, share in enumerate(shares)]  # type: ignore[misc]
    mix = Mix(parts, seed=2)
    batches = [mix.batch(step, size) for step in range(25)]
    assert all(len(batch) == size for batch in batches)
    drawn: Counter[object] = Counter(name for batch in batches for name in batch)
    for k, share in enumerate(shares):
        counts = [drawn[f"{k} {i}"] for i in range(3)]
        assert max(counts) - min(counts) <= 1
        assert sum(counts) == pytest.approx(25 * size * share / sum(shares), abs=2)


def test_an_epoch_shows_every_sample_once_in_another_order(four: list[LabelledSample]) -> None:
    mix = Mix([Part(four, 1.0)], seed=3)
    epochs = [tuple(ids(mix.batch(step, 4))) for step in range(12)]
    assert all(sorted(epoch) == [100, 101, 102, 103] for epoch in epochs)
    assert len(set(epochs)) > 3


def test_batches_depend_on_seed_and_step_only(four: list[LabelledSample]) -> None:
    parts = [Part(four[:3], 1.0), Part(four[2:], 0.4)]
    straight = [ids(Mix(parts, seed=5).batch(step, 3)) for step in range(9)]
    once = Mix(parts, seed=5)
    assert [ids(once.batch(step, 3)) for step in (8, 2, 5)] == [straight[8], straight[2], straight[5]]
    assert [ids(Mix(parts, seed=6).batch(step, 3)) for step in range(9)] != straight


@pytest.mark.parametrize("share", [0.0, -1.0, float("nan")])
def test_shares_must_be_positive(four: list[LabelledSample], share: float) -> None:
    with pytest.raises(UserError, match="share"):
        Mix([Part(four, share)], seed=0)
    with pytest.raises(UserError, match="not empty"):
        Mix([Part([], 1.0)], seed=0)
