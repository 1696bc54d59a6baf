"""The views of a run: windows, a video file, or nothing, as the command line asks (main thread)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engines.errors import UserError
from viz.drawing.status import StatusMeter
from viz.video.recorder import Recorder, open_renderer
from viz.viewer import CompositeViewer, Display, NullViewer, Viewer


@dataclass(frozen=True)
class ViewRequest:
    """What the user wants to see."""

    headless: bool
    three_d: bool
    mirror: bool
    video: Path | None
    live: bool
    """The source is a camera, so latency counts from capture."""


def open_views(request: ViewRequest, say: Callable[[str], None]) -> Viewer:
    """Open what was asked for; raises UserError where a window or file cannot be had."""
    display = Display(mirror=request.mirror)
    views: list[Viewer] = []
    try:
        if not request.headless:
            _open_windows(request, display, views, say)
        if request.video is not None:
            status = StatusMeter(request.live).update
            renderer = open_renderer(display, say) if request.three_d else None
            views.append(Recorder(request.video, status, display, renderer))
    except BaseException:
        CompositeViewer(views).close()
        raise
    return CompositeViewer(views) if views else NullViewer()


def _open_windows(request: ViewRequest, display: Display, views: list[Viewer], say: Callable[[str], None]) -> None:
    """Append the camera window, and the 3D view where OpenGL works: a run is not lost for it, `say` gets the reason."""
    from viz.window.camera_window import CameraWindow

    views.append(CameraWindow(StatusMeter(request.live).update, display))
    if request.three_d:
        try:
            from viz.window.open3d_viewer import Open3DViewer

            views.append(Open3DViewer(display=display))
        except UserError as error:
            say(f"{error}; the camera window goes on")
