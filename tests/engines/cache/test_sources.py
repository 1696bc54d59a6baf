"""Which edits rebuild engines: on a copy of the tree, one file edited at a time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engines.cache.key import engine_key
from engines.cache.sources import ROOT, source_files, sources_sha256
from engines.errors import UserError

REMARKS = '"""Another docstring."""\n# another comment\n\n'


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the program's engines."""
    shutil.copytree(ROOT / "engines", tmp_path / "engines", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def names_in(tree: Path, room: str) -> set[str]:
    """The files of a room, those of its own rooms too, but for those that hold a docstring only."""
    files = (path for path in (tree / room).rglob("*.py") if path.name != "__init__.py")
    return {path.relative_to(tree).as_posix() for path in files}


def test_all_that_makes_engines_is_a_source_and_what_uses_or_judges_them_is_not(tree: Path) -> None:
    sources = source_files(tree)
    assert names_in(tree, "engines/building") | names_in(tree, "engines/networks") <= sources
    others = {"engines/build.py", "engines/contract.py", "engines/second_look.py"}
    others |= {name for room in ("backends", "cache", "verification") for name in names_in(tree, f"engines/{room}")}
    assert not sources & others
    assert others <= names_in(tree, "engines")


def test_the_key_holds_the_sources_wherever_the_checkout_lies(tree: Path) -> None:
    assert engine_key("lite", "b", "1", "p", (1,), Path(__file__), "c").graph_sha256 == sources_sha256(tree)


@pytest.mark.parametrize(
    "name", ["building/graph.py", "building/openvino_files.py", "networks/resnet.py", "geometry/crop.py", "spec.py"]
)
def test_an_edit_of_a_source_is_another_engine(tree: Path, name: str) -> None:
    before, path = sources_sha256(tree), tree / "engines" / name
    path.write_text(path.read_text(encoding="utf-8") + "\n_ANOTHER = 1\n", encoding="utf-8")
    assert sources_sha256(tree) != before


def test_a_number_in_a_network_is_another_engine(tree: Path) -> None:
    before, path = sources_sha256(tree), tree / "engines" / "networks" / "lite.py"
    code = path.read_text(encoding="utf-8")
    assert code.count("depth * 100.0") == 1
    path.write_text(code.replace("depth * 100.0", "depth * 101.0"), encoding="utf-8")
    assert sources_sha256(tree) != before


def test_edits_of_reports_and_remarks_rebuild_nobodys_engine(tree: Path) -> None:
    """The code of all other files is edited at once, and remarks in all sources."""
    before, sources = sources_sha256(tree), source_files(tree)
    assert {"engines/build.py", "engines/verification/comparison.py"} <= names_in(tree, "engines") - sources
    for name in names_in(tree, "engines"):
        path = tree / name
        code = path.read_text(encoding="utf-8")
        path.write_text(f"{REMARKS}{code}" if name in sources else f"{code}\nprint(1)\n", encoding="utf-8")
    assert sources_sha256(tree) == before


def test_remarks_within_functions_do_not_count(tree: Path) -> None:
    before, path = sources_sha256(tree), tree / "engines" / "networks" / "lite.py"
    code = path.read_text(encoding="utf-8")
    line = "        depth_mm = depth * 100.0\n"
    path.write_text(code.replace(line, f'        "a remark"\n{line}\n        # more\n'), encoding="utf-8")
    assert sources_sha256(tree) == before


@pytest.mark.parametrize(
    "name", ["networks/mobile_trunk.py", "building/int8.py", "building/tensorrt_plan.py", "spec.py"]
)
def test_a_source_that_is_missing_is_an_error_that_names_it(tree: Path, name: str) -> None:
    (tree / "engines" / name).unlink()
    with pytest.raises(UserError, match="missing") as error:
        sources_sha256(tree)
    assert str(tree / "engines" / name) in str(error.value)


def test_a_new_import_is_followed(tree: Path) -> None:
    """Late ones and those of a module out of its room, too."""
    lite = tree / "engines" / "networks" / "lite.py"
    code = lite.read_text(encoding="utf-8")
    module = "engines.geometry.extra"
    for line in (f"import {module}", "from engines.geometry import extra", f"from {module} import X"):
        lite.write_text(f"{code}\n\ndef _late() -> None:\n    {line}\n", encoding="utf-8")
        with pytest.raises(UserError, match=r"extra\.py: is missing"):
            source_files(tree)
