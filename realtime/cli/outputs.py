"""What a run refuses before anything slow is done: files that it cannot write, or must not (any thread)."""

from __future__ import annotations

from pathlib import Path

from engines.presets import weights_of
from realtime.cli.options import Options
from realtime.files import check_output
from realtime.formats.saving import check_tracks, require


def check_files(options: Options) -> None:
    """Raise UserError where a file that is to be written cannot be, or is one that is read."""
    settings, report = options.settings, options.report
    weights = weights_of(settings.engine.preset, Path(settings.engine.weights) if settings.engine.weights else None)
    calibration = Path(settings.intrinsics.file) if settings.intrinsics.file else None
    taken = [path for path in (options.source.video, options.config, weights, calibration) if path is not None]
    profile = options.hand.profile if options.hand.keep or options.hand.calibrate_mm else None
    outputs = (
        ("--profile-file", profile, (".yaml", ".yml")),
        ("--save-video", options.view.save_video, (".mp4",)),
        ("--mcap", options.mcap, (".mcap",)),
        ("--profile-json", report.profile_json, (".json",)),
        ("--trace", report.trace, (".json",)),
    )
    for option, path, suffixes in outputs:
        if path is not None:
            check_output(option, path, suffixes, taken)
            taken.append(path)
    if options.save_tracks is not None:
        check_tracks("--save-tracks", options.save_tracks, taken)
    if options.mcap is not None:
        require(options.mcap.suffix)
