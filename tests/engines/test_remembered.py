"""What is found out once: asked again only when it may be another answer, or when there is none to read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engines import openvino_core
from engines.remembered import FOLDER, remembered
from engines.user_folders import PROGRAM


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the answer to "colour" is kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / PROGRAM / FOLDER / "colour.json"


def colour(depends_on: bytes, found: list[str]) -> str:
    """Takes the next of `found` where it is found out."""
    return remembered("colour", depends_on, lambda: found.pop(0), "red|green")


@pytest.mark.usefixtures("file")
def test_an_answer_stays_until_what_it_depends_on_changes() -> None:
    found = ["red", "green", "red"]
    assert [colour(b"1", found), colour(b"1", found)] == ["red", "red"]
    assert [colour(b"2", found), colour(b"2", found)] == ["green", "green"]
    assert colour(b"1", found) == "red", "the last question is kept, no other"
    assert found == []


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"asked": 1, "answer": 2}', "\x00" * 100, "[" * 1000, "[" * 10**6]
)
def test_a_damaged_file_is_no_answer(file: Path, content: str) -> None:
    colour(b"1", ["red"])
    file.write_text(content)
    found = ["green"]
    assert [colour(b"1", found), colour(b"1", found)] == ["green", "green"]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir])
def test_what_is_no_file_is_not_read(file: Path, make: Callable[[Path], None]) -> None:
    colour(b"1", ["red"])
    file.unlink()
    make(file)
    assert colour(b"1", ["green"]) == "green"


def test_what_is_no_answer_to_the_question_is_not_taken(file: Path) -> None:
    colour(b"1", ["red"])
    file.write_text(json.dumps(json.loads(file.read_text()) | {"answer": "red or green"}))
    assert colour(b"1", ["green"]) == "green"


@pytest.mark.parametrize("cache", ["/proc/none", "file"])
def test_without_a_place_each_start_finds_out_by_itself_and_nothing_is_said(
    cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be that engines are kept elsewhere, by `engine.cache`."""
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / cache))
    assert [colour(b"1", ["red"]), colour(b"1", ["green"])] == ["red", "green"]
    assert not caplog.records


@pytest.mark.usefixtures("file")
def test_the_processors_precision_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    if "BF16" not in openvino_core.openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bf16, so there is nothing to measure")
    measured: list[str] = []
    seconds = {"bf16": 1.0, "fp32": 2.0}
    monkeypatch.setattr(openvino_core, "_seconds", lambda precision: measured.append(precision) or seconds[precision])
    for _ in range(2):
        openvino_core.own_precision.cache_clear()  # as another process
        assert openvino_core.own_precision() == "bf16"
    assert measured == ["bf16", "fp32"]
    openvino_core.own_precision.cache_clear()
