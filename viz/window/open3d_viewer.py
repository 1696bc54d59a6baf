"""The 3D window with both hands (main thread only: OpenGL's context belongs to the thread that made it)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.messages import HandFrame
from viz.scene3d.hand_mesh import HandMesh
from viz.scene3d.open3d_scene import Scene, create_window
from viz.viewer import Display
from viz.window.display import require_display
from viz.window.keys import HELP, KEY_CODES_3D, help_lines


class Open3DViewer:
    """A window with both skeletons. Main thread only.

    Drag to orbit; R resets the view, M mirrors, H prints what the keys do, ESC, Q or the window's button closes.
    `actions` adds what other keys do, by the names in `viz.window.keys`. Raises UserError where no window can be
    opened.
    """

    def __init__(
        self,
        display: Display | None = None,
        size_px: tuple[int, int] = (800, 600),
        title: str = "two hands",
        actions: Mapping[str, Callable[[], None]] | None = None,
        keys_help: Mapping[str, str] = HELP,
    ) -> None:
        require_display("the 3D window")
        self._display = display or Display()
        self._visualizer = create_window(size_px, title, visible=True)
        # Coarser than in a recording: software OpenGL then takes 12 ms a frame less, and smooth shading hides it.
        hands, shadow = HandMesh(subdivisions=1, segments=9), HandMesh(subdivisions=0, segments=5)
        self._scene = Scene(self._visualizer, self._display, hands, shadow)
        self._keys_help = keys_help
        self._last: HandFrame | None = None
        self._open = True
        self._closed = False
        own = {"r": self._scene.reset_view, "m": self._mirror, "h": self._help, "q": self._leave, "escape": self._leave}
        self._bind({**own, **(actions or {})})

    def show(self, hand_frame: HandFrame, image_bgr: NDArray[np.uint8] | None = None) -> None:
        """Draw this result; the picture is not needed here."""
        if not self.is_running():
            return
        self._last = hand_frame
        self._scene.update(hand_frame)
        self._visualizer.update_renderer()
        self._answer_events()

    def is_running(self) -> bool:
        """Let the window answer mouse and keys; False once it was closed."""
        if self._open:
            self._answer_events()
        return self._open

    def close(self) -> None:
        """Destroy the window; a second call does nothing."""
        self._open = False
        if not self._closed:
            self._closed = True
            self._visualizer.destroy_window()

    def _answer_events(self) -> None:
        alive = self._visualizer.poll_events()
        # Only now: a key may have closed the window from within that call.
        self._open = self._open and alive

    def _bind(self, actions: Mapping[str, Callable[[], None]]) -> None:
        for name, action in actions.items():
            for code in KEY_CODES_3D[name]:
                self._visualizer.register_key_callback(code, _as_callback(action))

    def _mirror(self) -> None:
        self._display.toggle_mirror()
        if self._last is not None:
            self._scene.update(self._last)

    def _help(self) -> None:
        self._display.toggle_help()
        if self._display.show_help:
            sys.stdout.write("\n".join(help_lines(self._keys_help)) + "\n")

    def _leave(self) -> None:
        self._open = False


def _as_callback(action: Callable[[], None]) -> Callable[[Any], bool]:
    def callback(_visualizer: Any) -> bool:
        action()
        return True

    return callback
