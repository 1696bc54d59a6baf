"""Benchmarks of the whole system: what is run, what a soak calls a leak, clips of other sizes; no clock is judged."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks.clips import clip_of
from benchmarks.goals import COLUMNS, judged, summary
from benchmarks.side_by_side import Rate
from benchmarks.soak_judgement import Minute, Spent, how_judged, others_share, problems, resident_mb, spent
from benchmarks.system import backends, cases
from benchmarks.whole_way import Case, Outcome, run_case, screen_command
from realtime.sources.recording import VideoSource

STEADY = Minute(frames_per_s=90.0, frames_per_cpu_s=64.0, others=0.02, memory_mb=500.0, threads=3, files=20, windows=2)


def test_a_steady_hour_holds_and_its_warm_up_does_not_count() -> None:
    cold = replace(STEADY, frames_per_s=200.0, memory_mb=100.0, threads=1, files=5)
    assert problems([cold] * 6 + [STEADY] * 54) == []
    wobbling = [replace(STEADY, frames_per_s=90 + i % 3, memory_mb=500 + 8 * (i % 3)) for i in range(60)]
    assert problems(wobbling) == []


@pytest.mark.parametrize(
    ("field", "step", "says"),
    [
        ("memory_mb", 0.6, "memory grew from 50"),
        ("frames_per_s", -0.3, "the rate fell"),
        ("threads", 1, "threads: "),
        ("files", 1, "files: "),
        ("windows", 1, "windows: "),
    ],
)
def test_a_leak_is_named(field: str, step: float, says: str) -> None:
    leaking = [replace(STEADY, **{field: getattr(STEADY, field) + step * i}) for i in range(60)]
    found = problems(leaking)
    assert len(found) == 1
    assert found[0].startswith(says)


def test_beside_other_programs_the_rate_is_judged_by_processor_time() -> None:
    # a training begins: the clock's rate halves, a frame's processor time grows where a core or cache is shared
    beside = [replace(STEADY, frames_per_s=40.0, others=0.5, frames_per_cpu_s=64.0 - 3 * (i % 4)) for i in range(20)]
    minutes = [STEADY] * 40 + beside
    assert problems(minutes) == []
    assert "processor time" in how_judged(minutes)
    assert "20 of 54 minutes" in how_judged(minutes)
    assert problems([replace(minute, others=0.0) for minute in minutes]) != []


def test_a_short_disturbance_leaves_the_clock_the_judge() -> None:
    short = [replace(STEADY, frames_per_s=30.0, others=0.5)] * 8
    assert problems([STEADY] * 52 + short) == []
    assert "processor time" not in how_judged([STEADY] * 52 + short)
    slower = [replace(STEADY, frames_per_s=70.0)] * 20
    assert problems([STEADY] * 32 + slower + short)[0].startswith("the rate fell from 90.0 to 70.0 frames/s")


def test_a_drop_is_seen_beside_other_programs_too() -> None:
    slower = [
        replace(STEADY, others=0.6, frames_per_s=40.0, frames_per_cpu_s=(64.0 - 5 * (i % 3)) * (1 - 0.004 * i))
        for i in range(60)
    ]
    found = problems(slower)
    assert len(found) == 1
    assert found[0].startswith("the rate fell from 6")
    assert "processor time" in found[0]


def test_who_has_the_processors() -> None:
    begin = spent()
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as own:
        while spent().own < begin.own + 0.1:  # what a process of ours takes is ours
            time.sleep(0.02)
        running = spent()
        own.kill()
    assert spent().own > running.own - 0.005  # also once it has ended; sums of ticks of 0.01 s are rounded
    # started by another process that ends at once, it is not ours any more
    words = "[sys.executable, '-c', 'while True: pass']"
    start = f"subprocess.Popen({words}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)"
    told = subprocess.check_output([sys.executable, "-c", f"import subprocess, sys; print({start}.pid)"], timeout=30)
    stranger = psutil.Process(int(told))
    try:
        begin, before_s = spent(), stranger.cpu_times().user
        while stranger.cpu_times().user < before_s + 0.1:
            time.sleep(0.02)
        end = spent()
    finally:
        stranger.kill()
    assert end.own - begin.own < 0.1
    assert others_share(begin, end) >= 0.08 / (end.whole - begin.whole)


def test_memory_of_what_was_started_counts() -> None:
    before = resident_mb()
    words = "import sys; kept = bytearray(b'1') * 100_000_000; print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as own:
        assert own.stdout is not None
        own.stdout.readline()
        assert resident_mb() - before > 90
        own.kill()


def test_shares_of_the_machine() -> None:
    begin = Spent(whole=100.0, busy=50.0, own=20.0)
    assert others_share(begin, Spent(whole=220.0, busy=140.0, own=80.0)) == pytest.approx(0.25)
    assert others_share(begin, begin) == 0.0


def test_two_minutes_are_too_short() -> None:
    assert "too short" in problems([STEADY] * 2)[0]


def test_what_is_run() -> None:
    quick, usual, full = (
        cases(*words, ["openvino", "torch"]) for words in ((True, False), (False, False), (False, True))
    )
    assert len(quick) < len(usual) < len(full)
    assert {case.size for case in quick} == {"480p"}
    assert {case.size for case in usual} == {"480p", "720p", "1080p"}
    for chosen in (quick, usual, full):
        assert len(set(chosen)) == len(chosen)
        assert {case.window for case in chosen} == {case.replay for case in chosen} == {False, True}
        assert {case.hands for case in chosen} == {1, 2}
        assert {case.backend for case in chosen} == {"openvino", "torch"}
    assert backends()[-1] == "torch"


def test_goals_are_judged_by_the_runs_of_the_first_backend() -> None:
    fast = Outcome(
        Case("480p", 2, False, "openvino"), frames=300, frames_per_s=112.0, memory_peak_mb=360, first_frame_s=1.4
    )
    slow = replace(fast, case=Case("480p", 2, False, "torch"), frames_per_s=17.0)
    alone = replace(fast, case=Case("480p", 2, False, "openvino", replay=True), frames_per_s=30.0, age_p95_ms=14.0)
    beside = replace(
        alone, case=Case("480p", 2, True, "openvino", replay=True), frames_per_s=25.0, age_p95_ms=44.0, shown_per_s=29.5
    )
    rates = [
        Rate("this program", "480p", 2, 90.0, 1.0, 12.0, 1.8),
        Rate("MediaPipe, complexity 1", "480p", 2, 40.0, 2.25, 30.0, 1.7),
    ]
    found = judged([slow, fast, alone, beside], rates, "openvino")
    verdicts = {one.what: one.met for one in found}
    assert verdicts == {
        "frames/s, no window": True,
        "times MediaPipe, complexity 1, 2 hands": True,
        "times MediaPipe, complexity 1, 1 hand": None,
        "results at 30 Hz with windows, of those without": False,
        "shown a second, both windows, of 30": True,
        "p95 ms to display, 30 Hz, no window": True,
        "p95 ms to display, 30 Hz, both windows": False,
        "first frame s, no window": True,
        "first frame s, both windows": None,
        "MB, no window": False,
        "MB, both windows": None,
        "frames/s, 1080p recording": None,
    }
    assert summary(found) == "5 of 12 goals met, 4 not measured"
    assert {len(one.cells()) for one in found} == {len(COLUMNS)}


def test_without_a_display_a_screen_is_made_or_the_case_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("PATH", "")
    assert screen_command() is None


def test_a_clip_of_another_size_shows_the_same(tmp_path: Path) -> None:
    with VideoSource(clip_of("720p", tmp_path, 3)) as large, VideoSource(clip_of("480p", tmp_path)) as small:
        pairs = list(zip(large, small, strict=False))
    assert len(pairs) == 3
    for a, b in pairs:
        assert a.image_bgr.shape == (720, 1280, 3)
        assert a.t_capture_s == pytest.approx(b.t_capture_s, abs=2e-3)
        middle = a.image_bgr[::3, 160:1120:3][:240, :320].astype(float)
        assert abs(middle - b.image_bgr[::2, ::2][:240, :320]).mean() < 12


def test_a_run_that_was_over_before_its_warm_up_has_an_outcome(tmp_path: Path) -> None:
    """It builds the engine that the counted runs take."""
    found = run_case(Case("480p", backend="openvino"), clip_of("480p", tmp_path, 4), tmp_path)
    assert (found.frames, found.frames_per_s, found.skipped) == (0, 0.0, "")
