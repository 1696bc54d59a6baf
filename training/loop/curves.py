"""A run's log as CSV and for TensorBoard, and its learning curves as a picture."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch.utils.tensorboard import SummaryWriter

from engines.errors import UserError

_COLOURS: Final = {"held_out": "tab:blue", "train": "tab:orange"}
_KINDS: Final = tuple(_COLOURS)


_DRAWN_EVERY_S: Final = 10.0
"""Drawing takes a third of a second: not every validation of a small run is worth it."""


class RunLog:
    """Appends a row at every validation; rows beyond a resumed sample count are dropped.

    `curves.png` is drawn anew every ten seconds at most, and by `draw`, which the run's end calls, from the second row
    on: one point makes no curve, and axes without any take half a second.
    """

    def __init__(self, folder: Path, resumed_at: int) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{folder}: cannot be written ({error.strerror}); choose another with --set output=DIR"
            ) from error
        self.path = folder / "log.csv"
        self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=resumed_at + 1)
        self.rows = [row for row in self._read() if int(float(row["samples"])) <= resumed_at]
        self._drawn_rows, self._drawn_at_s = len(self.rows), time.monotonic()

    def add(self, samples: int, rate: float, trained: dict[str, float], validated: dict[str, float]) -> None:
        """One row: the training losses and the held-out errors at this sample."""
        row: dict[str, str] = {"samples": str(samples), "samples_per_s": f"{rate:.1f}"}
        row |= {f"train_{name}": f"{value:.4f}" for name, value in trained.items()}
        row |= {f"held_out_{name}": f"{value:.4f}" for name, value in validated.items()}
        self.rows.append(row)
        columns = list(dict.fromkeys(name for one in self.rows for name in one))  # resumed runs may measure otherwise
        with self.path.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=columns, restval="")
            writer.writeheader()
            writer.writerows(self.rows)
        if time.monotonic() - self._drawn_at_s > _DRAWN_EVERY_S:
            self.draw()
        for kind, values in (("train", trained), ("held_out", validated)):
            for name, value in values.items():
                self._events.add_scalar(f"{name}/{kind}", value, samples)
        self._events.add_scalar("samples_per_s", rate, samples)
        self._events.flush()

    def draw(self) -> None:
        """Draw `curves.png`, if there are rows that it does not show."""
        if max(self._drawn_rows, 1) < len(self.rows):
            draw_curves(self.rows, self.path.with_name("curves.png"))
            self._drawn_rows, self._drawn_at_s = len(self.rows), time.monotonic()

    def _read(self) -> list[dict[str, str]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return list(csv.DictReader(file))


def curves_of(rows: list[dict[str, str]]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """For each thing that is measured, by `train` and `held_out`: points (samples, value), without those left empty."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for column in (name for name in rows[-1] if name.startswith(_KINDS)):
        kind = next(kind for kind in _KINDS if column.startswith(kind))
        points = [(float(row["samples"]), float(row[column])) for row in rows if row.get(column)]
        found.setdefault(column.removeprefix(f"{kind}_"), {})[kind] = points
    return found


def draw_curves(rows: list[dict[str, str]], path: Path) -> None:
    """Every held-out error and every training loss over the samples seen; the same thing in the same axes."""
    panels = curves_of(rows)
    # Places by hand, and one legend: a layout that is searched for draws everything several times over.
    figure = Figure(figsize=(13, 8))
    axes = figure.subplots(3, (len(panels) + 2) // 3)
    figure.subplots_adjust(left=0.05, right=0.99, bottom=0.06, top=0.92, wspace=0.25, hspace=0.4)
    for axis, (name, kinds) in zip(axes.flat, panels.items(), strict=False):
        for kind, points in kinds.items():
            axis.plot([samples / 1000 for samples, _ in points], [value for _, value in points], color=_COLOURS[kind])
        axis.set_title(name)
        axis.grid(alpha=0.3)
    for axis in axes.flat[len(panels) :]:
        axis.remove()
    figure.supxlabel("thousand samples")
    lines = [Line2D([], [], color=colour) for colour in _COLOURS.values()]
    figure.legend(lines, ["held out", "training"], loc="upper right", ncols=2)
    figure.savefig(path, dpi=100)
