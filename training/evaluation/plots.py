"""The figures of a report (matplotlib, into files)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from engines.skeleton import JOINT_NAMES
from training.evaluation.errors import Errors
from training.evaluation.reliability import Reliability


def plot_curves(runs: Mapping[str, Errors], path: Path) -> None:
    """Share of joints under a growing threshold, in 2D and in 3D."""
    figure = Figure(figsize=(10, 4))
    left, right = figure.subplots(1, 2)
    _curves(left, {name: errors.joint_px for name, errors in runs.items()}, 30, "px of a 256 px crop")
    _curves(right, {name: errors.joint_mm for name, errors in runs.items()}, 60, "mm, wrists aligned")
    _save(figure, path)


def plot_per_joint(runs: Mapping[str, NDArray], path: Path) -> None:
    """Mean error of each joint, of both hands together; (2, 42) mm and px for every run."""
    figure = Figure(figsize=(10, 6))
    for row, (axes, unit) in enumerate(zip(figure.subplots(2, 1, sharex=True), ("mm", "px"), strict=True)):
        for k, (name, means) in enumerate(runs.items()):
            both = np.stack([means[row, :21], means[row, 21:]])
            value = np.where(np.isfinite(both), both, 0).sum(0) / np.maximum(np.isfinite(both).sum(0), 1)
            axes.bar(np.arange(21) + (k + 0.5) / len(runs) * 0.8 - 0.4, value, 0.8 / len(runs), label=name)
        axes.set_ylabel(f"mean error, {unit}")
        axes.grid(axis="y", alpha=0.3)
        axes.legend()
    axes.set_xticks(range(21), JOINT_NAMES, rotation=60)
    _save(figure, path)


def plot_reliability(runs: Mapping[str, Reliability], path: Path) -> None:
    """Share of right joints over their confidence; on the diagonal a confidence means what it says."""
    figure = Figure(figsize=(5, 5))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--")
    for name, reliability in runs.items():
        axes.plot(reliability.confidence, reliability.right, marker="o", label=name)
    axes.set_xlabel("confidence of a joint")
    axes.set_ylabel("share within 10 px")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    axes.legend()
    _save(figure, path)


def _curves(axes: Axes, errors: Mapping[str, NDArray], limit: float, label: str) -> None:
    thresholds = np.linspace(0, limit, 121)
    for name, values in errors.items():
        known = np.sort(values[np.isfinite(values)])
        if known.size:
            axes.plot(thresholds, np.searchsorted(known, thresholds) / known.size, label=name)
    axes.set_xlabel(f"threshold, {label}")
    axes.set_ylabel("share of joints")
    axes.set_xlim(0, limit)
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[1]:
        axes.legend()


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    FigureCanvasAgg(figure).print_png(str(path))
