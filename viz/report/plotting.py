"""How every plot of the page looks: one width, one time axis, the hands' colours (matplotlib; main thread)."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from engines.skeleton import Side
from viz.drawing.palette import SCENE_RGB, Rgb

WIDTH_IN: Final = 10.4
LEFT, RIGHT = 0.066, 0.99
"""Where the time axis begins and ends, as shares of the width: the same for all, so that times lie under each other."""
_BETWEEN: Final = 0.06
"""Room between two columns, as a share of one."""
POINTS: Final = 1600
"""A line gets at most about so many points: more than the page has pixels."""
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
    axes[0, 0].set_xlim(0.0, max(float(t_s[-1] - t_s[0]), 1e-3))
    axes[0, 0].xaxis.set_major_formatter(FuncFormatter(clock))
    return axes


def clock(t_s: float, _place: int | None = None) -> str:
    """Seconds, or minutes and seconds from two minutes on."""
    if abs(t_s) < 120:
        return f"{t_s:g} s"
    minutes, seconds = divmod(t_s, 60)
    return f"{minutes:.0f}:{seconds:02.0f}"


def colour(side: Side, paleness: float = 0.0) -> Rgb:
    """The hand's colour, mixed with white."""
    red, green, blue = (c + (1.0 - c) * paleness for c in SCENE_RGB[side])
    return red, green, blue


def line(axes: Axes, t_s: NDArray, values: NDArray, **style: Any) -> None:
    """A line with gaps where values are NaN, of few points, yet with every peak."""
    places = thinned(values)
    axes.plot((t_s - t_s[0])[places], values[places], **style)


def band(axes: Axes, t_s: NDArray, low: NDArray, high: NDArray, **style: Any) -> None:
    """The area between two lines."""
    places = np.union1d(thinned(low), thinned(high))
    axes.fill_between((t_s - t_s[0])[places], low[places], high[places], linewidth=0, **style)


def thinned(values: NDArray) -> NDArray[np.intp]:
    """Which of the values (F,) to draw: of each of many parts the least, the greatest, and one that is not there."""
    if len(values) <= POINTS:
        return np.arange(len(values))
    chosen: list[int] = []
    for part in np.array_split(np.arange(len(values)), POINTS // 3):
        some = values[part]
        there = np.isfinite(some)
        if not there.all():
            chosen.append(int(part[np.argmin(there)]))
        if there.any():
            chosen += [int(part[np.nanargmin(some)]), int(part[np.nanargmax(some)])]
    return np.unique(np.array(chosen, np.intp))
