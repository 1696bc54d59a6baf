"""The words of the command line for streams."""

from __future__ import annotations

import argparse

from realtime.streams.address import parse_address
from realtime.streams.origins import parse_origin


def add_stream_options(parser: argparse.ArgumentParser) -> None:
    """`--osc`, `--websocket` and what goes with it."""
    add = parser.add_argument_group("hands for other programs, docs/streams.md").add_argument
    add("--osc", type=parse_address, metavar="HOST:PORT", help="send every frame as an OSC bundle (UDP)")
    add(
        "--websocket",
        type=parse_address,
        metavar="[HOST:]PORT",
        help="serve every frame as JSON, and a page that draws it, to this machine (0.0.0.0:PORT: to all)",
    )
    add(
        "--websocket-origin",
        type=parse_origin,
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let web pages from there listen too, such as https://example.org; may be repeated",
    )


def check_stream_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End with one line if the words do not go together."""
    if options.out is not None and (options.osc or options.websocket):
        parser.error("--osc and --websocket go with one source, not with --out")
    if options.websocket_origin and options.websocket is None:
        parser.error("--websocket-origin goes with --websocket")
    if options.osc is not None and options.osc.port == 0:
        parser.error("--osc needs the port that the other program listens at")
