"""The surface of posed hands with all that moves with them: clothes, rings, upper arms, what they hold (any thread)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.synth.hand.model import HandState
from training.synth.held.holding import Held
from training.synth.person.appearance import DressedHand, Prop
from training.synth.person.people import Person
from training.synth.person.worn import Dresser


@dataclass(frozen=True)
class Outfit:
    """What stays the same while the hands move."""

    person: Person
    shoulders_mm: tuple[NDArray[np.float64] | None, ...]
    """For each hand (3,) where its upper arm ends, or None where it is not drawn."""
    held: Held | None

    def put_on(self, states: Sequence[HandState]) -> tuple[tuple[DressedHand, ...], tuple[Prop, ...]]:
        """Hands and what moves with them."""
        dressers = [Dresser(state, self.person.shape, self.person.material) for state in states]
        material, other = self.person.material, self.person.material.for_other_hand()
        hands = [DressedHand(d.mesh, other if d.side == "left" else material) for d in dressers]
        pairs = zip(dressers, self.shoulders_mm, strict=True)
        props = [prop for dresser, shoulder in pairs for prop in dresser.worn(self.person.wardrobe, shoulder)]
        if self.held is not None:
            holder = next(state for state in states if state.side == self.held.holder)
            props += self.held.props(holder)
        return tuple(hands), tuple(props)
