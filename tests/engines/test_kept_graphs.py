"""Graphs that test runs keep for each other: made once, made anew by other sources, removed when nobody asks."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.support import kept_graphs
from tests.support.kept_graphs import once, sweep


def test_a_graph_is_made_once_for_each_maker_and_old_ones_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def make() -> bytes:
        calls.append(1)
        return b"graph %d" % len(calls)

    assert once(tmp_path / "a.onnx", make) == once(tmp_path / "a.onnx", make) == b"graph 1"
    sweep(tmp_path)
    assert once(tmp_path / "a.onnx", make) == b"graph 1"
    monkeypatch.setattr(kept_graphs, "_made_by", lambda: "other sources")
    assert once(tmp_path / "a.onnx", make) == b"graph 2"
    sweep(tmp_path)
    assert {file.name.split("-")[0] for file in tmp_path.iterdir()} == {"other sources"}
    for file in tmp_path.iterdir():
        os.utime(file, (0, time.time() - 15 * 86_400))
    sweep(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_graph_that_could_not_be_made_leaves_nothing_to_be_read(tmp_path: Path) -> None:
    def fails() -> bytes:
        raise ValueError("no such layer")

    with pytest.raises(ValueError, match="no such layer"):
        once(tmp_path / "a.onnx", fails)
    assert once(tmp_path / "a.onnx", lambda: b"graph") == b"graph"
