"""What two hands may do next: gesture, rest, cross, meet, leave and come back, come near (numpy and scipy; any thread).

An episode takes a draft and gives a longer one, or None where it did not work out. Lengths in mm, times in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engines.skeleton import SIDES, Side
from training.synth.hand.contact import gap_mm
from training.synth.hand.model import HandSkeleton, HandState, Placement
from training.synth.hand.poses import GESTURES, JointAngles
from training.synth.hand.shape import HandShape
from training.synth.pair.arms import sample_fingers
from training.synth.pair.contact import sample_pair
from training.synth.pair.plan import palm_center
from training.synth.person.appearance import unit
from training.synth.story.draft import Contact, Draft, Key
from training.synth.story.keyframes import turned_by
from training.synth.story.thumb import THUMB_OUT_DEG

HOME_MM: Final = (-140.0, 85.0, 550.0)
"""Where the right wrist usually is."""
CONTACT_MODES: Final = (
    *("interlocked_up", "interlocked_folded", "palms_together", "steeple", "palm_on_back", "touch", "side", "cross"),
)
DEEPEST_MM: Final = -5.0
"""How far flesh gives way where hands pass each other on their way to a contact."""
_AWAY_MM: Final = 150.0
_DIRECTIONS: Final = tuple(
    unit(np.array(direction, np.float64))
    for direction in ((1, 0, 0), (1, 0, 1), (1, 0, -1), (1, -1, 0), (1, 1, 0), (0.3, 0, 1), (0.3, 0, -1))
)


@dataclass(frozen=True)
class Cast:
    """Whose hands they are, and which way out of the picture they go."""

    shape: HandShape
    out_mm: NDArray[np.float64]
    """(3,) shift in the person frame that takes a hand out of the picture."""


Episode = Callable[[np.random.Generator, Cast, Draft], Draft | None]


def begin(rng: np.random.Generator, cast: Cast) -> Draft:
    """Hands that are there from the start, or that come in one after the other."""
    homes = {side: home(rng, cast.shape, side) for side in SIDES}
    if rng.random() < 0.4:
        return Draft({side: tuple(Key(k, state) for k in (0.0, 0.2)) for side, state in homes.items()})
    keys = {}
    for side, state in homes.items():
        start = rng.uniform(0.15, 0.6)
        outside = state.moved(cast.out_mm)
        there = start + rng.uniform(0.7, 1.0)
        keys[side] = (Key(0.0, outside), Key(start, outside), Key(there, state))
    return Draft({side: tuple(own) for side, own in keys.items()}).then({"right": [(0.7, homes["right"])]})


def gestures(rng: np.random.Generator, cast: Cast, draft: Draft) -> Draft:
    """Both hands move about and show one to three shapes each, in their own time; now and then one waves."""
    moves: dict[Side, list[tuple[float, HandState]]] = {}
    for side in SIDES:
        t, own = rng.uniform(0.0, 0.2), []
        for _ in range(rng.integers(1, 4)):
            t += rng.uniform(0.45, 1.0)
            own.append((t, home(rng, cast.shape, side)))
        moves[side] = own
    if rng.random() < 0.35:
        side = SIDES[rng.integers(2)]
        moves[side] = _wave(rng, moves[side][0][1], moves[side][0][0])
    return draft.then(moves)


def rest(rng: np.random.Generator, cast: Cast, draft: Draft) -> Draft:
    """Nothing moves."""
    start = draft.end_s
    longer = draft.then({side: [(rng.uniform(1.3, 2.0), draft.last(side))] for side in SIDES})
    return replace(longer, still=(*draft.still, (start, longer.end_s)))


def cross(rng: np.random.Generator, cast: Cast, draft: Draft) -> Draft:
    """One hand passes before the other to its side, and back."""
    front = SIDES[rng.integers(2)]
    before, after, speed, stay = (
        rng.uniform(85, 110),
        rng.uniform(85, 110),
        rng.uniform(0.6, 0.9),
        rng.uniform(0.2, 0.5),
    )
    moves: dict[Side, list[tuple[float, HandState]]] = {}
    for side in SIDES:
        depth = HOME_MM[2] - before if side == front else HOME_MM[2] + after
        fingers = sample_fingers(rng, cast.shape).fingers_deg
        near = directed(side, (-125, rng.uniform(65, 105), depth), rng.normal((5, 4, 2), 5), fingers)
        across = directed(side, (rng.uniform(55, 85), rng.uniform(65, 95), depth), rng.normal((2, 2, 29), 4), fingers)
        back = near.moved(rng.normal(0, 8, 3))
        last = home(rng, cast.shape, side)
        times = np.cumsum([0.55, speed, stay, speed, 0.5])
        moves[side] = list(zip(times.tolist(), (near, across, across, back, last), strict=True))
    return draft.then(moves)


def push(rng: np.random.Generator, cast: Cast, draft: Draft) -> Draft:
    """Hands come near the camera or go back from it, one or both."""
    moves: dict[Side, list[tuple[float, HandState]]] = {}
    for side in SIDES[: rng.integers(1, 3)] if rng.random() < 0.5 else SIDES:
        depth = HOME_MM[2] + rng.choice([-1, 1]) * rng.uniform(70, 130)
        there = home(rng, cast.shape, side)
        away = replace(
            there, placement=Placement(np.array([*there.placement.wrist_cam_mm[:2], depth]), _turn_of(there))
        )
        moves[side] = [(rng.uniform(0.5, 0.9), away), (rng.uniform(1.1, 1.6), there)]
    return draft.then(moves)


def leave(rng: np.random.Generator, cast: Cast, draft: Draft) -> Draft:
    """One hand or both go out of the picture and come back."""
    moves: dict[Side, list[tuple[float, HandState]]] = {}
    for side in SIDES if rng.random() < 0.5 else (SIDES[rng.integers(2)],):
        there = home(rng, cast.shape, side)
        outside = there.moved(cast.out_mm)
        out_s, stay_s, back_s = rng.uniform(0.8, 1.1), rng.uniform(0.4, 0.9), rng.uniform(0.8, 1.1)
        moves[side] = [(out_s, outside), (out_s + stay_s, outside), (out_s + stay_s + back_s, there)]
    return draft.then(moves)


def meet(rng: np.random.Generator, cast: Cast, draft: Draft) -> Draft | None:
    """Hands clasp, pray, touch or lie on each other, in a contact solved for these hands, and part again."""
    pair = sample_pair(rng, cast.shape, str(rng.choice(CONTACT_MODES)), "raised")
    if pair is None:
        return None
    middle = np.mean([palm_center(state.skeleton(cast.shape)) for state in pair], axis=0)
    place = rng.normal((0, 15, HOME_MM[2]), (20, 15, 25))
    touching = {state.side: state.moved(place - middle) for state in pair}
    way = _way_out(touching, cast.shape)
    if way is None:
        return None
    direction, opened_first = way
    near = {side: opened(state) if opened_first else state for side, state in touching.items()}
    signs = {"right": -0.5, "left": 0.5}
    away = {side: state.moved(signs[side] * _AWAY_MM * direction) for side, state in near.items()}
    there, slide, close, hold = rng.uniform(0.6, 0.9), rng.uniform(0.5, 0.7), 0.35, rng.uniform(0.6, 1.6)
    steps = [(there, away), (slide, near), (close, touching), (hold, touching), (close, near), (slide, away)]
    if not opened_first:
        steps = [(there, away), (slide, touching), (hold, touching), (slide, away)]
    times = np.cumsum([seconds for seconds, _ in steps]).tolist()
    longer = draft.then(
        {side: [(t, states[side]) for t, (_, states) in zip(times, steps, strict=True)] for side in SIDES}
    )
    contact = Contact(draft.end_s, longer.end_s + 0.4, direction)
    longer = replace(longer, contacts=(*draft.contacts, contact))
    held_s = draft.end_s + times[steps.index((hold, touching))] - hold
    if rng.random() < 0.5:
        longer = replace(longer, still=(*longer.still, (held_s, held_s + hold)))
    return longer.then({side: [(0.6, home(rng, cast.shape, side))] for side in SIDES})


EPISODES: Final[dict[str, Episode]] = {
    "gestures": gestures,
    "rest": rest,
    "cross": cross,
    "push": push,
    "leave": leave,
    "meet": meet,
}


def home(rng: np.random.Generator, shape: HandShape, side: Side) -> HandState:
    """A random shape of a hand that is held up on its own side."""
    yaw = rng.normal(8, 18) if rng.random() < 0.75 else rng.uniform(60, 190)
    turn = (yaw, rng.normal(5, 9), rng.normal(0, 12))
    names = [name for name in GESTURES if name != "fold"]
    fingers = GESTURES[str(rng.choice(names))] if rng.random() < 0.4 else sample_fingers(rng, shape)
    return directed(side, rng.normal(HOME_MM, (22, 25, 30)), turn, fingers.fingers_deg)


def directed(side: Side, wrist_mm: ArrayLike, turn_deg: ArrayLike, fingers_deg: NDArray) -> HandState:
    """A hand directed as if it were the right one, on the left of the picture; a left hand is then mirrored."""
    yaw, lean, roll = np.asarray(turn_deg, np.float64)
    placement = Placement(np.asarray(wrist_mm, np.float64), turned_by(yaw, lean, roll).as_matrix())
    placement = placement if side == "right" else placement.mirrored()
    return HandState(side, JointAngles(fingers_deg, np.zeros(3)), placement)


def opened(state: HandState) -> HandState:
    """The same hand with its fingers straightened, ready to slide to or from the other hand."""
    fingers = state.angles.fingers_deg.copy()
    fingers[1:, 0] = np.maximum(fingers[1:, 0] - 35, np.minimum(fingers[1:, 0], -8))
    fingers[1:, 2:] *= 0.35
    fingers[0] += 0.6 * (THUMB_OUT_DEG - fingers[0])
    return HandState(state.side, JointAngles(fingers, state.angles.wrist_deg).limited(), state.placement)


def _way_out(touching: dict[Side, HandState], shape: HandShape) -> tuple[NDArray, bool] | None:
    """The direction in which the hands part with the least contact, and whether the fingers open first."""
    best, least = None, 12.0
    for opened_first in (False, True):
        pair = {side: opened(state) if opened_first else state for side, state in touching.items()}
        right, left = (pair[side].skeleton(shape) for side in SIDES)
        for direction in _DIRECTIONS:
            gaps = [gap_mm(right, _shifted(left, shift * direction), forearm=False) for shift in np.arange(0, 130, 8.0)]
            depth = max(0.0, DEEPEST_MM - min(gaps)) + (0.5 if opened_first else 0.0)
            if depth < least and gaps[-1] > 15:
                best, least = (direction, opened_first), depth
    return best


def _shifted(hand: HandSkeleton, shift_mm: NDArray) -> HandSkeleton:
    return replace(hand, joints_mm=hand.joints_mm + shift_mm, elbow_mm=hand.elbow_mm + shift_mm)


def _wave(rng: np.random.Generator, state: HandState, start_s: float) -> list[tuple[float, HandState]]:
    """The hand swings to and fro about its forearm."""
    beats, swing, each_s = int(rng.integers(3, 7)), rng.uniform(12, 22), rng.uniform(0.2, 0.3)
    keys = [(start_s, state)]
    for beat in range(beats):
        turn = turned_by(0, 0, swing if beat % 2 else -swing) * turned_by(0, 0, 0).inv()
        keys.append((start_s + (beat + 1) * each_s, _turned_in_place(state, turn.as_matrix())))
    return [*keys, (start_s + (beats + 1.5) * each_s, state)]


def _turned_in_place(state: HandState, rotation: NDArray) -> HandState:
    return replace(state, placement=Placement(state.placement.wrist_cam_mm, rotation @ _turn_of(state)))


def _turn_of(state: HandState) -> NDArray[np.float64]:
    return state.placement.camera_from_hand
