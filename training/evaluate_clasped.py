"""Look at real pictures of hands that touch: `python -m training.evaluate_clasped --clasped DIR --sheet FILE.png`.

The network is given the labelled box of each pair, upright and then turned by its own answer; no joints are labelled,
so its answers are to be looked at: the sheet shows the second ones over each picture (right hand blue, left hand
orange) with their confidence. Printed are, of both, the share of pictures in which both hands are seen, the mean
confidence of the joints, and the share in which the joints lie in a knot in the middle rather than on two hands (the
rule is in `training/evaluation/knots.py`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from engines.answers import answers
from engines.backends.opening import open_backend
from engines.contract import Backend, EngineRequest
from engines.geometry.crop import Crop, crop_around, extract, transform, upright_angle_rad
from engines.presets import SPECS
from engines.second_look import Looks, looking_twice
from engines.skeleton import HAND_SLICES, SIDES
from engines.terminal import command
from realtime.command import CommandParser
from training.command import exit_code
from training.evaluation.knots import LEAST_HAND_SPREAD, LEAST_PAIR_SPREAD, Spread, spread_of
from training.evaluation.pictures import BLUE, ORANGE, TILE_PX, caption, draw_hand, save_sheet
from training.pairs.clasped import ClaspedPicture, load_clasped

_SHOWN_FACTOR = 1.2
"""A tile shows a little more than the network's crop."""
_SURE = 0.5


@dataclass(frozen=True)
class ClaspedAnswer:
    """What a network says of one picture."""

    picture: ClaspedPicture
    crop: Crop
    joints_px: NDArray[np.float64]
    """(42, 2) pixels of the picture, right 0-20, left 21-41."""
    confidence: float
    """Mean of the 42 joints."""
    hand_probability: NDArray[np.float64]
    """(2,) right, left."""
    spread: Spread


def look_at_pair(backend: Backend, picture: ClaspedPicture, angle_rad: float = 0.0) -> ClaspedAnswer:
    """The answer for the crop around the labelled box, turned by `angle_rad`."""
    crop = replace(crop_around(picture.box_px.reshape(2, 2)), angle_rad=angle_rad)
    cut = extract(picture.image_bgr, crop, backend.input_px)[None]
    output = answers(backend, cut, [crop], None)[0]
    joints = transform(crop.image_from_crop(backend.input_px), output.joints_crop_px.astype(np.float64))
    return ClaspedAnswer(
        picture,
        crop,
        joints,
        float(np.mean(output.joint_confidence)),
        output.hand_probability.astype(np.float64),
        spread_of(joints, picture.box_px),
    )


def look_again(backend: Backend, one: ClaspedAnswer) -> ClaspedAnswer:
    """The answer for the same crop turned so that the hands of an answer point up, as a tracker's next crop is."""
    hands = [one.joints_px[HAND_SLICES[side]] for side in SIDES]
    return look_at_pair(backend, one.picture, upright_angle_rad(hands))


def summary(found: Sequence[ClaspedAnswer]) -> str:
    """The figures as text."""
    both = np.mean([(one.hand_probability > _SURE).all() for one in found])
    knots = [Path(one.picture.name).stem for one in found if one.spread.is_knot]
    confidence = np.array([one.confidence for one in found])
    low = np.quantile(confidence, 0.1)
    pair, hand = np.median([(one.spread.pair, min(one.spread.hands)) for one in found], axis=0)
    return "\n".join(
        [
            f"both hands seen   {both:.1%}",
            f"mean confidence   {confidence.mean():.3f} (a tenth of the pictures below {low:.2f})",
            f"joints in a knot  {len(knots) / len(found):.1%}: spread below {LEAST_PAIR_SPREAD} of the box for both "
            f"hands, or below {LEAST_HAND_SPREAD} for one",
            f"median spread     {pair:.3f} both, {hand:.3f} the narrower hand (true joints: about 0.21 and 0.16)",
            "knots: " + (" ".join(knots) or "none"),
        ]
    )


def sheet(found: Sequence[ClaspedAnswer], path: Path) -> None:
    """Joints of both hands over each crop, knots marked; raises UserError if the file cannot be written."""
    save_sheet([_tile(one) for one in found], path)


def _tile(one: ClaspedAnswer) -> NDArray[np.uint8]:
    shown = Crop(one.crop.center_px, one.crop.side_px * _SHOWN_FACTOR)  # upright, however it was looked at
    tile = extract(one.picture.image_bgr, shown, TILE_PX)
    for hand, (side, colour) in enumerate(zip(SIDES, (BLUE, ORANGE), strict=True)):
        if one.hand_probability[hand] > _SURE:
            points = transform(shown.crop_from_image(TILE_PX), one.joints_px[HAND_SLICES[side]])
            draw_hand(tile, points, np.ones(21, bool), colour)
    caption(tile, f"{Path(one.picture.name).stem} {one.confidence:.2f}{' knot' * one.spread.is_knot}")
    return tile


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m training.evaluate_clasped", __doc__)
    parser.add_argument("--clasped", type=Path, required=True, metavar="DIR", help="pictures, with labels.json")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="where to write the contact sheet")
    parser.add_argument("--weights", type=Path, help="weights to look with instead of the shipped ones")
    parser.add_argument("--preset", default="lite", choices=sorted(SPECS), help="which network")
    parser.add_argument("--looks", default="auto", choices=get_args(Looks), help="lite: when to look a second time")
    given = parser.parse_args(argv)
    return exit_code(lambda: _run(given))


def _run(given: argparse.Namespace) -> None:
    pictures = load_clasped(given.clasped)
    request = EngineRequest(preset=given.preset, weights=given.weights)
    backend = looking_twice(open_backend(request, print), given.preset, given.looks)
    found = [look_at_pair(backend, picture) for picture in pictures]
    turned = [look_again(backend, one) for one in found]
    print(f"{len(found)} pictures of hands that touch, given the labelled box of the pair")
    print(
        f"\nupright crop\n{summary(found)}\n\nturned by that answer, as the tracker's next crop is\n{summary(turned)}"
    )
    if given.sheet is not None:
        sheet(turned, given.sheet)
        print(f"sheet in {given.sheet}")


if __name__ == "__main__":
    raise SystemExit(main())
