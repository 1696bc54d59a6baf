"""When to look for bodies, too: rarely, as that costs several times what a palm detector does (plain values)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

AFTER_S: Final = 0.2
"""Hands are missing for so long before bodies are looked for: palms show most within a few pictures."""
FIRST_WAIT_S: Final = 0.2
"""Time to the second look; ..."""
LONGEST_WAIT_S: Final = 10.0
"""... it grows up to this, ..."""
_GROWTH: Final = 1.5
"""... by this factor with each look that changes nothing: who shows one hand, or none, is left alone."""


@dataclass(frozen=True)
class BodyTurns:
    """What is remembered between searches."""

    held: int = 0
    """Hands that were followed at the last one, ..."""
    next_s: float | None = None
    """... and when it is the bodies' turn, as long as their number stays that; None: no hand is missing."""
    wait_s: float = FIRST_WAIT_S


def is_turn(turns: BodyTurns, t_s: float) -> bool:
    """Whether a search at `t_s` looks for bodies."""
    return turns.next_s is not None and t_s >= turns.next_s


def after_frame(turns: BodyTurns, held: int, wanted: int, t_s: float, *, looked: bool) -> BodyTurns:
    """The turns behind a frame at `t_s` with `held` of `wanted` hands; `looked`: bodies were looked for in it."""
    if held >= wanted:
        return BodyTurns(held)
    if held != turns.held or turns.next_s is None:
        return BodyTurns(held, t_s + AFTER_S)
    if not looked:
        return turns
    return replace(turns, next_s=t_s + turns.wait_s, wait_s=min(_GROWTH * turns.wait_s, LONGEST_WAIT_S))
