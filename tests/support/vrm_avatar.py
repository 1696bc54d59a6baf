"""A small VRM 1.0 avatar: bones alone, in the T-pose that the format demands; right-handed, y up, it looks along +z."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import SIDES, Side

FINGERS = ("Thumb", "Index", "Middle", "Ring", "Little")
PARTS = dict.fromkeys(FINGERS[1:], ("Proximal", "Intermediate", "Distal"))
PARTS["Thumb"] = ("Metacarpal", "Proximal", "Distal")
_BONE_M = (0.04, 0.03, 0.02)
_BODY = {
    "hips": (None, (0, 1, 0)),
    "spine": ("hips", (0, 0.2, 0)),
    "head": ("spine", (0, 0.4, 0)),
    "leftUpperLeg": ("hips", (0.1, -0.1, 0)),
    "leftLowerLeg": ("leftUpperLeg", (0, -0.4, 0)),
    "leftFoot": ("leftLowerLeg", (0, -0.4, 0)),
    "rightUpperLeg": ("hips", (-0.1, -0.1, 0)),
    "rightLowerLeg": ("rightUpperLeg", (0, -0.4, 0)),
    "rightFoot": ("rightLowerLeg", (0, -0.4, 0)),
}


def write_vrm(path: Path) -> None:
    """Every bone that VRM asks for, and all of the hands; each last finger bone has a node at its end."""
    nodes: list[dict[str, Any]] = []
    human: dict[str, int] = {}

    def add(name: str, parent: int | None, place: NDArray | tuple[float, ...]) -> int:
        nodes.append({"name": name, "translation": [float(v) for v in place]})
        if parent is not None:
            nodes[parent].setdefault("children", []).append(len(nodes) - 1)
        return len(nodes) - 1

    for name, (parent, place) in _BODY.items():
        human[name] = add(name, None if parent is None else human[parent], place)
    for side in SIDES:
        out = rest(side, "Index")
        arm = human["spine"]
        for part, place in (("UpperArm", 0.2 * out + [0, 0.3, 0]), ("LowerArm", 0.25 * out), ("Hand", 0.25 * out)):
            arm = human[f"{side}{part}"] = add(f"{side}{part}", arm, place)
        for f, finger in enumerate(FINGERS):
            bone, along = arm, 0.08 * out + [0, 0, 0.02 * (2 - f)]
            for part, length in zip(PARTS[finger], _BONE_M, strict=True):
                bone = human[f"{side}{finger}{part}"] = add(f"{side}{finger}{part}", bone, along)
                along = length * rest(side, finger)
            add(f"{side}{finger}End", bone, along)
    about = {"name": "bones", "authors": ["two-hands-live"], "licenseUrl": "https://vrm.dev/licenses/1.0/"}
    bones = {name: {"node": node} for name, node in human.items()}
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": nodes,
        "extensionsUsed": ["VRMC_vrm"],
        "extensions": {"VRMC_vrm": {"specVersion": "1.0", "meta": about, "humanoid": {"humanBones": bones}}},
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    path.write_bytes(struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text), len(text), b"JSON") + text)


def rest(side: Side, finger: str) -> NDArray[np.float64]:
    """Where a finger points in the T-pose: along the arm, a thumb half ahead; +x is the avatar's left."""
    out = np.array([1.0 if side == "left" else -1.0, 0.0, 0.0])
    return (out + [0.0, 0.0, 1.0]) / np.sqrt(2) if finger == "Thumb" else out
