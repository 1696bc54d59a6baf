"""Nothing leaves the machine unasked: the program and every dependency that would report its use."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.network_watch import run_watched
from tests.support.recordings import ROOT, cut

RUN = """
import run_demo
live = ["--video", {clip!r}, "--realtime", "--headless", "--save-tracks", {tracks!r}, "--save-video", {video!r},
        "--osc", "127.0.0.1:9", "--websocket", "0", "--profile-json", {profile!r}]
batch = ["--video", {clip!r}, {second!r}, "--out", {out!r}, "--workers", "1", "--format", "jsonl", "bvh"]
raise SystemExit(run_demo.main(live) or run_demo.main(batch))
"""
ALWAYS_THERE = "import openvino, openvino.tools.ovc, open3d, mediapipe, torch, torch.utils.tensorboard"
PACKAGES = {
    "nncf": "import nncf; nncf.telemetry.telemetry.send_event('a', 'b', 'c')",
    "onnxruntime": """
import onnx, onnxruntime
from onnx import TensorProto, helper
value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])
graph = helper.make_graph([helper.make_node("Identity", ["a"], ["b"])], "g", [value("a")], [value("b")])
model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
""",
    "ray": """
from ray._common.usage import usage_lib
assert not usage_lib.usage_stats_enabled()
""",
    "rerun": "import rerun; rerun.new_recording('a').save('/dev/null')",
}


def test_a_live_run_with_streams_and_files_and_then_a_batch_speak_to_nobody(tmp_path: Path) -> None:
    """One process, as under strace each takes twice its time; only the batch's worker has its own."""
    files = {"tracks": "a.npz", "video": "b.mp4", "profile": "a.json", "out": "out"}
    names = {name: str(tmp_path / file) for name, file in files.items()}
    clips = {name: str(cut(tmp_path / f"{name}.mp4", 0, 12)) for name in ("clip", "second")}
    done, outside = run_watched(RUN.format(**names, **clips), tmp_path)
    assert done.returncode == 0, done.stderr
    assert outside == []
    assert (tmp_path / "out" / "second.bvh").exists()


def test_no_file_imports_openvino_before_engines_has_silenced_it() -> None:
    """Only in `engines`, whose package comes first, does a file begin with it: elsewhere the order is by name."""
    for room in ("realtime", "training", "viz", "benchmarks"):
        for path in (ROOT / room).rglob("*.py"):
            assert not re.search(r"^(import|from) openvino", path.read_text(encoding="utf-8"), re.MULTILINE), path


def test_these_tests_report_nothing() -> None:
    """Files of tests import OpenVINO before ours; all of its conversions would be posted, a second each."""
    assert sys.modules["openvino_telemetry"] is None


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_dependency_would_report_stays_here(tmp_path: Path, package: str) -> None:
    if find_spec(package) is None:
        pytest.skip(f"needs {package}")
    said_nothing(PACKAGES[package], tmp_path)


def test_what_every_set_up_has_reports_nothing(tmp_path: Path) -> None:
    said_nothing(ALWAYS_THERE, tmp_path)


def said_nothing(code: str, folder: Path) -> None:
    done, outside = run_watched("import engines\n" + code, folder)
    assert done.returncode == 0, done.stderr
    assert outside == []


def test_the_watch_sees_what_is_sent(tmp_path: Path) -> None:
    """To an address that is reserved for examples (RFC 5737) and reaches nobody."""
    code = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))"
    assert run_watched(code, tmp_path)[1]
