"""`python -m viz.report`: one track file to a page, a folder of them to pages and an index (main thread)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from engines.errors import UserError
from engines.files import in_one_step
from engines.terminal import command
from realtime.command import CommandParser, exit_code
from realtime.files import check_output
from realtime.tracks.reader import load_tracks
from viz.playback.pictures import Pictures
from viz.report.index import INDEX, Row, index_page, row_of
from viz.report.page import page
from viz.report.recordings import Recording, recordings_in
from viz.report.strip import strip

DESCRIPTION: Final = """Make a page to look at of a recording's tracks, or of every one in a folder.

The page holds all it shows and works offline: pictures, where each hand was seen, distance with its standard deviation,
speeds, angles of the fingers, confidence, gaps.
"""


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    options = _parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _parser() -> CommandParser:
    parser = CommandParser("python -m viz.report", DESCRIPTION)
    add = parser.add_argument
    add("tracks", type=Path, help="a track file (.npz, or the .part of a run that was killed), or a folder of them")
    add("--video", type=Path, help="the recording it came from, for pictures; a folder's are found by its batch.json")
    add("--out", type=Path, help="the page (.html; for a folder: a folder); default: beside the tracks")
    return parser


def _run(options: argparse.Namespace) -> None:
    if options.tracks.is_dir():
        if options.video is not None:
            raise UserError(
                f"--video {options.video}: a folder's videos are those that its batch.json names; leave it out"
            )
        _report_folder(options.tracks, options.out or options.tracks)
        return
    recording = Recording(options.tracks, options.video)
    out = options.out or options.tracks.with_suffix(".html")
    inputs = [options.tracks] if options.video is None else [options.tracks, options.video]
    check_output("--out", out, (".html",), inputs)
    report(recording, out)
    print(out)


def report(recording: Recording, out: Path, place: Path | None = None) -> Row:
    """Write the page of one recording; what the index says of it. Raises UserError, naming the file.

    `place` is where the page lies as seen from the index, if there is one.
    """
    tracks = load_tracks(recording.tracks)
    if not len(tracks):
        raise UserError(f"{recording.tracks}: holds no frames; there is nothing to show")
    with closing(Pictures(tracks, recording.video)) as pictures:
        drawn = strip(tracks, pictures)
    back = "" if place is None else "../" * (len(place.parts) - 1) + INDEX
    _write(out, page(recording.name, tracks, drawn, back))
    return row_of(recording, tracks, drawn, place or Path(out.name))


def _report_folder(folder: Path, out: Path) -> None:
    """A page for each recording, and the index; one that cannot be read is a line of the index.

    Where none can be read there is no index either: the folder is a wrong one, and stays as it is.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out}: is no folder; for a folder of tracks name one")
    recordings = recordings_in(folder)
    if not recordings:
        raise UserError(f"{folder}: no track files (.npz) in it; name a folder that run_demo.py --out wrote")
    rows = []
    for recording in recordings:
        rows.append(_row(recording, folder, out))
        if rows[-1].page:
            print(out / rows[-1].page)
    unread = [row.note or row.name for row in rows if not row.page]
    if len(unread) == len(rows):
        more = f", and {len(unread) - 1} others likewise" if len(unread) > 1 else ""
        raise UserError(f"{folder}: none of its tracks can be shown ({unread[0]}{more}); name a folder of tracks")
    for row in rows:
        if not row.page:
            print(f"{row.name}: {row.note}")
    _write(out / INDEX, index_page(folder.resolve().name, rows))
    print(out / INDEX)


def _row(recording: Recording, folder: Path, out: Path) -> Row:
    """Write a recording's page into `out`, where its tracks lie in `folder`; what the index says of it."""
    place = recording.tracks.relative_to(folder).with_suffix(".html")
    if not recording.tracks.is_file():
        return Row(recording.name, note=recording.note or "no tracks")
    try:
        return report(recording, out / place, place)
    except UserError as error:
        return Row(recording.name, note=str(error))


def _write(path: Path, text: str) -> None:
    try:
        with in_one_step(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another place with --out") from error
