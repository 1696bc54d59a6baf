"""The index of the docs names every page, links lead somewhere, and a walk through the code names files that are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
READ = (".md", ".ipynb", ".html", ".json")


def links(page: Path) -> set[Path]:
    """Files that a page links to."""
    targets = re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    return {(page.parent / target).resolve() for target in targets if "://" not in target}


def test_the_index_names_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    pages = {path for path in (ROOT / "docs").iterdir() if path.suffix in READ and path != index}
    assert not pages - links(index)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert not [target for target in links(page) if not target.exists()]


WALKS = {"A frame": 25, "A setting": 4, "A recording of many": 16}
"""Of docs/architecture.md, and the most files that each may take."""


@pytest.mark.parametrize(("walk", "most"), WALKS.items())
def test_a_walk_names_files_that_exist_and_is_as_short_as_promised(walk: str, most: int) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (told,) = re.findall(rf"\*\*{walk}\b(.*?)(?:\n\n|While a hand is missing|Its name stays)", text, re.DOTALL)
    # A setting has one walk for each of its examples, which begins with the option.
    for one in re.split(r"`--[^`]+`:", told)[1:] or [told]:
        names = set(re.findall(r"`([a-z0-9_/]*[a-z0-9_])`", one))
        assert not [name for name in names if not is_file(name)]
        assert 3 <= len(names) <= most


def is_file(name: str) -> bool:
    return any((ROOT / wing / f"{name}.py").is_file() for wing in ("", "engines", "realtime", "viz"))
