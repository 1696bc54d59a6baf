"""docs/first_steps.ipynb runs from top to bottom on a track file, and lies in the repository with what it shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from nbformat import NO_CONVERT, read

from realtime.tracks import npz
from tests.support.track_files import tracks_of

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "first_steps.ipynb"
PLOTS = 5


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def is_plot(output: Any) -> bool:
    return "image/png" in output.get("data", {})


def test_the_notebook_runs_on_a_recording_with_gaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbclient import NotebookClient  # what the other test processes do without

    npz.save(tracks_of(["", "r", "rl"] * 8 + ["l"] * 6), tmp_path / "out" / "demo" / "tracks.npz")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = read(NOTEBOOK, NO_CONVERT)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=120, resources=resources).execute()
    shown = outputs(notebook)
    assert [output["text"] for output in shown if output["output_type"] == "stream"] == [
        "30 frames in 1.0 s; right hand in 53%, left hand in 47%\n"
    ]
    assert sum(map(is_plot, shown)) == PLOTS


def test_it_shows_its_plots_before_anybody_runs_it_and_is_small() -> None:
    shown = outputs(read(NOTEBOOK, NO_CONVERT))
    assert sum(map(is_plot, shown)) == PLOTS
    assert {output["output_type"] for output in shown} <= {"stream", "display_data"}
    assert NOTEBOOK.stat().st_size < 300_000
    assert not re.search(r"/(home|root|work|tmp|Users)\b", "".join(map(str, shown))), "a path of whoever ran it"
