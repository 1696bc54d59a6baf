"""The command line as one structure: who wins where two say what a setting is, and that nothing is read as YAML."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from engines.errors import UserError
from realtime.camera_space.hand_size import HandProfile
from realtime.cli.hand_profile import save_profile
from realtime.cli.options import parse
from realtime.layers import load_settings

ORDER = ("profile", "file", "option", "set")
"""Behind the defaults, the later one wins."""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--vido", "x.mp4"], "unrecognized option --vido; did you mean --video?"),
        (["--video", ""], "--video: is empty"),
        (["--images", "", "--headless"], "--images: is empty"),
        (["--video", "a.mp4", "--save-tracks="], "--save-tracks: is empty"),
    ],
)
def test_a_mistyped_option_or_an_empty_value_is_told_first(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(words)
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def said(setting: str, **values: Any) -> tuple[str, dict[str, Any]]:
    return setting, values


SETTINGS = [
    said("fusion.hand_length_mm", profile=171.0, file=172.0, option=("--hand-length-mm", 173.0), set=174.0),
    said("fusion.depth", file="closed", option=("--depth", "fused"), set="root"),
    said("intrinsics.fov_deg", file=71.0, option=("--fov", 72.0), set=73.0),
    said("engine.preset", file="paper", option=("--preset", "paper-argmax"), set="lite"),
    said("engine.backend", file="openvino", option=("--engine", "torch"), set="auto"),
    said("engine.weights", file="a.safetensors", option=("--weights", "b: c.safetensors"), set="d.safetensors"),
    said("engine.rootnet", file="a.pth", option=("--rootnet", "null"), set="c.pth"),
    said("tracker.person", file="nearest", option=("--person", "largest"), set="first"),
    said("intrinsics.file", file="a.json", option=("--intrinsics", "1e3"), set="c.json"),
    said("camera.fps", file=11.0, set=12.0),
    said("smoothing.image.beta", file=0.5, set=0.25),
]


def value_of(settings: Any, setting: str) -> Any:
    for part in setting.split("."):
        settings = getattr(settings, part)
    return settings


def words_for(setting: str, who: dict[str, Any], folder: Path) -> list[str]:
    """A command line in which each of `who` says its value."""
    words = ["--video", "clip.mp4"]
    if "profile" in who:
        save_profile(folder / "profile.yaml", HandProfile(who["profile"]))
        words += ["--profile-file", str(folder / "profile.yaml")]
    if "file" in who:
        tree: Any = who["file"]
        for part in reversed(setting.split(".")):
            tree = {part: tree}
        (folder / "my.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
        words += ["--config", str(folder / "my.yaml")]
    if "set" in who:  # where it stands in the line says nothing
        words += ["--set", f"{setting}={who['set']}"]
    if "option" in who:
        option, value = who["option"]
        words += [option, str(value)]
    return words


@pytest.mark.parametrize(("setting", "values"), SETTINGS, ids=[setting for setting, _ in SETTINGS])
def test_the_later_one_wins(setting: str, values: dict[str, Any], tmp_path: Path) -> None:
    for count in range(1, len(values) + 1):
        for names in combinations([name for name in ORDER if name in values], count):
            who = {name: values[name] for name in names}
            winner = values[names[-1]]
            wanted = winner[1] if names[-1] == "option" else winner
            assert value_of(parse(words_for(setting, who, tmp_path)).settings, setting) == wanted, names


def test_nobody_says_anything() -> None:
    assert parse(["--video", "clip.mp4"]).settings == load_settings()


def test_an_option_settles_what_goes_with_it() -> None:
    assert parse(["--demo", "--intrinsics", "a.json"]).settings.intrinsics.source == "file"
    assert parse(["--demo", "--fov", "70", "--set", "intrinsics.source=normalised"]).settings.intrinsics.source == (
        "normalised"
    )


def test_a_hand_that_is_measured_is_not_scaled_before(tmp_path: Path) -> None:
    save_profile(tmp_path / "p.yaml", HandProfile(160.0))
    (tmp_path / "my.yaml").write_text("fusion: {depth: fused, hand_length_mm: 170}\n")
    words = ["--camera", "0", "--calibrate-hand", "500", "--profile-file", str(tmp_path / "p.yaml")]
    fusion = parse([*words, "--config", str(tmp_path / "my.yaml")]).settings.fusion
    assert (fusion.depth, fusion.hand_length_mm) == ("root", None)


def test_what_would_spoil_the_measurement_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--camera", "0", "--calibrate-hand", "500", "--set", "fusion.depth=closed"])
    assert "--calibrate-hand" in (line := capsys.readouterr().err) and "--set fusion" in line


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--fov", "300"], ["--fov 300", "intrinsics.fov_deg", "170"]),
        (["--set", "camera.fps=fast", "--fov", "70"], ["--set camera.fps=fast", "'fast'"]),
        (["--profile-file", "none.yaml"], ["none.yaml", "--hand-length-mm"]),
    ],
)
def test_a_mistake_names_who_made_it(words: list[str], parts: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        parse(["--video", "clip.mp4", *words])
    assert [part for part in parts if part not in str(caught.value)] == []


def test_one_recording_or_many() -> None:
    one = parse(["--images", "pictures", "--fps", "60"])
    assert (one.batch, one.source.images, one.source.images_fps) == (None, Path("pictures"), 60.0)
    words = ["--video", "a.mp4", "b*.mp4", "--out", "tracks", "--format", "npz", "csv", "csv", "bvh", "--save-video"]
    many = parse(words)
    assert many.source.video is None
    assert many.batch is not None
    assert many.batch.recordings == ("a.mp4", "b*.mp4")
    assert (many.batch.out, many.batch.formats, many.batch.save_video) == (Path("tracks"), ("csv", "bvh"), True)
    with pytest.raises(FrozenInstanceError):
        many.batch.resume = True  # type: ignore[misc]
