"""The pictures in the docs are what their commands draw."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from benchmarks import demo_picture
from benchmarks.axes_picture import main
from benchmarks.clips import SAMPLE


def test_the_picture_in_the_docs_is_the_commands(tmp_path: Path) -> None:
    assert main(["--output", str(tmp_path / "drawn.png")]) == 0
    drawn = cv2.imread(str(tmp_path / "drawn.png")).astype(int)
    kept = cv2.imread(str(Path(__file__).parents[2] / "docs" / "rotations.png")).astype(int)
    assert drawn.shape == kept.shape
    assert (np.abs(drawn - kept).max(axis=2) > 40).mean() < 0.002


def test_the_demos_picture_shows_the_frames_it_names(tmp_path: Path) -> None:
    words = ["--video", str(SAMPLE), "--output", str(tmp_path / "demo.jpg")]
    assert demo_picture.main(words) == 0
    drawn = cv2.imread(str(tmp_path / "demo.jpg"))
    third = drawn.shape[0] // 3
    for i, index in enumerate(demo_picture.FRAMES):
        (shown,) = demo_picture.picture(SAMPLE, (index,))[None]
        assert np.abs(shown.astype(int) - drawn[i * third : (i + 1) * third]).mean() < 4
    assert demo_picture.main([*words[:1], str(tmp_path / "none.mp4"), *words[2:]]) == 2
