"""Pairs composed of two photographs: cut-outs against drawn hands, labels against what is seen, parts that are kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.errors import UserError
from engines.skeleton import HAND_SLICES, SIDES
from tests.support.drawn_hands import SKINS, drawn, write_hands
from training.banks.real_bank import STORED_PX, RealBank, load_real
from training.composed.cutouts import Cutout, cut_out, mirrored
from training.composed.pairs import composed_pair
from training.composed_pairs import Order, compose, main


@pytest.fixture(scope="module")
def hands(tmp_path_factory: pytest.TempPathFactory) -> tuple[RealBank, list[NDArray], Path]:
    root = tmp_path_factory.mktemp("hands")
    masks = write_hands(root / "sets", "home", 4)
    return load_real(root / "sets", "home", STORED_PX, root / "cache"), masks, root


def test_a_hand_is_cut_out_with_its_arm_and_without_the_wall(hands: tuple[RealBank, list[NDArray], Path]) -> None:
    bank, masks, _ = hands
    for row, mask in enumerate(masks):
        cutout = cut_out(bank, row)
        assert cutout is not None
        found = cutout.alpha > 0.5
        assert (found & mask).sum() / (found | mask).sum() > 0.85
        assert not cutout.alpha[:, 270:].any()  # beyond the photograph's edge there is nothing of it
        assert cutout.side == "right" and np.isnan(cutout.joint_depth_mm[15:]).all()
        again = mirrored(mirrored(cutout))
        np.testing.assert_array_equal(again.alpha, cutout.alpha)
        np.testing.assert_allclose(again.joints_px, cutout.joints_px, atol=1e-4)


def test_what_has_no_fingers_where_the_labels_say_or_is_two_hands_is_left_out(
    hands: tuple[RealBank, list[NDArray], Path],
) -> None:
    bank = hands[0]
    rng = np.random.default_rng(0)
    thin = np.stack([drawn(SKINS[k], rng, finger_px=3)[0].transpose(2, 0, 1) for k in range(len(bank))])
    assert cut_out(RealBank(**{**vars(bank), "pictures": thin}), 0) is None
    both = np.ones_like(bank.hand_present)
    assert cut_out(RealBank(**{**vars(bank), "hand_present": both}), 0) is None


def test_labels_lie_on_the_hands_and_depths_go_with_them(hands: tuple[RealBank, list[NDArray], Path]) -> None:
    bank, _, _ = hands
    rng = np.random.default_rng(3)
    first, second = cut_out(bank, 0), cut_out(bank, 1)
    assert first is not None and second is not None
    pairs = [pair for pair in (composed_pair(first, second, rng) for _ in range(20)) if pair is not None]
    assert len(pairs) > 10
    on_skin = []
    for pair in pairs:
        assert np.isfinite(pair.joints_px).all() and pair.right_is_main and pair.other_hand_known
        np.testing.assert_array_equal(pair.joint_depth_mm[:15], np.arange(15))
        np.testing.assert_array_equal(pair.joint_depth_mm[21:36], np.arange(15))  # mirrored: depths stay
        assert np.isnan(pair.joint_depth_mm[15:21]).all()
        x, y = np.round(pair.joints_px).astype(int).clip(0, STORED_PX - 1).T
        blue, _, red = pair.picture_bgr[y, x].astype(int).T
        shown = pair.picture_bgr[y, x].sum(1) > 0
        on_skin.append((red > blue)[shown].mean())  # the wall is blue
    assert np.mean(on_skin) > 0.93


def test_who_is_in_front_hides_the_other(hands: tuple[RealBank, list[NDArray], Path]) -> None:
    """Where the second hand's joints lie its skin is seen in some pictures and the first one's in others."""
    bank, _, _ = hands
    first, second = _of_colour(cut_out(bank, 0), (250, 40, 40)), _of_colour(cut_out(bank, 1), (40, 250, 40))
    rng, seen = np.random.default_rng(5), []
    for _ in range(40):
        pair = composed_pair(first, second, rng)
        if pair is not None:
            places = np.round(pair.joints_px[HAND_SLICES["left"]]).astype(int).clip(0, STORED_PX - 1)
            blue, green, red = pair.picture_bgr[places[:, 1], places[:, 0]].astype(int).T
            seen.append(((green > red) & (green > blue)).mean())
    assert max(seen) > 0.95 and min(seen) < 0.75


def _of_colour(cutout: Cutout | None, rgb: tuple[int, int, int]) -> Cutout:
    """The same hand in one colour; so pure that the light of the other one leaves it what it is."""
    assert cutout is not None
    picture = np.where(cutout.alpha[..., None] > 0.5, np.array(rgb), cutout.picture_rgb).astype(np.uint8)
    return Cutout(**{**vars(cutout), "picture_rgb": picture})


def test_a_stopped_run_goes_on_and_makes_what_a_whole_one_makes(
    hands: tuple[RealBank, list[NDArray], Path], tmp_path: Path
) -> None:
    order = Order(hands[2] / "sets", ("home",), tmp_path / "once", 6, hands[2] / "cache", part=3)
    assert compose(order) == 6
    assert compose(replace(order, out=tmp_path / "twice", count=3)) == 3
    assert compose(replace(order, out=tmp_path / "twice")) == 6
    for part in ("000", "001"):
        one, two = (
            load_real(tmp_path / out, f"composed-{part}", STORED_PX, tmp_path / out / "cache")
            for out in ("once", "twice")
        )
        np.testing.assert_array_equal(one.joints_px, two.joints_px)
        np.testing.assert_array_equal(one.pictures, two.pictures)
        assert one.hand_present.all() and one.hand_known.all()
        assert not one.depth_known[:, 15:21].any()
    assert json.loads((tmp_path / "once/bank.json").read_text())["sets"]["composed"]["source"] == ["home"]
    with pytest.raises(UserError, match="other seed"):
        compose(replace(order, seed=1))


def test_sets_that_are_not_there_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--sets", str(tmp_path), "--out", str(tmp_path / "out"), "--count", "1"]
    assert main(words) == 2
    assert "no set of real hands" in capsys.readouterr().err
    for wrong in (["--seed", "-1"], ["--name", "a/b"]):
        with pytest.raises(SystemExit, match="2"):
            main([*words, *wrong])
    write_hands(tmp_path, "home", 1)
    assert main([*words, "--leave-out", "hose"]) == 2
    assert "hose: no such set" in capsys.readouterr().err
    assert main([*words, "--cache", str(tmp_path / "cache")]) == 2
    assert "two pictures of one hand each" in capsys.readouterr().err


def test_most_real_hands_can_be_cut_out(shared_data: Path, tmp_path: Path) -> None:
    bank = load_real(shared_data / "real", "insigh1", STORED_PX, tmp_path)
    found = [cut_out(bank, row) for row in range(len(bank))]
    assert np.mean([one is not None for one in found]) > 0.9
    for one in found:
        if one is not None:
            x, y = np.round(one.joints_px).astype(int).clip(0, STORED_PX - 1).T
            assert (one.alpha[y, x] > 0.5).mean() > 0.85
            assert one.side in SIDES
