"""Labels by machine: what the witnesses agree on, on a clip whose truth is known; parts that are kept; refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.backends.opening import open_backend
from engines.building.sample_crops import SAMPLE_CLIP, sample_crops
from engines.contract import EngineRequest
from engines.output import NetworkOutput
from engines.presets import DEFAULT_WEIGHTS
from engines.second_look import SecondLook
from engines.skeleton import HAND_SLICES
from tests.support.engines import Requests, requests_in_torch  # noqa: F401  pytest finds the fixture here
from training import pseudo_labels
from training.banks.real_bank import load_real
from training.pseudo.agreement import Hand, Limits, agreed
from training.pseudo.labelling import Labeller
from training.pseudo.landmarks import INPUT_PX, LandmarkLook, LandmarkNetwork, mirrored


@pytest.fixture(scope="module")
def network() -> LandmarkNetwork:
    return LandmarkNetwork()


def test_the_mirrored_look_says_the_same_of_the_mirrored_crop(network: LandmarkNetwork) -> None:
    crop = sample_crops(INPUT_PX, count=4)[1]
    straight, second = network(crop)
    again, once = network(np.ascontiguousarray(crop[:, ::-1]))
    np.testing.assert_allclose(mirrored(again).joints_px, second.joints_px, atol=1e-4)
    np.testing.assert_allclose(mirrored(once).joints_px, straight.joints_px, atol=1e-4)
    assert mirrored(mirrored(straight)).rightness == pytest.approx(straight.rightness)


def a_look(rng: np.random.Generator) -> LandmarkLook:
    return LandmarkLook(rng.uniform(60, 160, (21, 2)), rng.normal(0, 10, 21), presence=0.99, rightness=0.95)


def an_answer(look: LandmarkLook, apart_px: float = 2.0) -> NetworkOutput:
    """Of our network at the same size: a right hand, each joint so far from the look's."""
    joints = np.zeros((42, 2), np.float32)
    joints[:21] = look.joints_px + [apart_px, 0]
    return NetworkOutput(
        joints_crop_px=joints,
        joint_depth_mm=np.full(42, 12.0, np.float32),
        joint_confidence=np.ones(42, np.float32),
        hand_probability=np.array([0.99, 0.01], np.float32),
        left_minus_right_root_mm=0.0,
        root_depth_factor=np.array([0.8, 0.8], np.float32),
    )


def test_a_label_is_the_mean_of_both_witnesses_and_disagreement_is_none() -> None:
    look = a_look(np.random.default_rng(1))
    ours, limits = an_answer(look), Limits()
    hand = agreed((look, look), ours, INPUT_PX, limits)
    assert isinstance(hand, Hand)
    assert (hand.side, hand.alone) == ("right", True)
    np.testing.assert_allclose(hand.joints_crop_px, look.joints_px + [1.0, 0], atol=1e-4)
    mm_per_px = 0.8 * 300 / INPUT_PX
    np.testing.assert_allclose(hand.joint_depth_mm, (12 + look.depth_px * mm_per_px * 2) / 2, atol=1e-4)

    moved = replace(look, joints_px=look.joints_px + 12)
    refused = {
        "no hand for MediaPipe": agreed((look, replace(look, presence=0.5)), ours, INPUT_PX, limits),
        "side unsure": agreed((look, replace(look, rightness=0.1)), ours, INPUT_PX, limits),
        "looks differ": agreed((look, moved), ours, INPUT_PX, limits),
        "witnesses differ": agreed((look, look), an_answer(look, 20), INPUT_PX, limits),
    }
    other = replace(ours, hand_probability=ours.hand_probability[::-1])
    refused["other side or no hand for our network"] = agreed((look, look), other, INPUT_PX, limits)
    assert all(reason == found for reason, found in refused.items())


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames of the sample clip, two seconds apart, and one without a hand; names are frame numbers."""
    folder = tmp_path_factory.mktemp("pictures") / "mine"
    folder.mkdir()
    capture = cv2.VideoCapture(str(SAMPLE_CLIP))
    index = 0
    while capture.grab():
        if index % 60 == 45:
            cv2.imwrite(str(folder / f"{index:04d}.png"), capture.retrieve()[1])
        index += 1
    capture.release()
    cv2.imwrite(str(folder / "empty.png"), np.full((120, 160, 3), 90, np.uint8))
    (folder / "text.png").write_text("no picture")
    return folder


def test_labels_lie_on_the_hands_and_a_second_call_keeps_them(
    pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    requests_in_torch: Requests,  # noqa: F811
) -> None:
    asked = requests_in_torch(pseudo_labels)
    monkeypatch.setattr(pseudo_labels, "PART", 3)
    out = tmp_path / "out"
    command = ["--pictures", str(pictures), "--out", str(out), "--licence", "CC BY 4.0"]
    assert pseudo_labels.main(command) == 0
    said = capsys.readouterr().out
    assert "damaged picture" in said
    assert "picture without a hand" in said
    recipe = json.loads((out / "bank.json").read_text())["sets"]["mine"]
    assert recipe["licence"] == "CC BY 4.0"
    stems = sorted(path.stem for path in out.glob("mine-*.npz"))
    banks = [load_real(out, stem, 288, tmp_path / "cache") for stem in stems]
    assert sum(len(bank) for bank in banks) == sum(part["hands"] for part in recipe["parts"]) >= 4
    depths = []
    for bank in banks:
        assert (bank.hand_present.any(1) & bank.hand_known.any(1)).all()
        for row in range(len(bank)):
            for hand, rows in enumerate(HAND_SLICES.values()):
                if bank.hand_present[row, hand]:
                    places = bank.joints_px[row, rows]
                    assert ((places > -1) & (places < 288)).all(-1).mean() >= 0.5
                    depths.append(np.abs(bank.joint_depth_mm[row, rows]).max())
    assert 10 < np.median(depths) < 120

    written = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert pseudo_labels.main(command) == 0
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == written
    assert capsys.readouterr().out == said
    assert pseudo_labels.main([*command, "--least-side-px", "80"]) == 2
    assert "was begun with other limits" in capsys.readouterr().err
    assert set(asked) == {EngineRequest(weights=DEFAULT_WEIGHTS["lite"], witness=False)}


def test_labels_agree_with_the_clips_truth(pictures: Path, tmp_path: Path) -> None:
    """Places of joints in the picture, found again through the one hand that is labelled in each stored picture."""
    backend = open_backend(EngineRequest())
    labeller = Labeller(SecondLook(backend), Limits())
    with np.load(SAMPLE_CLIP.with_suffix(".npz"), allow_pickle=False) as truth:
        joints_px = truth["joints_px"]
    errors = []
    for path in sorted(pictures.glob("0*.png")):
        for found in labeller(cv2.imread(str(path))):
            rows = HAND_SLICES["right" if found.right_is_main else "left"]
            own, true = found.joints_px[rows], joints_px[int(path.stem)][rows]
            # the stored picture is a square around the hand's own extent: size and place follow from it
            scale = np.ptp(own, axis=0).max() / np.ptp(true, axis=0).max()
            shift = own.mean(0) - true.mean(0) * scale
            errors.append(np.linalg.norm(own - (true * scale + shift), axis=1).mean() * 256 / 288 / 2.4 * 1.5)
    assert len(errors) >= 4
    assert np.median(errors) < 8, "pixels of a 256 px crop"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "no such folder or video"),
        (["."], "no picture"),
        (["a", "b/a"], "would be called a"),
    ],
)
def test_what_cannot_be_labelled_is_one_line(
    words: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    requests_in_torch: Requests,  # noqa: F811
) -> None:
    requests_in_torch(pseudo_labels)
    for name in ("a", "b/a"):
        (tmp_path / "x" / name).mkdir(parents=True)
        if len(words) > 1:
            cv2.imwrite(str(tmp_path / "x" / name / "1.png"), np.zeros((8, 8, 3), np.uint8))
    folders = [str(tmp_path / "x" / word) for word in words]
    assert pseudo_labels.main(["--pictures", *folders, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert said in error[0]
