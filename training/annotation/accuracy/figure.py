"""Figure 4 of the paper, drawn for a recording (matplotlib; main thread)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from engines.errors import UserError
from training.annotation.accuracy.views import PAPER_MM, PAPER_VIEWS, ViewsRow

_KINDS: Final = (".png", ".svg", ".pdf")


def check_figure(path: Path) -> None:
    """Raise UserError unless the name says which kind of file it is to be."""
    if path.suffix.lower() not in _KINDS:
        raise UserError(f"{path}: a figure is one of {', '.join(_KINDS)}")


def draw_figure(path: Path, rows: dict[str, list[ViewsRow]]) -> None:
    """Error against the number of views, a curve for each recording, standard deviation over draws as bars."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, all_rows in rows.items():
        curve = [r for r in all_rows if r.mean_mm > 0]  # all views against their own solution are no error
        axes.errorbar(
            [r.views for r in curve],
            [r.mean_mm for r in curve],
            yerr=[r.deviation_mm for r in curve],
            marker="o",
            markersize=4,
            capsize=3,
            label=name,
        )
    axes.axhline(PAPER_MM, color="grey", linestyle=":", label=f"paper, {PAPER_VIEWS} views: {PAPER_MM} mm")
    axes.set_xlabel("number of views")
    axes.set_ylabel("3D distance of accepted joints, mm")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
