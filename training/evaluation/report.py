"""A folder with what an evaluation found: `report.md`, figures and contact sheets as PNG.

The sheets show the data set's own pictures: keep them where its licence lets them be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.skeleton import JOINT_NAMES
from training.datasets.sample import LabelledSample
from training.evaluation.errors import Errors
from training.evaluation.figures import Figures, figures, per_joint
from training.evaluation.pictures import answers_sheet
from training.evaluation.plots import plot_curves, plot_per_joint, plot_reliability
from training.evaluation.predictions import Predictions
from training.evaluation.reliability import Reliability

PUBLISHED: Final[dict[str, tuple[str, ...]]] = {
    "interhand26m": (
        "InterNet, paper, Test (H+M): MPJPE single 12.16, interacting 16.02, MRRPE 32.57 mm, AP_h 99.09 %",
        "InterNet retrained by mmpose, v1.0: 9.47, 13.40, 29.28 mm, 0.99",
        "noise of the annotation: 2.78 mm",
    ),
    "stb": ("InterNet, paper: EPE 7.95 mm",),
    "rhd": ("InterNet, paper: EPE 20.89 mm",),
}
_SHOWN = 40


@dataclass(frozen=True)
class Run:
    """One way of looking at a data set and what came of it."""

    name: str
    """`upright crop`, `turned crop`, or `predictions`."""
    found: Predictions
    errors: Errors
    figures: Figures
    reliability: Reliability


def table(runs: Sequence[Run]) -> str:
    """The figures of all runs as text in columns; `-` where the data set cannot tell."""
    lines = [f"{'':22}" + "".join(f"{run.name:>14}" for run in runs)]
    for name in asdict(runs[0].figures):
        values = [getattr(run.figures, name) for run in runs]
        lines.append(f"{name:22}" + "".join(f"{_number(value):>14}" for value in values))
    return "\n".join(lines)


def mode_table(run: Run, modes: Sequence[str]) -> str:
    """One line for each way in which hands meet (the N samples' `modes`), as text, the worst first."""
    lines = [f"{'':20}{'samples':>8}{'2D px':>8}{'<10 px':>8}{'mm':>8}{'MRRPE mm':>10}{'flags':>8}{'confidence':>12}"]
    found = []
    for mode in sorted(set(modes)):
        errors = run.errors.of([row for row, other in enumerate(modes) if other == mode])
        found.append((mode, figures(errors, int(errors.hand_present.sum()))))
    for mode, f in sorted(found, key=lambda pair: -pair[1].error_2d_px):
        values = f.error_2d_px, f.under_10_px, f.root_relative_mm, f.mrrpe_mm, f.handedness, f.confidence
        cells = "".join(f"{_number(v):>{w}}" for v, w in zip(values, (8, 8, 8, 10, 8, 12), strict=True))
        lines.append(f"{mode or '-':20}{f.samples:8d}{cells}")
    return "\n".join(lines)


def reliability_table(reliability: Reliability) -> str:
    """Confidence against what came true, in tenths, as text."""
    lines = ["confidence      joints   mean confidence   within 10 px"]
    for k, (count, said, true) in enumerate(
        zip(reliability.joints, reliability.confidence, reliability.right, strict=True)
    ):
        lines.append(f"{k / 10:.1f} to {(k + 1) / 10:.1f}  {count:9d}{_number(said):>18}{_number(true):>15}")
    return "\n".join([*lines, f"expected error {reliability.expected_error:.3f}"])


def write_report(
    folder: Path, title: str, settings: dict[str, str], samples: Sequence[LabelledSample], runs: Sequence[Run]
) -> None:
    """Write the report; raises UserError if the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _pictures(folder, samples, runs)
        (folder / "report.md").write_text(_markdown(title, settings, runs, sorted(folder.glob("*.png"))))
    except OSError as error:
        raise UserError(f"{folder}: the report cannot be written ({error.strerror})") from error


def worst_rows(errors: Errors, count: int) -> list[int]:
    """Samples with the largest mean 2D error, the worst first."""
    score = _mean_px(errors)
    order = np.argsort(-np.nan_to_num(score, nan=-1.0), kind="stable")
    return [int(i) for i in order[:count] if np.isfinite(score[i])]


def sheet_of(samples: Sequence[LabelledSample], run: Run, rows: Sequence[int], path: Path) -> None:
    """A contact sheet of these rows; each says both flags and its mean 2D error."""
    score = _mean_px(run.errors)
    captions = [
        f"R {run.found.hand_probability[i, 0]:.2f} L {run.found.hand_probability[i, 1]:.2f}  {score[i]:.1f} px"
        for i in rows
    ]
    answers_sheet(samples, run.found, rows, path, captions)


def even_rows(count: int, shown: int = _SHOWN) -> list[int]:
    """Up to `shown` evenly picked rows of `count`."""
    return [int(i) for i in np.linspace(0, count - 1, min(shown, count))]


def _pictures(folder: Path, samples: Sequence[LabelledSample], runs: Sequence[Run]) -> None:
    last = runs[-1]
    sheet_of(samples, last, even_rows(len(last.found)), folder / "samples.png")
    worst = worst_rows(last.errors, _SHOWN)
    if worst:
        sheet_of(samples, last, worst, folder / "worst.png")
    errors = {run.name: run.errors for run in runs}
    plot_curves(errors, folder / "curves.png")
    plot_per_joint({name: per_joint(each) for name, each in errors.items()}, folder / "joints.png")
    if sum(last.reliability.joints):
        plot_reliability({run.name: run.reliability for run in runs}, folder / "reliability.png")


def _markdown(title: str, settings: dict[str, str], runs: Sequence[Run], pictures: Sequence[Path]) -> str:
    parts = [f"# {title}", "\n".join(f"* {name}: {value}" for name, value in settings.items())]
    names = [run.name for run in runs]
    rows = [[name, *(_number(getattr(run.figures, name)) for run in runs)] for name in asdict(runs[0].figures)]
    parts += ["## Figures", markdown_table(["", *names], rows)]
    known = PUBLISHED.get(settings["data set"], ())
    if known:
        parts += ["Published, for comparison:", "\n".join(f"* {line}" for line in known)]
    for run in runs:
        if sum(run.reliability.joints):
            parts += [f"## Reliability of the confidences, {run.name}", _reliability_markdown(run.reliability)]
    parts += [f"## Joints, {runs[-1].name}", _joints_markdown(runs[-1].errors)]
    parts += [f"## {path.stem.capitalize()}\n\n![{path.stem}]({path.name})" for path in pictures]
    return "\n\n".join(parts) + "\n"


def _reliability_markdown(reliability: Reliability) -> str:
    rows = [
        [f"{k / 10:.1f} to {(k + 1) / 10:.1f}", str(count), _number(said), _number(true)]
        for k, (count, said, true) in enumerate(
            zip(reliability.joints, reliability.confidence, reliability.right, strict=True)
        )
    ]
    table_ = markdown_table(["confidence", "joints", "mean confidence", "within 10 px"], rows)
    return f"{table_}\n\nExpected error {reliability.expected_error:.3f}."


def _joints_markdown(errors: Errors) -> str:
    mm, px = per_joint(errors)
    rows = [
        [name, *(_number(float(value)) for value in (mm[j], mm[j + 21], px[j], px[j + 21]))]
        for j, name in enumerate(JOINT_NAMES)
    ]
    return markdown_table(["joint", "right mm", "left mm", "right px", "left px"], rows)


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under their head; all columns but the first are numbers."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if np.isfinite(value) else "-"


def _mean_px(errors: Errors) -> NDArray[np.float64]:
    """(N,) mean 2D error of each sample; NaN without labels."""
    known = np.isfinite(errors.joint_px)
    total = np.where(known, errors.joint_px, 0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)
