"""A reader of BVH after its grammar, independent of the writer: hierarchy by recursive descent, motion by matrices."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

AXES = {"X": 0, "Y": 1, "Z": 2}


@dataclass
class Node:
    name: str
    offset: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    channels: list[str] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    is_end: bool = False


@dataclass
class Bvh:
    root: Node
    frame_time_s: float
    rows: NDArray[np.float64]

    def places(self, frame: int) -> dict[str, NDArray[np.float64]]:
        """Where every joint is; end sites are called like their joint with "_end"."""
        found: dict[str, NDArray[np.float64]] = {}
        values = iter(self.rows[frame])

        def walk(node: Node, parent: NDArray[np.float64], above: str) -> None:
            local = np.eye(4)
            local[:3, 3] = node.offset
            place = [0.0, 0.0, 0.0]
            turn = np.eye(3)
            for channel in node.channels:
                value, axis = next(values), AXES[channel[0]]
                if channel.endswith("position"):
                    place[axis] = value
                else:
                    turn = turn @ about(axis, value)
            if any(channel.endswith("position") for channel in node.channels):
                local[:3, 3] += place
            local[:3, :3] = turn
            world = parent @ local
            name = f"{above}_end" if node.is_end else node.name
            found[name] = world[:3, 3]
            for child in node.children:
                walk(child, world, name)

        walk(self.root, np.eye(4), "")
        assert next(values, None) is None, "more values than channels"
        return found


def about(axis: int, degrees: float) -> NDArray[np.float64]:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    a, b = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[a, a], turn[a, b], turn[b, a], turn[b, b] = c, -s, s, c
    return turn


def read_bvh(path: Path) -> Bvh:
    words = iter(path.read_text(encoding="ascii").split())

    def expect(*wanted: str) -> None:
        for word in wanted:
            got = next(words)
            assert got == word, f"{got} instead of {word}"

    def node(name: str, is_end: bool = False) -> Node:
        made = Node(name, is_end=is_end)
        expect("{", "OFFSET")
        made.offset = np.array([float(next(words)) for _ in range(3)])
        for word in words:
            if word == "}":
                return made
            if word == "CHANNELS":
                assert not is_end
                made.channels = [next(words) for _ in range(int(next(words)))]
                known = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}
                assert set(made.channels) <= known
            elif word == "JOINT":
                made.children.append(node(next(words)))
            elif word == "End":
                expect("Site")
                made.children.append(node("End Site", is_end=True))
            else:
                raise AssertionError(f"{word} in a joint")
        raise AssertionError("the hierarchy does not end")

    expect("HIERARCHY", "ROOT")
    root = node(next(words))
    expect("MOTION", "Frames:")
    count = int(next(words))
    expect("Frame", "Time:")
    step = float(next(words))
    rest = np.array([float(word) for word in words])
    return Bvh(root, step, rest.reshape(count, -1) if count else rest.reshape(0, 0))
