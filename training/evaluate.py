"""Judge weights on labelled pictures: `python -m training.evaluate --root FOLDER [--weights W] [--json OUT]`.

Each hand is looked at twice: once in the upright crop of its labelled box, as the paper does, and once in a crop
turned by the first answer, as the tracker does from its second frame on.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.backend import Backend, EngineRequest, open_backend
from engines.crop import Crop, crop_around, extract, transform, upright_angle_rad
from engines.errors import UserError
from engines.output import NetworkOutput, outputs_of_batch
from engines.pinhole import backproject, project, rootnet_k
from engines.skeleton import BONES, HAND_SLICES, SIDES, WRIST
from training.datasets.webcam import LabelledHand, load_webcam
from training.metrics import mean_distance, procrustes_aligned, root_relative, share_under

REPORT_PX = 256
"""2D errors are given in pixels of a crop of this side."""


@dataclass(frozen=True)
class Figures:
    """What one way of looking gave."""

    hands: int
    error_2d_px: float
    """Mean 2D distance in pixels of a 256 px crop."""
    under_10_px: float
    root_relative_mm: float
    """Mean 3D distance, wrists aligned, back-projected with the true wrist depth (the wrist counts, with 0)."""
    aligned_mm: float
    """The same after Procrustes alignment."""
    wrist_depth_mm: float
    """Mean absolute error of the wrist's distance, from RootNet's factor."""
    wrist_depth_bias_mm: float
    handedness: float
    """Share with both flags right at 0.5."""
    hand_found: float
    other_absent: float
    confidence: float
    """Mean confidence the network gave its joints."""


@dataclass(frozen=True)
class _Answer:
    joints_px: NDArray[np.float64]
    crop: Crop
    output: NetworkOutput


def look(backend: Backend, hand: LabelledHand, crop: Crop) -> _Answer:
    """Run the network on one crop and read the labelled side's joints in picture pixels."""
    output = outputs_of_batch(backend(extract(hand.image_bgr, crop, backend.input_px)[None]))[0]
    joints = output.joints_crop_px[HAND_SLICES[hand.side]].astype(np.float64)
    return _Answer(transform(crop.image_from_crop(backend.input_px), joints), crop, output)


def evaluate(backend: Backend, hands: list[LabelledHand]) -> tuple[Figures, Figures, list[_Answer]]:
    """Figures of the first look and of the second, and the second's answers."""
    first = [look(backend, hand, crop_around(project(hand.joints_cam_mm, hand.intrinsics))) for hand in hands]
    second = [look(backend, hand, _turned(hand, answer)) for hand, answer in zip(hands, first, strict=True)]
    return figures(hands, first), figures(hands, second), second


def _turned(hand: LabelledHand, answer: _Answer) -> Crop:
    """The labelled box again, in the axes in which the first answer points up."""
    angle = upright_angle_rad([answer.joints_px])
    return crop_around(project(hand.joints_cam_mm, hand.intrinsics), angle)


def figures(hands: list[LabelledHand], answers: list[_Answer]) -> Figures:
    """All errors of a list of answers."""
    truth_mm = np.stack([hand.joints_cam_mm for hand in hands])
    truth_px = np.stack([project(hand.joints_cam_mm, hand.intrinsics) for hand in hands])
    to_report = np.array([REPORT_PX / answer.crop.side_px for answer in answers])[:, None, None]
    found_px = np.stack([answer.joints_px for answer in answers])
    found_mm = np.stack([_joints_mm(hand, answer) for hand, answer in zip(hands, answers, strict=True)])
    depth = np.array([_wrist_depth(hand, answer) for hand, answer in zip(hands, answers, strict=True)])
    off = depth - truth_mm[:, WRIST, 2]
    own = np.array([SIDES.index(hand.side) for hand in hands])
    flags = np.stack([answer.output.hand_probability for answer in answers]) > 0.5
    rows = np.arange(len(hands))
    found, absent = flags[rows, own], ~flags[rows, 1 - own]
    confidence = [answer.output.joint_confidence[HAND_SLICES[h.side]] for h, answer in zip(hands, answers, strict=True)]
    relative, relative_truth = root_relative(found_mm), root_relative(truth_mm)
    return Figures(
        hands=len(hands),
        error_2d_px=mean_distance(found_px * to_report, truth_px * to_report),
        under_10_px=share_under(found_px * to_report, truth_px * to_report, 10.0),
        root_relative_mm=mean_distance(relative, relative_truth),
        aligned_mm=mean_distance(procrustes_aligned(relative, relative_truth), relative_truth),
        wrist_depth_mm=float(np.abs(off).mean()),
        wrist_depth_bias_mm=float(off.mean()),
        handedness=float((found & absent).mean()),
        hand_found=float(found.mean()),
        other_absent=float(absent.mean()),
        confidence=float(np.mean(confidence)),
    )


def _joints_mm(hand: LabelledHand, answer: _Answer) -> NDArray[np.float64]:
    depth = hand.joints_cam_mm[WRIST, 2] + answer.output.joint_depth_mm[HAND_SLICES[hand.side]]
    return backproject(answer.joints_px, depth, hand.intrinsics)


def _wrist_depth(hand: LabelledHand, answer: _Answer) -> float:
    k = rootnet_k(answer.crop.side_px, hand.intrinsics.fx, hand.intrinsics.fy)
    return float(answer.output.root_depth_factor[SIDES.index(hand.side)] * k)


def draw_sheet(hands: list[LabelledHand], answers: list[_Answer], path: Path, count: int = 40) -> None:
    """A contact sheet of evenly picked pictures: found joints in colour over the labelled ones in white."""
    tiles = []
    for i in np.linspace(0, len(hands) - 1, min(count, len(hands))).astype(int):
        tile = cv2.resize(hands[i].image_bgr, (256, 256))
        scale = 256 / hands[i].image_bgr.shape[0]
        for joints, colour in (
            (project(hands[i].joints_cam_mm, hands[i].intrinsics), (255, 255, 255)),
            (answers[i].joints_px, (40, 160, 255)),
        ):
            points = np.rint(joints * scale).astype(int)
            for a, b in BONES:
                cv2.line(tile, points[a].tolist(), points[b].tolist(), colour, 1, cv2.LINE_AA)
        right, left = answers[i].output.hand_probability
        cv2.putText(
            tile,
            f"R {right:.2f} L {left:.2f}",
            (4, 14),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.45,
            (255, 255, 255),
            1,
            cv2.LINE_AA,
        )
        tiles.append(tile)
    columns = 8
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]))


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument(
        "--root", type=Path, default=Path("../shared/data/eval/webcam_left_hand"), help="folder with labels.json"
    )
    parser.add_argument("--weights", type=Path, help="weights to judge instead of the shipped ones")
    parser.add_argument("--engine", default="auto", choices=("auto", "openvino", "torch"))
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--sheet", type=Path, help="write a picture of found and labelled joints there")
    arguments = parser.parse_args(argv)
    try:
        backend = open_backend(
            EngineRequest(weights=arguments.weights, backend=arguments.engine, precision=arguments.precision), print
        )
        hands = load_webcam(arguments.root)
        first, second, answers = evaluate(backend, hands)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{'':22}{'upright crop':>14}{'turned crop':>14}")
    for name, value in asdict(first).items():
        print(f"{name:22}{value:14.3f}{asdict(second)[name]:14.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"upright": asdict(first), "turned": asdict(second)}, indent=2) + "\n")
    if arguments.sheet:
        draw_sheet(hands, answers, arguments.sheet)
    return 0


if __name__ == "__main__":
    sys.exit(main())
