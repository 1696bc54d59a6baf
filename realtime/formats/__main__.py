"""`python -m realtime.formats tracks.npz OUT.bvh ...`: a track file in other formats, by the endings of the names.

`python -m realtime.formats out.npz.part`, without OUT, finishes what a killed run left. A folder of track files becomes
one data set: `python -m realtime.formats FOLDER OUT.lerobot --video VIDEOS`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from engines.errors import UserError
from engines.terminal import command
from realtime.command import CommandParser, exit_code
from realtime.formats.saving import SUFFIXES, check_tracks, save_as, save_together
from realtime.tracks.part import recover_tracks
from realtime.tracks.reader import load_tracks
from realtime.tracks.schema import NATIVE_SUFFIX, PART_SUFFIX


@command
def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m realtime.formats", __doc__)
    endings = ", ".join(SUFFIXES)
    parser.add_argument(
        "tracks", type=Path, help="track file (.npz, or the .part of a run that was killed), or a folder of them"
    )
    parser.add_argument("outputs", type=Path, nargs="*", metavar="OUT", help=f"files to write: {endings}")
    parser.add_argument(
        "--video",
        type=Path,
        metavar="FILE",
        help="what was tracked, for formats that hold it, too; of a folder the folder where all lie",
    )
    options = parser.parse_args(arguments)
    if not options.outputs and PART_SUFFIX not in options.tracks.name:
        parser.error(f"{options.tracks}: name the files to write, such as {options.tracks.with_suffix('.csv')}")
    return exit_code(lambda: _run(options.tracks, options.outputs, options.video))


def _run(given: Path, outputs: list[Path], video: Path | None) -> None:
    if not outputs:
        print(recover_tracks(given, save_as))
        return
    if video is not None and not video.exists():
        raise UserError(f"--video {video}: there is no such file")
    for path in outputs:
        check_tracks("OUT", path, [given])
    tracks = [(load_tracks(file), recording) for file, recording in _inputs(given, video)]
    for path in outputs:
        try:
            save_together(tracks, path)
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error
        print(path)


def _inputs(given: Path, video: Path | None) -> list[tuple[Path, Path | None]]:
    """Each track file and what it was tracked in."""
    if not given.is_dir():
        return [(given, video)]
    files = sorted(given.glob(f"*{NATIVE_SUFFIX}"))
    if not files:
        raise UserError(f"{given}: holds no track file (*{NATIVE_SUFFIX})")
    if video is None:
        return [(file, None) for file in files]
    recordings = {path.stem: path for path in sorted(video.iterdir())} if video.is_dir() else {}
    for file in files:
        if file.stem not in recordings:
            raise UserError(f"--video {video}: holds no recording of {file.name}; name the folder that they lie in")
    return [(file, recordings[file.stem]) for file in files]


if __name__ == "__main__":
    sys.exit(main())
