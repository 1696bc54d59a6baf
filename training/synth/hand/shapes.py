"""Hand shapes by name: finger spelling, counting, pointing, grips (numpy only; any thread).

Each is written as five states, thumb first: what each finger does. The states are those by which sign languages
describe hand shapes; the angles are the middle of what people do, and `sample_shape` strays from them. What runs into
itself is for the caller to reject.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from training.synth.hand.poses import DIP_PER_PIP, SPREAD_SHARE, JointAngles, abduction_freedom

_FINGER_STATES: Final[dict[str, tuple[float, float]]] = {
    "s": (0.0, 5.0),  # straight
    "r": (20.0, 24.0),  # relaxed
    "h": (42.0, 46.0),  # half bent, as round a bottle
    "o": (56.0, 44.0),  # towards the thumb
    "b": (70.0, 10.0),  # bent at the base only
    "c": (6.0, 84.0),  # hooked
    "w": (34.0, 82.0),  # claw
    "f": (78.0, 94.0),  # folded
}
"""Flexion at the base and of the middle joint, degrees."""
_THUMB_STATES: Final[dict[str, tuple[float, float, float, float]]] = {
    "O": (-18.0, 10.0, 2.0, 0.0),  # out, away from the palm's edge
    "U": (-8.0, -14.0, 4.0, 4.0),  # up, in the plane of the palm
    "S": (8.0, -12.0, 14.0, 12.0),  # along the index finger's side
    "A": (25.0, 19.0, 52.0, 48.0),  # across folded fingers
    "P": (22.0, -10.0, 32.0, 34.0),  # in the palm
    "T": (26.0, 22.0, 20.0, 46.0),  # opposed, its tip to finger tips
    "G": (16.0, 18.0, 12.0, 22.0),  # opposed and open, as round a bottle
    "R": (2.0, 2.0, 14.0, 18.0),  # at rest
}
"""The thumb's four angles, degrees."""

SHAPES: Final[dict[str, str]] = {
    "fist": "Affff",
    "fist_thumb_beside": "Sffff",
    "fist_thumb_inside": "Pffff",
    "thumb_up": "Uffff",
    "thumb_out": "Offff",
    "index": "Asfff",
    "index_thumb_beside": "Ssfff",
    "gun": "Usfff",
    "pistol": "Ussff",
    "middle": "Afsff",
    "ring": "Affsf",
    "little": "Afffs",
    "shaka": "Offfs",
    "horns": "Asffs",
    "love": "Osffs",
    "two_together": "Assff",
    "two_apart": "Assff+",
    "three_middle": "Asssf+",
    "three_first": "Ossff+",
    "three_last": "Tosss+",
    "four_together": "Pssss",
    "four_apart": "Pssss+",
    "five": "Ossss+",
    "flat": "Sssss",
    "flat_thumb_out": "Ussss",
    "ok": "Tosss",
    "pinch_closed": "Tofff",
    "pinch_relaxed": "Torrr",
    "pinch_middle": "Tsoss",
    "pinch_all": "Toooo",
    "tripod": "Tooff",
    "tripod_relaxed": "Toohh",
    "hook_index": "Acfff",
    "hook_two": "Accff+",
    "hook_all": "Rcccc",
    "fingers_on_thumb": "Pcccc",
    "claw": "Gwwww+",
    "table_top": "Rbbbb",
    "beak": "Tbbbb",
    "bent_two": "Abbff",
    "bottle": "Ghhhh",
    "wide_bottle": "Orrrr",
    "handle": "Affff",
    "relaxed": "Rrrrr",
    "relaxed_closed": "Rhhhh",
    "half_fist": "Rwwww",
    "mouse": "Rrrhh",
    "trigger": "Gwfff",
    "phone": "Ghhhr",
    "cascade": "Rsrhw",
    "fan": "Rwhrs",
}
"""Thumb, index, middle, ring, little finger; a `+` spreads the fingers."""


def hand_shape(name: str) -> JointAngles:
    """The middle of a hand shape, wrist straight."""
    return _angles(SHAPES[name])


def sample_shape(rng: np.random.Generator, name: str | None = None) -> JointAngles:
    """A shape of this name (by default any) as people make it: a little off, and now and then half done."""
    found = _angles(SHAPES[name or str(rng.choice(list(SHAPES)))], float(rng.normal(0, 3)))
    fingers = found.fingers_deg
    half = float(rng.beta(1.0, 5.0))
    fingers = (1 - half) * fingers + half * _angles("Rrrrr").fingers_deg
    fingers = fingers + rng.normal(0, [6.0, 3.0, 7.0, 0.0], (5, 4))
    fingers[0] += rng.normal(0, 5.0, 4)
    fingers[1:, 3] = DIP_PER_PIP * fingers[1:, 2] + np.clip(rng.normal(0, 3.5, 4), -7, 7)
    return JointAngles(fingers, np.zeros(3)).limited()


def _angles(code: str, extra_spread_deg: float = 0.0) -> JointAngles:
    states, spread = code[:5], 11.0 if code.endswith("+") else 1.5
    fingers = np.zeros((5, 4))
    fingers[0] = _THUMB_STATES[states[0]]
    flexion = np.array([_FINGER_STATES[state] for state in states[1:]])
    fingers[1:, 0], fingers[1:, 2] = flexion[:, 0], flexion[:, 1]
    fingers[1:, 3] = DIP_PER_PIP * fingers[1:, 2]
    fingers[1:, 1] = SPREAD_SHARE * (spread + extra_spread_deg) * abduction_freedom(fingers[1:, 0])
    return JointAngles(fingers, np.zeros(3)).limited()
