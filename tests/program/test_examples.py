"""The Python that README and docs/api.md show runs as it stands, on a second of the sample clip."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime.own_loop import wishes
from realtime.tracks import npz
from tests.support.engines import one_backend
from tests.support.recordings import cut
from tests.support.track_files import tracks_of

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "docs" / "api.md")
EXAMPLES = [
    pytest.param(match[1], id=f"{page.name}:{page.read_text().count(chr(10), 0, match.start()) + 1}")
    for page in PAGES
    for match in re.finditer(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
]

pytestmark = pytest.mark.skipif(
    not (ROOT / "weights" / "lite.safetensors").exists(), reason="needs the shipped weights"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user has who ran the demo: the clip where it lies in the checkout, and a track file."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "samples").mkdir()
    cut(folder / "samples" / "two_hands.mp4", 171, 20)
    npz.save(tracks_of(["rl", "r", ""] * 10), folder / "out.npz")
    return folder


@pytest.fixture(scope="module", autouse=True)
def _one_engine() -> Iterator[None]:
    """It takes a second to load: one for all examples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wishes, "backend_of", one_backend())
        yield


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_runs_and_says_something(
    code: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    script = folder / "example.py"
    script.write_text(code, encoding="utf-8")
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out.strip()


def test_there_are_examples_of_each_way_to_use_it() -> None:
    together = "".join(str(example.values[0]) for example in EXAMPLES)
    assert all(word in together for word in ("with Hands(", "with LiveHands(", "async for", "load_tracks("))
