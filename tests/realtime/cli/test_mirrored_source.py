"""Nobody can see in a picture of a hand that it is a mirror's; who measures a hand is told which one was seen."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from realtime.sources.recording import VideoSource
from run_demo import main
from viz.video.video_writer import VideoWriter


def test_who_measures_a_hand_is_told_which_one_it_was(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = tmp_path / "hand.mp4"
    writer = VideoWriter(clip)
    with VideoSource(shared_data / "video" / "one_hand" / "human_hand_video.mp4") as source:
        for frame in islice(source, 36):
            writer.write(frame.image_bgr, frame.t_capture_s)
    writer.close()
    words = ["--video", str(clip), "--calibrate-hand", "500", "--profile-file", str(tmp_path / "profile.yaml")]
    assert main(words) == 0
    assert "seen as     a right hand; if it was the other one" in capsys.readouterr().out
    assert main([*words, "--mirrored-source"]) == 0
    assert "seen as     a left hand" in capsys.readouterr().out
