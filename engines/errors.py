"""The one exception for what a user can cause and mend."""

from __future__ import annotations


class UserError(Exception):
    """A mistake in what the program was given: one line that names the thing and the way out.

    The command line prints it without a traceback and ends with exit code 2.
    """
