"""The same beside the caller's loop, in threads of its own: nothing there waits, and the newest picture wins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self, Unpack

from engines.errors import UserError
from realtime.config import CameraSettings
from realtime.handover import MailboxClosed
from realtime.live import JOIN_S, Inference, Result
from realtime.own_loop.submitted import SubmittedFrames
from realtime.own_loop.wishes import Wishes, own_pictures, wished
from realtime.sources.opening import Source, open_source

_LOOK_S: Final = 0.1
"""So long a helper thread may still wait for a result after the asynchronous loop that wanted it was cancelled."""


class LiveHands:
    """Both hands of a camera, tracked in threads beside: a picture that still waits gives way to a newer one.

    Without `camera` the caller submits pictures. With it they come from a camera by number (0), device ("/dev/video2")
    or address ("rtsp://..."), or from the file of a recording, played as if it were one. The other keywords are those
    of `Wishes`. `latest()`, `for result in hands` and `async for result in hands` give `Result`s: `frame` with the
    picture, `hands` with all that is known of it (`hands.dropped` counts pictures passed over), `latency_ms`.

    Raises UserError as `Hands` does, and for a camera that gives no picture; what fails in a thread, in the next call.
    """

    def __init__(self, camera: int | str | Path | None = None, **wishes: Unpack[Wishes]) -> None:
        wish = own_pictures(wishes) if camera is None else wished(wishes)
        self.settings: Final = wish.settings
        """All of them, as the keywords left them."""
        self._camera = camera
        self._newest: Result | None = None
        self._submitted = SubmittedFrames()
        with ExitStack() as opened:
            opened.callback(self._submitted.close)
            source = None if camera is None else opened.enter_context(_open(camera, wish.settings.camera))
            pipeline = wish.pipeline(live=True)
            opened.callback(pipeline.close)
            self._worker = Inference(source or self._submitted, pipeline, self._keep)
            opened.callback(self._worker.join, JOIN_S)
            opened.callback(self._worker.results.close)
            opened.callback((source or self._submitted).close)
            self._worker.start()
            self._opened = opened.pop_all()

    def submit(self, frame_bgr: NDArray[np.uint8], t_s: float | None = None) -> None:
        """Leave a picture (H, W, 3) uint8 BGR, not mirrored, and return at once; it is copied. One thread submits.

        `t_s` is when it was taken, by default now; on `time.monotonic()`'s clock, so that `latency_ms` is true. Raises
        UserError for what is no such picture, a time that does not grow, where there is a camera, and after `close`.
        """
        if self._camera is not None:
            raise UserError(
                f"LiveHands: its pictures come from {self._camera}; without camera= you can submit your own"
            )
        self._raise_error()
        self._submitted.submit(frame_bgr, t_s)

    def latest(self) -> Result | None:
        """The newest result there is, the same again until there is a newer one; None before the first. Never waits."""
        self._raise_error()
        return self._newest

    def __iter__(self) -> Iterator[Result]:
        """Wait for the newest result each time; one that nobody took in time is left out. Ends with the source."""
        yield from self._worker.results
        self._raise_error()

    async def __aiter__(self) -> AsyncIterator[Result]:
        """The same, without holding up the event loop."""
        while True:
            try:
                yield await asyncio.to_thread(self._worker.results.get, _LOOK_S)
            except TimeoutError:
                continue
            except MailboxClosed:
                self._raise_error()
                return

    def close(self) -> None:
        """End the threads, which takes a second at most; a second call does nothing. Iterations end."""
        self._opened.close()

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _keep(self, result: Result) -> None:
        self._newest = result

    def _raise_error(self) -> None:
        if self._worker.error is not None:
            raise self._worker.error


def _open(camera: int | str | Path, settings: CameraSettings) -> Source:
    name = str(camera)
    if Path(name).is_file():
        return open_source(settings, video=name, realtime=True)
    return open_source(settings, camera=name)
