"""Unlabelled hands: the averaged network teaches what nobody has labelled, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from engines.networks.decode import crop_from_heat, joint_cells
from engines.networks.lite import LiteMaps
from engines.spec import LITE
from tests.support.real_set import PICTURE_PX, settings_file, write_set
from tests.support.small_bank import write_backgrounds, write_shard
from training.banks.banks import BankSource, load_real_mix
from training.lite.batch import Labels
from training.lite.consistency import consistency, of_samples, taught_labels
from training.lite.crop_places import NO_NOISE
from training.lite.losses import LossWeights
from training.lite.real_batch import random_real_crops, stored_real
from training.train import main as train_main

FIT = torch.tensor([-2.0, 2.0])


def answers(sure: bool = True, both: bool = True) -> LiteMaps:
    """Three samples with peaked heat maps (or flat ones) and certain flags."""
    rng = torch.Generator().manual_seed(0)
    cells = torch.rand(3, 42, 2, generator=rng) * 6 + 3
    axis = torch.arange(12.0)
    heat = -((axis[None, None, None, :] - cells[..., 0, None, None]) ** 2)
    heat = (heat - (axis[None, None, :, None] - cells[..., 1, None, None]) ** 2) * (4 if sure else 0)
    flags = torch.tensor([8.0, 8.0 if both else -8.0]).expand(3, 2)
    depth = torch.randn(3, 42, 1, 1, generator=rng).expand(-1, -1, 12, 12) * 20
    root = torch.zeros(3, 64)
    root[:, 40] = 30
    return LiteMaps(
        heat,
        depth,
        flags,
        root,
        torch.ones(3, 2),
        torch.zeros(3, 42, 2),
        torch.zeros(3, 42),
        heat[:, None],
        depth[:, :2],
    )


def nothing_known() -> Labels:
    shapes = ((3, 42, 2), (3, 42), (3, 42), (3, 42), (3, 2), (3, 2), (3,), (3,), (3, 2), (3, 2), (3, 2, 12, 12), (3,))
    return Labels(*(torch.zeros(shape) for shape in shapes))


def test_sure_answers_teach_where_nothing_is_known() -> None:
    teacher = answers()
    taught = taught_labels(teacher, nothing_known(), FIT, LITE, 96)
    torch.testing.assert_close(taught.joints_crop_px, crop_from_heat(joint_cells(teacher)[0], 8))
    assert float(taught.place_weight.mean()) > 0.95
    assert taught.root_weight.tolist() == [1, 1, 1]
    assert float(consistency(teacher, taught, LITE, LossWeights())) < 0.01
    moved = teacher._replace(moved_cells=torch.full((3, 42, 2), 2.0))
    assert float(consistency(moved, taught, LITE, LossWeights())) > 1


def test_unsure_answers_teach_nothing() -> None:
    taught = taught_labels(answers(sure=False), nothing_known(), FIT, LITE, 96)
    assert float(taught.place_weight.sum() + taught.depth_weight.sum()) == 0
    doubtful = answers()._replace(hand_logits=torch.full((3, 2), 0.3))
    taught = taught_labels(doubtful, nothing_known(), FIT, LITE, 96)
    assert float(taught.place_weight.sum() + taught.hand_weight.sum() + taught.root_weight.sum()) == 0


def test_what_is_labelled_stays_the_labels_affair() -> None:
    """The right hand is labelled, the left one known to be absent (sample 0) or unknown (sample 1)."""
    known = nothing_known()
    known.place_weight[:, :21] = 1
    known.hand_present[:, 0] = 1
    known.hand_weight[:, 0] = 1
    known.hand_weight[0, 1] = 1
    taught = taught_labels(answers(), known, FIT, LITE, 96)
    assert float(taught.place_weight[:, :21].sum()) == 0
    assert float(taught.place_weight[0, 21:].sum()) == 0
    assert float(taught.place_weight[1, 21:].sum()) > 18
    assert taught.hand_weight.tolist() == [[0, 0], [0, 1], [0, 1]]


def test_answers_of_chosen_samples() -> None:
    chosen = of_samples(answers(), torch.tensor([True, False, True]))
    torch.testing.assert_close(chosen.heat_logits[1], answers().heat_logits[2])
    assert all(len(part) == 2 for part in chosen)


def test_a_picture_without_labels_is_cut_in_its_middle_and_nothing_of_it_is_known(tmp_path: Path) -> None:
    write_set(tmp_path, "touching", 3)
    with np.load(tmp_path / "touching.npz") as stored:
        arrays = dict(stored)
    arrays["joints_px"][:] = np.nan
    np.savez(tmp_path / "touching.npz", **arrays)
    mix = load_real_mix([BankSource(tmp_path, ("touching",))], PICTURE_PX, tmp_path / "cache")
    assert mix is not None
    rows = stored_real(mix, np.arange(3), "cpu")
    crops, labels = random_real_crops(rows, 96, NO_NOISE, torch.Generator().manual_seed(0))
    weights = (labels.place_weight, labels.depth_weight, labels.hand_weight, labels.root_weight, labels.gamma_weight)
    assert [float(weight.sum()) for weight in weights] == [0] * 5
    side = PICTURE_PX / 2.4 * 1.5
    left = round((PICTURE_PX - side) / 2)
    middle = rows.pictures[:, :, left : left + round(side), left : left + round(side)].float() / 255
    expected = torch.nn.functional.interpolate(middle, (96, 96), mode="bilinear")
    assert float((crops - expected).abs().mean()) < 0.05


def test_a_run_with_consistency_logs_it(tmp_path: Path) -> None:
    write_set(tmp_path / "real")
    for name in ("1", "2"):
        write_shard(tmp_path / "bank", name, 12, seed=int(name))
    write_backgrounds(tmp_path / "photos")
    path = settings_file(tmp_path, "loss: {consistency: 0.5}")
    assert train_main(["--config", str(path), "--set", "schedule.samples=20"]) == 0
    assert "train_consistency" in (tmp_path / "out" / "log.csv").read_text()
