"""The 3D view: what it draws, that its windows open and close, and what is said where it cannot draw.

Everything runs in processes of its own: OpenGL without a driver may end the process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.virtual_display import xvfb_run

ROOT = Path(__file__).parents[2]

RENDER = """
import sys
import numpy as np
from engines.errors import UserError
from tests.support.hand_frames import hand_frame
from viz.scene3d.open3d_renderer import Open3DRenderer
from viz.viewer import Display
display = Display()
try:
    renderer = Open3DRenderer((320, 240), display)
except UserError as error:
    sys.exit(f"UserError: {error}")
with renderer:
    frames = {"none": (), "right": ("right",), "left": ("left",), "both": ("right", "left"), "again": ()}
    pictures = {name: renderer.render(hand_frame(*sides)) for name, sides in frames.items()}
    pictures["pale"] = renderer.render(hand_frame("right", confidence=0.2))
    pictures["moved"] = renderer.render(hand_frame("right", shift=150.0))
    display.mirror = True
    pictures["mirrored"] = renderer.render(hand_frame("right"))
np.savez(sys.argv[1], **pictures)
"""

WINDOWS = """
import numpy as np
from tests.support.hand_frames import hand_frame
from viz.window.camera_window import CameraWindow
from viz.window.open3d_viewer import Open3DViewer
from viz.drawing.status import StatusMeter
from viz.viewer import CompositeViewer, Display
display = Display()
for _ in range(2):
    window = Open3DViewer(display, (320, 240))
    viewer = CompositeViewer([window, CameraWindow(StatusMeter(live=False).update, display)])
    for i in range(5):
        viewer.show(hand_frame("right", "left", index=i), np.zeros((480, 640, 3), np.uint8))
        assert viewer.is_running(), i
        display.toggle_mirror()
        display.toggle_help()
    viewer.close()
    viewer.close()
    assert not viewer.is_running()
print("windows done")
"""


def run(script: str, *arguments: str | Path, xvfb: bool = False, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script without a display, or under a virtual one."""
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    prefix = xvfb_run() if xvfb else []
    return subprocess.run(
        [*prefix, *command],
        cwd=ROOT,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, NDArray[np.uint8]]:
    """Pictures (240, 320, 3) BGR of several states, drawn without a display."""
    path = tmp_path_factory.mktemp("view") / "pictures.npz"
    done = run(RENDER, path)
    if "UserError: the 3D view cannot be drawn" in done.stderr:
        pytest.skip("needs EGL (libegl1, libgl1-mesa-dri)")
    assert done.returncode == 0, done.stderr
    with np.load(path, allow_pickle=False) as data:
        return {name: data[name] for name in data.files}


def warm(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the right hand's vermilion is."""
    blue, red = picture[..., 0].astype(int), picture[..., 2].astype(int)
    return red - blue > 60


def cold(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the left hand's blue is."""
    blue, red = picture[..., 0].astype(int), picture[..., 2].astype(int)
    return blue - red > 60


def test_each_hand_appears_in_its_colour_and_only_when_it_is_there(pictures: dict[str, NDArray[np.uint8]]) -> None:
    seen = {name: (bool(warm(p).sum() > 50), bool(cold(p).sum() > 50)) for name, p in pictures.items()}
    assert seen["none"] == (False, False)
    assert seen["right"] == (True, False)
    assert seen["left"] == (False, True)
    assert seen["both"] == (True, True)


def test_a_hand_that_has_gone_leaves_no_trace(pictures: dict[str, NDArray[np.uint8]]) -> None:
    np.testing.assert_array_equal(pictures["again"], pictures["none"])


def test_the_view_is_upright_and_not_mirrored(pictures: dict[str, NDArray[np.uint8]]) -> None:
    both = pictures["both"]
    assert np.nonzero(warm(both))[1].mean() < np.nonzero(cold(both))[1].mean(), (
        "right hand at the left, as in the picture"
    )
    ys = np.nonzero(warm(both))[0]
    grey = (np.ptp(both.astype(int), axis=2) < 20) & (both.max(axis=2) < 215) & (both.max(axis=2) > 170)
    assert ys.mean() < np.nonzero(grey)[0].mean(), "hands above their shadow"


def test_moving_right_and_mirroring_show(pictures: dict[str, NDArray[np.uint8]]) -> None:
    places = {name: np.nonzero(warm(pictures[name]))[1].mean() for name in ("right", "moved", "mirrored")}
    assert places["moved"] > places["right"] + 20
    assert places["mirrored"] > places["right"] + 20


def test_doubt_is_paler(pictures: dict[str, NDArray[np.uint8]]) -> None:
    assert warm(pictures["pale"]).sum() < 0.2 * warm(pictures["right"]).sum()


@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs xvfb-run")
def test_both_windows_open_show_and_close_twice_over() -> None:
    done = run(WINDOWS, xvfb=True)
    assert done.returncode == 0, done.stderr
    assert "windows done" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="needs EGL's vendor folder")
def test_without_display_and_egl_the_way_out_is_named(tmp_path: Path) -> None:
    done = run(RENDER, tmp_path / "none.npz", __EGL_VENDOR_LIBRARY_DIRS=str(tmp_path))
    assert done.returncode == 1, done.stderr
    assert "UserError: the 3D view cannot be drawn" in done.stderr
    assert "libegl1" in done.stderr
