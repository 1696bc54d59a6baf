"""Rotations of the hands of successive frames, with what they need to remember (numpy only; one thread)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import SIDES, WRIST, Side
from realtime.messages import HandPose
from realtime.rotations.hand_rotations import bone_doubts, right_hands
from realtime.rotations.rest_hand import MIRROR, MIRROR_TURN
from realtime.snapshot import Stored

_PLACES: Final = np.stack([np.ones((1, 3)), MIRROR[None]])
_TURNS: Final = np.stack([np.ones((1, 4)), MIRROR_TURN[None]])
"""Factors that make places and rotations of a right and a left hand those of a right one, and back."""
_NEVER: Final = np.zeros((5, 3, 3))


@dataclass(frozen=True)
class RotationState:
    """Of each hand: when it was turned last, the wrist's rotation, and every bone as seen from the one before."""

    wrists: Mapping[Side, Annotated[NDArray[np.float64], Stored(4)]] = field(default_factory=dict)
    bones: Mapping[Side, Annotated[NDArray[np.float64], Stored(5, 3, 3)]] = field(default_factory=dict)
    seen_s: Mapping[Side, float] = field(default_factory=dict)


class HandTurner:
    """Gives the hands of successive frames their rotations; `state` is all that it remembers."""

    def __init__(self) -> None:
        self.state = RotationState()

    def reset(self) -> None:
        """Forget both hands."""
        self.state = RotationState()

    def __call__(self, hands: Sequence[HandPose], t_s: float) -> tuple[HandPose, ...]:
        """The same hands, at that time, with `joint_rotations`."""
        if not hands:
            return ()
        old = self.state
        sides = [SIDES.index(hand.side) for hand in hands]
        joints = np.stack([hand.joints_cam_mm for hand in hands]).astype(np.float64)
        doubt = bone_doubts(np.stack([hand.confidence for hand in hands]))
        last = np.stack([old.bones.get(hand.side, _NEVER) for hand in hands])
        age_s = t_s - np.array([old.seen_s.get(hand.side, -np.inf) for hand in hands])
        found, bones = right_hands(joints * _PLACES[sides], doubt, last, age_s)
        found *= _TURNS[sides]
        turned, wrists = [], dict(old.wrists)
        for hand, rotations in zip(hands, found, strict=True):
            wrist = wrists.get(hand.side)
            sign = -1.0 if wrist is not None and wrist @ rotations[WRIST] < 0 else 1.0
            wrists[hand.side] = sign * rotations[WRIST]
            turned.append(replace(hand, joint_rotations=(sign * rotations).astype(np.float32)))
        now = {hand.side: i for i, hand in enumerate(hands)}
        self.state = RotationState(
            {side: wrists[side] for side in SIDES if side in wrists},
            {**old.bones, **{side: bones[i] for side, i in now.items()}},
            {**old.seen_s, **dict.fromkeys(now, t_s)},
        )
        return tuple(turned)
