"""What a user can cause and mend, and what this machine cannot do: one line each."""

from __future__ import annotations

from engines.redaction import without_secrets


class UserError(Exception):
    """A mistake in what the program was given: one line that names the thing and the way out.

    The command line prints it without a traceback and ends with exit code 2.
    """

    def __str__(self) -> str:
        """The line; what a file or a name brought along that would break it, or steer a terminal, is escaped.

        No password of an address is in it.
        """
        text = without_secrets(super().__str__())
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


class BackendUnavailable(UserError):
    """This backend cannot run here, whatever the weights; another one may."""
