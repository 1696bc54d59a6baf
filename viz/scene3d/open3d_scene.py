"""Both hands, shadows, ground and frustum in an Open3D `Visualizer`: the only home of Open3D (main thread only).

Drawn with Open3D's legacy `Visualizer`, whose line width is fixed at one pixel; every geometry is made once and
rewritten in place.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from engines.errors import UserError
from realtime.messages import HandFrame
from viz.scene3d.hand_mesh import HandMesh
from viz.scene3d.open3d_light import without_web_server
from viz.scene3d.scene import GROUND_Y_MM, MARK_SCALE, Lines, camera_frustum, distance_marks, ground_grid
from viz.viewer import Display

without_web_server()
try:
    import open3d as o3d
except (ImportError, OSError) as error:
    raise UserError(
        f"Open3D cannot be loaded ({error}); install libegl1 libgl1 libx11-6 libusb-1.0-0 libudev1 libgomp1"
    ) from error

BACKGROUND_RGB: Final = (0.965, 0.97, 0.975)
SHADOW_RGB: Final = (1.30, 1.31, 1.34)
"""Over 1, because the light takes a third away from what lies flat."""
MARK_RGB: Final = (0.85, 0.87, 0.92)
_LOOK_AT_MM: Final = (0.0, 40.0, 430.0)
_FROM_TARGET_TO_EYE = (0.42, -0.42, -0.85)
_ZOOM = 0.225
_NARROWER = -5
"""Steps of 5 degrees from Open3D's field of view of 60."""
_LEFT_PX, _TOP_PX = 660, 40
"""The window opens beside the camera window, which has the left corner."""


class Scene:
    """All that is drawn, in a `Visualizer` whose window or off-screen buffer exists."""

    def __init__(self, visualizer: Any, display: Display, hands: HandMesh, shadow: HandMesh) -> None:
        self._visualizer = visualizer
        self._display = display
        self._hands = hands
        self._mesh = _triangle_mesh(self._hands)
        self._fallen = shadow
        self._shadow = _triangle_mesh(self._fallen)
        np.asarray(self._shadow.vertex_colors)[:] = SHADOW_RGB
        np.asarray(self._shadow.vertex_normals)[:] = (0.0, -1.0, 0.0)
        self._frustum = o3d.geometry.LineSet()
        self._frustum_shown: object = None
        option = visualizer.get_render_option()
        option.background_color = np.array(BACKGROUND_RGB)
        # Open3D's names: `Default` shades flat from the triangles' normals, `Color` smoothly from the vertices'.
        option.mesh_shade_option = o3d.visualization.MeshShadeOption.Color
        option.mesh_color_option = o3d.visualization.MeshColorOption.Color
        option.mesh_show_back_face = True  # Open3D winds its letters' faces both ways
        # The grid alone sets the view's extent, so that zoom and clipping do not follow the hands.
        visualizer.add_geometry(_line_set(ground_grid()), reset_bounding_box=True)
        visualizer.add_geometry(_distance_marks(), reset_bounding_box=False)
        visualizer.add_geometry(self._mesh, reset_bounding_box=False)
        visualizer.add_geometry(self._shadow, reset_bounding_box=False)
        self.reset_view()

    def reset_view(self) -> None:
        """Look from above, behind and a little to the right of the camera at where hands are held."""
        control = self._visualizer.get_view_control()
        control.set_lookat(_LOOK_AT_MM)
        control.set_front(_FROM_TARGET_TO_EYE)
        control.set_up((0.0, -1.0, 0.0))
        control.change_field_of_view(_NARROWER - _fov_steps(control))
        control.set_zoom(_ZOOM)

    def update(self, hand_frame: HandFrame) -> None:
        """Hand the new vertices to the renderer."""
        self._hands.update(hand_frame, self._display.mirror)
        np.asarray(self._mesh.vertices)[:] = self._hands.vertices_mm
        np.asarray(self._mesh.vertex_normals)[:] = self._hands.normals
        np.asarray(self._mesh.vertex_colors)[:] = self._hands.colours
        self._fallen.update(hand_frame, self._display.mirror)
        fallen = np.asarray(self._shadow.vertices)
        fallen[:] = self._fallen.vertices_mm
        fallen[:, 1] = GROUND_Y_MM - 1.0
        self._visualizer.update_geometry(self._mesh)
        self._visualizer.update_geometry(self._shadow)
        self._update_frustum(hand_frame)

    def _update_frustum(self, hand_frame: HandFrame) -> None:
        wanted = (hand_frame.intrinsics, hand_frame.size_px, self._display.mirror)
        if wanted == self._frustum_shown:
            return
        _fill(self._frustum, camera_frustum(*wanted))
        if self._frustum_shown is None:
            self._visualizer.add_geometry(self._frustum, reset_bounding_box=False)
        else:
            self._visualizer.update_geometry(self._frustum)
        self._frustum_shown = wanted


def create_window(size_px: tuple[int, int], title: str, visible: bool) -> Any:
    """A `Visualizer` with a window that answers keys, or with an off-screen buffer; UserError without OpenGL."""
    visualization = o3d.visualization
    visualizer = visualization.VisualizerWithKeyCallback() if visible else visualization.Visualizer()
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error), _without_wayland():
        made = visualizer.create_window(title, size_px[0], size_px[1], left=_LEFT_PX, top=_TOP_PX, visible=visible)
    # A visualizer without a window crashes the process at its next call.
    if made:
        return visualizer
    if visible:
        raise UserError("the 3D window cannot be opened: OpenGL 3.3 does not work here; install libgl1-mesa-dri")
    raise UserError(
        "the 3D view cannot be drawn: there is neither a display nor EGL; install libegl1 and libgl1-mesa-dri"
    )


@contextlib.contextmanager
def _without_wayland() -> Iterator[None]:
    """Hide Wayland from GLFW while it begins, so that it takes X11, which every desktop has, or EGL without a display.

    Where a compositor has no keyboard and mouse, GLFW ends the process; on others it cannot place a window.
    """
    hidden = {"WAYLAND_DISPLAY": "/nonexistent", "XDG_SESSION_TYPE": "x11"}
    before = {name: os.environ.get(name) for name in hidden}
    os.environ.update(hidden)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _fov_steps(control: Any) -> float:
    """Field of view now, in steps of 5 degrees from 60."""
    return (control.get_field_of_view() - 60.0) / 5.0


def _triangle_mesh(hands: HandMesh) -> Any:
    mesh = o3d.geometry.TriangleMesh()
    mesh.vertices = o3d.utility.Vector3dVector(hands.vertices_mm)
    mesh.triangles = o3d.utility.Vector3iVector(hands.triangles)
    mesh.vertex_normals = o3d.utility.Vector3dVector(hands.normals)
    mesh.vertex_colors = o3d.utility.Vector3dVector(hands.colours)
    # Not drawn from, but without them the renderer leaves the mesh unlit.
    mesh.compute_triangle_normals()
    return mesh


def _distance_marks() -> Any:
    """The distance from the camera, written flat on the ground beside the strong lines."""
    marks = o3d.geometry.TriangleMesh()
    for text, place_mm in distance_marks().items():
        written = o3d.t.geometry.TriangleMesh.create_text(text, depth=0.1).to_legacy()
        # Letters run along the camera's x and stand along its z.
        ground_from_text = np.array([[0.7, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]) * MARK_SCALE
        written.vertices = o3d.utility.Vector3dVector(np.asarray(written.vertices) @ ground_from_text.T + place_mm)
        marks += written
    marks.vertex_normals = o3d.utility.Vector3dVector(np.tile((0.0, -1.0, 0.0), (len(marks.vertices), 1)))
    marks.compute_triangle_normals()
    return marks.paint_uniform_color(MARK_RGB)


def _line_set(lines: Lines) -> Any:
    return _fill(o3d.geometry.LineSet(), lines)


def _fill(line_set: Any, lines: Lines) -> Any:
    line_set.points = o3d.utility.Vector3dVector(lines.points_mm)
    line_set.lines = o3d.utility.Vector2iVector(lines.pairs)
    line_set.colors = o3d.utility.Vector3dVector(lines.colours)
    return line_set
