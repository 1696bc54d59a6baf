"""Recordings with hands for the tests of long runs, cut from the sample clip without coding it again."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import av

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "two_hands.mp4"


def cut(path: Path, first: int, count: int, steps: tuple[int, ...] = (1,)) -> Path:
    """Write `count` packets from the key picture at or before `first`; pictures are `steps` thirtieths apart."""
    with av.open(str(SAMPLE)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        packets = [packet for packet in source.demux(stream) if packet.size]
        begin = max(i for i, packet in enumerate(packets[: first + 1]) if packet.is_keyframe)
        copy = target.add_stream_from_template(stream)
        tick = round(1 / 30 / stream.time_base)
        chosen = packets[begin : begin + count]
        times = list(accumulate((tick * steps[i % len(steps)] for i in range(count - 1)), initial=0))
        shown = sorted(packet.pts for packet in chosen)
        ranks = [shown.index(packet.pts) for packet in chosen]
        # A picture is decoded before it is shown, also where pictures refer forwards.
        ahead = max(times[i] - times[rank] for i, rank in enumerate(ranks))
        for i, (packet, rank) in enumerate(zip(chosen, ranks, strict=True)):
            packet.stream = copy
            packet.pts, packet.dts, packet.duration = times[rank], times[i] - ahead, tick
            target.mux(packet)
    return path
