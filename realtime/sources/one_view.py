"""All pictures of a recording show one view of one camera, or the recording ends (any thread).

Another size in the same proportions is the same view, scaled. Other proportions show another part of the world than the
camera's intrinsics say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from engines.errors import UserError

T = TypeVar("T")
SAME_SHAPE: Final = 0.02
"""Two sizes belong to one view of one camera if their proportions differ by no more; encoders round to 16 pixels."""


class AnotherView(UserError):
    """From here on the recording shows something else; what came before is good."""


def check_view(name: str, size_px: tuple[int, int], first_px: tuple[int, int], way_out: str) -> None:
    """Raise AnotherView unless pictures of `size_px` (width, height) show what those of `first_px` did."""
    (width, height), (first_width, first_height) = size_px, first_px
    if abs(width * first_height / (height * first_width) - 1) > SAME_SHAPE:
        raise AnotherView(
            f"{name}: its pictures change from {first_width}x{first_height} to {width}x{height}, "
            f"another view of the world; what came before is tracked; {way_out}"
        )


def of_one_view(source: Iterable[T], tell: Callable[[str], None] = lambda _: None) -> Iterator[T]:
    """Frames, or what comes of them, up to where the view changes, if it does; `tell` gets the line that says so."""
    try:
        yield from source
    except AnotherView as end:
        tell(str(end))
