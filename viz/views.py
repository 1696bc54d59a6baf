"""What a run shows, as sinks: the windows, and the video file (main thread)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from realtime.live import Result
from realtime.sinks import Sink
from viz.drawing.status import StatusMeter
from viz.video.recorder import Recorder, open_renderer
from viz.viewer import Display, Viewer


class ViewSink(Sink):
    """A viewer that shows results. Main thread only."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer

    def take(self, result: Result) -> None:
        """Show it."""
        self._viewer.show(result.hands, result.frame.image_bgr)

    def is_running(self) -> bool:
        """Let a window answer mouse and keys; False once it was closed."""
        return self._viewer.is_running()

    def close(self) -> None:
        """Give everything back; a second call does nothing."""
        self._viewer.close()


def open_windows(display: Display, three_d: bool, live: bool, say: Callable[[str], None]) -> Iterator[Sink]:
    """The camera's picture and, with `three_d`, the hands in space; without OpenGL only the one, and `say` gets why as
    soon as it is known.

    `live`: the source is a camera, so latency counts from capture. Raises UserError if no window can be had.
    """
    from viz.window.camera_window import CameraWindow

    yield ViewSink(CameraWindow(StatusMeter(live).update, display))
    if not three_d:
        return
    from viz.window.beside import WindowBeside

    yield ViewSink(WindowBeside(display, say))


def open_video(path: Path, display: Display, three_d: bool, live: bool, say: Callable[[str], None]) -> Sink:
    """The same into a video file, side by side. Raises UserError if it cannot be written."""
    renderer = open_renderer(display, say) if three_d else None
    try:
        return ViewSink(Recorder(path, StatusMeter(live).update, display, renderer))
    except BaseException:
        if renderer is not None:
            renderer.close()
        raise
