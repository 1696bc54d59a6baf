"""Open3D without its web server, whose functions are there all the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
