"""The keys of both windows under one set of names (pure data; any thread)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

KEY_CODES_3D: Final[dict[str, tuple[int, ...]]] = {
    "r": (ord("R"),),
    "m": (ord("M"),),
    "h": (ord("H"),),
    "q": (ord("Q"),),
    "escape": (256,),
    "space": (32,),
    "left": (263,),
    "right": (262,),
    "+": (61, 93, 265, 334),
    "-": (45, 47, 264, 333),
    "home": (268,),
    "end": (269,),
    "page up": (266,),
    "page down": (267,),
}
"""GLFW's codes by name. They name places on a US keyboard: "+" is also where a German one has it, up, and keypad."""

KEY_CODES_CV: Final[dict[str, tuple[int, ...]]] = {
    "m": (ord("m"), ord("M")),
    "h": (ord("h"), ord("H")),
    "q": (ord("q"), ord("Q")),
    "escape": (27,),
    "space": (32,),
    "left": (0xFF51, 0x250000, 63234),
    "right": (0xFF53, 0x270000, 63235),
    "+": (ord("+"), ord("="), 0xFFAB, 0xFF52),
    "-": (ord("-"), ord("_"), 0xFFAD, 0xFF54),
    "home": (0xFF50, 0x240000, 63273),
    "end": (0xFF57, 0x230000, 63275),
    "page up": (0xFF55, 0x210000, 63276),
    "page down": (0xFF56, 0x220000, 63277),
}
"""What `cv2.waitKeyEx` and `cv2.pollKey` give (X11, Windows, macOS)."""

HELP: Final[dict[str, str]] = {
    "M": "mirror",
    "H": "this help",
    "R": "reset the 3D view",
    "drag": "orbit",
    "wheel": "zoom",
    "ESC, Q": "close",
    "left and right exchanged?": "--mirrored-source",
}
PLAYBACK_HELP: Final[dict[str, str]] = {
    "space": "pause",
    "left, right": "step",
    "page up, down": "5 s",
    "home, end": "start, end",
    "+, -": "speed",
    "bar": "go there",
}


def help_lines(entries: Mapping[str, str]) -> tuple[str, ...]:
    """One line of text per key."""
    return tuple(f"{key}: {meaning}" for key, meaning in entries.items())
