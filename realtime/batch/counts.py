"""What the table says of a recording's frames, counted while it is tracked (any thread)."""

from __future__ import annotations

from dataclasses import dataclass

from realtime.messages import HandFrame
from realtime.tracks.schema import ROOT_DEPTH_NAMES, Tracks


@dataclass(frozen=True)
class Counts:
    """Of all frames so far."""

    frames: int = 0
    right: int = 0
    """Frames with a right hand."""
    left: int = 0
    both: int = 0
    filled: int = 0
    """Hands filled into gaps by the offline smoothing."""
    first_s: float = 0.0
    last_s: float = 0.0
    """Time stamps of the first and the last frame."""

    @property
    def span_s(self) -> float:
        """From the first frame to the last."""
        return self.last_s - self.first_s

    def plus(self, hands: HandFrame) -> Counts:
        """With one frame more, as the network gave it."""
        sides = {hand.side for hand in hands.hands}
        return Counts(
            frames=self.frames + 1,
            right=self.right + ("right" in sides),
            left=self.left + ("left" in sides),
            both=self.both + (len(sides) == 2),
            filled=self.filled,
            first_s=self.first_s if self.frames else hands.t_capture_s,
            last_s=hands.t_capture_s,
        )


def counts_of(tracks: Tracks) -> Counts:
    """The same of whole tracks."""
    there = tracks.root_depth_from > 0
    return Counts(
        frames=len(tracks),
        right=int(there[:, 0].sum()),
        left=int(there[:, 1].sum()),
        both=int(there.all(axis=1).sum()),
        filled=int((tracks.root_depth_from == ROOT_DEPTH_NAMES.index("filled")).sum()),
        first_s=float(tracks.t_s[0]) if len(tracks) else 0.0,
        last_s=float(tracks.t_s[-1]) if len(tracks) else 0.0,
    )
