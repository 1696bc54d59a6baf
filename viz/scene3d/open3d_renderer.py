"""The 3D view as pictures, with or without a display (main thread only)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.messages import HandFrame
from viz.scene3d.hand_mesh import HandMesh
from viz.scene3d.open3d_scene import Scene, create_window
from viz.viewer import Display


class Open3DRenderer:
    """The same view as pictures, with or without a display (then through EGL). Main thread only; use in a `with`.

    Raises UserError if there is neither a display nor EGL. Twice the size is drawn and then halved: smooth edges
    where no multi-sampling is to be had.
    """

    def __init__(
        self, size_px: tuple[int, int] = (640, 480), display: Display | None = None, supersample: int = 2
    ) -> None:
        self._size_px = size_px
        large = (size_px[0] * supersample, size_px[1] * supersample)
        self._visualizer = create_window(large, "two hands", visible=False)
        shadow = HandMesh(subdivisions=1, segments=8)
        self._scene = Scene(self._visualizer, display or Display(), HandMesh(), shadow)
        self._closed = False

    def __enter__(self) -> Open3DRenderer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def render(self, hand_frame: HandFrame) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 BGR of this result."""
        self._scene.update(hand_frame)
        drawn = np.asarray(self._visualizer.capture_screen_float_buffer(do_render=True))
        small = cv2.resize(drawn, self._size_px, interpolation=cv2.INTER_AREA)
        return cv2.cvtColor(np.rint(small * 255.0).astype(np.uint8), cv2.COLOR_RGB2BGR)

    def close(self) -> None:
        """Give the context back; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._visualizer.destroy_window()
