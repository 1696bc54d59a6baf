"""What the command line does about the user's hand: keep the length that was typed, or measure it (main thread)."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from typing import Final

from engines.skeleton import Side
from realtime.camera_space.hand_size import measure_hand
from realtime.cli.hand_profile import load_profile, save_profile
from realtime.cli.options import HandOptions
from realtime.messages import Frame, HandFrame
from realtime.sources.opening import Source

CALIBRATION_S: Final = 10.0


def calibrate_hand(
    source: Source,
    pipeline: Callable[[Frame], HandFrame],
    hand: HandOptions,
    seconds: float | None,
    say: Callable[[str], None],
) -> None:
    """Watch a hand at a known distance for a while, and keep its length. Raises UserError."""
    assert hand.calibrate_mm is not None
    say(f"hold one open hand {hand.calibrate_mm:g} mm from the camera, turn it slowly; Ctrl-C ends without it")
    end_s = time.monotonic() + (seconds or (CALIBRATION_S if source.is_live else math.inf))
    frames = takewhile(lambda _: time.monotonic() < end_s, source)
    sides: Counter[Side] = Counter()
    found = measure_hand(_counted(map(pipeline, frames), sides), hand.calibrate_mm)
    print(f"hand        {found.hand_length_mm:g} mm, single pictures +-{found.spread_mm:g} mm")
    # Nothing in a mirror's picture of somebody tells that it is one: body and hands are those of another person. Only
    # who was before the camera knows.
    seen = max(sides, key=sides.__getitem__)
    print(f"seen as     a {seen} hand; if it was the other one, the source is mirrored: add --mirrored-source")
    keep_length(HandOptions(None, hand.profile, found))


def _counted(frames: Iterable[HandFrame], sides: Counter[Side]) -> Iterator[HandFrame]:
    for frame in frames:
        sides.update(hand.side for hand in frame.hands)
        yield frame


def keep_length(hand: HandOptions) -> None:
    """Write the length into the profile, where there is one.

    Raises UserError if it cannot be written, or would replace a file that is no profile.
    """
    if hand.keep is None or hand.profile is None:
        return
    if hand.profile.exists():
        load_profile(hand.profile)
    save_profile(hand.profile, hand.keep)
    print(f"kept in     {hand.profile}")
