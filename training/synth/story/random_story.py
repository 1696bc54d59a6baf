"""A random story of two hands, seen by a random camera: episodes one after the other (numpy and scipy; any thread).

Every hand passes through each key at rest and moves between them with minimum jerk, so joints, speeds and
accelerations are continuous. An episode in which hands would run into each other, or an open forearm would show, is
drawn again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from engines.geometry.pinhole import Intrinsics, project
from engines.skeleton import SIDES, Side
from training.synth.hand.contact import SELF_TOLERANCE_MM, gap_mm, self_gap_mm, slide_apart_mm
from training.synth.hand.model import HandSkeleton, HandState
from training.synth.hand.shape import HandShape
from training.synth.story.draft import Contact, Draft, DraftMotion, Sways
from training.synth.story.episodes import DEEPEST_MM, EPISODES, HOME_MM, Cast, begin
from training.synth.story.motion import smooth_upper_envelope
from training.synth.story.thumb import thumb_share

ROUND: Final = ("gestures", "meet", "cross")
"""What is done in every round, in random order, with one of `ALSO` and a rest after the first: about ten seconds."""
ALSO: Final = ("leave", "push", "meet")
_TRIES: Final = 8
_CHECK_HZ: Final = 20
_VIEW_HZ: Final = 10
_STEP_S: Final = 1 / 60
_CLEARANCE_MM: Final = 6.0
"""Least gap of hands that do not mean to touch, before sway."""
_MOST_PUSH_MM: Final = 40.0
_DEEPEST_SELF_MM: Final = SELF_TOLERANCE_MM - 1.5
"""Of the fingers of one hand while it touches the other; before and after, thumbs give way."""
_NEAREST_MM: Final = 180.0
_NEAREST_ELBOW_MM: Final = 110.0
_ELBOW_RADIUS_MM: Final = 60.0
_MIDDLE_MM: Final = np.array([0.0, 0.0, HOME_MM[2]])
"""Between two hands that are held up."""


@dataclass(frozen=True)
class Stage:
    """Where the camera stands and how it sees."""

    camera_from_person: NDArray[np.float64]
    """(3, 3) rotation about the middle between hands that are held up."""
    hands_cam_mm: NDArray[np.float64]
    """(3,) where that middle lies."""
    intrinsics: Intrinsics
    size_px: tuple[int, int]

    def place(self, state: HandState) -> HandState:
        """A hand of the person frame in the camera frame."""
        return state.turned(self.camera_from_person, self.hands_cam_mm - self.camera_from_person @ _MIDDLE_MM)

    def out_mm(self) -> NDArray[np.float64]:
        """(3,) shift in the person frame that takes a hand out at the picture's lower edge."""
        height = self.size_px[1] / self.intrinsics.fy * self.hands_cam_mm[2]
        return self.camera_from_person.T @ np.array([0.0, 0.5 * height + 260.0, 0.0])

    def shows_well(self, hand: HandSkeleton) -> bool:
        """Whether a hand in the camera frame is not at the lens and its forearm ends outside the picture."""
        if hand.joints_mm[:, 2].min() < _NEAREST_MM or hand.elbow_mm[2] < _NEAREST_ELBOW_MM:
            return False
        px = project(hand.elbow_mm, self.intrinsics)
        margin = _ELBOW_RADIUS_MM / hand.elbow_mm[2] * self.intrinsics.fy
        return bool(np.any((px < -margin) | (px > np.array(self.size_px) - 1 + margin)))


class NoStory(RuntimeError):
    """A camera from which too little shows well."""


class RandomStory:
    """The motion of both hands in the camera frame; the same arguments give the same motion."""

    def __init__(self, shape: HandShape, stage: Stage, duration_s: float, seed: int) -> None:
        self._shape, self._stage = shape, stage
        rng = np.random.default_rng([seed, 5])
        self._sways = Sways.sample(rng)
        self.episodes: list[str] = []
        draft = self._written(rng, duration_s)
        self._motion = DraftMotion(self._settled(draft, duration_s), self._sways)

    def at(self, t_s: float) -> tuple[HandState, HandState]:
        """Right and left hand at a time in seconds."""
        right, left = self._motion.at(t_s)
        return self._stage.place(right), self._stage.place(left)

    def _written(self, rng: np.random.Generator, duration_s: float) -> Draft:
        """Episodes until the time is full; raises NoStory if none of a whole round shows well from here."""
        cast = Cast(self._shape, self._stage.out_mm())
        draft = begin(rng, cast)
        ahead: list[str] = []
        failed = 0
        while draft.end_s < duration_s:
            if not ahead:
                first, *others = rng.permutation([*ROUND, rng.choice(ALSO)]).tolist()
                ahead = [first, "rest", *others]
            name = ahead.pop(0)
            longer = self._tried(rng, cast, draft, name)
            failed = 0 if longer is not None else failed + 1
            if failed > len(ROUND) + 1:
                raise NoStory(f"no episode fits the camera in {failed} attempts")
            if longer is not None:
                draft = longer
                self.episodes.append(name)
        return draft

    def _tried(self, rng: np.random.Generator, cast: Cast, draft: Draft, name: str) -> Draft | None:
        for _ in range(_TRIES):
            longer = EPISODES[name](rng, cast, draft)
            if longer is None or not self._is_seen_well(draft, longer):
                continue
            if len(longer.contacts) > len(draft.contacts):
                pushed = self._pushed(longer.contacts[-1], DraftMotion(longer, self._sways))
                longer = replace(longer, contacts=(*draft.contacts, pushed))
            if self._is_free(draft, longer):
                return longer
        return None

    def _is_seen_well(self, draft: Draft, longer: Draft) -> bool:
        """Whether both hands show well in what has been added."""
        motion = DraftMotion(longer, self._sways)
        states = [motion.at(float(t)) for t in np.arange(draft.end_s, longer.end_s, 1 / _VIEW_HZ)]
        placed = (self._stage.place(state).skeleton(self._shape) for pair in states for state in pair)
        return all(self._stage.shows_well(hand) for hand in placed)

    def _is_free(self, draft: Draft, longer: Draft) -> bool:
        """Whether in what has been added no hand runs into the other or, touching it, into itself."""
        motion = DraftMotion(longer, self._sways)
        for t in np.arange(draft.end_s, longer.end_s, 1 / _CHECK_HZ):
            right, left = (state.skeleton(self._shape) for state in motion.at(float(t)))
            touching = any(c.start_s <= t <= c.end_s for c in longer.contacts)
            if gap_mm(right, left) < (DEEPEST_MM - 1.5 if touching else _CLEARANCE_MM):
                return False
            if touching and min(self_gap_mm(right), self_gap_mm(left)) < _DEEPEST_SELF_MM:
                return False
        return True

    def _settled(self, draft: Draft, duration_s: float) -> Draft:
        """The same with thumbs out of the way of fingers, as smooth curves."""
        times = np.arange(0.0, min(draft.end_s, duration_s) + 0.5, 2 * _STEP_S)
        motion = DraftMotion(draft, self._sways)
        shares: dict[Side, list[float]] = {side: [] for side in SIDES}
        for t in times:
            touching = any(c.start_s <= t <= c.end_s for c in draft.contacts)
            for state in motion.at(float(t)):
                shares[state.side].append(0.0 if touching else thumb_share(state, self._shape))
        curves = {
            side: CubicSpline(times, smooth_upper_envelope(np.array(own), round(0.05 / _STEP_S)))
            for side, own in shares.items()
        }
        return replace(draft, thumb_out=curves)

    def _pushed(self, contact: Contact, motion: DraftMotion) -> Contact:
        times = np.arange(contact.start_s, contact.end_s, _STEP_S)
        pairs = [[state.skeleton(self._shape) for state in motion.at(float(t))] for t in times]
        needed = [
            slide_apart_mm(right, left, contact.direction, DEEPEST_MM - 0.5, into_pocket=True, most_mm=_MOST_PUSH_MM)
            for right, left in pairs
        ]
        smooth = smooth_upper_envelope(np.array(needed), round(0.1 / _STEP_S))
        return replace(contact, push_mm=CubicSpline(times, smooth))
