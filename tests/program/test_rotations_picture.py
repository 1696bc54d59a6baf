"""The picture of the joints' axes is what its command draws."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from benchmarks.axes_picture import main


def test_the_picture_in_the_docs_is_the_commands(tmp_path: Path) -> None:
    assert main(["--output", str(tmp_path / "drawn.png")]) == 0
    drawn = cv2.imread(str(tmp_path / "drawn.png")).astype(int)
    kept = cv2.imread(str(Path(__file__).parents[2] / "docs" / "rotations.png")).astype(int)
    assert drawn.shape == kept.shape
    assert (np.abs(drawn - kept).max(axis=2) > 40).mean() < 0.002
