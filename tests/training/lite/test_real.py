"""Real hands beside rendered ones: what nobody knows counts nothing, mirrored hands change names, shares hold."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engines.errors import UserError
from engines.networks.checkpoints import load_weights, save_weights
from engines.networks.lite import Lite
from engines.spec import LITE
from tests.support.real_set import EDGE_PX, PICTURE_PX, settings_file, write_set
from tests.support.small_bank import SIZE_PX, write_backgrounds, write_shard
from training.banks.bank import HandBank
from training.banks.banks import BankMix, BankSource, TermWeights, load_mix, load_real_mix
from training.banks.real_bank import RealBank, load_real
from training.lite.anchor import TrunkAnchor
from training.lite.augment import Augmentation, Augmenter, RealAugmentation
from training.lite.averaged import mean_network
from training.lite.backgrounds import load_backgrounds
from training.lite.batch import Labels, joined, random_crops, stored_batch
from training.lite.batches import LiteBatches, real_count
from training.lite.crop_places import NO_NOISE, CropNoise, places_beside
from training.lite.losses import compute_losses
from training.lite.mediapipe_trunk import load_mediapipe_weights
from training.lite.real_batch import StoredReal, random_real_crops, stored_real
from training.lite.settings import Settings
from training.mix_trunk import main as mix_main
from training.settings import load_settings
from training.train import main as train_main


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("real")
    write_set(root / "real")
    write_shard(root / "bank", "1", 24, seed=1)
    write_shard(root / "bank", "2", 12, seed=2)
    write_backgrounds(root / "photos")
    return root


@pytest.fixture(scope="module")
def mix(root: Path) -> BankMix[RealBank]:
    found = load_real_mix([BankSource(root / "real", ("home",))], PICTURE_PX, root / "cache")
    assert found is not None
    return found


def stored(mix: BankMix[RealBank]) -> StoredReal:
    return stored_real(mix, np.arange(len(mix)), "cpu")


def test_a_set_is_read_with_its_masks(mix: BankMix[RealBank]) -> None:
    bank = mix.parts[0]
    assert bank.pictures.shape == (12, 3, PICTURE_PX, PICTURE_PX)
    assert bank.hand_present[:3].tolist() == [[True, True], [True, False], [False, True]]
    assert bank.hand_known[:3].tolist() == [[True, True], [True, True], [False, True]]
    assert not bank.depth_known[1, 21:].any()
    np.testing.assert_allclose(bank.joints_px[0, 20], [70, 120], atol=60)
    assert np.isfinite(bank.joints_px).all()


def test_reduced_pictures_keep_their_labels(root: Path) -> None:
    whole = load_real(root / "real", "home", PICTURE_PX, root / "cache")
    half = load_real(root / "real", "home", PICTURE_PX // 2, root / "cache")
    np.testing.assert_allclose(half.joints_px[0] * 2 + 0.5, whole.joints_px[0], atol=1.0e-3)


@pytest.mark.parametrize("noise", [NO_NOISE, CropNoise(empty=0.0), CropNoise(flip=1.0, empty=0.0, any_turn=1.0)])
def test_labels_lie_on_what_the_picture_shows_of_the_named_hand(mix: BankMix[RealBank], noise: CropNoise) -> None:
    """Discs of right hands are green; in a mirrored picture the left hand has them."""
    crops, labels = random_real_crops(stored(mix), 128, noise, torch.Generator().manual_seed(1))
    right_colour, left_colour = (1, 0) if noise.flip < 1 else (0, 1)
    found = []
    for row in range(len(crops)):
        for joint in torch.nonzero(labels.place_weight[row] > 0)[:, 0].tolist():
            x, y = labels.joints_crop_px[row, joint].round().long().clamp(0, 127).tolist()
            red, green = float(crops[row, 0, y, x]), float(crops[row, 1, y, x])
            if max(red, green) < 0.3 or noise.flip not in (0.0, 1.0):
                continue  # beyond the photograph's edge, or who was mirrored is not told
            found.append((green > red) == ((joint < 21) == (right_colour > left_colour)))
    if noise.flip in (0.0, 1.0):
        assert len(found) > 150
        assert np.mean(found) > 0.97


def test_joints_beyond_the_photographs_edge_count_and_are_black(mix: BankMix[RealBank]) -> None:
    crops, labels = random_real_crops(stored(mix), 128, NO_NOISE, torch.Generator().manual_seed(0))
    joint = int(mix.parts[0].joints_px[0, :, 0].argmax())
    assert mix.parts[0].joints_px[0, joint, 0] > EDGE_PX
    assert float(labels.place_weight[0, joint]) == 1
    x, y = labels.joints_crop_px[0, joint].round().long().tolist()
    assert float(crops[0, :, y, x].max()) < 0.05


def test_mirroring_exchanges_hands_flags_and_what_is_known(mix: BankMix[RealBank]) -> None:
    mirrored = replace(NO_NOISE, flip=1.0)
    plain, labels = random_real_crops(stored(mix), 96, NO_NOISE, torch.Generator().manual_seed(0))
    flipped, turned = random_real_crops(stored(mix), 96, mirrored, torch.Generator().manual_seed(0))
    torch.testing.assert_close(flipped, plain.flip(-1), atol=0.02, rtol=0)
    for name in ("hand_present", "hand_weight"):
        torch.testing.assert_close(getattr(turned, name), getattr(labels, name).flip(1))
    for name in ("depth_weight", "joint_depth_mm", "place_weight"):
        torch.testing.assert_close(getattr(turned, name), getattr(labels, name).roll(21, 1))


def test_what_nobody_knows_counts_nothing(mix: BankMix[RealBank]) -> None:
    _, labels = random_real_crops(stored(mix), 96, NO_NOISE, torch.Generator().manual_seed(0))
    assert float(labels.root_weight.sum() + labels.gamma_weight.sum()) == 0
    assert labels.hand_weight[2].tolist() == [0, 1]  # the other hand of a left hand may be there or not
    assert labels.hand_weight[1].tolist() == [1, 1]
    assert float(labels.depth_weight[1, 10:21].sum()) == 0  # unknown
    assert float(labels.depth_weight[1, 1]) == 0  # 500 mm
    assert float(labels.place_weight[1, :21].sum()) == 21
    answer = Lite().eval()(torch.rand(12, 3, 96, 96))
    spoilt = replace(
        labels,
        joint_depth_mm=torch.where(labels.depth_weight > 0, labels.joint_depth_mm, torch.full((), 1.0e4)),
        joints_crop_px=torch.where(labels.place_weight[..., None] > 0, labels.joints_crop_px, torch.full((), 999.0)),
        hand_present=torch.where(labels.hand_weight > 0, labels.hand_present, 1 - labels.hand_present),
        left_minus_right_root_mm=torch.full((12,), 1.0e5),
        gamma=torch.full((12, 2), 77.0),
        hand_masks=torch.ones(12, 2, 12, 12),
    )
    for name, value in compute_losses(answer, labels, LITE).values().items():
        assert compute_losses(answer, spoilt, LITE).values()[name] == pytest.approx(value, rel=1.0e-5)


def test_negatives_are_laid_beside_hands_and_only_where_all_is_known(mix: BankMix[RealBank]) -> None:
    crops, labels = random_real_crops(stored(mix), 64, replace(NO_NOISE, empty=1.0), torch.Generator().manual_seed(2))
    empty = labels.hand_present.sum(1) == 0
    unsure = torch.from_numpy(mix.parts[0].hand_known).float().prod(1) == 0
    assert not bool((empty & unsure).any())
    assert int(empty.sum()) >= 3
    assert float(labels.hand_weight[empty].min()) == 1
    assert float(labels.place_weight[empty].sum()) == 0
    coloured = (crops[empty][:, :2].amax(1) > 0.6).float().mean()
    assert float(coloured) < 0.01  # no disc in sight


def test_no_place_beside_a_hand_that_fills_the_picture() -> None:
    points = torch.rand(2, 42, 2, generator=torch.Generator().manual_seed(0)) * 100
    *_, room = places_beside(points, torch.ones(2, 2), 100, NO_NOISE, torch.Generator().manual_seed(0))
    assert not bool(room.any())


def test_a_hand_outside_the_stored_picture_does_not_draw_the_crop_away(mix: BankMix[RealBank]) -> None:
    one = stored(mix)
    far = one.joints_px.clone()
    far[0, 21:] += 900
    _, labels = random_real_crops(replace(one, joints_px=far), 128, NO_NOISE, torch.Generator().manual_seed(0))
    assert float(labels.place_weight[0, :21].sum()) == 21
    assert float(labels.place_weight[0, 21:].sum()) == 0


def test_z_between_hands_beyond_the_bins_counts_nothing(root: Path) -> None:
    bank = load_mix([BankSource(root / "bank", ("1",))], SIZE_PX, root / "cache")
    rows = stored_batch(bank, np.arange(len(bank)), "cpu")
    joints = rows.joints_cam_mm.clone()
    joints[0, 21:, 2] += 400
    joints[0, 21:, :2] *= float(joints[0, 41, 2] / (joints[0, 41, 2] - 400))  # as far out in the picture as before
    _, before = random_crops(rows, 96, NO_NOISE, torch.Generator().manual_seed(0))
    _, after = random_crops(replace(rows, joints_cam_mm=joints), 96, NO_NOISE, torch.Generator().manual_seed(0))
    assert (float(before.root_weight[0]), float(after.root_weight[0])) == (1, 0)
    assert float(after.pair[0]) == 1
    assert float(after.left_minus_right_root_mm[0]) > 199


def test_a_banks_weights_scale_its_terms(root: Path, mix: BankMix[RealBank]) -> None:
    halved = BankSource(root / "real", ("home",), weights=TermWeights(place=0.5, depth=0.25, hands=0))
    weighed = load_real_mix([halved], PICTURE_PX, root / "cache")
    assert weighed is not None
    _, plain = random_real_crops(stored(mix), 96, NO_NOISE, torch.Generator().manual_seed(0))
    _, labels = random_real_crops(stored(weighed), 96, NO_NOISE, torch.Generator().manual_seed(0))
    torch.testing.assert_close(labels.place_weight, plain.place_weight * 0.5)
    torch.testing.assert_close(labels.depth_weight, plain.depth_weight * 0.25)
    assert float(labels.hand_weight.sum()) == 0


def batches(root: Path, settings: Settings) -> LiteBatches:
    rendered = load_mix(settings.data.training_sources(), SIZE_PX, root / "cache")
    real = load_real_mix(settings.data.training_sources("real"), PICTURE_PX, root / "cache")
    return LiteBatches(settings, 96, rendered, real, load_backgrounds(root / "photos"))


def test_a_batch_holds_its_shares_and_is_the_same_ahead_or_not(root: Path) -> None:
    settings = load_settings(settings_file(root), [])
    drawn = batches(root, settings)
    first, second = drawn.draw(0), drawn.draw(10)
    assert first.images.shape == (10, 3, 96, 96)
    assert first.real.tolist() == [False] * 6 + [True] * 4
    assert float(first.labels.gamma_weight[first.real].sum()) == 0
    again = batches(root, settings).draw(10)  # made where it is asked for, not ahead
    torch.testing.assert_close(again.images, second.images, atol=0, rtol=0)
    assert (real_count(48, 0.35), real_count(48, 1.0e-6), real_count(48, 0.999)) == (17, 1, 47)
    mostly = batches(root, load_settings(settings_file(root), ["data.real=0.8"])).draw(0)
    assert int(mostly.real.sum()) == 8


def test_pairs_are_preferred_as_asked(root: Path) -> None:
    bank = load_mix([BankSource(root / "bank", ("1", "2"))], SIZE_PX, root / "cache")
    index = bank.draw(4000, torch.Generator().manual_seed(0), 0.65)
    both = np.concatenate([part.hand_present.all(1) for part in bank.parts])[index]
    assert both.mean() == pytest.approx(0.65, abs=0.03)


def test_a_bank_of_pairs_takes_no_single_hands_place(root: Path) -> None:
    """It did: with half of the draws it left singles half of their share, and the weights got worse at them."""
    mixed = load_mix([BankSource(root / "bank", ("1", "2"))], SIZE_PX, root / "cache")
    part = mixed.parts[0]
    rows = np.nonzero(part.hand_present.all(1))[0]
    pairs = HandBank(*(getattr(part, field.name)[rows] for field in fields(HandBank)))
    bank = BankMix((*mixed.parts, pairs), (0.25, 0.25, 0.5))
    index = bank.draw(4000, torch.Generator().manual_seed(0), 0.6)
    both = np.concatenate([one.hand_present.all(1) for one in bank.parts])[index]
    assert both.mean() == pytest.approx(0.6, abs=0.03)
    assert (index >= len(mixed)).mean() == pytest.approx(0.6 * 0.5, abs=0.03)
    assert bank.draw(50, torch.Generator().manual_seed(0), 0.0).max() < len(mixed)
    only = BankMix((pairs,), (1.0,))
    assert len(only.draw(50, torch.Generator().manual_seed(0), 0.0)) == 50, "where there are none, others are drawn"


def test_joined_labels_are_those_of_the_parts(mix: BankMix[RealBank]) -> None:
    _, labels = random_real_crops(stored(mix), 96, NO_NOISE, torch.Generator().manual_seed(0))
    both = joined([labels, labels])
    for field in fields(Labels):
        torch.testing.assert_close(getattr(both, field.name)[12:], getattr(labels, field.name))


def test_real_pictures_are_degraded_more_mildly(root: Path, mix: BankMix[RealBank]) -> None:
    crops, _ = random_real_crops(stored(mix), 96, NO_NOISE, torch.Generator().manual_seed(0))
    photos = load_backgrounds(root / "photos")

    def change(strength: Augmentation) -> float:
        rng = torch.Generator().manual_seed(3)
        total = [(Augmenter(photos, rng, strength).degrade(crops.clone()) - crops).abs().mean() for _ in range(12)]
        return float(torch.stack(total).mean())

    assert 0 < change(RealAugmentation()) < 0.8 * change(Augmentation())


def test_the_anchor_bounds_how_far_the_trunk_goes() -> None:
    """A loss that pulls the trunk away: with the anchor it stays nearer, and at the start it costs nothing."""

    def gone(strength: float) -> float:
        torch.manual_seed(0)
        network = Lite()
        anchor = TrunkAnchor(network.trunk)
        assert anchor.distance(network.trunk).item() == 0
        optimizer = torch.optim.AdamW(network.trunk.parameters(), lr=1.0e-3)
        for _ in range(20):
            pull = torch.stack([p.sum() for p in network.trunk.stages[5].parameters()]).sum()
            optimizer.zero_grad()
            (pull * 0.01 + strength * anchor.distance(network.trunk)).backward()
            optimizer.step()
        return anchor.distance(network.trunk).item()

    free, held = gone(0.0), gone(1000.0)
    assert 0 < held < 0.5 * free


def test_a_frozen_trunk_is_anchored_anyway() -> None:
    network = Lite()
    network.trunk.requires_grad_(False)
    assert float(TrunkAnchor(network.trunk).distance(network.trunk)) == 0


def test_a_whole_run_on_both_kinds_logs_them_apart_and_resumes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_set(root / "kept", "kept", 6)
    held_out = f"    - {{root: {root}/kept, kind: real, validation: [kept]}}"
    path = settings_file(root, "loss: {trunk_anchor: 10}")
    path.write_text(path.read_text().replace("  backgrounds:", held_out + "\n  backgrounds:"))
    assert train_main(["--config", str(path), "--set", "schedule.samples=20"]) == 0
    assert train_main(["--config", str(path)]) == 0
    assert "going on after 20 samples" in capsys.readouterr().out
    header, *rows = (root / "out" / "log.csv").read_text().splitlines()
    assert len(rows) == 2
    for name in ("real_px", "real_depth_mm", "single_px", "single_depth_mm", "pair_px", "pair_depth_mm"):
        assert f"held_out_{name}" in header
    assert "train_trunk_anchor" in header


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.banks.1.kind=photo", "kind"),
        ("data.banks.1.weights={depth: -1}", "weight"),
        ("data.banks.1.weights={deep: 1}", "deep"),
        ("data.augmentation.real.jpeg=2", "jpeg"),
        ("data.augmentation.real.snow=1", "snow"),
        ("data.augmentation.photo={}", "photo"),
        ("data.banks.1.leave_out={held: ['*']}", "leave out"),
        ("data.pairs=1.5", "pairs"),
        ("data.real=1", "real"),
        ("loss.trunk_anchor=far", "trunk_anchor"),
        ("data.banks.1.train=[nobody]", "no such set of real hands"),
    ],
)
def test_nonsense_is_refused_in_one_line(
    root: Path, override: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_main(["--config", str(settings_file(root)), "--set", override]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error


def test_sets_that_do_not_fit_are_named(tmp_path: Path) -> None:
    write_set(tmp_path, "a", 3)
    write_set(tmp_path, "b", 6)
    (tmp_path / "b.tar").replace(tmp_path / "a.tar")
    with pytest.raises(UserError, match="6 pictures but 3 labels"):
        load_real(tmp_path, "a", PICTURE_PX, tmp_path / "cache")
    np.savez(tmp_path / "c.npz", joints_px=np.zeros((2, 42, 2)))
    with pytest.raises(UserError, match="depth_known"):
        load_real(tmp_path, "c", PICTURE_PX, tmp_path / "cache")


def test_the_trunk_is_mixed_with_mediapipes_and_nothing_else_is(tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    torch.manual_seed(0)
    network, released, mixed = Lite(), Lite(), Lite()
    load_mediapipe_weights(released.trunk)
    weights, output = tmp_path / "w.safetensors", tmp_path / "mixed.safetensors"
    save_weights(network, weights, {"samples": 5})
    assert mix_main(["--weights", str(weights), "--share", "0.3", "--output", str(output)]) == 0
    load_weights(mixed, output)
    layer = "trunk.stages.6.expand.0.weight"
    expected = 0.7 * network.state_dict()[layer] + 0.3 * released.state_dict()[layer]
    torch.testing.assert_close(mixed.state_dict()[layer], expected, atol=2.0e-3, rtol=2.0e-3)
    torch.testing.assert_close(mixed.maps.weight, network.maps.weight, atol=1.0e-4, rtol=1.0e-3)
    facts = json.loads(output.with_suffix(".json").read_text())
    assert facts["samples"] == 5
    assert "0.3 of MediaPipe's" in facts["mixed"]


def test_weights_enter_the_mean_as_they_are(tmp_path: Path) -> None:
    one, two = Lite(), Lite()
    for name, network in (("a", one), ("b", two)):
        save_weights(network, tmp_path / f"{name}.safetensors", {})
    mean, samples = mean_network([tmp_path / "a.safetensors", tmp_path / "b.safetensors"])
    assert samples == 0
    torch.testing.assert_close(mean.maps.weight, (one.maps.weight + two.maps.weight) / 2, atol=1.0e-5, rtol=1.0e-3)
