"""The cache of engines: damage, two builds at once, full disks, and keys."""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engines.backends.opening import open_backend
from engines.cache.key import engine_key
from engines.cache.store import SIDECAR, find_engine, store_engine, why_not_cached
from engines.contract import EngineRequest
from engines.errors import UserError
from tests.support.full_disk import files_no_larger_than


def _store(cache: Path, number: int) -> None:
    key = engine_key("lite", "test", "1", "fp32", (1,), Path(__file__), "cpu")
    for _ in range(20):
        store_engine(cache, key, {"engine.bin": bytes([number]) * 100_000}, {})


def test_a_file_that_holds_no_weights_is_refused_before_an_engine_is_announced(tmp_path: Path) -> None:
    text, said = tmp_path / "README.md", []
    text.write_text("# no weights\n" * 50)
    with pytest.raises(UserError, match=r"README\.md: damaged, or no safetensors file"):
        open_backend(EngineRequest("lite", text, "openvino", "auto", cache=tmp_path), said.append)
    assert said == []


def test_two_processes_that_build_at_once_leave_a_whole_engine(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_store, args=(tmp_path, n)) for n in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    key = engine_key("lite", "test", "1", "fp32", (1,), Path(__file__), "cpu")
    folder = find_engine(tmp_path, key)
    assert folder is not None
    assert len(set((folder / "engine.bin").read_bytes())) == 1
    assert not list(tmp_path.glob(".building-*"))


def test_others_may_read_an_engine_in_a_cache_that_is_shared(tmp_path: Path) -> None:
    """As in a container's image: built by one user, run by another."""
    key = engine_key("lite", "test", "1", "fp32", (1,), Path(__file__), "cpu")
    before = os.umask(0o022)
    try:
        folder = store_engine(tmp_path, key, {"engine.bin": b"content"}, {})
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o755
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in folder.iterdir())


def test_an_engine_that_another_process_loads_is_not_replaced(tmp_path: Path) -> None:
    key = engine_key("lite", "test", "1", "fp32", (1,), Path(__file__), "cpu")
    folder = store_engine(tmp_path, key, {"engine.bin": b"first"}, {})
    place = (folder / "engine.bin").stat().st_ino
    assert store_engine(tmp_path, key, {"engine.bin": b"second"}, {}) == folder
    assert (folder / "engine.bin").stat().st_ino == place
    (folder / "engine.bin").write_bytes(b"damaged")
    store_engine(tmp_path, key, {"engine.bin": b"third"}, {})
    assert (folder / "engine.bin").read_bytes() == b"third"
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("damage", ["cut", "missing file", "no side-car", "side-car cut", "another key"])
def test_damage_of_any_kind_is_found(tmp_path: Path, damage: str) -> None:
    key = engine_key("lite", "test", "1", "fp32", (1,), Path(__file__), "cpu")
    folder = store_engine(tmp_path, key, {"engine.bin": b"content"}, {})
    assert find_engine(tmp_path, key) == folder
    sidecar = folder / SIDECAR
    if damage == "cut":
        (folder / "engine.bin").write_bytes(b"cont")
    elif damage == "missing file":
        (folder / "engine.bin").unlink()
    elif damage == "no side-car":
        sidecar.unlink()
    elif damage == "side-car cut":
        sidecar.write_text(sidecar.read_text()[:50])
    else:
        sidecar.write_text(sidecar.read_text().replace("fp32", "bf16"))
    assert find_engine(tmp_path, key) is None
    assert why_not_cached(tmp_path, key) == "the one in the cache is damaged"


def test_a_full_disk_is_one_line_and_leaves_no_half_engine(tmp_path: Path) -> None:
    """No file may grow beyond 50 kB: writing fails half-way, as where a disk is full."""
    key = engine_key("lite", "test", "1", "fp32", (1,), Path(__file__), "cpu")
    with files_no_larger_than(50_000), pytest.raises(UserError, match="engine cache cannot be written") as told:
        store_engine(tmp_path / "cache", key, {"small.bin": bytes(100), "engine.bin": bytes(100_000)}, {})
    assert "\n" not in str(told.value)
    assert not list((tmp_path / "cache").iterdir())


def test_what_killed_builds_left_is_swept_after_a_day(tmp_path: Path) -> None:
    old, new = tmp_path / ".building-old", tmp_path / ".building-new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "engine.bin").write_bytes(bytes(1000))
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    _store(tmp_path, 1)
    assert not old.exists()
    assert new.exists()


def test_any_difference_is_another_key() -> None:
    key = engine_key("lite", "openvino", "1", "fp32", (1, 2), Path(__file__), "cpu")
    others = [replace(key, precision="bf16"), replace(key, runtime_version="2"), replace(key, weights_sha256="0")]
    assert len({key.digest(), *(other.digest() for other in others)}) == 4


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="engine cache cannot be written"):
        store_engine(tmp_path / "x", engine_key("lite", "t", "1", "p", (1,), Path(__file__), "c"), {"a": b""}, {})
