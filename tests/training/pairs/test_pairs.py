"""The pair detector's training: frames and their labels agree, maps tell boxes, a small run learns and is exported."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray

from engines.networks.checkpoints import sidecar_path
from engines.pair_boxes import proposals
from engines.pair_detector import PairDetector, letterboxed
from engines.pair_spec import KINDS, PAIR, PICTURE_PX
from engines.skeleton import HAND_SLICES
from tests.support.real_set import PICTURE_PX as REAL_PX
from tests.support.real_set import fan, write_set
from tests.support.small_bank import SIZE_PX, write_backgrounds, write_shard
from training.export import main as export_main
from training.pairs.batches import KEPT, place_of
from training.pairs.frames import Framed, Sizes, Target, box_of, paste
from training.pairs.losses import pair_losses, stacked
from training.pairs.network import PairMaps, PairNet
from training.pairs.palm_features import PalmFeatures
from training.pairs.palm_trunk import PalmTrunk
from training.pairs.palm_weights import load_palm_weights
from training.pairs.pieces import Piece, mirrored
from training.pairs.targets import target_maps
from training.train import main as train_main

WHOLE = np.array([0, 0, PICTURE_PX, PICTURE_PX], np.float32)
NOBODY = {kind: [] for kind in KINDS}


def piece_of(joints: dict[str, NDArray[np.float32]]) -> Piece:
    """Hands whose boxes are filled with red (right) or blue (left)."""
    rgba, rows = np.zeros((160, 160, 4), np.uint8), np.zeros((42, 2), np.float32)
    for side, colour in (("right", (255, 0, 0, 255)), ("left", (0, 0, 255, 255))):
        if side in joints:
            rows[HAND_SLICES[side]] = joints[side]
            left, top, right, bottom = np.rint(box_of(joints[side])).astype(int)
            rgba[top : bottom + 1, left : right + 1] = colour
    present = np.array([side in joints for side in ("right", "left")])
    return Piece(rgba, rows, present, np.ones(2, bool))


def test_the_trunk_sees_what_the_published_network_sees() -> None:
    trunk = PalmTrunk().eval()
    load_palm_weights(trunk)
    rgb = cv2.resize(np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8), (PICTURE_PX, PICTURE_PX))
    theirs = PalmFeatures(exact=True)(rgb[None], "cpu")
    with torch.no_grad():
        ours = trunk(torch.from_numpy(rgb)[None].permute(0, 3, 1, 2).float() / 255)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=2.0e-3, rtol=1.0e-3)


@pytest.mark.parametrize("seed", range(8))
def test_a_pasted_hand_is_where_its_label_says(seed: int) -> None:
    """Whatever its size, turn and place; and a mirrored right hand is a left one, which is blue."""
    rng = np.random.default_rng(seed)
    piece = piece_of({"right": fan((80, 100), 50)})
    framed = Framed(np.zeros((PICTURE_PX, PICTURE_PX, 3), np.uint8))
    paste(framed, piece, WHOLE, Sizes(0.2, 0.5), rng)
    drawn = framed.rgb.max(2) > 60
    for target in framed.targets:
        left, top, right, bottom = np.rint(target.box_px).astype(int)
        rows, columns = np.nonzero(drawn)
        assert target.kind in ("right", "left")
        assert abs((left + right) / 2 - columns.mean()) < 6
        assert abs((top + bottom) / 2 - rows.mean()) < 6
        np.testing.assert_allclose(np.linalg.norm(target.up), 1, atol=1e-5)
    assert mirrored(piece).present.tolist() == [False, True]


def test_near_hands_are_a_pair_and_hands_apart_are_none() -> None:
    for gap, wanted in ((20, {"right", "left", "pair"}), (75, {"right", "left"})):
        piece = piece_of({"right": fan((80 - gap / 2, 100), 30), "left": fan((80 + gap / 2, 100), 30)})
        found = set()
        for seed in range(6):
            framed = Framed(np.zeros((PICTURE_PX, PICTURE_PX, 3), np.uint8))
            paste(framed, piece, WHOLE, Sizes(0.3, 0.4), np.random.default_rng(seed))
            found |= {target.kind for target in framed.targets}
        assert found == wanted


@pytest.mark.parametrize("seed", range(6))
def test_maps_that_say_the_labels_give_the_boxes_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centre, half, angle = rng.uniform(60, 130, 2), rng.uniform(8, 50, 2), rng.uniform(-3, 3)
    target = Target("pair", np.concatenate([centre - half, centre + half]), np.array([np.sin(angle), -np.cos(angle)]))
    maps = target_maps([target], NOBODY)
    logits = np.log(maps.heat.clip(1e-6) / (1 - maps.heat).clip(1e-6))
    (found,) = proposals([logits, maps.boxes[:, 0:2], maps.boxes[:, 2:4], maps.boxes[:, 4:6]], 0.5)
    assert found.kind == "pair"
    np.testing.assert_allclose(found.box_px, target.box_px, atol=0.1)
    assert found.angle_rad == pytest.approx(angle, abs=1e-3)


def test_what_is_unknown_teaches_nothing() -> None:
    box = np.array([40, 40, 120, 120], np.float32)
    known, unknown = target_maps([], NOBODY), target_maps([], {**NOBODY, "pair": [box]})
    heat = torch.full((1, 3, 24, 24), -4.0)
    heat[0, PAIR, 8, 8] = 4.0  # it says that there is one
    blank = torch.zeros(1, 3, 2, 24, 24)
    costs = [
        float(pair_losses(PairMaps(heat, blank, blank, blank), stacked([m], "cpu"))["heat"]) for m in (known, unknown)
    ]
    assert costs[0] > 3
    assert costs[1] < 0.5


def test_batches_are_new_every_few_steps_and_else_recent_ones() -> None:
    places = [place_of(step, 4, seed=1) for step in range(4 * KEPT * 2)]
    assert places == [place_of(step, 4, seed=1) for step in range(4 * KEPT * 2)]
    assert places[::4] == list(range(0, 4 * KEPT * 2, 4))
    assert all(place % 4 == 0 and step - 4 * KEPT <= place <= step for step, place in enumerate(places))
    assert len(set(places[1::4])) > KEPT / 2


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("run")
    write_shard(root / "bank", "1", 24, seed=1)
    write_shard(root / "bank", "2", 12, seed=2)
    write_set(root / "real")
    write_backgrounds(root / "photos")
    for k in range(12):  # so that some are held out, whatever their names
        cv2.imwrite(str(root / "photos" / f"more{k}.png"), np.full((64, 64, 3), 20 * k, np.uint8))
    values = {
        "network": "pairs",
        "data": {
            "banks": [
                {"root": str(root / "bank"), "train": ["1"], "validation": ["2"]},
                {"root": str(root / "real"), "kind": "real", "train": ["home"]},
            ],
            "backgrounds": str(root / "photos"),
            "cache": str(root / "cache"),
            "picture_px": SIZE_PX,
            "real_px": REAL_PX,
            "repeats": 2,
            "held_out_frames": 8,
        },
        "schedule": {"samples": 32, "decay_from": 1000, "warmup": 8},
        "batch": 8,
        "bfloat16": False,
        "validate_every": 32,
        "output": str(root / "out"),
    }
    path = root / "run.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_an_interrupted_run_goes_on_to_the_same_result_and_exports_it(config: Path, tmp_path: Path) -> None:
    for name, lengths in (("a", (32,)), ("b", (16, 32))):
        for samples in lengths:
            changes = ["--set", f"output={tmp_path / name}", "--set", f"schedule.samples={samples}"]
            assert train_main(["--config", str(config), *changes]) == 0
    straight, resumed = (torch.load(tmp_path / name / "last.pt", weights_only=True) for name in "ab")
    for key, value in straight["network"].items():
        torch.testing.assert_close(resumed["network"][key], value, atol=1.0e-5, rtol=1.0e-4, msg=key)
    graph = tmp_path / "pairs.onnx"
    arguments = ["--config", str(config), "--set", f"output={tmp_path / 'a'}", "--output", str(graph)]
    assert export_main(arguments) == 0
    facts = json.loads(sidecar_path(graph).read_text())
    assert facts["samples"] == 32
    assert set(facts["held_out"]) >= {"pair_found", "pair_in_empty"}
    assert graph.stat().st_size < 2_600_000
    network = PairNet()
    load_palm_weights(network.trunk)
    network.head.load_state_dict(straight["averaged"])
    assert_says_the_same(PairDetector(graph, "fp32"), network.eval())


def assert_says_the_same(detector: PairDetector, network: PairNet) -> None:
    """Half precision of the constants excused."""
    picture = cv2.resize(np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8), (640, 480))
    square, scale, corner = letterboxed(picture)
    with torch.no_grad():
        maps = network(torch.from_numpy(square[None, ..., ::-1].copy()).permute(0, 3, 1, 2).float() / 255)
    least = float(maps.heat.amax().sigmoid()) / 2
    wanted, found = proposals([part[0].numpy() for part in maps], least), detector(picture, least)
    assert wanted
    assert (found[0].kind, found[0].score) == (wanted[0].kind, pytest.approx(wanted[0].score, rel=0.02))
    expected = (wanted[0].box_px - np.tile(corner, 2) + 0.5) / scale - 0.5
    np.testing.assert_allclose(found[0].box_px, expected, rtol=0.02, atol=2)
