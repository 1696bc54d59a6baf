"""What each setting may be: its type and range, and rules between two of a section (any thread).

The defaults stand in `default.yaml` alone, so nothing here has one; `realtime.layers` makes the whole of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engines.contract import BackendName, Precision
from engines.second_look import Looks

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Person = Literal["nearest", "largest", "first"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class CameraSettings(_Section):
    """What is asked of a camera."""

    width: Annotated[int, Field(ge=1, le=8192)]
    height: Annotated[int, Field(ge=1, le=8192)]
    fps: Annotated[float, Field(gt=0, le=1000)]
    reconnect_s: NotNegative
    mirrored: bool


class IntrinsicsSettings(_Section):
    """Where focal lengths and principal point come from."""

    source: Literal["fov", "normalised", "file"]
    fov_deg: Annotated[float, Field(ge=5, le=170)]
    file: str | None

    @model_validator(mode="after")
    def _file_is_named(self) -> IntrinsicsSettings:
        if self.source == "file" and not self.file:
            raise ValueError("source 'file' needs intrinsics.file")
        return self


class EngineSettings(_Section):
    """Which network runs, and on what."""

    preset: Literal["lite", "paper", "paper-argmax"]
    weights: str | None
    rootnet: str | None
    backend: BackendName
    precision: Precision
    threads: Annotated[int, Field(ge=0, le=1024)]
    witness: bool
    second_look: Looks
    cache: str | None
    calibration: str | None

    @property
    def cache_folder(self) -> Path | None:
        """Of compiled engines and networks; None is the user's."""
        return Path(self.cache) if self.cache else None

    @model_validator(mode="after")
    def _calibration_is_for_int8(self) -> EngineSettings:
        if self.calibration and self.precision != "int8":
            raise ValueError("calibration goes with precision int8 only")
        return self


class DetectorSettings(_Section):
    """When and how hands are searched for."""

    min_score: Share
    interval_s: NotNegative
    max_hands: Literal[1, 2]
    pairs: bool
    bodies: bool


class TrackerSettings(_Section):
    """When crops merge, split and are lost; overlaps are shares of the smaller hand's box."""

    merge_overlap: Share
    split_overlap: Share
    lose_probability: Share
    lose_confidence: Share
    lose_after_s: NotNegative
    crop_smoothing_s: NotNegative
    person: Person

    @model_validator(mode="after")
    def _split_below_merge(self) -> TrackerSettings:
        if self.split_overlap >= self.merge_overlap:
            raise ValueError("split_overlap must be below merge_overlap, or crops would merge and split in turns")
        return self


class FusionSettings(_Section):
    """The wrists' absolute depth: where it comes from, and the relative-depth rule."""

    depth: Literal["root", "closed", "fused"]
    hand_length_mm: Annotated[float, Field(ge=80, le=300)] | None
    keep_bones: bool
    blend_s: NotNegative
    lean: bool


class OneEuroSettings(_Section):
    """One filter: cutoff in Hz = min_cutoff_hz + beta * speed in mm/s."""

    min_cutoff_hz: Positive
    beta: NotNegative


class SmoothingSettings(_Section):
    """The filters of a hand."""

    max_gap_s: Positive
    derivative_cutoff_hz: Positive
    image: OneEuroSettings
    relative_depth: OneEuroSettings
    wrist_depth: OneEuroSettings


class TimingSettings(_Section):
    """What the table of stages counts."""

    warmup_frames: Annotated[int, Field(ge=0)]


class Settings(_Section):
    """All settings; `model_dump_json()` gives them as JSON text."""

    camera: CameraSettings
    intrinsics: IntrinsicsSettings
    engine: EngineSettings
    detector: DetectorSettings
    tracker: TrackerSettings
    fusion: FusionSettings
    smoothing: SmoothingSettings
    timing: TimingSettings
