"""The page of one recording, all of it in one text: no server, no script or picture from elsewhere (main thread)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from engines.skeleton import SIDES, Side
from realtime.tracks.schema import Tracks
from viz.report import plots
from viz.report.figures import Gap, HandNumbers, hand_numbers
from viz.report.plotting import PARTS, POINTS, clock, columns
from viz.report.strip import StripPicture

TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_MOST_GAPS: Final = 12


@dataclass(frozen=True)
class Plot:
    """A plot with what it shows, in a sentence."""

    title: str
    words: str
    svg: Markup
    columns: int = 1
    """Time axes side by side."""
    key: tuple[str, ...] = ()
    """What full, paler, palest and dashed lines are."""


def page(name: str, tracks: Tracks, strip: Sequence[StripPicture], back: str = "") -> str:
    """The whole HTML text; there must be frames. `back` is where the index page lies, if there is one."""
    hands = [hand_numbers(tracks, side) for side in SIDES]
    gaps = sorted((gap for hand in hands for gap in hand.gaps), key=lambda gap: -gap.length_s)
    return TEMPLATES.get_template("page.html").render(
        name=name,
        back=back,
        facts=facts(tracks),
        hands=[_card(hand) for hand in hands],
        strip=strip,
        upright=bool(tracks.size_px[1] > tracks.size_px[0]),
        parts=clock(round(span_s(tracks) / PARTS, 1)) if len(tracks) > POINTS else "",
        plots=_plots(tracks, strip, [hand.side for hand in hands if hand.depth_from]),
        gaps=[_gap(gap) for gap in gaps[:_MOST_GAPS]],
        gaps_left=max(len(gaps) - _MOST_GAPS, 0),
        versions=_versions(tracks),
        columns=columns,
        span_s=span_s(tracks),
    )


def span_s(tracks: Tracks) -> float:
    """Seconds from the first frame to the last; something above zero for a single one."""
    return max(float(tracks.t_s[-1] - tracks.t_s[0]), 1e-3)


def facts(tracks: Tracks) -> list[str]:
    """Length, frames, size and camera."""
    width, height = tracks.size_px.tolist()
    i = tracks.intrinsics
    across_deg = math.degrees(2 * math.atan(max(width / i.fx, height / i.fy) / 2))
    dropped = int(tracks.dropped.sum())
    lens = f", {i.lens_model} lens" if i.distortion else ""
    return [
        clock(round(span_s(tracks), 2)),
        f"{len(tracks)} frames, {tracks.fps:.1f} a second",
        *([f"{dropped} dropped or damaged"] if dropped else []),
        f"{width} x {height} px",
        f"camera {across_deg:.0f}° across{lens}",
    ]


def _plots(tracks: Tracks, strip: Sequence[StripPicture], seen: Sequence[Side]) -> list[Plot]:
    """All of them; of hands that are never `seen` there are no angles."""
    marks_s = [picture.t_s for picture in strip]
    return [
        Plot(
            "Seen",
            "Frames in which each hand was found; pale: filled in afterwards. Triangles: the pictures above.",
            Markup(plots.coverage(tracks, marks_s)),
        ),
        Plot(
            "Distance of the wrist",
            "Along the camera's axis, in millimetres; the band is one standard deviation of a single picture to either "
            "side, with what is unknown of the hand's size. It is missing where the track has none.",
            Markup(plots.depth(tracks)),
        ),
        Plot(
            "Speed",
            "In camera space, over a tenth of a second.",
            Markup(plots.speed(tracks)),
        ),
        Plot(
            "Angles of the fingers",
            "0 is straight; abduction is at the palm, positive towards the thumb.",
            Markup(plots.angles(tracks, seen or SIDES)),
            columns=len(seen or SIDES),
            key=("flexion at the palm", "in the middle", "at the tip", "abduction"),
        ),
        Plot(
            "Confidence",
            "How sure the network is that a joint is where it should be: mean of the 21, and the middle 80 % of them.",
            Markup(plots.confidence(tracks)),
        ),
    ]


def _card(hand: HandNumbers) -> dict[str, Any]:
    card = {"side": hand.side, "seen": f"{100 * hand.seen:.1f} %", "seen_percent": round(100 * hand.seen, 2)}
    if not hand.depth_from:
        return {**card, "rows": []}
    near, middle, far = hand.depth_mm
    usual, fast = hand.speed_mm_s
    longest = max((gap.length_s for gap in hand.gaps), default=0.0)
    rows = [
        ("gaps", f"{len(hand.gaps)}, the longest {longest:.2f} s" if hand.gaps else "none"),
        ("confidence of a joint, median", _number(100 * hand.confidence, "%")),
        ("distance, median and middle 90 %", f"{_number(middle, 'mm')} ({_number(near)} to {_number(far)})"),
        ("standard deviation of the distance", _number(hand.sigma_mm, "mm")),
        ("distance comes from", ", ".join(f"{name} {100 * share:.0f} %" for name, share in hand.depth_from)),
        ("speed of the wrist, median and 95 %", f"{_number(usual)} and {_number(fast, 'mm/s')}"),
    ]
    if hand.filled:
        rows.insert(1, ("filled in afterwards", _number(100 * hand.filled, "%")))
    return {**card, "rows": rows}


def _number(value: float, unit: str = "") -> str:
    return f"{value:.0f} {unit}".strip() if math.isfinite(value) else "–"


def _gap(gap: Gap) -> dict[str, Any]:
    return {"side": gap.side, "start": clock(round(gap.start_s, 2)), "length_s": gap.length_s}


def _versions(tracks: Tracks) -> str:
    """Of program, weights and libraries, as the track file has them."""
    try:
        versions = json.loads(tracks.versions)
    except ValueError:
        return ""
    return ", ".join(f"{name} {value}" for name, value in versions.items()) if isinstance(versions, dict) else ""
