"""From triangulated hands to sets that the project's own loaders read, and once around the whole loop."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from engines.errors import UserError
from engines.skeleton import HAND_SLICES
from tests.support.rigs import hands_mm, rig_around
from tests.support.slim_networks import slim
from training.annotation.__main__ import main
from training.annotation.correction.marks import MomentMarks, save_marks
from training.annotation.keypoints.network import JOINTS, STRIDE, SimpleBaseline
from training.annotation.recordings.recording import Recording
from training.annotation.recordings.video_out import VideoOut
from training.annotation.rigs.rendering_truth import exact_hands
from training.annotation.triangulation.hands import DISAGREE, ONE_VIEW, load_hands, save_hands
from training.banks.real_bank import load_real
from training.datasets.interhand.interhand26m import load_interhand26m
from training.train import main as train_main

MOMENTS = 6
COLOURS = ((60, 60, 230), (230, 90, 40))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Discs where the joints are, through lenses that distort; exact hands beside the videos."""
    rig = rig_around(3)
    root = tmp_path / "take"
    for camera in rig:
        with VideoOut(root / f"{camera.name}.mp4", camera.size_px, 10.0) as video:
            for moment in range(MOMENTS):
                picture = np.full((480, 640, 3), 90, np.uint8)
                for joint, (x, y) in enumerate(camera.project(hands_mm()[moment])):
                    place = round(float(x) * 16), round(float(y) * 16)
                    cv2.circle(picture, place, 4 << 4, COLOURS[joint // 21], -1, cv2.LINE_AA, 4)
                video.write(picture)
    frames = np.repeat(np.arange(MOMENTS)[:, None], len(rig), axis=1)
    videos = tuple(root / f"{camera.name}.mp4" for camera in rig)
    recording = Recording(root, rig, videos, frames, np.arange(MOMENTS) / 10)
    recording.save()
    hands = exact_hands(rig, hands_mm()[:MOMENTS], recording.t_s)
    hands.reason[1, 3] = DISAGREE  # one joint of a hand that is a label otherwise
    hands.reason[2, 21:] = ONE_VIEW  # a hand that is there and no label
    save_hands(root / "hands.npz", hands)
    return root


def test_the_loader_of_interhand_reads_the_same_joints(folder: Path, tmp_path: Path) -> None:
    assert main(["export", str(folder), "--out", str(tmp_path / "set"), "--validation", "0.34"]) == 0
    train, held_out = (load_interhand26m(tmp_path / "set", split) for split in ("train", "val"))
    assert len(train) == 3 * 3  # moment 2 has a hand that may not be taught as absent
    assert len(held_out) == 2 * 3
    rig = rig_around(3)
    for sample in train:
        view = int(sample.picture.parent.name.removeprefix("cam"))  # type: ignore[union-attr]
        true = rig[view].in_camera(hands_mm()[sample.frame])
        valid = sample.joint_cam_valid
        assert valid.sum() == (41 if sample.frame == 1 else 42)
        assert np.abs(sample.joints_cam_mm[valid] - true[valid]).max() < 1e-2
        assert sample.interacting
        picture = cv2.imread(str(sample.picture))
        for joint in (4, 25):  # the pictures are undistorted, and the labels lie on the discs in them
            x, y = sample.joints_px[joint].round().astype(int)
            other = picture[y, x].astype(int) - np.array(COLOURS[joint // 21])
            assert np.abs(other).max() < 90


def test_what_a_person_marked_is_told_apart(folder: Path, tmp_path: Path) -> None:
    marks = {f"cam_{v}": tuple(c.project(hands_mm()[0, 5]).tolist()) for v, c in enumerate(rig_around(3))}
    save_marks(folder / "marks", MomentMarks(0, {5: marks}, frozenset({8}), True, "ada"))
    assert main(["export", str(folder), "--out", str(tmp_path / "set"), "--split", "train"]) == 0
    human, machine = (load_interhand26m(tmp_path / "set", "train", subset) for subset in ("human", "machine"))
    assert {sample.frame for sample in human} == {0}
    assert 0 not in {sample.frame for sample in machine}
    assert not human[0].joint_px_valid[8]
    again = main(["export", str(folder), "--out", str(tmp_path / "set"), "--split", "train"])
    assert again == 0  # written anew, not twice
    assert len(load_interhand26m(tmp_path / "set", "train")) == len(human) + len(machine)


def test_several_recordings_share_a_set(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    folder_copy = Recording(
        other,
        rig_around(3),
        tuple(folder / f"cam_{k}.mp4" for k in range(3)),
        np.repeat(np.arange(2)[:, None], 3, axis=1),
        np.arange(2) / 10,
    )
    folder_copy.save()
    save_hands(other / "hands.npz", exact_hands(rig_around(3), hands_mm()[:2], np.arange(2) / 10))
    for root in (folder, other):
        assert main(["export", str(root), "--out", str(tmp_path / "set"), "--split", "train"]) == 0
    captures = {sample.capture for sample in load_interhand26m(tmp_path / "set", "train")}
    assert captures == {"0", "1"}


def test_crops_for_lite_carry_places_and_depths_along_the_line_of_sight(folder: Path, tmp_path: Path) -> None:
    words = ["export", str(folder), "--form", "shards", "--out", str(tmp_path / "crops"), "--validation", "0"]
    assert main(words) == 0
    bank = load_real(tmp_path / "crops", "take-000", 288, tmp_path / "cache")
    # moment 1's right hand lacks a joint, moment 2's left hand is no label: neither is taught
    assert len(bank) == 2 * MOMENTS - 2
    assert bank.hand_present.any(axis=1).all()
    camera = rig_around(3)[0]
    truth = camera.in_camera(hands_mm()[0])[HAND_SLICES["right"]]
    size = np.linalg.norm(truth[:, None] - truth[None], axis=-1).max()
    depth = bank.joint_depth_mm[0][:21]
    assert bank.depth_known[0][:21].all()
    assert abs(depth[20]) < 1e-3
    assert np.abs(depth - (np.linalg.norm(truth, axis=1) - np.linalg.norm(truth[20]))).max() < 0.12 * size
    assert not bank.hand_known[:, 0].all() or not bank.hand_known[:, 1].all()


def test_a_set_is_trained_on_and_the_new_detector_labels_again(folder: Path, tmp_path: Path) -> None:
    """Export, train, detect with what was trained, triangulate, judge by the truth: half a minute on a busy machine."""
    assert main(["export", str(folder), "--out", str(tmp_path / "set"), "--split", "train"]) == 0
    words = ["train", "--data", str(tmp_path / "set"), "--validation", "none", "--depth", "18", "--crop", "64"]
    words += ["--epochs", "2", "--batch", "10", "--workers", "0", "--device", "cpu", "--output", str(tmp_path / "run")]
    weights = tmp_path / "run/detector.safetensors"
    with slim():
        assert main(words) == 0
        assert load_file(str(weights))["head.weight"].shape[0] == 42
        words = ["detect", str(folder), "--detector", str(weights), "--guided", "--set", "engine.backend=torch"]
        assert main(words) == 0
    assert main(["triangulate", str(folder), "--pictures", "1"]) == 0
    report = json.loads((folder / "report.json").read_text())
    assert report["detections"] == "detector-guided"
    assert load_hands(folder / "hands.npz").joints_mm.shape == (MOMENTS, 42, 3)


def test_a_detector_of_the_published_width_answers() -> None:
    """The one that is trained above has an eighth of its channels."""
    network = SimpleBaseline(18).eval()
    assert network.head.weight.shape == (JOINTS, 256, 1, 1)
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 64, 64)).shape == (1, JOINTS, 64 // STRIDE, 64 // STRIDE)


def test_the_papers_network_trains_on_it(folder: Path, tmp_path: Path) -> None:
    assert main(["export", str(folder), "--out", str(tmp_path / "set"), "--validation", "0.34"]) == 0
    base = Path("training/configs/annotated_machine.yaml").resolve()
    config = tmp_path / "run.yaml"
    changes = {
        "base": str(base),
        "data": {
            "train": [{"dataset": "interhand26m", "root": str(tmp_path / "set"), "subset": "machine"}],
            "validation": [{"dataset": "interhand26m", "root": str(tmp_path / "set"), "split": "val"}],
            "crop_px": 64,
            "workers": 0,
        },
        "schedule": {"epochs": 1, "learning_rate": 1e-4},
        **{
            "depth": 18,
            "trunk": None,
            "batch": 3,
            "device": "cpu",
            "validate_every": 3,
            "output": str(tmp_path / "out"),
        },
    }
    config.write_text(yaml.safe_dump(changes))
    with slim():
        assert train_main(["--config", str(config)]) == 0
    assert (tmp_path / "out/last.pt").exists()


def test_there_must_be_something_to_export(folder: Path, tmp_path: Path) -> None:
    hands = load_hands(folder / "hands.npz")
    nothing = hands.reason.copy()
    nothing[:] = ONE_VIEW
    save_hands(folder / "hands.npz", type(hands)(**{**vars(hands), "reason": nothing}))
    with pytest.raises(UserError, match="nothing to export"):
        from training.annotation.steps import export_step

        export_step.run(_arguments(folder, tmp_path))


def _arguments(folder: Path, out: Path) -> object:
    import argparse

    from training.annotation.steps import export_step

    parser = argparse.ArgumentParser()
    export_step.add_arguments(parser)
    return parser.parse_args([str(folder), "--out", str(out)])
