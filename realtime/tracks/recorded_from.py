"""Whether a recording can be the one that tracks were made from (any thread)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from engines.errors import UserError
from realtime.tracks.schema import Tracks

_LEAST_SHARE: Final = 0.5
"""A recording that lasts less than this share of its tracks is another one; one cut short a little is shown."""
_NO_MATTER_S: Final = 1.0
"""Lengths of a few pictures say nothing: files round them."""


def check_recording(tracks: Tracks, recording: Path, size_px: tuple[int, int], length_s: float | None = None) -> None:
    """Raise UserError unless pictures of `size_px` (width, height) are those that were tracked.

    `length_s` is how long the recording lasts, None or 0 where it does not say.
    """
    if size_px != tuple(tracks.size_px.tolist()):
        raise UserError(f"{recording}: has other pictures than those that were tracked; name the right recording")
    tracks_s = float(tracks.t_s[-1] - tracks.t_s[0]) if len(tracks) else 0.0
    if length_s and length_s < _LEAST_SHARE * tracks_s and tracks_s - length_s > _NO_MATTER_S:
        raise UserError(
            f"{recording}: lasts {length_s:.1f} s, its tracks {tracks_s:.1f} s; name the recording that was tracked"
        )
