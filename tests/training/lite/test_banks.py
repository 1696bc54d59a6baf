"""Several banks drawn from together."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engines.errors import UserError
from tests.support.small_bank import SIZE_PX, write_shard
from training.banks import bank
from training.banks.banks import ANY, BankMix, BankSource, load_mix
from training.lite.settings import BankSettings, DataSettings


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("banks")
    for number, count in (("1", 12), ("2", 6)):
        write_shard(root, number, count, seed=int(number))
    path = root / "shard-2.npz"
    with np.load(path) as labels:
        extended = dict(labels) | {"held": np.array(["cup", "", "ball", "", "", "cup"])}
    np.savez(path, **extended)
    return root


def mix(root: Path, *sources: BankSource) -> BankMix:
    return load_mix(sources, SIZE_PX, root / "cache")


def test_rows_come_back_in_the_order_asked_for(root: Path) -> None:
    both = mix(root, BankSource(root, ("1",)), BankSource(root, ("2",)))
    assert len(both) == 18
    index = np.array([17, 0, 12, 5, 11, 5])
    rows = both.rows(index)
    first, second = both.parts
    for row, place in enumerate(index):
        bank, at = (first, place) if place < 12 else (second, place - 12)
        assert (rows.pictures[row] == bank.pictures[at]).all()
        assert (rows.joints_cam_mm[row] == bank.joints_cam_mm[at]).all()


def test_banks_are_drawn_by_share_and_pictures_evenly(root: Path) -> None:
    both = mix(root, BankSource(root, ("1",), share=1.0), BankSource(root, ("2",), share=3.0))
    drawn = both.draw(20_000, torch.Generator().manual_seed(0))
    counts = np.bincount(drawn, minlength=18)
    assert counts[12:].sum() / 20_000 == pytest.approx(0.75, abs=0.02)
    assert counts[:12].std() < 0.12 * counts[:12].mean()
    assert counts[12:].std() < 0.12 * counts[12:].mean()
    by_size = mix(root, BankSource(root, ("1",)), BankSource(root, ("2",)))
    drawn = by_size.draw(20_000, torch.Generator().manual_seed(0))
    assert (drawn >= 12).mean() == pytest.approx(1 / 3, abs=0.02)


def test_pictures_are_left_out_by_label(root: Path) -> None:
    bare = mix(root, BankSource(root, ("2",), leave_out={"held": [ANY]}))
    assert len(bare) == 3
    no_cup = mix(root, BankSource(root, ("2",), leave_out={"held": ["cup"]}))
    assert len(no_cup) == 4
    with pytest.raises(UserError, match="no label colour"):
        mix(root, BankSource(root, ("2",), leave_out={"colour": [ANY]}))
    with pytest.raises(UserError, match="leaves no picture"):
        mix(root, BankSource(root, ("2",), leave_out={"held": [ANY, ""]}))


def test_all_shards_are_those_not_held_out(root: Path) -> None:
    data = DataSettings(banks=[BankSettings(root=root, train=["all"], validation=["2"])], backgrounds=root)
    assert data.training_sources()[0].shards == ("1",)
    assert data.validation_sources()[0].shards == ("2",)


def test_a_bank_rendered_anew_is_decoded_anew(tmp_path: Path) -> None:
    write_shard(tmp_path, "1", 4, seed=1)
    before = mix(tmp_path, BankSource(tmp_path, ("1",))).parts[0]
    write_shard(tmp_path, "1", 6, seed=2)
    after = mix(tmp_path, BankSource(tmp_path, ("1",))).parts[0]
    assert (len(before), len(after)) == (4, 6)


def test_a_picture_that_is_opaque_everywhere_has_no_alpha(tmp_path: Path) -> None:
    """WebP leaves it out; a body that fills the picture makes such ones."""
    write_shard(tmp_path, "1", 1, seed=1)
    opaque = np.full((SIZE_PX, SIZE_PX, 3), (10, 120, 200), np.uint8)
    blob = cv2.imencode(".webp", cv2.cvtColor(opaque, cv2.COLOR_BGR2BGRA))[1].tobytes()
    with tarfile.open(tmp_path / "shard-1.tar", "w") as archive:
        info = tarfile.TarInfo("00000.webp")
        info.size = len(blob)
        archive.addfile(info, io.BytesIO(blob))
    picture = mix(tmp_path, BankSource(tmp_path, ("1",))).parts[0].pictures[0]
    assert (picture[3] == 255).all()
    assert abs(picture[0].astype(int) - 200).max() < 12  # RGB


def test_processes_that_decode_the_same_shard_do_not_disturb_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shard(tmp_path, "1", 3, seed=1)
    source, save = BankSource(tmp_path, ("1",)), np.save

    def another_is_faster(path: Path, pictures: np.ndarray) -> None:
        save(path, pictures)
        with monkeypatch.context() as other:
            other.setattr(bank.np, "save", save)
            other.setattr(os, "getpid", lambda: 1)
            mix(tmp_path, source)

    monkeypatch.setattr(bank.np, "save", another_is_faster)
    assert len(mix(tmp_path, source)) == 3
    assert [path.name[:2] for path in (tmp_path / "cache").iterdir()] == ["1-"]


def test_an_archive_that_does_not_fit_its_labels_is_not_kept(tmp_path: Path) -> None:
    write_shard(tmp_path, "1", 4, seed=1)
    write_shard(tmp_path / "short", "1", 3, seed=1)
    tar, source = tmp_path / "shard-1.tar", BankSource(tmp_path, ("1",))
    whole = tar.read_bytes()
    shutil.copy(tmp_path / "short" / "shard-1.tar", tar)
    with pytest.raises(UserError, match="3 pictures but 4 labels"):
        mix(tmp_path, source)
    tar.write_bytes(whole)
    assert len(mix(tmp_path, source)) == 4


def test_decoded_pictures_that_are_damaged_are_decoded_anew(tmp_path: Path) -> None:
    write_shard(tmp_path, "1", 4, seed=1)
    source = BankSource(tmp_path, ("1",))
    before = mix(tmp_path, source).parts[0].pictures.copy()
    (kept,) = (tmp_path / "cache").iterdir()
    np.save(kept, before[:3])  # of an archive cut short, as they were once kept
    assert (mix(tmp_path, source).parts[0].pictures == before).all()
    kept.write_bytes(kept.read_bytes()[:1000])
    assert (mix(tmp_path, source).parts[0].pictures == before).all()


@pytest.mark.parametrize("suffix", ["npz", "tar"])
def test_a_shard_cut_short_is_named(tmp_path: Path, suffix: str) -> None:
    write_shard(tmp_path, "1", 4, seed=1)
    path = tmp_path / f"shard-1.{suffix}"
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(UserError, match=f"shard-1.{suffix}"):
        mix(tmp_path, BankSource(tmp_path, ("1",)))


def test_a_damaged_label_to_leave_out_by_is_named(root: Path, tmp_path: Path) -> None:
    shutil.copy(root / "shard-2.tar", tmp_path)
    content = (root / "shard-2.npz").read_bytes()
    assert "ball".encode("utf-32-le") in content
    damaged = content.replace("ball".encode("utf-32-le"), "bell".encode("utf-32-le"))
    (tmp_path / "shard-2.npz").write_bytes(damaged)
    with pytest.raises(UserError, match=r"shard-2\.npz: damaged labels"):
        mix(tmp_path, BankSource(tmp_path, ("2",), leave_out={"held": [ANY]}))
