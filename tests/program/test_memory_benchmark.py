"""The kernel's account of a process, summed up by what it is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.memory import Held, held_by_kind, kind_of, measure, table
from engines.errors import UserError

SMAPS = """
55d0a0000000-55d0a4000000 rw-p 00000000 00:00 0                          [heap]
Size:              65536 kB
Rss:               60000 kB
Pss:               60000 kB
Private_Clean:         0 kB
Private_Dirty:     60000 kB
7f0000000000-7f0001000000 r-xp 00001000 fe:00 123                        /v/site-packages/openvino/libs/libopenvino.so
Rss:               20000 kB
Pss:                5000 kB
Private_Clean:       100 kB
Private_Dirty:         0 kB
7f0001000000-7f0002000000 rw-p 00002000 fe:00 123                        /v/site-packages/openvino/_pyopenvino.so
Rss:                1000 kB
Pss:                1000 kB
Private_Clean:         0 kB
Private_Dirty:      1000 kB
VmFlags: rd wr mr mw me ac sd
""".strip()


def test_mappings_are_summed_by_kind() -> None:
    found = held_by_kind(SMAPS.splitlines())
    assert set(found) == {"the main heap", "libraries of openvino"}
    openvino = found["libraries of openvino"]
    assert (openvino.rss, openvino.pss, openvino.uss) == pytest.approx((21.504, 6.144, 1.1264))
    assert table({**found, "small": Held(0.5, 0.5, 0.5)}).splitlines()[-2].split()[2:] == ["0.5", "0.5", "0.5"]


@pytest.mark.parametrize(
    ("permissions", "name", "kind"),
    [
        ("rw-p", "", "memory asked for in blocks, threads' heaps"),
        ("rwxp", "", "code made at run time"),
        ("r--p", "/v/site-packages/av.libs/libx264.so", "libraries of av"),
        ("r-xp", "/usr/lib/libc.so.6", "libraries of the system"),
        ("r--p", "/usr/lib/locale/C.utf8/LC_CTYPE", "other"),
    ],
)
def test_a_mapping_is_named_for_what_it_is(permissions: str, name: str, kind: str) -> None:
    assert kind_of(permissions, name) == kind


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="Linux only")
def test_this_process_is_accounted_for() -> None:
    found = held_by_kind(Path("/proc/self/smaps").read_text().splitlines())
    assert sum(held.rss for held in found.values()) > 30
    assert found["libraries of numpy"].rss > 3


def test_a_program_of_which_nothing_was_seen_is_no_table_of_zeros() -> None:
    with pytest.raises(UserError, match="ended at once"):
        measure([sys.executable, "-c", ""])
    with pytest.raises(UserError, match=r"ended with 3 \(so it is\)"):
        measure([sys.executable, "-c", "import sys; print('so it is', file=sys.stderr); sys.exit(3)"])
