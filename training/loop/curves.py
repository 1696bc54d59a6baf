"""A run's log as CSV and for TensorBoard, and its learning curves as a picture."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from torch.utils.tensorboard import SummaryWriter

from engines.errors import UserError

_COLOURS: Final = {"held_out": "tab:blue", "train": "tab:orange"}


class RunLog:
    """Appends a row at every validation and redraws `curves.png`; rows beyond a resumed sample count are dropped."""

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
        draw_curves(self.rows, self.path.with_name("curves.png"))
        for kind, values in (("train", trained), ("held_out", validated)):
            for name, value in values.items():
                self._events.add_scalar(f"{name}/{kind}", value, samples)
        self._events.add_scalar("samples_per_s", rate, samples)
        self._events.flush()

    def _read(self) -> list[dict[str, str]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return list(csv.DictReader(file))


def draw_curves(rows: list[dict[str, str]], path: Path) -> None:
    """Every held-out error and every training loss over the samples seen; the same thing in the same axes."""
    columns = [name for name in rows[-1] if name.startswith(("train_", "held_out_"))]
    panels = list(dict.fromkeys(name.removeprefix("train_").removeprefix("held_out_") for name in columns))
    figure, axes = plt.subplots(3, (len(panels) + 2) // 3, figsize=(13, 8), layout="constrained")
    samples = [float(row["samples"]) / 1000 for row in rows]
    for axis, name in zip(axes.flat, panels, strict=False):
        for kind, label in (("held_out", "held out"), ("train", "training")):
            column = f"{kind}_{name}"
            if column in rows[-1]:
                values = [float(row.get(column) or "nan") for row in rows]
                axis.plot(samples, values, label=label, color=_COLOURS[kind])
        axis.set(title=name, xlabel="thousand samples")
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(path, dpi=100)
    plt.close(figure)
