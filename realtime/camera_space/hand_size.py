"""The length of the user's hand, which sets the scale of everything: measured, kept in a profile (any thread).

The profile is a YAML file, `two-hands-live/profile.yaml` in the user's folder for settings, or the one that
`--profile-file` names. It belongs to whoever sits before the camera: recordings take it only where it is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from engines.errors import UserError
from engines.skeleton import WRIST
from engines.text_file import read_text
from engines.user_folders import user_folder
from realtime.camera_space.closed_form import TYPICAL_HAND_MM
from realtime.messages import HandFrame

SHORTEST_MM: Final = 80.0
LONGEST_MM: Final = 300.0
FEWEST_HANDS: Final = 30
"""So many sights of a hand make a measurement."""
_SURE: Final = 0.7
"""Mean confidence from which on a sight counts."""
_MAX_FILE_BYTES: Final = 1 << 16


@dataclass(frozen=True)
class HandProfile:
    """What is known of somebody's hands."""

    hand_length_mm: float
    """From the wrist to the tip of the middle finger, along the bones."""
    spread_mm: float = 0.0
    """Standard deviation of single sights, where it was measured with the camera."""


def default_profile() -> Path | None:
    """`$XDG_CONFIG_HOME/two-hands-live/profile.yaml`, usually below `~/.config`; None for a user without a home."""
    folder = user_folder("XDG_CONFIG_HOME", ".config")
    return None if folder is None else folder / "profile.yaml"


def load_profile(path: Path | str) -> HandProfile:
    """Read a profile. Raises UserError if it is not there, unreadable, or holds no hand's length."""
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise UserError(f"{path}: too large for a profile")
        tree: Any = yaml.safe_load(read_text(path))
    except OSError as error:
        raise UserError(f"{path}: the profile cannot be read ({error.strerror}); --hand-length-mm makes one") from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path}: is no profile (no YAML); remove it, or name another with --profile-file") from error
    values = tree if isinstance(tree, dict) else {}
    length, spread = values.get("hand_length_mm"), values.get("spread_mm", 0.0)
    if not (isinstance(length, int | float) and isinstance(spread, int | float)):
        raise UserError(f"{path}: is no profile; it needs a line such as hand_length_mm: 185")
    return HandProfile(checked_length(float(length), str(path)), float(spread))


def save_profile(path: Path | str, profile: HandProfile) -> None:
    """Write a profile in one step; missing folders are created. Raises UserError if it cannot be written."""
    path = Path(path)
    text = "# The scale of two-hands-live; docs/calibration.md explains it.\n" + yaml.safe_dump(asdict(profile))
    temporary = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path}: the profile cannot be written ({error.strerror})") from error


def checked_length(length_mm: float, name: str) -> float:
    """The length, if a hand can have it; raises UserError naming where it came from otherwise."""
    if not SHORTEST_MM <= length_mm <= LONGEST_MM:
        raise UserError(f"{name}: a hand {length_mm:g} mm long; wrist to middle fingertip is {SHORTEST_MM:g} to 300 mm")
    return length_mm


def measure_hand(frames: Iterable[HandFrame], distance_mm: float) -> HandProfile:
    """The hand's length from frames in which its wrist is `distance_mm` from the camera.

    The frames must come from RootNet's depth with no length set: the length is then what scales their median to the
    distance, and so takes up all that is constant in RootNet's error for this hand and camera. Raises UserError if a
    hand is seen too rarely, or the length is none of a hand.
    """
    depths_mm = np.array(list(_depths_mm(frames)))
    if len(depths_mm) < FEWEST_HANDS:
        raise UserError(
            f"--calibrate-hand: a hand alone was clearly seen {len(depths_mm)} times, {FEWEST_HANDS} are needed"
        )
    lengths_mm = TYPICAL_HAND_MM * distance_mm / depths_mm
    length = float(np.median(lengths_mm))
    spread = 1.4826 * float(np.median(np.abs(lengths_mm - length)))
    return HandProfile(round(checked_length(length, "--calibrate-hand"), 1), round(spread, 1))


def _depths_mm(frames: Iterable[HandFrame]) -> Iterator[float]:
    for frame in frames:
        for hand in frame.hands:
            if hand.root_depth_from == "rootnet" and float(np.mean(hand.confidence)) >= _SURE:
                yield float(hand.joints_cam_mm[WRIST, 2])
