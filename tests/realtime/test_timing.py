"""Stage times and rates: arithmetic on given times; no clock is judged here."""

from __future__ import annotations

import json

import numpy as np
import pytest

from realtime import timing
from realtime.timing import Profile, StageTimer


def test_rate_counts_intervals_and_leaves_out_the_warm_up() -> None:
    profile = Profile(warmup_frames=3)
    for i in range(14):
        profile.add({"network": 100.0 if i < 3 else float(i)}, t_done_s=5.0 + (i * 0.5 if i < 3 else 10 + i * 0.1))
    summary = profile.summary()
    assert summary.rate_hz == pytest.approx(10.0)
    assert (summary.frames, summary.warmup_frames) == (11, 3)
    values = np.arange(3, 14)
    stage = summary.stages["network"]
    assert (stage.n, stage.mean_ms) == (11, pytest.approx(values.mean()))
    assert [stage.p50_ms, stage.p95_ms, stage.p99_ms] == pytest.approx(np.percentile(values, [50, 95, 99]).tolist())


def test_a_stage_counts_only_the_frames_it_ran_in() -> None:
    profile = Profile(warmup_frames=0)
    for i in range(10):
        profile.add({"crop": 1.0} | ({"detector": 8.0} if i % 5 == 0 else {}), i / 30)
    stages = profile.summary().stages
    assert (stages["crop"].n, stages["detector"].n) == (10, 2)
    assert stages["detector"].mean_ms == 8.0


@pytest.mark.parametrize("frames", [0, 2, 3, 4])
def test_too_few_frames_for_a_rate(frames: int) -> None:
    profile = Profile(warmup_frames=3)
    for i in range(frames):
        profile.add({"crop": 1.0}, float(i))
    summary = profile.summary()
    assert summary.rate_hz is None
    assert "too few" in summary.table()
    assert json.loads(json.dumps(summary.as_dict()))["rate_hz"] is None


def test_table_and_json_hold_every_stage() -> None:
    profile = Profile(warmup_frames=0)
    for i in range(3):
        profile.add({"detector": 8.125, "network": 12.0}, i / 50)
    summary = profile.summary()
    lines = summary.table().splitlines()
    assert [line.split()[0] for line in lines] == ["stage", "detector", "network", "3"]
    assert "50.0 frames/s" in lines[-1]
    assert json.loads(json.dumps(summary.as_dict()))["stages"]["network"]["p95_ms"] == 12.0


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "KEPT_FRAMES", 10)
    profile = Profile(warmup_frames=0)
    for i in range(100):
        profile.add({"crop": float(i)}, float(i))
    stage = profile.summary().stages["crop"]
    assert (stage.n, stage.mean_ms, stage.p50_ms) == (100, pytest.approx(49.5), pytest.approx(94.5))


def test_timer_adds_up_and_starts_anew() -> None:
    timer = StageTimer()
    with timer.stage("crop"):
        pass
    first = dict(timer.take())
    with pytest.raises(ZeroDivisionError), timer.stage("network"):
        _ = 1 / 0
    for _ in range(2):
        with timer.stage("fusion"), timer.stage("smoothing"):
            pass
    second = timer.take()
    assert list(first) == ["crop"]
    assert list(second) == ["network", "smoothing", "fusion"]
    assert second["fusion"] >= second["smoothing"] >= 0
    assert timer.take() == {}
