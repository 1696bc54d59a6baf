"""The files that take longest begin first, so that no core waits for one of them at the end of the run."""

from __future__ import annotations

from typing import Final

import pytest

LONGEST: Final = (
    "training/test_retrain.py",
    "program/test_run_demo.py",
    "realtime/batch/test_batch.py",
    "realtime/batch/test_batch_finish.py",
    "training/lite/test_training_run.py",
    "program/test_strange_terminals.py",
    "program/test_no_telemetry.py",
    "program/test_strange_displays.py",
    "engines/networks/test_released.py",
    "program/test_strange_users.py",
    "training/synth/test_sampler_bank.py",
    "training/synth/test_families.py",
    "training/evaluation/test_real_hands_kept.py",
    "program/test_faults.py",
    "program/test_strange_machines.py",
    "training/synth/test_behind.py",
    "training/synth/test_story.py",
    "realtime/test_pipeline.py",
    "training/synth/test_sampler.py",
    "realtime/test_presets_live.py",
    "program/test_faults_live.py",
    "realtime/tracks/test_offline.py",
)
"""The longest first; the table of docs/development.md has the seconds."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These files in this order, then all others as they were."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    path = item.path.as_posix()
    return next((rank for rank, name in enumerate(LONGEST) if path.endswith(f"/tests/{name}")), len(LONGEST))
