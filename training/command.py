"""What commands share: how one that may be stopped and taken up again ends (main thread), and types of arguments."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable

from realtime.command import exit_code as run_to_the_end


def positive(text: str) -> int:
    """A whole number from 1 on, as argparse wants it."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def natural(text: str) -> int:
    """A whole number from 0 on, as argparse wants it: what numpy takes as a seed."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number


def share(text: str) -> float:
    """A number from 0 to 1, as argparse wants it."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError("must lie between 0 and 1")
    return number


def exit_code(work: Callable[[], None]) -> int:
    """Do the work: 0, 2 with one line for a UserError, 130 after Ctrl-C or SIGTERM."""
    for stop in (signal.SIGINT, signal.SIGTERM):  # also where a shell started this with signals ignored
        signal.signal(stop, signal.default_int_handler)
    return run_to_the_end(work, "stopped; run the same command to go on")
