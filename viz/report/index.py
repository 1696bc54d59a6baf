"""The index of many recordings' pages (main thread)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engines.skeleton import SIDES
from realtime.tracks.schema import Tracks
from viz.report.figures import HandNumbers, hand_numbers
from viz.report.page import TEMPLATES, facts, span_s
from viz.report.plotting import clock
from viz.report.recordings import Recording
from viz.report.strip import StripPicture

INDEX: Final = "index.html"


@dataclass(frozen=True)
class Row:
    """What the index says of one recording; without a page, only its name and why."""

    name: str
    page: str = ""
    """Where the page lies as seen from the index."""
    picture: str = ""
    """From the middle of the recording."""
    facts: tuple[str, ...] = ()
    span_s: float = 0.0
    hands: tuple[HandNumbers, ...] = ()
    note: str = ""
    """What is wrong with it."""


def row_of(recording: Recording, tracks: Tracks, strip: Sequence[StripPicture], place: Path) -> Row:
    """The row of a recording whose page lies at `place`, as seen from the index."""
    hands = tuple(hand_numbers(tracks, side) for side in SIDES)
    middle = strip[len(strip) // 2].url
    return Row(recording.name, place.as_posix(), middle, tuple(facts(tracks)), span_s(tracks), hands, recording.note)


def index_page(name: str, rows: Sequence[Row]) -> str:
    """The whole HTML text."""
    whole_s = sum(row.span_s for row in rows)
    count = sum(bool(row.page) for row in rows)
    said = [
        f"{count} recordings",
        clock(round(whole_s, 1)),
        *([f"{len(rows) - count} without"] if count < len(rows) else []),
    ]
    return TEMPLATES.get_template("index.html").render(name=name, rows=rows, facts=said)
