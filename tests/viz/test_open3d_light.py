"""Open3D without its web server, whose functions are there all the same."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = """
import sys
import viz.window.beside_process
print(*sorted({"dash", "plotly", "IPython", "requests", "cv2", "pydantic"} & set(sys.modules)))
import open3d
print(type(open3d.visualization.get_plotly_fig([open3d.geometry.TriangleMesh.create_box()])).__name__)
"""


def test_the_windows_process_imports_no_web_server_and_no_opencv_until_it_is_asked_for() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["", "Figure"]


MEMORY = """
import viz.window.beside_process
lines = open("/proc/self/status", encoding="ascii").read().splitlines()
print(*(line.split()[1] for line in lines if line.startswith("RssAnon")))
"""


def is_older_than_its_project() -> bool:
    """Whether the project asks for the build without CUDA, and the last set-up brought another."""
    asked = "open3d-cpu==" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return asked and not list(distributions(name="open3d-cpu"))


@pytest.mark.skipif(sys.platform != "linux" or platform.machine() != "x86_64", reason="elsewhere is but one Open3D")
@pytest.mark.skipif(is_older_than_its_project(), reason="an Open3D of an earlier set-up: `make setup`")
def test_the_windows_process_begins_small() -> None:
    """Open3D's build with CUDA fills 68 MB when it is loaded, and draws nothing with it."""
    done = subprocess.run([sys.executable, "-c", MEMORY], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 1.024e-3 * int(done.stdout) < 50
