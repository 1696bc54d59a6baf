"""How well hands are held on clips without ground truth: `python -m benchmarks.holding CLIP... [--sheets DIR]`.

Runs the whole way over every frame of each clip and counts what a person would see go wrong: frames without a hand,
names exchanged from one frame to the next, the same hand shown twice, jumps, and how much the joints shake. Where to
look is written, too: the frames before and after each exchange and jump; `--sheets` draws them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.contract import Backend
from engines.errors import UserError
from engines.skeleton import SIDES, WRIST, Side
from engines.terminal import command
from realtime.camera_space.intrinsics import resolve_intrinsics
from realtime.command import CommandParser
from realtime.config import Settings
from realtime.engine import backend_of
from realtime.layers import load_settings
from realtime.live import run_recorded
from realtime.messages import HandFrame, HandPose
from realtime.pipeline import HandPipeline
from realtime.sources.recording import VideoSource
from realtime.tracking.observation import SAME_HAND, hand_distance
from viz.drawing.overlay import draw_overlay
from viz.drawing.status import OverlayStatus

REMEMBER_S: Final = 0.5
"""A hand that was away for longer may come back where it likes."""
JUMP_SIZES: Final = 0.75
"""A hand that moves by more than so many of its own sizes between two neighbouring frames has jumped ..."""
JUMP_SIZES_S: Final = 8.0
"""... or, where frames are far between, by so many in a second."""
JUMP_MM: Final = 120.0
"""Likewise for its wrist in space."""
JUMP_MM_S: Final = 2000.0


@dataclass(frozen=True)
class Holding:
    """What happened in a clip."""

    frames: int
    right: int
    left: int
    both: int
    episodes: int
    """How often a hand appears: fewer is better where the same share of frames has hands."""
    exchanges: int
    """A name found where the other one was in the frame before, or within half a second."""
    doubles: int
    """Frames in which both hands lie on the same joints."""
    jumps_px: int
    jumps_mm: int
    shake_px: float
    """Median second difference of the joints in the picture between neighbouring frames."""
    shake_mm: float


Moment = tuple[int, str]
"""Index of a result and what happened there."""


def follow(clip: Path, backend: Backend, settings: Settings, most: int | None = None) -> list[HandFrame]:
    """Results of every frame, or of the first `most`."""
    pipeline = HandPipeline(settings, backend, partial(resolve_intrinsics, settings.intrinsics))
    try:
        with VideoSource(clip) as source:
            return [result.hands for result in islice(run_recorded(source, pipeline), most)]
    finally:
        pipeline.close()


def judge(results: Sequence[HandFrame]) -> tuple[Holding, list[Moment]]:
    """The figures of a clip and where to look."""
    moments = [*_exchanges(results), *_jumps(results)]
    count = {what: sum(1 for _, name in moments if name == what) for what in ("exchange", "jump px", "jump mm")}
    seen = {side: [result.hand(side) is not None for result in results] for side in SIDES}
    began = sum(int(np.diff([False, *there]).sum() + 1) // 2 for there in (np.array(s) for s in seen.values()))
    shake = [_shake(results, side) for side in SIDES]
    px, mm = (np.concatenate([one[k] for one in shake]) for k in (0, 1))
    return (
        Holding(
            frames=len(results),
            right=sum(seen["right"]),
            left=sum(seen["left"]),
            both=sum(a and b for a, b in zip(seen["right"], seen["left"], strict=True)),
            episodes=began,
            exchanges=count["exchange"],
            doubles=sum(_is_double(result) for result in results),
            jumps_px=count["jump px"],
            jumps_mm=count["jump mm"],
            shake_px=float(np.median(px)) if len(px) else float("nan"),
            shake_mm=float(np.median(mm)) if len(mm) else float("nan"),
        ),
        sorted(moments),
    )


def _exchanges(results: Sequence[HandFrame]) -> Iterator[Moment]:
    """Names that are found on the other one's joints of a moment ago."""
    last: dict[Side, tuple[float, HandPose]] = {}
    for index, result in enumerate(results):
        known = {side: pose for side, (t_s, pose) in last.items() if result.t_capture_s - t_s <= REMEMBER_S}
        if any(_taken_over(hand, known) for hand in result.hands):
            yield index, "exchange"
        last |= {hand.side: (result.t_capture_s, hand) for hand in result.hands}


def _taken_over(hand: HandPose, known: dict[Side, HandPose]) -> bool:
    own, other = known.get(hand.side), known.get("left" if hand.side == "right" else "right")
    if other is None or hand_distance(hand.joints_px, other.joints_px) > SAME_HAND:
        return False
    return own is None or hand_distance(hand.joints_px, own.joints_px) > 2 * SAME_HAND


def _jumps(results: Sequence[HandFrame]) -> Iterator[Moment]:
    for index in range(1, len(results)):
        for side in SIDES:
            before, now = results[index - 1].hand(side), results[index].hand(side)
            if before is None or now is None:
                continue
            step_s = results[index].t_capture_s - results[index - 1].t_capture_s
            if hand_distance(before.joints_px, now.joints_px) > max(JUMP_SIZES, JUMP_SIZES_S * step_s):
                yield index, "jump px"
            moved_mm = np.linalg.norm(before.joints_cam_mm[WRIST] - now.joints_cam_mm[WRIST])
            if moved_mm > max(JUMP_MM, JUMP_MM_S * step_s):
                yield index, "jump mm"


def _is_double(result: HandFrame) -> bool:
    if len(result.hands) < 2:
        return False
    return hand_distance(result.hands[0].joints_px, result.hands[1].joints_px) < SAME_HAND


def _shake(results: Sequence[HandFrame], side: Side) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Second differences (N,) of the joints, px and mm, where three neighbours have the hand."""
    px, mm = [np.zeros(0)], [np.zeros(0)]
    for three in zip(results, results[1:], results[2:], strict=False):
        a, b, c = (result.hand(side) for result in three)
        if a is not None and b is not None and c is not None:
            px.append(np.linalg.norm(a.joints_px - 2 * b.joints_px + c.joints_px, axis=1))
            mm.append(np.linalg.norm(a.joints_cam_mm - 2 * b.joints_cam_mm + c.joints_cam_mm, axis=1))
    return np.concatenate(px), np.concatenate(mm)


def sheet(clip: Path, results: Sequence[HandFrame], wanted: Sequence[int], columns: int = 4) -> NDArray[np.uint8]:
    """Overlays (H, W, 3) of the `wanted` results in rows, each with its index."""
    tiles = []
    with VideoSource(clip) as source:
        for position, frame in enumerate(source):
            if position in wanted:
                drawn = draw_overlay(frame.image_bgr, results[position], OverlayStatus())
                scaled = cv2.resize(drawn, (480, round(480 * drawn.shape[0] / drawn.shape[1])))
                tiles.append(cv2.putText(scaled, str(position), (8, 24), 0, 0.8, (0, 255, 255), 2))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)]
    return np.vstack(rows).astype(np.uint8)


def table(found: dict[str, Holding]) -> str:
    """A line for each clip and their sum."""
    names = [field.name for field in fields(Holding)]
    lines = [f"{'clip':20}" + "".join(f"{name:>10}" for name in names)]
    for clip, one in found.items():
        cells = [f"{value:.2f}" if isinstance(value, float) else str(value) for value in asdict(one).values()]
        lines.append(f"{clip[:19]:20}" + "".join(f"{cell:>10}" for cell in cells))
    counts = [sum(getattr(one, name) for one in found.values()) for name in names if not name.startswith("shake")]
    return "\n".join([*lines, f"{'all':20}" + "".join(f"{count:>10}" for count in counts)])


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m benchmarks.holding", __doc__)
    parser.add_argument("clip", type=Path, nargs="+", help="videos")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=VALUE", help="change a setting")
    parser.add_argument(
        "--sheets", type=Path, metavar="DIR", help="draw overlays there: all over the clip, and moments"
    )
    parser.add_argument("--moments", action="store_true", help="name the frames of exchanges and jumps")
    given = parser.parse_args(argv)
    try:
        settings = load_settings(None, given.set)
        backend = backend_of(settings, print)
        found = {clip.stem: _one(clip, backend, settings, given.sheets, given.moments) for clip in given.clip}
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(table(found))
    return 0


def _one(clip: Path, backend: Backend, settings: Settings, sheets: Path | None, tell: bool) -> Holding:
    results = follow(clip, backend, settings)
    holding, moments = judge(results)
    if tell:
        print(f"{clip.stem}: " + ", ".join(f"{what} {index}" for index, what in moments))
    if sheets is not None and results:
        sheets.mkdir(parents=True, exist_ok=True)
        over = sorted(set(np.linspace(0, len(results) - 1, 24).astype(int).tolist()))
        cv2.imwrite(str(sheets / f"{clip.stem}.png"), sheet(clip, results, over))
        at = sorted({k for index, _ in moments for k in (index - 1, index)})[:40]
        if at:
            cv2.imwrite(str(sheets / f"{clip.stem}_moments.png"), sheet(clip, results, at))
    return holding


if __name__ == "__main__":
    sys.exit(main())
