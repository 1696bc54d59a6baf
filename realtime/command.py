"""What every command of this program has in common: words, one line for a mistake, exit codes (main thread)."""

from __future__ import annotations

import argparse
import difflib
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from engines.errors import UserError
from engines.redaction import without_secrets


class CommandParser(argparse.ArgumentParser):
    """Argparse whose errors are one line that names the way to the help."""

    def __init__(self, program: str, description: str | None, epilog: str | None = None, usage: str | None = None):
        super().__init__(
            prog=program,
            usage=usage,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def parse_args(  # type: ignore[override]  # argparse's has an overload for a namespace of another type
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse; a mistyped option, or an empty value, is told before what is missing for want of it."""
        self._check_words(sys.argv[1:] if args is None else list(args))
        return super().parse_args(args, namespace)

    def _check_words(self, words: Sequence[str]) -> None:
        """End with exit code 2 for an option that is none, or a value without a letter."""
        known = self._option_string_actions
        option = ""
        for word in words:
            name, equals, value = word.partition("=")
            if word == "--":
                return
            if word.startswith("--") and " " not in name:
                option = name
                if name not in known:
                    self.error(f"unrecognized option {name}{_guess(name, known)}")
            if not word or (equals and not value and name in known):
                self.error(f"{option or 'a name'}: is empty; give a value, or leave it out")

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        self.exit(2, f"error: {without_secrets(message)}; see {self.prog} --help\n")


def above_zero(text: str) -> float:
    """The number that an option was given."""
    number = _number(text)
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return number


def between(low: float, high: float, unit: str, what: str) -> Callable[[str], float]:
    """What reads a number of this range; `what` and `unit` are for the error."""

    def read(text: str) -> float:
        number = _number(text)
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text} is no {what}, {low:g} to {high:g} {unit}")
        return number

    return read


def exit_code(run: Callable[[], None], interrupted: str = "interrupted") -> int:
    """Run a command to its end: 0, 2 for what the user can mend, 130 for Ctrl-C; each with one line."""
    try:
        run()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return 130
    return 0


def _guess(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=2, cutoff=0.7)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
