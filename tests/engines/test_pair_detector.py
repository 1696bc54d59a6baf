"""The detector of hands that touch, as it ships: what it finds, where, and what is said of a graph that is none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.errors import UserError
from engines.pair_boxes import iou
from engines.pair_detector import PAIR_DETECTOR, PairDetector, letterboxed
from engines.pair_spec import PICTURE_PX
from realtime.tracking.finder import PAIR_SCORE, HandFinder
from training.pairs.clasped import ClaspedPicture, load_clasped


@pytest.fixture(scope="module")
def clasped(shared_data: Path) -> list[ClaspedPicture]:
    return load_clasped(shared_data / "eval" / "clasped")[::4]


def test_real_hands_that_touch_are_found_where_they_are(clasped: list[ClaspedPicture]) -> None:
    detector = PairDetector()
    hits = []
    for picture in clasped:
        pairs = [one for one in detector(picture.image_bgr, PAIR_SCORE) if one.kind == "pair"]
        hits.append(bool(pairs) and iou(pairs[0].box_px, picture.box_px) >= 0.5)
    assert np.mean(hits) > 0.75
    turned = cv2.copyMakeBorder(clasped[0].image_bgr, 0, 480, 0, 0, cv2.BORDER_CONSTANT)  # higher than wide now
    best = next(one for one in detector(turned, 0.05) if one.kind == "pair")
    assert iou(best.box_px, clasped[0].box_px) > 0.3


@pytest.mark.parametrize("size", [(480, 640), (1080, 1920), (640, 360), (100, 100)])
def test_the_whole_picture_goes_into_the_square_and_places_come_back(size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    y, x = (round(0.7 * size[0]), round(0.3 * size[1]))
    radius = max(size) // 40
    cv2.circle(image, (x, y), radius, (255, 255, 255), -1)
    square, scale, corner = letterboxed(image)
    assert square.shape == (PICTURE_PX, PICTURE_PX, 3)
    rows, columns = np.nonzero(square[..., 0] > 100)
    middle = np.array([columns.mean(), rows.mean()])
    np.testing.assert_allclose((middle - corner + 0.5) / scale - 0.5, [x, y], atol=0.6 / scale)


@pytest.mark.parametrize("fault", ["missing", "noise"])
def test_a_graph_that_is_none_is_one_line(fault: str, tmp_path: Path) -> None:
    file = tmp_path / "pairs.onnx"
    if fault == "noise":
        file.write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(UserError) as error:
        PairDetector(file)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_it_is_asked_only_where_the_palm_detector_finds_too_few(clasped: list[ClaspedPicture]) -> None:
    asked, off = HandFinder(0.5), HandFinder(0.5, pairs=False)
    seen = [(asked(picture.image_bgr), off(picture.image_bgr)) for picture in clasped[:4]]
    for all_found, palms in seen:
        assert [one.score for one in all_found[: len(palms)]] == [one.score for one in palms]
        assert len(palms) < 2 or len(all_found) == len(palms)
    assert any(len(all_found) > len(palms) for all_found, palms in seen)


def test_the_graph_that_ships_names_no_folders() -> None:
    assert b".py" not in PAIR_DETECTOR.read_bytes()
