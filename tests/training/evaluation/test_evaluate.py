"""Judging: perfect answers have no error, known mistakes their size, files go round, and bad ones are named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.backends.opening import EngineRequest, open_backend
from engines.geometry.crop import crop_around, extract, transform, upright_angle_rad
from engines.geometry.pinhole import backproject, project
from engines.output import outputs_of_batch
from engines.skeleton import HAND_SLICES, SWAP_HANDS, WRISTS
from tests.support import dataset_files as files
from tests.support.small_bank import write_shard
from training.datasets.interhand.interhand26m import load_interhand26m
from training.datasets.orders import BASE_FIRST
from training.datasets.sample import LabelledSample, read_picture
from training.datasets.synthetic import load_synthetic
from training.datasets.webcam import load_webcam
from training.evaluate import judge_network, judge_predictions
from training.evaluate import main as evaluate_main
from training.evaluation.errors import measure
from training.evaluation.figures import figures, reliability_of
from training.evaluation.look import turned_crops
from training.evaluation.predictions import Predictions, load_predictions, save_predictions
from training.evaluation.root_depth import RootDepths

TRUE_DEPTHS = RootDepths("gt", {})


def perfect(samples: list[LabelledSample]) -> Predictions:
    """What a faultless network would say."""
    count = len(samples)
    joints_mm = np.stack([s.joints_cam_mm for s in samples])
    roots = joints_mm[:, WRISTS, 2]
    return Predictions(
        annotation_id=np.array([s.annotation_id for s in samples]),
        joints_px=np.stack([s.joints_px for s in samples]),
        joint_depth_mm=joints_mm[..., 2] - np.repeat(roots, 21, axis=1),
        left_minus_right_root_mm=roots[:, 1] - roots[:, 0],
        hand_probability=np.stack([s.hand_present for s in samples]).astype(float),
        joint_confidence=np.full((count, 42), 0.95),
        root_depth_mm=roots,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files.interhand26m(tmp_path)
    return tmp_path


@pytest.fixture
def samples(root: Path) -> list[LabelledSample]:
    return list(load_interhand26m(root, "test"))


def write_predictions(path: Path, found: Predictions, **changed: NDArray | None) -> Path:
    names = ("annotation_id", "joints_px", "joint_depth_mm", "left_minus_right_root_mm", "hand_probability")
    arrays = {name: getattr(found, name) for name in names} | changed
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def run(*arguments: object) -> int:
    return evaluate_main([str(argument) for argument in arguments])


def judged(tmp_path: Path, root: Path, path: Path, *more: object) -> dict[str, float]:
    out = tmp_path / "figures.json"
    assert run("--dataset", "interhand26m", "--root", root, "--predictions", path, "--json", out, *more) == 0
    return json.loads(out.read_text())["predictions"]


def test_perfect_answers_have_no_error(samples: list[LabelledSample]) -> None:
    (result,) = judge_predictions(perfect(samples), samples, TRUE_DEPTHS)
    found = result.figures
    assert (found.samples, found.hands) == (4, 6)
    for name in ("mpjpe_mm", "mpjpe_single_mm", "mpjpe_interacting_mm", "mrrpe_mm", "epe_mm", "error_2d_px"):
        assert getattr(found, name) == pytest.approx(0, abs=1e-6), name
    assert found.aligned_mm == pytest.approx(0, abs=1e-6) and found.wrist_depth_mm == pytest.approx(0, abs=1e-6)
    assert (found.handedness, found.ap_h, found.hand_found, found.other_absent) == (1, 1, 1, 1)
    assert found.under_10_px == 1


def test_a_hand_too_deep_by_itself_is_off_by_that(samples: list[LabelledSample]) -> None:
    found = perfect(samples)
    found.joint_depth_mm[0, 4] += 30
    one = judge_predictions(found, samples, TRUE_DEPTHS)[0].figures
    direction = samples[0].joints_cam_mm[4] / samples[0].joints_cam_mm[4, 2]
    off = 30 * np.linalg.norm(direction)
    assert one.mpjpe_single_mm == pytest.approx(off / 42)  # one of the 42 joints, seen once in single sequences
    assert one.mpjpe_mm == pytest.approx(off / 3 / 42)  # and three times in all


def test_pixels_are_given_in_those_of_a_256_px_crop(samples: list[LabelledSample]) -> None:
    found = perfect(samples[:1])
    found.joints_px[0] += [3.0, 4.0]
    one = judge_predictions(found, samples[:1], TRUE_DEPTHS)[0].figures
    assert one.error_2d_px == pytest.approx(5 * 256 / samples[0].crop().side_px)


def released(samples: list[LabelledSample], found: Predictions, root_mm: NDArray) -> dict[str, float]:
    """The released evaluation told again, sample by sample and joint by joint."""
    errors: dict[str, list[list[float]]] = {kind: [[] for _ in range(42)] for kind in ("single", "pair")}
    relative = []
    for i, sample in enumerate(samples):
        assert sample.intrinsics is not None
        depth = found.joint_depth_mm[i] + np.repeat(root_mm[i], 21)
        joints = backproject(found.joints_px[i], depth, sample.intrinsics)
        for j in np.flatnonzero(sample.joint_cam_valid):
            wrist = WRISTS[j // 21]
            off = joints[j] - joints[wrist] - (sample.joints_cam_mm[j] - sample.joints_cam_mm[wrist])
            errors["pair" if sample.interacting else "single"][j].append(float(np.linalg.norm(off)))
        if sample.interacting and sample.joint_cam_valid[list(WRISTS)].all():
            depth = found.joint_depth_mm[i] + root_mm[i, 0] + np.repeat([0, found.left_minus_right_root_mm[i]], 21)
            joints = backproject(found.joints_px[i], depth, sample.intrinsics)
            off = joints[41] - joints[20] - (sample.joints_cam_mm[41] - sample.joints_cam_mm[20])
            relative.append(float(np.linalg.norm(off)))
    together = [a + b for a, b in zip(errors["single"], errors["pair"], strict=True)]
    return {
        "mpjpe_single_mm": float(np.mean([np.mean(e) for e in errors["single"]])),
        "mpjpe_interacting_mm": float(np.mean([np.mean(e) for e in errors["pair"]])),
        "mpjpe_mm": float(np.mean([np.mean(e) for e in together])),
        "mrrpe_mm": float(np.mean(relative)),
    }


@pytest.mark.parametrize("depth_from", ["gt", "file"])
def test_any_predictions_get_the_released_codes_figures(
    tmp_path: Path, root: Path, samples: list[LabelledSample], depth_from: str
) -> None:
    rng = np.random.default_rng(5)
    exact = perfect(samples)
    found = replace(
        exact,
        joints_px=exact.joints_px + rng.normal(0, 9, exact.joints_px.shape),
        joint_depth_mm=exact.joint_depth_mm + rng.normal(0, 40, (4, 42)),
        left_minus_right_root_mm=rng.normal(0, 90, 4),
        hand_probability=rng.random((4, 2)),
    )
    order = rng.permutation(4)
    shuffled = Predictions(**{name: value[order] for name, value in vars(found).items()})
    path = write_predictions(tmp_path / "found.npz", shuffled)
    depths, more = exact.root_depth_mm, []
    if depth_from == "file":
        depths = depths + rng.normal(0, 80, depths.shape)
        more = ["--root-depth", _rootnet_file(tmp_path, samples, depths)]
    ours = judged(tmp_path, root, path, *more)
    for name, value in released(samples, found, depths).items():
        assert ours[name] == pytest.approx(value, abs=1e-6), name
    right = (found.hand_probability > 0.5) == np.stack([s.hand_present for s in samples])
    assert ours["handedness"] == pytest.approx(right.all(axis=1).mean())


def _rootnet_file(folder: Path, samples: list[LabelledSample], depths: NDArray) -> Path:
    entries = [
        {"annot_id": s.annotation_id, "bbox": [20, 20, 150, 150], "abs_depth": depth.tolist()}
        for s, depth in zip(samples, depths, strict=True)
    ]
    return files.write_json(folder / "root.json", entries)


def test_published_rootnet_output_is_found_in_the_data_set(
    tmp_path: Path, root: Path, samples: list[LabelledSample]
) -> None:
    exact = perfect(samples)
    path = _rootnet_file(tmp_path, samples, exact.root_depth_mm)
    (root / "rootnet_output").mkdir()
    path.rename(root / "rootnet_output" / "rootnet_interhand2.6m_output_all_test.json")
    found = judged(tmp_path, root, write_predictions(tmp_path / "p.npz", exact), "--root-depth", "rootnet")
    assert found["mpjpe_mm"] == pytest.approx(0, abs=1e-6)
    assert found["error_2d_px"] == pytest.approx(0, abs=1e-6)


def test_own_depths_are_judged_and_used(tmp_path: Path, root: Path, samples: list[LabelledSample]) -> None:
    exact = perfect(samples)
    further = replace(exact, root_depth_mm=exact.root_depth_mm + 50)
    save_predictions(further, tmp_path / "p.npz")
    with_true = judged(tmp_path, root, tmp_path / "p.npz")
    with_own = judged(tmp_path, root, tmp_path / "p.npz", "--root-depth", "own")
    assert with_true["wrist_depth_mm"] == pytest.approx(50) and with_true["wrist_depth_bias_mm"] == pytest.approx(50)
    assert with_true["mpjpe_mm"] == pytest.approx(0, abs=1e-6) and with_own["mpjpe_mm"] > 1
    assert with_own["root_relative_mm"] == pytest.approx(0, abs=1e-6)


def test_the_left_wrist_may_stand_at_its_own_depth(
    tmp_path: Path, root: Path, samples: list[LabelledSample], capsys: pytest.CaptureFixture[str]
) -> None:
    """The paper's ablation: MRRPE from RootNet's left depth (92.14 mm there) instead of z(R->L) (32.57 mm)."""
    exact = perfect(samples)
    left_too_far = replace(exact, root_depth_mm=exact.root_depth_mm + [0.0, 40.0])
    save_predictions(left_too_far, tmp_path / "p.npz")
    relative = judged(tmp_path, root, tmp_path / "p.npz", "--root-depth", "own")
    absolute = judged(tmp_path, root, tmp_path / "p.npz", "--root-depth", "own", "--left-root", "absolute")
    assert relative["mrrpe_mm"] == pytest.approx(0, abs=1e-6)
    ray = samples[2].joints_cam_mm[41] / samples[2].joints_cam_mm[41, 2]
    assert absolute["mrrpe_mm"] == pytest.approx(40 * np.linalg.norm(ray))
    wrong = write_predictions(tmp_path / "q.npz", exact)
    command = ["--dataset", "interhand26m", "--root", root, "--predictions", wrong, "--left-root", "absolute"]
    assert run(*command) == 2
    assert "--root-depth rootnet, own or FILE" in capsys.readouterr().err


def test_predictions_go_through_a_file_unchanged(tmp_path: Path, samples: list[LabelledSample]) -> None:
    exact = perfect(samples)
    save_predictions(exact, tmp_path / "p.npz")
    for name, value in vars(load_predictions(tmp_path / "p.npz")).items():
        np.testing.assert_array_equal(value, getattr(exact, name))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"joints_px": None}, "joints_px is missing"),
        ({"joints_px": np.zeros((4, 21, 2))}, "joints_px"),
        ({"hand_probability": np.zeros((3, 2))}, "hand_probability"),
        ({"joint_depth_mm": np.full((4, 42), np.nan)}, "joint_depth_mm"),
        ({"annotation_id": np.array([1, 2, 3, 4])}, "no prediction, such as annotation_id 100"),
        ({"annotation_id": np.array([100, 100, 102, 103])}, "twice"),
        ({"joints_px": np.array([None] * 4)}, "Object arrays"),
        ({"hand_probability": np.full((4, 2), "a")}, "no numbers"),
    ],
)
def test_predictions_that_do_not_fit_are_named(
    tmp_path: Path,
    root: Path,
    samples: list[LabelledSample],
    capsys: pytest.CaptureFixture[str],
    changed: dict[str, NDArray | None],
    said: str,
) -> None:
    path = write_predictions(tmp_path / "p.npz", perfect(samples), **changed)
    assert run("--dataset", "interhand26m", "--root", root, "--predictions", path) == 2
    assert said in capsys.readouterr().err


def test_no_predictions_file_and_no_report_folder_are_one_line(
    tmp_path: Path, root: Path, samples: list[LabelledSample], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.npz").write_bytes(b"nothing")
    for path in (tmp_path / "p.npz", tmp_path / "gone.npz"):
        assert run("--dataset", "interhand26m", "--root", root, "--predictions", path) == 2
        assert path.name in capsys.readouterr().err
    good = write_predictions(tmp_path / "good.npz", perfect(samples))
    (tmp_path / "taken").write_text("a file")
    command = ("--dataset", "interhand26m", "--root", root, "--predictions", good, "--report", tmp_path / "taken")
    assert run(*command) == 2
    assert "taken" in capsys.readouterr().err
    assert run("--dataset", "interhand26m", "--root", root, "--predictions", good, "--root-depth", "own") == 2
    assert "root_depth_mm" in capsys.readouterr().err
    assert run("--dataset", "rhd") == 2
    assert "--root" in capsys.readouterr().err


def test_a_hand_of_untold_side_is_judged_on_the_likelier_one(tmp_path: Path) -> None:
    pixels = project(files.hand(1), files.CAMERA)
    keypoints = files.flat_keypoints(files.in_their_order(pixels, BASE_FIRST))
    annotation = {"id": 8, "image_id": 3, "keypoints": keypoints}
    content = {"images": [{"id": 3, "file_name": "3.jpg"}], "annotations": [annotation]}
    files.write_json(tmp_path / "annotations/onehand10k_test.json", content)
    files.write_picture(tmp_path / "Test/source/3.jpg")
    joints = np.zeros((1, 42, 2))
    joints[0, HAND_SLICES["right"]] = pixels
    found = replace(_empty(1), annotation_id=np.array([8]), joints_px=joints, hand_probability=np.array([[0.9, 0.1]]))
    mirrored = replace(found, joints_px=joints[:, SWAP_HANDS], hand_probability=np.array([[0.1, 0.9]]))
    wrong = replace(found, hand_probability=np.array([[0.1, 0.9]]))
    errors = {}
    for name, each in (("right", found), ("left", mirrored), ("wrong", wrong)):
        path = write_predictions(tmp_path / f"{name}.npz", each)
        out = tmp_path / "o.json"
        assert run("--dataset", "onehand10k", "--root", tmp_path, "--predictions", path, "--json", out) == 0
        errors[name] = json.loads(out.read_text())["predictions"]
    assert errors["right"]["error_2d_px"] == pytest.approx(0) == errors["left"]["error_2d_px"]
    assert errors["wrong"]["error_2d_px"] > 50
    assert errors["right"]["mpjpe_mm"] is None and errors["right"]["handedness"] is None


def _empty(count: int) -> Predictions:
    return Predictions(
        np.arange(count),
        np.zeros((count, 42, 2)),
        np.zeros((count, 42)),
        np.zeros(count),
        np.zeros((count, 2)),
        np.full((count, 42), np.nan),
        np.full((count, 2), np.nan),
    )


def test_reliability_sorts_joints_by_confidence(samples: list[LabelledSample]) -> None:
    found = perfect(samples[:1])
    found.joint_confidence[0, :10], found.joint_confidence[0, 10:21] = 0.25, 0.85
    found.joints_px[0, :5] += 500
    errors = measure(samples[:1], found, [samples[0].crop()], None)
    result = reliability_of(errors)
    assert result.joints == [0, 0, 10, 0, 0, 0, 0, 0, 11, 0]
    assert result.confidence[2] == pytest.approx(0.25) and result.right[2] == pytest.approx(0.5)
    assert result.right[8] == 1
    assert result.expected_error == pytest.approx((10 * 0.25 + 11 * 0.15) / 21)
    assert figures(errors, 1).confidence == pytest.approx((10 * 0.25 + 11 * 0.85) / 21)


def test_a_network_is_judged_reported_and_judged_again_from_its_file(tmp_path: Path) -> None:
    write_shard(tmp_path / "bank", "7", 6, seed=1)
    base = ("--dataset", "synthetic", "--root", tmp_path / "bank", "--split", "7")
    report, saved = tmp_path / "report", tmp_path / "found.npz"
    command = (*base, "--engine", "torch", "--precision", "fp32", "--json", tmp_path / "a.json")
    assert run(*command, "--report", report, "--save-predictions", saved, "--sheet", tmp_path / "sheet.png") == 0
    assert run(*base, "--predictions", saved, "--json", tmp_path / "b.json") == 0
    by_network = json.loads((tmp_path / "a.json").read_text())
    assert set(by_network) == {"upright", "turned"}
    assert by_network["upright"] == json.loads((tmp_path / "b.json").read_text())["predictions"]
    text = (report / "report.md").read_text()
    assert "mpjpe_interacting_mm" in text and "| wrist |" in text and "nan" not in text
    for name in ("samples", "worst", "curves", "joints", "reliability"):
        assert f"({name}.png)" in text
        assert cv2.imread(str(report / f"{name}.png")).std() > 5


def test_figures_by_way_of_meeting_are_those_of_its_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_shard(tmp_path, "7", 6, seed=1)
    samples = load_synthetic(tmp_path, "7")
    found = perfect(samples)
    hearts = [row for row, sample in enumerate(samples) if sample.mode == "heart"]
    assert hearts == [row for row, sample in enumerate(samples) if sample.hand_present.all()]
    found.joints_px[hearts] += 5
    saved = tmp_path / "found.npz"
    save_predictions(found, saved)
    base = ("--dataset", "synthetic", "--root", tmp_path, "--split", "7", "--predictions", saved)
    assert run(*base, "--by", "mode") == 0
    lines = capsys.readouterr().out.splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("heart"))
    assert lines[start].split()[:2] == ["heart", str(len(hearts))] and lines[start + 1].startswith("single")
    off = np.mean([5 * 2**0.5 * 256 / samples[row].crop().side_px for row in hearts])
    assert float(lines[start].split()[2]) == pytest.approx(off, abs=2e-3)
    assert float(lines[start + 1].split()[2]) == pytest.approx(0, abs=1e-3)


def test_the_second_look_turns_the_crop_to_the_first_answer(tmp_path: Path) -> None:
    write_shard(tmp_path, "7", 2, seed=1)
    samples = load_synthetic(tmp_path, "7")[1:]
    found = perfect(samples)
    (crop,) = turned_crops(samples, found)
    side = "left" if samples[0].hand_present[1] else "right"
    joints = samples[0].joints_px[HAND_SLICES[side]]
    along = joints[11] - joints[20]
    up = np.array([np.sin(crop.angle_rad), -np.cos(crop.angle_rad)])
    assert along @ up == pytest.approx(np.linalg.norm(along))


def test_webcam_figures_stay_what_they_were(shared_data: Path) -> None:
    """The two looks, told again: crops around the joints, the labelled side's answer, its turn."""
    folder = shared_data / "eval" / "webcam_left_hand"
    if not folder.is_dir():
        pytest.skip("needs the optional eval/webcam_left_hand")
    samples = load_webcam(folder)[:6]
    backend = open_backend(EngineRequest(backend="torch", precision="fp32"))
    first, second = judge_network(backend, samples, TRUE_DEPTHS)
    distances: list[list[NDArray]] = [[], []]
    for sample in samples:
        truth, angle = sample.joints_px[HAND_SLICES["left"]], 0.0
        for k in range(2):
            crop = crop_around(truth, angle)
            output = outputs_of_batch(backend(extract(read_picture(sample.picture), crop, backend.input_px)[None]))[0]
            joints = transform(crop.image_from_crop(backend.input_px), output.joints_crop_px[21:].astype(float))
            distances[k].append(np.linalg.norm(joints - truth, axis=1) * 256 / crop.side_px)
            angle = upright_angle_rad([joints])
    assert first.figures.error_2d_px == pytest.approx(float(np.mean(distances[0])), abs=1e-3)
    assert second.figures.error_2d_px == pytest.approx(float(np.mean(distances[1])), abs=1e-3)
