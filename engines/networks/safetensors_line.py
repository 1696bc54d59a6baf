"""One line for a file of weights that is no safetensors file (no torch; any thread)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from engines.errors import UserError


@contextmanager
def reading_safetensors(path: Path) -> Iterator[None]:
    """Around what reads `path`: raises UserError, naming it and the way out, where that fails."""
    try:
        yield
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path}: damaged, or no safetensors file ({first_line(error)}); fetch it again") from error


def first_line(error: object) -> str:
    """What an error says, cut to one line that can stand in another one."""
    return next(iter(str(error).splitlines()), type(error).__name__)[:120]
