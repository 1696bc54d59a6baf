"""Plays a track file again: `python -m viz.playback tracks.npz --video clip.mp4`. Main thread only."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from engines.errors import UserError
from engines.terminal import command
from realtime.command import CommandParser, exit_code
from realtime.messages import HandFrame
from realtime.tracks.reader import load_tracks
from realtime.tracks.schema import Tracks
from viz.drawing.overlay import draw_overlay
from viz.drawing.status import OverlayStatus
from viz.playback.pictures import Pictures
from viz.playback.playhead import Playhead
from viz.scene3d.open3d_renderer import Open3DRenderer
from viz.video.recorder import beside
from viz.video.video_writer import VideoWriter
from viz.viewer import CompositeViewer, Display, Viewer
from viz.window.camera_window import CameraWindow
from viz.window.keys import HELP, PLAYBACK_HELP
from viz.window.open3d_viewer import Open3DViewer
from viz.window.slider import Slider

IDLE_S: Final = 0.004
"""Rest between looks at the keys while no new frame is due."""
_SKIP_S: Final = 5.0
"""How far page up and down go."""


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    options = _parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _parser() -> CommandParser:
    parser = CommandParser("python -m viz.playback", "Play a track file again.")
    parser.add_argument("tracks", type=Path, help="track file (.npz, or the .part of a run that was killed)")
    parser.add_argument("--video", type=Path, help="the recording it came from, to show the overlay as well")
    parser.add_argument("--speed", type=float, default=1.0, help="1 is real time (default)")
    parser.add_argument("--mirror", action="store_true", help="show as in a mirror")
    parser.add_argument("--headless", action="store_true", help="no window: write a video to --output")
    parser.add_argument("--output", type=Path, help="video file for --headless (.mp4)")
    return parser


def _run(options: argparse.Namespace) -> None:
    if not (np.isfinite(options.speed) and options.speed > 0):
        raise UserError(f"--speed {options.speed}: give a number above 0; 1 is real time")
    if options.headless != (options.output is not None):
        raise UserError("--headless and --output FILE.mp4 belong together: give both or neither")
    inputs = [path.resolve() for path in (options.tracks, options.video) if path is not None]
    if options.output is not None and options.output.resolve() in inputs:
        raise UserError(f"--output {options.output}: is one of the files to read; choose another name")
    tracks = load_tracks(options.tracks)
    if len(tracks) == 0:
        raise UserError(f"{options.tracks}: holds no frames; there is nothing to play")
    pictures = Pictures(tracks, options.video)
    try:
        if options.headless:
            render_video(tracks, pictures, options.output, options.speed, Display(mirror=options.mirror))
        else:
            play(tracks, pictures, options.speed, Display(mirror=options.mirror))
    finally:
        pictures.close()


def render_video(tracks: Tracks, pictures: Pictures, output: Path, speed: float, display: Display) -> None:
    """Write the 3D view, beside the overlay if there is a recording, as a video.

    Raises UserError if it cannot be written, or if there is neither a display nor EGL to draw with.
    """
    with Open3DRenderer(_view_size(tracks), display) as renderer, VideoWriter(output) as video:
        for i in range(len(tracks)):
            hand_frame = tracks.hand_frame(i)
            picture = renderer.render(hand_frame)
            if pictures.given:
                overlay = draw_overlay(pictures.of(i), hand_frame, _status(tracks, i, ""), display.mirror)
                picture = beside(overlay, picture)
            video.write(picture, hand_frame.t_capture_s / speed)
    sys.stdout.write(f"{output}: {len(tracks)} frames\n")


def _view_size(tracks: Tracks) -> tuple[int, int]:
    """4:3, as high as the recording within reason: software OpenGL draws every pixel four times."""
    height = int(np.clip(tracks.size_px[1], 240, 720))
    return height * 4 // 3, height


def play(tracks: Tracks, pictures: Pictures, speed: float, display: Display) -> None:
    """Show it in windows until one is closed. Raises UserError without a display."""
    playhead = Playhead(tracks.t_s, speed, time.monotonic())
    viewer = _open_viewers(tracks, pictures, playhead, display)
    shown: tuple[object, ...] = ()
    try:
        while viewer.is_running():
            i = playhead.advance(time.monotonic())
            wanted = (i, playhead.paused, playhead.speed, display.mirror, display.show_help)
            if wanted == shown:
                time.sleep(IDLE_S)
                continue
            viewer.show(tracks.hand_frame(i), pictures.of(i))
            shown = wanted
    finally:
        viewer.close()


def _open_viewers(tracks: Tracks, pictures: Pictures, playhead: Playhead, display: Display) -> Viewer:
    actions = _actions(playhead, len(tracks) - 1)
    help_entries = {**PLAYBACK_HELP, **HELP}
    viewers: list[Viewer] = [Open3DViewer(display, title="playback", actions=actions, keys_help=help_entries)]
    number = {int(index): i for i, index in enumerate(tracks.frame_index)}

    def status(hand_frame: HandFrame) -> OverlayStatus:
        return _status(tracks, number[hand_frame.index], _note(playhead))

    slider = Slider(len(tracks), lambda: playhead.index, playhead.seek)
    viewers.append(CameraWindow(status, display, "playback: camera", actions, help_entries, slider))
    return CompositeViewer(viewers)


def _actions(playhead: Playhead, last: int) -> Mapping[str, Callable[[], None]]:
    return {
        "space": playhead.toggle_pause,
        "left": lambda: playhead.step(-1),
        "right": lambda: playhead.step(1),
        "+": lambda: playhead.change_speed(2.0),
        "-": lambda: playhead.change_speed(0.5),
        "home": lambda: playhead.seek(0),
        "end": lambda: playhead.seek(last),
        "page up": lambda: playhead.skip(-_SKIP_S),
        "page down": lambda: playhead.skip(_SKIP_S),
    }


def _note(playhead: Playhead) -> str:
    return "paused" if playhead.paused else f"{playhead.speed:g}x"


def _status(tracks: Tracks, i: int, note: str) -> OverlayStatus:
    """The rate at which it was tracked, and where in the file this is."""
    place = f"{tracks.t_s[i] - tracks.t_s[0]:.2f} s"
    return OverlayStatus(rate_fps=tracks.fps or None, note=f"{place}   {note}".strip())
