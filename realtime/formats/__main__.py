"""`python -m realtime.formats tracks.npz OUT.bvh ...`: a track file in other formats, by the endings of the names."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engines.errors import UserError
from engines.terminal import command
from realtime.cli.outputs import check_output
from realtime.formats.saving import SUFFIXES, save_as
from realtime.tracks.schema import Tracks, load_tracks


@command
def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m realtime.formats", description=__doc__)
    parser.add_argument("tracks", type=Path, help="track file (.npz, or the .part of a run that was killed)")
    parser.add_argument("outputs", type=Path, nargs="+", metavar="OUT", help=f"files to write: {', '.join(SUFFIXES)}")
    options = parser.parse_args(arguments)
    try:
        for path in options.outputs:
            check_output("OUT", path, SUFFIXES, [options.tracks])
        tracks = load_tracks(options.tracks)
        for path in options.outputs:
            _save(tracks, path)
            print(path)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _save(tracks: Tracks, path: Path) -> None:
    try:
        save_as(tracks, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error


if __name__ == "__main__":
    sys.exit(main())
