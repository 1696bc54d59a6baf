"""Turns the command line into one typed, frozen structure; the only place that knows in which order settings win.

    defaults  <  hand profile  <  settings file (--config)  <  named options  <  --set

`realtime.cli.words` lists the options, `realtime.cli.contradictions` says which do not go together. From here on nobody
sees text: what an option is short for lies at its place in `Settings`, the rest in the dataclasses below.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from realtime.camera_space.hand_size import HandProfile
from realtime.cli.contradictions import contradictions
from realtime.cli.hand_profile import default_profile, load_profile
from realtime.cli.words import SHORT_NAMES, command_parser
from realtime.config import Settings
from realtime.layers import Layer, file_layer, set_layer, settings_of
from realtime.streams.address import Address

PICTURES_A_SECOND: Final = 30.0


@dataclass(frozen=True)
class SourceOptions:
    """What to look at: one of the first three, or the sample clip."""

    camera: str | None
    video: Path | None
    images: Path | None
    demo: bool
    realtime: bool
    """Play the video like a camera."""
    images_fps: float


@dataclass(frozen=True)
class ViewOptions:
    """What is shown, on the screen and in the video."""

    headless: bool
    three_d: bool
    mirror: bool
    save_video: Path | None


@dataclass(frozen=True)
class StreamOptions:
    """Hands for other programs."""

    osc: Address | None
    vmc: Address | None
    websocket: Address | None
    origins: tuple[str, ...]
    openxr: bool
    """The WebSocket sends OpenXR's joints, too."""


@dataclass(frozen=True)
class HandOptions:
    """The scale: what is known of the user's hand."""

    calibrate_mm: float | None
    """Measure the hand, held so far from the camera."""
    profile: Path | None
    """Where the hand's length is kept: the file that is named, the user's own for a camera, none for a recording."""
    keep: HandProfile | None
    """What was typed; it is kept there."""


@dataclass(frozen=True)
class ReportOptions:
    """What the run says of itself."""

    profile: bool
    profile_json: Path | None
    trace: Path | None


@dataclass(frozen=True)
class BatchOptions:
    """Many recordings into a folder."""

    recordings: tuple[str, ...]
    """Files, folders and patterns."""
    out: Path
    workers: int | None
    resume: bool
    formats: tuple[str, ...]
    """Besides npz."""
    offline_smoothing: bool
    save_video: bool
    ray: str | None


@dataclass(frozen=True)
class Options:
    """All that the command line says."""

    settings: Settings
    source: SourceOptions
    view: ViewOptions
    streams: StreamOptions
    hand: HandOptions
    report: ReportOptions
    batch: BatchOptions | None
    """None: one source."""
    save_tracks: Path | None
    mcap: Path | None
    """Where ROS 2 messages are written as they come."""
    config: Path | None
    """The settings file, which nothing may be written to."""
    seconds: float | None


def parse(argv: list[str] | None) -> Options:
    """The command line, checked against itself.

    Ends the process with code 2 and one line if the words make no sense; raises UserError for settings, and files of
    them, that do not.
    """
    parser = command_parser()
    words = parser.parse_args(argv)
    for problem in contradictions(words):
        parser.error(problem)
    hand = _hand(words)
    settings = settings_of(_layers(words, hand))
    if hand.calibrate_mm is not None and (settings.fusion.depth, settings.fusion.hand_length_mm) != ("root", None):
        parser.error("--calibrate-hand wants depths for a hand of typical size; leave out --set fusion...")
    many = words.out is not None
    return Options(
        settings=settings,
        source=SourceOptions(
            camera=words.camera,
            video=None if many or not words.video else Path(words.video[0]),
            images=None if many or not words.images else Path(words.images[0]),
            demo=words.demo,
            realtime=words.realtime,
            images_fps=words.fps or PICTURES_A_SECOND,
        ),
        view=ViewOptions(words.headless, not words.no_3d, words.mirror, None if many else words.save_video),
        streams=StreamOptions(
            words.osc, words.vmc, words.websocket, tuple(words.websocket_origin), words.websocket_openxr
        ),
        hand=hand,
        report=ReportOptions(words.profile, words.profile_json, words.trace),
        batch=_batch(words) if many else None,
        save_tracks=words.save_tracks,
        mcap=words.mcap,
        config=words.config,
        seconds=words.seconds,
    )


def _layers(words: argparse.Namespace, hand: HandOptions) -> Iterator[Layer]:
    """Who says what of the settings besides the defaults; a later one wins."""
    yield from _profile_layer(words, hand)
    if words.config is not None:
        yield file_layer(words.config)
    for name in SHORT_NAMES:
        value = getattr(words, name.setting)
        if value is not None:
            yield Layer.of(f"{name.option} {value}", {**name.also, name.setting: value})
    if hand.calibrate_mm is not None:  # RootNet's depth for a hand of typical size is what is measured
        yield Layer.of("--calibrate-hand", {"fusion.depth": "root", "fusion.hand_length_mm": None})
    yield from map(set_layer, words.set)


def _profile_layer(words: argparse.Namespace, hand: HandOptions) -> Iterator[Layer]:
    """Of a profile that is not about to be replaced; the user's own need not be there."""
    if hand.profile is None or hand.keep is not None or hand.calibrate_mm is not None:
        return
    if words.profile_file is not None or hand.profile.exists():
        yield Layer.of(str(hand.profile), {"fusion.hand_length_mm": load_profile(hand.profile).hand_length_mm})


def _hand(words: argparse.Namespace) -> HandOptions:
    own = default_profile() if words.camera is not None else None
    length_mm = getattr(words, "fusion.hand_length_mm")
    typed = None if length_mm is None else HandProfile(length_mm)
    return HandOptions(words.calibrate_hand, words.profile_file or own, typed)


def _batch(words: argparse.Namespace) -> BatchOptions:
    return BatchOptions(
        recordings=tuple(words.video or words.images),
        out=words.out,
        workers=words.workers,
        resume=words.resume,
        formats=tuple(name for name in dict.fromkeys(words.format) if name != "npz"),
        offline_smoothing=words.offline_smoothing,
        save_video=words.save_video is not None,
        ray=words.ray,
    )
