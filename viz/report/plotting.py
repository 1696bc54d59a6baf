"""How every plot of the page looks: one width, one time axis, the hands' colours (matplotlib; main thread)."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator
from numpy.typing import NDArray

from engines.skeleton import Side
from viz.drawing.palette import SCENE_RGB, Rgb

WIDTH_IN: Final = 10.4
LEFT, RIGHT = 0.066, 0.99
"""Where the time axis begins and ends, as shares of the width: the same for all, so that times lie under each other."""
_BETWEEN: Final = 0.06
"""Room between two columns, as a share of one."""
POINTS: Final = 2000
"""A line of more frames than that, more than the page has pixels, is drawn in parts."""
PARTS: Final = 400
_STEPS_S: Final = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60 * k for k in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)),
)
INK, DIM, GRID = "#2a2f38", "#6b7280", "#e5e7eb"
_STYLE: Final[Any] = {
    "svg.fonttype": "none",  # text stays text: the page's font, to select and to search
    "svg.hashsalt": "two hands",  # the same tracks give the same page
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": "#c7ccd4",
    "axes.labelcolor": DIM,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": "#c7ccd4",
    "xtick.labelcolor": DIM,
    "ytick.color": "#c7ccd4",
    "ytick.labelcolor": DIM,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "lines.linewidth": 1.3,
    "lines.solid_joinstyle": "round",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


def svg(height_in: float, draw: Callable[[Figure], None]) -> str:
    """What `draw` puts into a figure, as an `<svg>` element that scales with the page."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH_IN, height_in))
        draw(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    document = text.getvalue()
    return document[document.index("<svg ") :]


def columns(count: int) -> list[tuple[float, float]]:
    """Where the time axis of each of `count` columns begins and ends, as shares of the width."""
    width = (RIGHT - LEFT) / (count + (count - 1) * _BETWEEN)
    return [(LEFT + i * width * (1 + _BETWEEN), LEFT + i * width * (1 + _BETWEEN) + width) for i in range(count)]


def stacked(
    figure: Figure, rows: int, height_in: float, t_s: NDArray[np.float64], side_by_side: int = 1
) -> NDArray[Any]:
    """Axes (rows, side_by_side) above each other with one time axis, in seconds from `t_s[0]`."""
    axes = figure.subplots(rows, side_by_side, sharex=True, sharey=True, squeeze=False)
    figure.subplots_adjust(LEFT, 0.26 / height_in, RIGHT, 1 - 0.10 / height_in, _BETWEEN, 0.18)
    for each in axes.flat:
        each.set_axisbelow(True)
        each.yaxis.set_major_locator(MaxNLocator(4))
    span_s = max(float(t_s[-1] - t_s[0]), 1e-3)
    axes[0, 0].set_xlim(0.0, span_s)
    axes[0, 0].xaxis.set_major_locator(MultipleLocator(_step_s(span_s * (1 if side_by_side == 1 else 1.8))))
    axes[0, 0].xaxis.set_major_formatter(FuncFormatter(clock))
    return axes


def clock(t_s: float, _place: int | None = None) -> str:
    """Seconds, from two minutes on minutes and seconds, from an hour on hours, too."""
    if abs(t_s) < 120:
        return f"{t_s:g} s"
    minutes, seconds = divmod(round(t_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _step_s(span_s: float) -> float:
    """Time between two ticks, a round one for clocks; about eight of them."""
    return next((step for step in _STEPS_S if span_s / step <= 9), span_s / 8)


def colour(side: Side, paleness: float = 0.0) -> Rgb:
    """The hand's colour, mixed with white."""
    red, green, blue = (c + (1.0 - c) * paleness for c in SCENE_RGB[side])
    return red, green, blue


def line(axes: Axes, t_s: NDArray, values: NDArray, spread: float = 0.15, **style: Any) -> None:
    """A line with gaps where values (F,) are NaN.

    Of a long recording it is the median of each short time, on a band, as opaque as `spread`, from least to greatest.
    """
    if len(values) <= POINTS:
        axes.plot(t_s - t_s[0], values, **style)
        return
    middle_s, low, median, high = parts(t_s, values)
    axes.fill_between(middle_s, low, high, color=style.get("color"), alpha=spread, linewidth=0)
    axes.plot(middle_s, median, **style)


def band(axes: Axes, t_s: NDArray, low: NDArray, high: NDArray, **style: Any) -> None:
    """The area between two lines (F,); of a long recording between their medians in each short time."""
    if len(low) <= POINTS:
        axes.fill_between(t_s - t_s[0], low, high, linewidth=0, **style)
        return
    (middle_s, _, lower, _), (_, _, upper, _) = parts(t_s, low), parts(t_s, high)
    axes.fill_between(middle_s, lower, upper, linewidth=0, **style)


def parts(t_s: NDArray, values: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Values (F,) in PARTS parts of as many frames: middle in s from `t_s[0]`, least, median, greatest; NaN if none."""
    edges = np.linspace(0, len(values), PARTS + 1).astype(int)
    figures = [_figures(values[a:b]) for a, b in pairwise(edges)]
    middles_s = (t_s[edges[:-1]] + t_s[edges[1:] - 1]) / 2 - t_s[0]
    low, median, high = np.array(figures).T
    return middles_s, low, median, high


def _figures(some: NDArray) -> tuple[float, float, float]:
    there = some[np.isfinite(some)]
    if not there.size:
        return (float("nan"),) * 3
    return float(there.min()), float(np.median(there)), float(there.max())
