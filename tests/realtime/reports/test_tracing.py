"""The trace file read back: sorted, nested in each thread, spans in pairs; and the profile of a run that made it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

import run_demo
from engines.errors import UserError
from realtime.reports import tracing
from realtime.reports.tracing import Trace
from realtime.reports.usage import UsageMeter

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "samples" / "two_hands.mp4"
STAGES = ["detect", "crop", "network", "fuse"]


def read(path: Path) -> list[dict[str, Any]]:
    """The events of a trace, after checks of what holds for any: sorted, nested, in pairs, with named threads."""
    events: list[dict[str, Any]] = json.loads(path.read_text())["traceEvents"]
    assert {event["ph"] for event in events} <= set("XbeCM")
    assert all(isinstance(event["pid"], int) and isinstance(event["tid"], int) for event in events)
    timed = [event for event in events if event["ph"] != "M"]
    assert [event["ts"] for event in timed] == sorted(event["ts"] for event in timed)
    assert all(event["ts"] >= 0 for event in timed)
    named = {event["tid"] for event in events if event["ph"] == "M"}
    assert {event["tid"] for event in timed} == named
    for thread in named:
        assert_nested([event for event in timed if event["ph"] == "X" and event["tid"] == thread])
    begun = Counter((event["cat"], event["id"]) for event in timed if event["ph"] == "b")
    assert begun == Counter((event["cat"], event["id"]) for event in timed if event["ph"] == "e")
    return events


def assert_nested(slices: list[dict[str, Any]]) -> None:
    """Each slice lies within the one that is open when it begins, or behind it."""
    open_until: list[float] = []
    for event in slices:
        end = event["ts"] + event["dur"]
        while open_until and event["ts"] >= open_until[-1] - 1e-3:
            open_until.pop()
        assert not open_until or end <= open_until[-1] + 1e-3, event
        open_until.append(end)


@pytest.mark.skipif(not (ROOT / "weights" / "lite.safetensors").exists(), reason="needs the shipped weights")
@pytest.mark.parametrize("words", [[], ["--realtime"]], ids=["recording", "live"])
def test_a_run_leaves_a_trace_that_agrees_with_its_profile(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, words: list[str]
) -> None:
    trace, profile = tmp_path / "trace.json", tmp_path / "profile.json"
    run = ["--video", str(SAMPLE), "--headless", "--seconds", "1.5", "--profile", "--trace", str(trace), *words]
    assert run_demo.main([*run, "--profile-json", str(profile), "--set", "timing.warmup_frames=0"]) == 0
    out = capfd.readouterr().out
    events = read(trace)
    facts = json.loads(profile.read_text())
    threads = {event["args"]["name"]: event["tid"] for event in events if event["ph"] == "M"}
    infers = threads["inference" if words else "main"]  # the detector's own thread has slices of its own
    slices = [event for event in events if event["ph"] == "X" and event["tid"] == infers]
    count = Counter(event["name"] for event in slices)
    assert count["frame"] == facts["frames"] > 5
    assert all(count[stage] == facts["frames"] for stage in STAGES)
    stages = facts["timing"]["stages"]
    for stage in STAGES:
        mean_ms = sum(event["dur"] for event in slices if event["name"] == stage) / 1e3 / count[stage]
        assert mean_ms == pytest.approx(stages[stage]["mean_ms"], abs=1e-2)
    assert set(threads) == ({"main", "inference", "detection"} if words else {"main"})
    spans = Counter(event["name"] for event in events if event["ph"] == "b")
    assert spans["capture to display"] == (stages["age"]["n"] if words else 0)

    if not words:  # live, only some of the results are shown: their ages say nothing of the others' latencies
        assert stages["age"]["p50_ms"] >= stages["latency"]["p50_ms"] - 1.0
    assert facts["usage"]["memory_peak_mb"] >= facts["usage"]["memory_mb"] * 0.5 > 20
    assert facts["usage"]["cpu_ms_per_frame"] > 0
    drops = facts["drops_after_warmup"]
    assert drops["late for the network"] + drops["damaged"] == facts["frames_dropped"]
    assert drops["late for the view"] == facts["frames"] - stages["age"]["n"]
    for line in ("dropped ", "processor ", "memory "):
        assert f"\n{line}" in out
    assert str(trace) in out


def test_threads_have_rows_of_their_own(tmp_path: Path) -> None:
    trace = Trace()
    begun_s = time.monotonic()

    def work() -> None:
        outer_s = time.monotonic()
        time.sleep(0.001)
        inner_s = time.monotonic()
        time.sleep(0.002)
        trace.slice("inner", inner_s, time.monotonic())
        trace.slice("outer", outer_s, time.monotonic())

    threads = [threading.Thread(target=work, name=f"worker {i}") for i in range(3)]
    for thread in threads:
        thread.start()
    trace.slice("alone", begun_s, time.monotonic())
    trace.counters("process", {"memory_mb": 1.0})
    trace.span("frame", 7, begun_s, time.monotonic())
    for thread in threads:
        thread.join()
    trace.save(tmp_path / "a" / "t.json")
    events = read(tmp_path / "a" / "t.json")
    names = {event["tid"]: event["args"]["name"] for event in events if event["ph"] == "M"}
    assert sorted(names.values()) == ["main", "worker 0", "worker 1", "worker 2"]
    inner = [names[event["tid"]] for event in events if event["name"] == "inner"]
    assert sorted(inner) == ["worker 0", "worker 1", "worker 2"]


def test_a_long_run_keeps_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "KEPT_EVENTS", 10)
    trace = Trace()
    for i in range(25):
        trace.slice(f"{i}", time.monotonic(), time.monotonic())
    trace.save(tmp_path / "t.json")
    content = json.loads((tmp_path / "t.json").read_text())
    assert [event["name"] for event in content["traceEvents"] if event["ph"] == "X"] == [str(i) for i in range(15, 25)]
    assert content["otherData"]["events_left_out"] == 15


def test_a_trace_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="trace cannot be written"):
        Trace().save(tmp_path / "file" / "t.json")


def test_usage_counts_processor_time_of_all_threads() -> None:
    meter = UsageMeter()
    assert meter.usage() is None
    end_s = time.process_time() + 0.1
    thread = threading.Thread(target=lambda: [None for _ in iter(lambda: time.process_time() < end_s, False)])
    thread.start()
    thread.join()
    meter.sample()
    usage = meter.usage()
    assert usage is not None
    assert usage.cpu_ms_per_frame >= 80
    assert usage.memory_peak_mb >= usage.memory_mb > usage.memory_own_mb > 0


def test_usage_counts_the_processes_that_the_program_started() -> None:
    """The 3D window is one."""
    words = "held = bytearray(b'1' * 150_000_000); print(len(held), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        meter = UsageMeter()
        meter.sample()
        usage = meter.usage()
        other.kill()
    assert usage is not None
    assert usage.memory_mb > psutil.Process().memory_info().rss / 1e6 + 100
