"""Tracks that are there already, drawn over the frames they came from, into a video (main thread of its process)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from realtime.messages import Frame, HandFrame
from realtime.tracks.schema import Tracks
from viz.drawing.status import OverlayStatus
from viz.video.recorder import Recorder, open_renderer
from viz.viewer import Display

_log = logging.getLogger(__name__)


def render_recording(
    tracks: Tracks, frames: Iterable[Frame], path: Path, *, three_d: bool = True, mirror: bool = False
) -> None:
    """Write the pictures with the overlay, and the 3D view beside them, as H.264 at the tracks' time stamps.

    `frames` are those of the recording, in order; the ones that `tracks` does not have are left out. Raises UserError
    where the file cannot be written.
    """
    number = {int(index): i for i, index in enumerate(tracks.frame_index)}
    display = Display(mirror=mirror)
    renderer = open_renderer(display, _log.warning) if three_d else None
    recorder = Recorder(path, _status, display, renderer)
    try:
        for frame in frames:
            i = number.get(frame.index)
            if i is not None:
                recorder.show(tracks.hand_frame(i), frame.image_bgr)
    finally:
        recorder.close()


def _status(hand_frame: HandFrame) -> OverlayStatus:
    return OverlayStatus(note=f"{hand_frame.t_capture_s:.2f} s")
