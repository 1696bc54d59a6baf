"""What is kept of the user's hand from run to run: a profile, which is a small YAML file (any thread).

It is `two-hands-live/profile.yaml` in the user's folder for settings, or the one that `--profile-file` names. It
belongs to whoever sits before the camera: recordings take it only where it is named.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import yaml

from engines.errors import UserError
from engines.files import in_one_step
from engines.text_file import read_text
from engines.user_folders import user_folder
from realtime.camera_space.hand_size import HandProfile, checked_length

_MAX_FILE_BYTES: Final = 1 << 16


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
    try:
        with in_one_step(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: the profile cannot be written ({error.strerror})") from error
