"""Names hold on pictures of a real signer, whose hands are small, fast and blurred."""

from __future__ import annotations

from pathlib import Path

from benchmarks.holding import follow, judge
from realtime.engine import backend_of
from realtime.layers import load_settings


def test_a_signers_hands_are_never_exchanged(shared_data: Path) -> None:
    settings = load_settings()
    clip = shared_data / "video" / "signing" / "asl_different.gif"
    holding, moments = judge(follow(clip, backend_of(settings), settings, most=24))
    assert holding.exchanges == 0, moments
    assert holding.right >= 5
    assert holding.left >= 3
