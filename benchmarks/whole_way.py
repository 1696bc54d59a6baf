"""One run of the program as a user starts it, in a process of its own, and what it says of itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from viz.window.display import has_display

ROOT: Final = Path(__file__).parents[1]
_SCREEN: Final = ("xvfb-run", "-a", "-s", "-screen 0 1920x1200x24")
_LONGEST_S: Final = 300.0


@dataclass(frozen=True)
class Case:
    """What to run."""

    size: str
    hands: int = 2
    window: bool = False
    backend: str = "auto"
    replay: bool = False
    """In real time, as a camera gives it; else as fast as it goes."""

    @property
    def name(self) -> str:
        """A few words."""
        view = "windows" if self.window else "no window"
        pace = "real time" if self.replay else "full speed"
        return f"{self.size}, {self.hands} hand{'s' * (self.hands > 1)}, {view}, {pace}, {self.backend}"


@dataclass(frozen=True)
class Outcome:
    """How a case ran; `skipped` says why it did not."""

    case: Case
    skipped: str = ""
    frames: int = 0
    frames_per_s: float = 0.0
    latency_p95_ms: float = 0.0
    """Capture (full speed: asked for) to result."""
    age_p50_ms: float = 0.0
    age_p95_ms: float = 0.0
    """Capture to display."""
    memory_peak_mb: float = 0.0
    memory_own_mb: float = 0.0
    """What no other process shares (USS), at the end."""
    cpu_ms_per_frame: float = 0.0
    dropped: int = 0
    shown_per_s: float = 0.0
    """Results that reached the display."""
    first_frame_s: float = 0.0
    """From the command to the first frame shown (without a window: handed on)."""
    first_result_s: float = 0.0
    """The part of it from the source's opening to the first result: the network is loaded, the detector started."""
    stage_ms: dict[str, float] | None = None
    """Mean milliseconds a frame, over all frames."""

    def slowest(self) -> str:
        """The stages that took most of a frame's time, slowest first."""
        stages = self.stage_ms or {}
        ordered = sorted(stages, key=lambda name: -stages[name])
        return ", ".join(f"{name} {stages[name]:.1f}" for name in ordered[:3])


def run_case(case: Case, clip: Path, folder: Path, seconds: float | None = None) -> Outcome:
    """Run it to its end, or for so many seconds of tracking; one that hangs is ended, and says so in its row.

    Raises RuntimeError with what the program said.
    """
    screen = screen_command() if case.window else ()
    if screen is None:
        return Outcome(case, skipped="no display, and no xvfb-run to make one")
    profile = folder / "profile.json"
    profile.unlink(missing_ok=True)
    command = [*screen, sys.executable, "run_demo.py", "--video", str(clip), "--profile-json", str(profile)]
    command += ["--engine", case.backend, "--set", f"detector.max_hands={case.hands}"]
    command += [] if case.window else ["--headless"]
    command += ["--realtime"] if case.replay else []
    command += ["--seconds", str(seconds)] if seconds else []
    started_s = time.monotonic()
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
    except subprocess.TimeoutExpired:
        return Outcome(case, skipped=f"took longer than {_LONGEST_S:g} s; do other programs need the processor?")
    if done.returncode != 0 or not profile.exists():
        raise RuntimeError(f"{case.name}: {done.stderr.strip().splitlines()[-1:] or done.returncode}")
    return _outcome(case, json.loads(profile.read_text()), started_s)


def screen_command() -> tuple[str, ...] | None:
    """What to put before a command that opens windows; None if it cannot open any here."""
    if has_display():
        return ()
    return _SCREEN if shutil.which(_SCREEN[0]) else None


def _outcome(case: Case, facts: dict[str, Any], started_s: float) -> Outcome:
    timing, usage = facts["timing"], facts["usage"] or {}
    count = max(timing["frames"], 1)
    rate = facts["frames_per_s"] or 0.0  # a run that was over before its warm-up has none
    stages = {name: s["mean_ms"] * s["n"] / count for name, s in timing["stages"].items()}
    stages = {name: ms for name, ms in stages.items() if name not in ("latency", "age")}
    return Outcome(
        case,
        frames=timing["frames"],
        frames_per_s=rate,
        latency_p95_ms=facts["latency_p95_ms"] or 0.0,
        age_p50_ms=facts["age_at_display_p50_ms"] or 0.0,
        age_p95_ms=facts["age_at_display_p95_ms"] or 0.0,
        memory_peak_mb=usage.get("memory_peak_mb", 0.0),
        memory_own_mb=usage.get("memory_own_mb", 0.0),
        cpu_ms_per_frame=usage.get("cpu_ms_per_frame", 0.0),
        dropped=sum(facts["drops_after_warmup"].values()),
        shown_per_s=rate * (1 - facts["drops_after_warmup"]["late for the view"] / count),
        first_frame_s=(facts["first_shown_clock_s"] or started_s) - started_s,
        first_result_s=facts["first_result_s"] or 0.0,
        stage_ms=stages,
    )
