"""`with Hands(fov_deg=70) as hands: result = hands(frame_bgr, t_s)`: picture by picture, in the caller's thread."""

from __future__ import annotations

import math
import threading
from types import TracebackType
from typing import Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self, Unpack

from engines.errors import UserError
from realtime.messages import Frame, HandFrame
from realtime.own_loop.checks import checked_picture, checked_time
from realtime.own_loop.wishes import Wishes, own_pictures
from realtime.pipeline import HandPipeline

_AGAIN: Final = "call reset() before another recording"


class Hands:
    """Both hands of one stream of pictures, in camera space.

    The keywords are those of `Wishes`: fov_deg, intrinsics, hand_length_mm, max_hands, person, backend, threads,
    settings, say; docs/api.md explains them. The first use on a machine builds the engine, which takes some seconds,
    and keeps it where `run_demo.py` does. Results do not depend on how fast the machine is; a missing hand is searched
    in the call, which takes longer then (`LiveHands` searches beside). One thread at a time.

    Raises UserError, in one line, for settings, files or weights that make no sense, or where nothing can run.
    """

    def __init__(self, **wishes: Unpack[Wishes]) -> None:
        wish = own_pictures(wishes)
        self.settings: Final = wish.settings
        """All of them, as the keywords left them."""
        self._pipeline: HandPipeline | None = wish.pipeline(live=False)
        self._busy = threading.Lock()
        self._last_s = -math.inf
        self._count = 0

    def __call__(self, frame_bgr: NDArray[np.uint8], t_s: float) -> HandFrame:
        """The hands in a picture (H, W, 3) uint8 BGR, not mirrored, taken at `t_s` seconds on a clock of yours.

        `HandFrame.hands` holds a `HandPose` for each hand: joints (21, 3) in camera millimetres (x right, y down,
        z forward), (21, 2) in pixels, confidences (21,). The arrays are yours and are not written to again. A picture
        of another size than the last one's starts the tracking over.

        Raises UserError for what is no such picture, a time that does not grow, a closed `Hands`, or two threads.
        """
        if not self._busy.acquire(blocking=False):
            raise UserError("Hands: two threads call it at once; make one for each, or use LiveHands")
        try:
            return self._track(checked_picture(frame_bgr), checked_time(t_s, self._last_s, _AGAIN))
        finally:
            self._busy.release()

    def _track(self, image_bgr: NDArray[np.uint8], t_s: float) -> HandFrame:
        if self._pipeline is None:
            raise UserError("Hands: it is closed; make another one")
        result = self._pipeline(Frame(self._count, t_s, image_bgr))
        self._last_s = t_s
        self._count += 1
        return result

    def reset(self) -> None:
        """Forget hands and time: the next picture begins another recording, or has no neighbours at all."""
        self._last_s = -math.inf
        self._count = 0
        if self._pipeline is not None:
            self._pipeline.forget()

    def close(self) -> None:
        """Free detector and network; a second call does nothing."""
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.close()

    def __enter__(self) -> Self:
        """It is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()
