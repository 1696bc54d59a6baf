"""Judge the detector of hands that touch: `python -m training.evaluate_detector [--clasped DIR] [--whole-way]`.

On held-out composed frames: how many right hands, left hands and pairs a proposal covers (IoU 0.5), at several scores.
On photographs without hands: in how many it sees any. With `--clasped` on real pictures of hands that touch, beside
the palm detector alone; with `--whole-way` in how many of them both hands are tracked in the end, with it and without.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.contract import Backend
from engines.errors import UserError
from engines.geometry.crop import CONTEXT_FACTOR, Crop
from engines.pair_boxes import Proposal
from engines.pair_detector import PAIR_DETECTOR, PairDetector
from engines.terminal import command
from realtime.camera_space.intrinsics import resolve_intrinsics
from realtime.command import CommandParser
from realtime.config import Settings
from realtime.engine import backend_of
from realtime.layers import load_settings
from realtime.messages import HandFrame
from realtime.pipeline import HandPipeline
from realtime.tracking.detector import HandDetector
from realtime.tracking.finder import PAIR_SCORE
from training.command import exit_code
from training.pairs.batches import load_photos
from training.pairs.clasped import ClaspedPicture, covered, joints_cover, load_clasped, tracked
from training.pairs.frames import blank_frame
from training.pairs.settings import PairSettings
from training.pairs.task import load_sources
from training.pairs.validation import false_alarms, held_out_frames, recall
from training.settings import load_any_settings

_SCORES: Final = (0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
_VIEWS: Final = 8
"""Parts of each photograph without hands that are looked at."""
_PALM_SCORE: Final = 0.5
_TIMED: Final = 200


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m training.evaluate_detector", __doc__)
    parser.add_argument(
        "--config", type=Path, default=Path("training/configs/pairs.yaml"), help="settings that name what is held out"
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change one setting")
    parser.add_argument("--graph", type=Path, default=PAIR_DETECTOR, help="another graph than the one that ships")
    parser.add_argument("--clasped", type=Path, metavar="DIR", help="pictures of hands that touch, with labels.json")
    parser.add_argument("--whole-way", action="store_true", help="track these pictures, with the detector and without")
    parser.add_argument("--no-frames", action="store_true", help="leave out the held-out composed frames")
    given = parser.parse_args(argv)
    return exit_code(lambda: evaluate(given))


def evaluate(given: argparse.Namespace) -> None:
    """Print all that was asked for."""
    detector = PairDetector(given.graph)
    print(f"{_milliseconds(detector):.1f} ms a picture of 640 x 480, one thread")
    if not given.no_frames:
        _on_frames(detector, _pair_settings(given))
    if given.clasped is not None:
        pictures = load_clasped(given.clasped)
        _on_clasped(detector, pictures)
        if given.whole_way:
            _whole_way(pictures, load_photos(_pair_settings(given).data.backgrounds, held_out=True))


def _pair_settings(given: argparse.Namespace) -> PairSettings:
    settings = load_any_settings(given.config, given.set)
    if not isinstance(settings, PairSettings):
        raise UserError(f"{given.config}: settings of network {settings.network}; this takes those of pairs")
    return settings


def _on_frames(detector: PairDetector, settings: PairSettings) -> None:
    sources = load_sources(settings, held_out=True)
    held_out = held_out_frames(sources, settings.data)
    rng = np.random.default_rng(0)
    empty = np.stack([blank_frame(photo, rng).rgb for photo in sources.photos for _ in range(_VIEWS)])

    def detect(rgb: NDArray[np.uint8]) -> list[list[Proposal]]:
        return [detector(one[..., ::-1], min(_SCORES)) for one in rgb]

    print(f"{len(held_out.frames)} held-out frames; {len(empty)} views of photographs without hands, in which it sees")
    print("score  found: right   left   pair   wrong pairs a frame | right   left   pair")
    for score in _SCORES:
        found, wrong = recall(detect, held_out, score), false_alarms(detect, empty, score)
        shares = "".join(f"{found[f'{kind}_found']:7.1%}" for kind in ("right", "left", "pair"))
        alarms = "".join(f"{wrong[f'{kind}_in_empty']:7.1%}" for kind in ("right", "left", "pair"))
        print(f"{score:5.2f}       {shares}   {found['wrong_pairs']:19.3f} |{alarms}")


def _on_clasped(detector: PairDetector, pictures: Sequence[ClaspedPicture]) -> None:
    print(f"{len(pictures)} pictures of hands that touch: a crop of both is proposed (IoU 0.5) in")
    palms = HandDetector(_PALM_SCORE)
    print(f"  palm detector: {covered(pictures, lambda image: _palm_boxes(palms, image)):.1%}")
    for score in _SCORES:
        share = covered(pictures, partial(_pair_boxes, detector, score))
        print(f"  this detector, score {score:.2f}: {share:.1%}{' (as the tracker asks)' * (score == PAIR_SCORE)}")


def _pair_boxes(detector: PairDetector, score: float, image_bgr: NDArray[np.uint8]) -> list[NDArray]:
    """The surest pair: the tracker tries one."""
    return [one.box_px for one in detector(image_bgr, score) if one.kind == "pair"][:1]


def _palm_boxes(palms: HandDetector, image_bgr: NDArray[np.uint8]) -> list[NDArray]:
    """Each hand's box, and the box around all of them."""
    boxes = [_box(hand.crop) for hand in palms(image_bgr)]
    if not boxes:
        return []
    low, high = np.min([box[:2] for box in boxes], axis=0), np.max([box[2:] for box in boxes], axis=0)
    return [*boxes, np.concatenate([low, high])]


def _box(crop: Crop) -> NDArray[np.float64]:
    middle, half = np.array(crop.center_px), 0.5 * crop.side_px / CONTEXT_FACTOR
    return np.concatenate([middle - half, middle + half])


def _whole_way(pictures: Sequence[ClaspedPicture], photos: NDArray[np.uint8]) -> None:
    nowhere = np.zeros(4)
    empty = [ClaspedPicture("", np.ascontiguousarray(photo[..., ::-1]), nowhere) for photo in photos]
    for name, pairs in (("without it", "false"), ("with it", "true")):
        settings = load_settings(None, [f"detector.pairs={pairs}"])
        backend = backend_of(settings, print)
        found, false = ([_tracked(settings, backend, one) for one in shown] for shown in (pictures, empty))
        both = np.mean([len(result.hands) == 2 for result in found])
        cover = np.mean([joints_cover(result, picture) for result, picture in zip(found, pictures, strict=True)])
        wrong = np.mean([bool(result.hands) for result in false])
        print(f"  tracked {name}: both in {both:.1%}, the joints cover the pair in {cover:.1%};", end=" ")
        print(f"a hand in {wrong:.1%} of {len(empty)} photographs without hands")


def _tracked(settings: Settings, backend: Backend, picture: ClaspedPicture) -> HandFrame:
    with closing(HandPipeline(settings, backend, partial(resolve_intrinsics, settings.intrinsics))) as pipeline:
        return tracked(picture, pipeline)


def _milliseconds(detector: PairDetector) -> float:
    """The fastest of many looks: what others do on the machine counts least there."""
    image = cv2.resize(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8), (640, 480))
    times = []
    for _ in range(_TIMED):
        started = time.perf_counter()
        detector(image, PAIR_SCORE)
        times.append(time.perf_counter() - started)
    return 1000 * min(times)


if __name__ == "__main__":
    sys.exit(main())
