"""InterHand2.6M's labels as arrays: the samples of a plain reading, nothing else that grows, a cache that is true."""

from __future__ import annotations

import gc
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics, project
from tests.support import dataset_files as files
from training.datasets.interhand.interhand26m import InterHand26M, load_interhand26m
from training.datasets.interhand.labels import FORM
from training.datasets.interhand.texts import CodedTexts
from training.datasets.sample import LabelledSample
from training.paper.data import load_part
from training.paper.settings import PartSettings

FOLDERS = ("", "Capture0/0001_rock/cam400/", "Ä hand/", "/elsewhere/", "a//b/")
HANDS = {"right": [True, False], "left": [False, True], "interacting": [True, True]}


def names(split: str) -> list[str]:
    return [f"InterHand2.6M_{split}_{name}.json" for name in ("data", "camera", "joint_3d")]


def random_folder(root: Path, rng: np.random.Generator, count: int) -> dict[str, Any]:
    """Label files of `count` annotations: shared, unused and shuffled pictures, joints behind the camera."""
    captures, cameras, frames = range(3), ["400", "410053"], [0, 7, 69148]
    view = {
        "camrot": {c: rng.normal(size=(3, 3)).tolist() for c in cameras},
        "campos": {c: rng.normal(0, 300, 3).tolist() for c in cameras},
        "focal": {c: rng.uniform(400, 600, 2).tolist() for c in cameras},
        "princpt": {c: rng.uniform(100, 200, 2).tolist() for c in cameras},
    }
    world = {str(c): {str(f): {"world_coord": rng.normal(0, 500, (42, 3)).tolist()} for f in frames} for c in captures}
    ids = rng.permutation(10 * count + 1)[: count + 1].tolist()
    images = [
        {"id": i, "file_name": f"{rng.choice(FOLDERS)}image{i}.jpg", "width": 334, "height": 512}
        | {"capture": int(rng.integers(3)), "camera": str(rng.choice(cameras)), "frame_idx": int(rng.choice(frames))}
        | {"seq_name": str(rng.choice(["0001_rock", "0390_dh_touchROM", "ü"]))}
        for i in ids
    ]
    annotations = [
        {
            "id": int(k),
            "image_id": int(rng.choice(ids)),
            "bbox": rng.uniform(-9, 300, 4).tolist(),
            "joint_valid": rng.integers(0, 2, (42, 1) if rng.random() < 0.8 else 42).tolist(),
            "hand_type": str(rng.choice(list(HANDS))),
            "hand_type_valid": [0, 1, False, True][rng.integers(4)],
        }
        for k in rng.permutation(3 * count)[:count]
    ]
    content = {"images": images, "annotations": annotations}, {str(c): view for c in captures}, world
    for name, each in zip(names("val"), content, strict=True):
        files.write_json(root / "annotations" / "val" / name, each)
    (root / "images" / "val").mkdir(parents=True)
    listed = [annotation["id"] for annotation in annotations if rng.random() < 0.5]
    (root / "annotations/val/aid_human_annot_val.txt").write_text("\n".join(map(str, [*listed, 10**9])))
    return {"images": {image["id"]: image for image in images}, "annotations": annotations, "human": set(listed)}


def plain_sample(root: Path, image: dict[str, Any], annotation: dict[str, Any]) -> LabelledSample:
    """What the formulae say of one annotation, joint by joint."""
    content = [json.loads((root / "annotations/val" / name).read_text()) for name in names("val")[1:]]
    capture, name = str(image["capture"]), image["camera"]
    view = {key: values[name] for key, values in content[0][capture].items()}
    world = np.array(content[1][capture][str(image["frame_idx"])]["world_coord"], np.float32).astype(float)
    lens = Intrinsics(*view["focal"], *view["princpt"])
    joints, pixels, valid = np.zeros((42, 3)), np.zeros((42, 2)), np.zeros(42, bool)
    for k, flag in enumerate(np.ravel(annotation["joint_valid"])):
        point = np.array(view["camrot"]) @ (world[k] - view["campos"])
        if flag and point[2] > 0:
            joints[k], pixels[k], valid[k] = point, project(point, lens), True
    rooted = np.repeat(valid[[20, 41]], 21)
    return LabelledSample(
        annotation_id=annotation["id"],
        picture=root / "images" / "val" / image["file_name"],
        intrinsics=lens,
        joints_cam_mm=joints,
        joint_cam_valid=valid & rooted,
        joints_px=pixels,
        joint_px_valid=valid,
        hand_present=np.array(HANDS[annotation["hand_type"]]),
        box_px=np.array(annotation["bbox"]),
        handedness_known=bool(annotation["hand_type_valid"]),
        interacting=annotation["hand_type"] == "interacting",
        sequence=image["seq_name"],
        capture=capture,
        frame=image["frame_idx"],
    )


def assert_same(one: LabelledSample, other: LabelledSample, tolerance: float = 0.0) -> None:
    for field in fields(LabelledSample):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(theirs, np.ndarray):
            assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), field.name
            np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, err_msg=field.name)
        else:
            assert (type(ours), ours) == (type(theirs), theirs), field.name


@hypothesis_settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(0, 12), st.sampled_from(["all", "human", "machine"]))
def test_samples_are_those_of_a_plain_reading(seed: int, count: int, subset: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        root, cache = Path(name) / "data", Path(name) / "cache"
        truth = random_folder(root, np.random.default_rng(seed), count)
        samples, first, again = (load_interhand26m(root, "val", subset, c) for c in (None, cache, cache))
        chosen = [
            a for a in truth["annotations"] if subset == "all" or (a["id"] in truth["human"]) == (subset == "human")
        ]
        assert len(samples) == len(first) == len(again) == len(chosen)
        for k, annotation in enumerate(chosen):
            expected = plain_sample(root, truth["images"][annotation["image_id"]], annotation)
            assert_same(samples[k], expected, 1e-9)
            assert_same(first[k], samples[k])
            assert_same(again[k], samples[k])
            assert samples.is_interacting(k) == expected.interacting


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_coded_texts_come_back(texts: list[str]) -> None:
    column = CodedTexts.of(texts)
    assert [column[row] for row in range(len(column))] == texts
    assert len(column.ends) == len(set(texts))


def test_samples_belong_to_whoever_asked(tmp_path: Path) -> None:
    files.interhand26m(tmp_path)
    samples = load_interhand26m(tmp_path, "test")
    mine = samples[-1]
    for field in fields(LabelledSample):
        if isinstance(value := getattr(mine, field.name), np.ndarray):
            value[:] = 1
    assert_same(samples[3], load_interhand26m(tmp_path, "test")[3])
    assert [sample.annotation_id for sample in samples[1:3]] == [101, 102]
    with pytest.raises(IndexError):
        samples[4]


def objects_of(samples: InterHand26M) -> Iterator[Any]:
    """All objects that the samples keep alive, without classes and modules."""
    waiting, seen = [samples], set()
    while waiting:
        each = waiting.pop()
        if id(each) not in seen and not isinstance(each, type | ModuleType | FunctionType):
            seen.add(id(each))
            yield each
            waiting += gc.get_referents(each)


def test_a_hundred_times_the_labels_are_not_one_more_object(tmp_path: Path) -> None:
    """A loader process copies every page with an object whose users it counts; arrays it shares."""
    counts = []
    for count in (4, 400):
        random_folder(tmp_path / str(count), np.random.default_rng(0), count)
        samples = load_interhand26m(tmp_path / str(count), "val")
        assert len(samples) == count and samples[count - 1].sequence
        kept = list(objects_of(samples))
        assert not any(isinstance(each, np.ndarray) and each.dtype.hasobject for each in kept)
        counts.append(len(kept))
    assert counts[0] == counts[1] > 20


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def cached(cache: Path) -> Path:
    (path,) = cache.iterdir()
    return path


def test_a_cache_is_used_while_the_files_are_the_same(tmp_path: Path) -> None:
    root, cache = tmp_path / "data", tmp_path / "cache"
    files.interhand26m(root)
    before = content(root)
    load_interhand26m(root, "test", cache=cache)
    assert content(root) == before
    data = root / "annotations/test" / names("test")[0]
    text, stat = data.read_text(), data.stat()
    data.write_text(text.replace('"id": 103', '"id": 109'))
    os.utime(data, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert load_interhand26m(root, "test", cache=cache)[3].annotation_id == 103, "same size and time: not read again"
    os.utime(data, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert load_interhand26m(root, "test", cache=cache)[3].annotation_id == 109
    data.write_text("{")
    with pytest.raises(UserError, match="damaged, not JSON"):
        load_interhand26m(root, "test", cache=cache)


def test_a_run_takes_its_part_from_the_cache(tmp_path: Path) -> None:
    root, cache = tmp_path / "data", tmp_path / "out" / "labels"
    files.interhand26m(root)
    part = PartSettings(dataset="interhand26m", root=root, split="test", hands="interacting")
    read, again = load_part(part, cache), load_part(part, cache)
    assert cached(cache).suffix == ".npz"
    assert [sample.annotation_id for sample in read] == [102, 103]
    for one, other in zip(read, again, strict=True):
        assert_same(one, other)


def _cut_short(path: Path, arrays: dict[str, NDArray]) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _with_a_changed_byte(path: Path, arrays: dict[str, NDArray]) -> None:
    damaged = bytearray(path.read_bytes())
    place = damaged.index(arrays["world_mm"].tobytes())
    damaged[place + 5] ^= 255
    path.write_bytes(damaged)


def _of_another_form(path: Path, arrays: dict[str, NDArray]) -> None:
    assert arrays["made_of"][0] == FORM
    arrays["made_of"][0] += 1
    np.savez(path, **(arrays | {"box_px": arrays["box_px"] * 0}))  # type: ignore[arg-type]


def _no_archive(path: Path, arrays: dict[str, NDArray]) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_cut_short, _with_a_changed_byte, _of_another_form, _no_archive])
def test_a_damaged_or_foreign_cache_is_made_anew(tmp_path: Path, damage: Any) -> None:
    root, cache = tmp_path / "data", tmp_path / "cache"
    files.interhand26m(root)
    load_interhand26m(root, "test", cache=cache)
    path = cached(cache)
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    damage(path, arrays)
    assert_same(load_interhand26m(root, "test", cache=cache)[2], load_interhand26m(root, "test")[2])
    with np.load(cached(cache), allow_pickle=False) as file:
        assert file["made_of"][0] == FORM and file["box_px"].all()


def test_a_cache_is_never_in_the_data_set(tmp_path: Path) -> None:
    files.interhand26m(tmp_path)
    before = content(tmp_path)
    assert len(load_interhand26m(tmp_path, "test", cache=tmp_path / "out/labels")) == 4
    assert content(tmp_path) == before


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    root = tmp_path / "data"
    files.interhand26m(root)
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UserError, match="taken: the labels read cannot be kept there") as caught:
        load_interhand26m(root, "test", cache=tmp_path / "taken")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"joint_valid": [[1]', '"joint_valid": [["x"]', "invalid literal"),
        ('"joint_valid": [[1]', '"joint_valid": [[1], [1]', "cannot reshape"),
        ('"hand_type": "left"', '"hand_type": "foot"', "hand_type 'foot'"),
        ('"image_id": 11', '"image_id": 99', "annotation 101 belongs to a picture that is not in the file"),
        ('"bbox": [', '"box": [', "lacks 'bbox'"),
        ('"seq_name": "seq1"', '"name": "seq1"', "lacks 'seq_name'"),
        ('"file_name": "', '"file_name": 5, "x": "', "rpartition"),
    ],
)
def test_damaged_labels_are_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    files.interhand26m(tmp_path)
    path = tmp_path / "annotations/test" / names("test")[0]
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=rf"InterHand2\.6M_test_data\.json: .*{said}"):
        load_interhand26m(tmp_path, "test")


def test_an_unknown_frame_is_an_error_of_that_sample_only(tmp_path: Path) -> None:
    files.interhand26m(tmp_path)
    path = tmp_path / "annotations/test" / names("test")[2]
    path.write_text(path.read_text().replace('"2": {"world_coord"', '"77": {"world_coord"'))
    samples = load_interhand26m(tmp_path, "test")
    with pytest.raises(UserError, match=r"data\.json: not the annotations .*lacks \('0', '2'\)"):
        samples[2]
    assert samples[3].frame == 3
