"""What recordings have in common, whether video files or folders of pictures (one thread iterates, any may close)."""

from __future__ import annotations

from types import TracebackType
from typing import Final

from typing_extensions import Self


class Recorded:
    """What recordings have in common."""

    is_live: Final = False
    name: str
    size_px: tuple[int, int]
    """(width, height) of every frame, as displayed."""
    fps: float | None
    frame_count: int | None
    """As announced by the file, where it counts them; what is really there may differ."""
    dropped: int = 0
    """Frames that could not be decoded, so far."""
    missing: int = 0
    """About how many frames the file announced and did not have at its end; known when the iteration has ended."""
    first_index: int = 0
    whole_before: int = 0

    @property
    def expected_frames(self) -> int | None:
        """About how many frames there will be, for a progress bar."""
        return self.frame_count

    @property
    def damaged(self) -> int:
        """The same as `dropped`: nothing else is lost of a recording."""
        return self.dropped

    def begin_at(self, index: int, whole: int) -> None:
        """Start the iteration at frame `index`, before which lie `whole` undamaged ones; all else stays the same."""
        self.first_index, self.whole_before = index, whole

    def close(self) -> None:
        """Release the file."""

    def __enter__(self) -> Self:
        """Return the source itself; it is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the file."""
        self.close()
