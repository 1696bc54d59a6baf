"""Settings: what is taken, and the one line that a mistake gets."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from engines.errors import UserError
from realtime.cli.hand_profile import load_profile
from realtime.config import Settings
from realtime.layers import DEFAULT_FILE, load_settings


def write(folder: Path, text: str) -> Path:
    path = folder / "my.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def leaves(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


DEFAULTS = leaves(yaml.safe_load(DEFAULT_FILE.read_text(encoding="utf-8")))


def test_defaults_are_valid_and_complete() -> None:
    assert leaves(load_settings().model_dump()) == DEFAULTS


def test_layers_win_in_order(tmp_path: Path) -> None:
    path = write(tmp_path, "camera:\n  fps: 60\n  width: 1280\nsmoothing:\n  image: {beta: 0.5}\n")
    loaded = load_settings(path, ["camera.fps=120", "smoothing.image.min_cutoff_hz=1e-4", "camera.fps=90"])
    assert (loaded.camera.fps, loaded.camera.width, loaded.camera.height) == (90.0, 1280, 480)
    assert (loaded.smoothing.image.beta, loaded.smoothing.image.min_cutoff_hz) == (0.5, 1e-4)


def test_settings_are_frozen_and_go_through_json() -> None:
    loaded = load_settings()
    with pytest.raises(ValidationError):
        loaded.camera.fps = 3.0  # type: ignore[misc]
    assert Settings.model_validate(json.loads(loaded.model_dump_json())) == loaded


def test_an_unnamed_cache_is_the_users() -> None:
    assert load_settings().engine.cache_folder is None
    assert load_settings(overrides=["engine.cache=''"]).engine.cache_folder is None
    assert load_settings(overrides=["engine.cache=/some/where"]).engine.cache_folder == Path("/some/where")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_what_windows_puts_before_text_is_no_setting(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_bytes("camera:\r\n  fps: 60  # Größe\r\n".encode(encoding))
    assert load_settings(path).camera.fps == 60
    profile = tmp_path / "profile.yaml"
    profile.write_bytes("hand_length_mm: 185\r\n".encode(encoding))
    assert load_profile(profile).hand_length_mm == 185


def test_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, "# nothing\n")) == load_settings()


@pytest.mark.parametrize(
    ("text", "number"), [("1e-4", 1e-4), ("1.0e-4", 1e-4), ("2E+1", 20.0), ("3", 3.0), (".5", 0.5)]
)
def test_numbers_as_people_write_them(text: str, number: float) -> None:
    assert load_settings(None, [f"fusion.blend_s={text}"]).fusion.blend_s == number


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("camera:\n  fsp: 30\n", ["my.yaml", "'camera.fsp'", "did you mean 'camera.fps'"]),
        ("fps: 30\n", ["'fps'", "'camera.fps'"]),
        ("trackr:\n  merge_overlap: 1\n", ["'trackr'", "'tracker'"]),
        ("tracker:\n  lose_after_frames: 5\n", ["my.yaml", "'tracker.lose_after_s'", "seconds"]),
        ("tracker:\n  crop_smoothing: 0.5\n", ["my.yaml", "'tracker.crop_smoothing_s'"]),
        ("qqq: 1\n", ["'qqq'", "default.yaml"]),
        ("camera:\n  fps: fast\n", ["my.yaml", "camera.fps", "'fast'", "number"]),
        ("camera:\n  fps: '30'\n", ["camera.fps", "'30'", "number"]),
        ("camera:\n  width: 640.5\n", ["camera.width", "640.5", "integer"]),
        ("camera:\n  width: true\n", ["camera.width", "True", "integer"]),
        ("camera:\n  width: 0\n", ["camera.width", "0", "greater than or equal to 1"]),
        ("camera:\n  fps: .nan\n", ["camera.fps", "nan", "finite"]),
        ("camera:\n  fps:\n", ["camera.fps", "None"]),
        ("camera: 3\n", ["'camera'", "section", "reconnect_s"]),
        ("camera:\n", ["'camera'", "section"]),
        ("camera:\n  fps: {a: 1}\n", ["'camera.fps' is a value, not a section"]),
        ("engine:\n  backend: cuda\n", ["engine.backend", "'cuda'", "'openvino'"]),
        ("detector:\n  min_score: 1.5\n", ["detector.min_score", "1.5", "less than or equal to 1"]),
        ("tracker:\n  split_overlap: 0.5\n", ["my.yaml", "tracker", "split_overlap must be below merge_overlap"]),
        ("intrinsics:\n  source: file\n", ["my.yaml", "intrinsics.file"]),
        ("camera:\n  fps: 30\n  fps: 60\n", ["my.yaml", "'fps' stands twice", "line 2"]),
        ("camera: [1\n", ["my.yaml", "no valid YAML"]),
        ("- 1\n", ["my.yaml", "sections"]),
        ("!!python/object/apply:os.system ['true']\n", ["my.yaml", "no valid YAML"]),
        ("1: 2\n", ["'1'"]),
        ("\x00", ["my.yaml", "no valid YAML"]),
    ],
)
def test_mistakes_in_a_file(tmp_path: Path, text: str, parts: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        load_settings(write(tmp_path, text))
    message = str(caught.value)
    assert "\n" not in message
    assert [p for p in parts if p not in message] == [], message


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("camera.fps", "--set section.name=value"),
        ("=3", "--set section.name=value"),
        ("camera.fps=fast", "--set camera.fps=fast: camera.fps = 'fast'"),
        ("camera=1", "is a section"),
        ("camera.fps.x=1", "'camera.fps' is a value, not a section"),
        ("camera..fps=1", "unknown setting"),
        ("camera.fps=[1", "no valid YAML"),
        ("tracker.merge_overlap=0.01", "--set tracker.merge_overlap=0.01: tracker"),
    ],
)
def test_mistakes_in_an_override(override: str, part: str) -> None:
    with pytest.raises(UserError) as caught:
        load_settings(None, [override])
    assert part in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    for name in ("none.yaml", "binary.yaml", "."):
        with pytest.raises(UserError, match="settings file"):
            load_settings(tmp_path / name)


values = st.floats() | st.integers() | st.booleans() | st.text("a1 :#-'\"\n", max_size=9)


@settings(max_examples=60)
@given(key=st.sampled_from(sorted(DEFAULTS)), value=values)
def test_any_value_is_taken_or_named(key: str, value: object) -> None:
    message = ""
    try:
        loaded = load_settings(None, [f"{key}={json.dumps(value)}"])
        kept = leaves(loaded.model_dump())[key]
        assert kept == value or (isinstance(value, float) and math.isclose(kept, value))
    except UserError as error:
        message = str(error)
    assert not message or key.partition(".")[0] in message
    assert "\n" not in message


def test_crops_to_calibrate_on_are_for_int8() -> None:
    assert load_settings(None, ["engine.precision=int8", "engine.calibration=crops"]).engine.calibration == "crops"
    with pytest.raises(UserError, match="calibration goes with precision int8"):
        load_settings(None, ["engine.calibration=crops"])
