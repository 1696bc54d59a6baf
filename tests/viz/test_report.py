"""The page of a recording: its numbers, that it holds all it shows, and that a browser shows it without a network."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from engines.skeleton import HAND_SLICES
from realtime.tracks import npz
from realtime.tracks.schema import ROOT_DEPTH_NAMES, Tracks
from tests.support.chromium import chromium, find_chromium
from tests.support.track_files import tracks_of
from tests.support.video_files import steady, write_video
from viz.report.figures import hand_numbers
from viz.report.making import main
from viz.report.motion import speed_mm_s
from viz.report.plotting import PARTS, clock, parts

ROOT = Path(__file__).parents[2]
PRESENT = [""] * 6 + ["rl"] * 12 + ["r"] * 6 + ["rl"] * 6


def save(path: Path, tracks: Tracks) -> Path:
    npz.save(tracks, path)
    return path


@pytest.mark.parametrize("fps", [2.0, 30.0, 240.0])
def test_speed_is_that_of_a_point_at_whatever_rate(fps: float) -> None:
    t_s = np.arange(40) / fps
    places = t_s[:, None] * [300.0, 0.0, 400.0]
    np.testing.assert_allclose(speed_mm_s(places, t_s), 500.0)
    places[20] = np.nan
    speeds = speed_mm_s(places, t_s)
    assert np.isnan(speeds[19:22]).all()
    assert np.nanmax(speeds) == pytest.approx(500.0)


def test_speed_of_a_single_frame_is_not_known() -> None:
    assert np.isnan(speed_mm_s(np.zeros((1, 3)), np.zeros(1))).all()


def test_what_was_seen_and_for_how_long_not_is_counted() -> None:
    right, left = (hand_numbers(tracks_of(PRESENT, step_s=0.1), side) for side in ("right", "left"))
    assert (right.seen, right.gaps) == (0.8, ())
    assert left.seen == pytest.approx(0.6)
    assert [(gap.start_s, gap.length_s) for gap in left.gaps] == [pytest.approx((1.7, 0.7))]
    assert left.depth_mm == pytest.approx((470.0, 470.0, 470.0))
    assert left.depth_from == (("rootnet", 1.0),)


def test_what_was_filled_in_is_neither_seen_nor_a_gap() -> None:
    tracks = tracks_of(PRESENT)
    codes = tracks.root_depth_from.copy()
    codes[10:13, 0] = ROOT_DEPTH_NAMES.index("filled")
    right = hand_numbers(replace(tracks, root_depth_from=codes), "right")
    assert (right.seen, right.filled, right.gaps) == (0.7, 0.1, ())


def test_a_long_line_in_parts_keeps_its_course_its_peaks_and_its_gaps() -> None:
    t_s = 5.0 + np.arange(100_000) / 30
    values = np.sin(t_s / 200)
    values[50_123], values[70_000:71_000] = 9.0, np.nan
    middle_s, low, median, high = parts(t_s, values)
    assert (len(median), np.nanmax(high)) == (PARTS, 9.0)
    there = np.isfinite(median)
    np.testing.assert_allclose(median[there], np.sin((middle_s[there] + 5.0) / 200), atol=0.03)
    assert 2 <= (~there).sum() <= 4
    assert ((low <= median) & (median <= high))[there].all()


@pytest.mark.parametrize(
    ("t_s", "text"), [(0.0, "0 s"), (119.5, "119.5 s"), (120.0, "2:00"), (3599.97, "1:00:00"), (36_061.0, "10:01:01")]
)
def test_times_are_read_as_on_a_clock(t_s: float, text: str) -> None:
    assert clock(t_s) == text


class Addresses(HTMLParser):
    """All that a page would load or go to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.pictures = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.pictures += tag == "img"
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "data", "srcset", "action")]


def addresses(path: Path) -> Addresses:
    parser = Addresses()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser


def test_a_page_holds_all_that_it_shows_and_is_the_same_each_time(tmp_path: Path) -> None:
    tracks = save(tmp_path / "a <b>&.npz", tracks_of(PRESENT))
    video = write_video(tmp_path / "<script>alert(1)</script>.mp4".replace("/", "∕"), steady(30), (640, 480))
    for out in ("one.html", "two.html"):
        assert main([str(tracks), "--video", str(video), "--out", str(tmp_path / out)]) == 0
    page = addresses(tmp_path / "one.html")
    assert page.pictures == 8
    assert all(address.startswith(("data:", "#")) for address in page.found)
    text = (tmp_path / "one.html").read_text(encoding="utf-8")
    assert "url(" not in re.sub(r"url\(#[^)]*\)", "", text)
    assert "<script>alert" not in text
    assert text == (tmp_path / "two.html").read_text(encoding="utf-8")
    assert "80.0 %" in text
    assert "60.0 %" in text


@pytest.mark.parametrize("present", [["rl"], [""] * 3, ["r"] * 5])
def test_short_and_empty_recordings_have_a_page_too(tmp_path: Path, present: list[str]) -> None:
    tracks = save(tmp_path / "short.npz", tracks_of(present))
    assert main([str(tracks)]) == 0
    text = (tmp_path / "short.html").read_text(encoding="utf-8")
    assert ">nan" not in text
    assert "nan " not in text


def test_a_folder_becomes_an_index_with_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "below").mkdir()
    save(tmp_path / "below" / "a b.npz", tracks_of(["rl"] * 4))
    (tmp_path / "broken.npz").write_bytes(b"PK")
    noted = {"gone.npz": {"status": "failed", "message": "gone.mp4: no <video>", "recording": "gone.mp4"}}
    (tmp_path / "batch.json").write_text(json.dumps({"format": "two-hands-batch 1", "recordings": noted}))
    out = tmp_path / "pages"
    assert main([str(tmp_path), "--out", str(out)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert (said[0], said[-1]) == (str(out / "below" / "a b.html"), str(out / "index.html"))
    index = (out / "index.html").read_text(encoding="utf-8")
    assert "below/a%20b.html" in addresses(out / "index.html").found
    assert "../index.html" in addresses(out / "below" / "a b.html").found
    assert "broken.npz: not a track file" in index
    assert "gone.mp4: no &lt;video&gt;" in index


def test_a_folder_without_one_readable_track_file_is_refused_and_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "truth.npz").write_bytes(b"PK")
    assert main([str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("not a track file") == said.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["truth.npz"]


def test_a_recording_with_other_pictures_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tracks = save(tmp_path / "a.npz", tracks_of(PRESENT))
    upright = write_video(tmp_path / "upright.mp4", steady(30), (480, 640))
    assert main([str(tracks), "--video", str(upright)]) == 2
    assert "other pictures than those that were tracked" in capsys.readouterr().err
    assert not (tmp_path / "a.html").exists()


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tracks = save(tmp_path / "a.npz", tracks_of(["rl"]))
    save(tmp_path / "none.npz", tracks_of([]))
    (tmp_path / "empty").mkdir()
    wrong = {
        f"{tmp_path}/nowhere.npz": "no such track file",
        f"{tmp_path}/none.npz": "holds no frames",
        f"{tracks} --out {tracks}": "ends in .html",
        f"{tracks} --video {tmp_path}/none.mp4": "none.mp4",
        f"{tmp_path}/empty": "no track files",
        f"{tmp_path} --video a.mp4": "leave it out",
        f"{tmp_path} --out {tracks}": "is no folder",
    }
    for words, said in wrong.items():
        assert main(words.split()) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line


@pytest.mark.skipif(find_chromium() is None, reason="needs Chromium (apt-get install chromium)")
def test_a_browser_shows_it_and_one_moment_in_all_plots(tmp_path: Path) -> None:
    tracks = save(tmp_path / "a.npz", tracks_of(PRESENT))
    assert main([str(tracks)]) == 0
    with chromium(str(find_chromium()), tmp_path / "browser") as page:
        page.open((tmp_path / "a.html").as_uri())
        assert page.value("document.querySelectorAll('.time svg').length") == 5
        assert page.value("[...document.images].every((image) => image.naturalWidth > 100)")
        assert page.value("document.documentElement.scrollWidth <= innerWidth")
        page.value("document.querySelector('.time').scrollIntoView()")
        x, y, width = page.value("(() => { const b = document.querySelector('.time').getBoundingClientRect(); "
                                 "return [b.x, b.y + b.height / 2, b.width] })()")  # fmt: skip
        page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x + width * (0.066 + 0.99) / 2, y=y)
        middle_s = 29 / 30 / 2
        page.wait("!document.getElementById('now').hidden")
        assert float(page.value("document.getElementById('now').textContent").split()[0]) == pytest.approx(
            middle_s, abs=0.02
        )
        shown = "[...document.querySelectorAll('.cursor')].filter((line) => line.style.display == 'block').length"
        assert page.value(shown) == 6  # two in the plot of two columns
        assert page.faults == []


def test_the_colours_are_those_of_every_other_view() -> None:
    css = (ROOT / "viz" / "report" / "style.css").read_text(encoding="utf-8")
    from engines.skeleton import SIDE_RGB

    for side in HAND_SLICES:
        red, green, blue = (round(255 * c) for c in SIDE_RGB[side])
        assert f"--{side}: #{red:02x}{green:02x}{blue:02x}" in css
