"""A run's log as CSV, and its learning curves as a picture."""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from engines.errors import UserError


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
        self.rows = [row for row in self._read() if int(float(row["samples"])) <= resumed_at]

    def add(self, samples: int, rate: float, trained: dict[str, float], validated: dict[str, float]) -> None:
        """One row: the training losses and the held-out errors at this sample."""
        row: dict[str, str] = {"samples": str(samples), "samples_per_s": f"{rate:.1f}"}
        row |= {f"train_{name}": f"{value:.4f}" for name, value in trained.items()}
        row |= {f"held_out_{name}": f"{value:.4f}" for name, value in validated.items()}
        self.rows.append(row)
        with self.path.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            writer.writeheader()
            writer.writerows(self.rows)
        draw_curves(self.rows, self.path.with_name("curves.png"))

    def _read(self) -> list[dict[str, str]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return list(csv.DictReader(file))


def draw_curves(rows: list[dict[str, str]], path: Path) -> None:
    """Every held-out error over the samples seen, with the training loss of the same thing where there is one."""
    names = [name for name in rows[-1] if name.startswith("held_out_")]
    figure, axes = plt.subplots(2, (len(names) + 1) // 2, figsize=(13, 6), layout="constrained")
    samples = [float(row["samples"]) / 1000 for row in rows]
    for axis, name in zip(axes.flat, names, strict=False):
        axis.plot(samples, [float(row[name]) for row in rows], label="held out")
        twin = name.replace("held_out_", "train_")
        if twin in rows[-1]:
            axis.plot(samples, [float(row[twin]) for row in rows], label="training", alpha=0.6)
        axis.set(title=name.removeprefix("held_out_"), xlabel="thousand samples")
        axis.grid(alpha=0.3)
    axes.flat[0].legend()
    figure.savefig(path, dpi=100)
    plt.close(figure)
