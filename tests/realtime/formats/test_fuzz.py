"""Any bytes in any file: they are read, or refused in one line; never another error, a hang, or memory without end."""

from __future__ import annotations

import logging
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import UserError
from realtime.layers import load_settings
from tests.support.file_readers import READERS, FileReader, read_anyhow, refusal

SECONDS = 60
"""More than all of one reader's examples take; a hang becomes a failure."""
MEMORY = 1 << 30
"""None of the files is larger than 20 kB, so no reader needs more than this beyond what the process has."""


@pytest.fixture(autouse=True)
def within_bounds() -> Iterator[None]:
    logging.disable(logging.WARNING)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    previous = signal.signal(signal.SIGALRM, _hangs)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    logging.disable(logging.NOTSET)


def _hangs(*_: object) -> None:
    raise AssertionError("reading hangs")


@st.composite
def damage(draw: st.DrawFn) -> list[tuple[str, float, bytes]]:
    """Some edits of a file: what to do, where (a share of its length), and with which bytes."""
    what = st.sampled_from(["flip", "insert", "delete", "cut", "double"])
    tokens = st.sampled_from(
        [b"\xff" * 8, b"\x00" * 8, b"1e400", b"nan", b"-1", b"[[[[", b"99999999999999999999", b"!!"]
    )
    content = st.one_of(st.binary(min_size=1, max_size=12), tokens)
    return draw(st.lists(st.tuples(what, st.floats(0, 1, exclude_max=True), content), min_size=1, max_size=4))


def damaged(good: bytes, edits: list[tuple[str, float, bytes]]) -> bytes:
    data = bytearray(good)
    for what, share, content in edits:
        at = int(share * len(data))
        if what == "flip":
            data[at : at + len(content)] = content
        elif what == "insert":
            data[at:at] = content
        elif what == "delete":
            del data[at : at + len(content)]
        elif what == "cut":
            del data[at:]
        else:
            data[at:at] = data[at : at + 64]
    return bytes(data)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_good_files_are_read(reader: FileReader, tmp_path: Path) -> None:
    path = tmp_path / reader.name
    reader.good(path)
    if reader.name == "calibration.npz":  # five frames are too few to calibrate with, and that is what it says
        with pytest.raises(UserError, match="too few"):
            reader.read(path)
    else:
        reader.read(path)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_damaged_files(reader: FileReader, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("damaged") / reader.name
    reader.good(path)
    good = path.read_bytes()

    @settings(max_examples=15 if reader.name in ("video.mp4", "calibration.npz") else 60, database=None)
    @given(damage())
    def check(edits: list[tuple[str, float, bytes]]) -> None:
        path.write_bytes(damaged(good, edits))
        read_anyhow(reader, path)

    check()


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_any_bytes(reader: FileReader, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / reader.name
    reader.good(path)

    @settings(max_examples=25, database=None)
    @given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace"))))
    def check(data: bytes) -> None:
        path.write_bytes(data)
        read_anyhow(reader, path)

    check()


@settings(max_examples=150)
@given(st.one_of(st.text(max_size=40), st.text(max_size=20).map(lambda value: f"camera.fps={value}")))
def test_any_override(text: str) -> None:
    refused = refusal(lambda: load_settings(None, [text]))
    assert refused is None or str(refused).isprintable()
