"""What every command does about its output: nothing that it prints, and nobody who stops to read, ends its work.

Names of files need not be text, a pipe may break, a disk be full, a stream be closed from the start. Main thread.
"""

from __future__ import annotations

import errno
import functools
import io
import os
import sys
from collections.abc import Callable
from typing import Any, Final, TextIO, TypeVar

_STREAMS: Final = {1: "stdout", 2: "stderr"}
INTERRUPTED: Final = 130
"""The exit code after Ctrl-C, as a shell has it."""
_READER_GONE: Final = (errno.EPIPE, errno.ECONNRESET)

Main = TypeVar("Main", bound=Callable[..., int])


def command(main: Main) -> Main:
    """Decorates the `main` of a command: the streams are made safe before it; output that was lost is told after it.

    Ctrl-C ends it with one word, unless it has its own. It ends with code 1, if it would have ended well, where output
    could not be written. A reader who goes away, as `head` does, has had enough, and that is no failure.
    """

    @functools.wraps(main)
    def run(*arguments: Any, **options: Any) -> int:
        prepare()
        try:
            code = main(*arguments, **options)
        except (KeyboardInterrupt, ImportError) as error:
            if not is_interrupt(error):
                raise
            sys.stderr.write("interrupted\n")
            code = INTERRUPTED
        except SystemExit as end:  # argparse: --help, and what it refuses
            end.code = _finished(end.code if isinstance(end.code, int) else 1 if end.code else 0)
            raise
        return _finished(code)

    return run  # type: ignore[return-value]  # the same but for what happens around it


def is_interrupt(error: BaseException) -> bool:
    """Whether it is Ctrl-C, or an ImportError of a package that was interrupted in its own start."""
    cause: BaseException | None = error
    while isinstance(cause, ImportError):
        cause = cause.__cause__ or cause.__context__
    return isinstance(cause, KeyboardInterrupt)


def prepare() -> None:
    """Make stdout and stderr safe; streams that somebody else put in their place are left alone."""
    _open_closed()
    for fd, name in _STREAMS.items():
        stream: TextIO | None = getattr(sys, name)
        if stream is None:  # it was closed when Python began
            setattr(sys, name, _text(fd, "utf-8", False))
        elif stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper) and stream.fileno() == fd:
            stream.flush()
            safe = _text(fd, stream.encoding, stream.line_buffering)
            setattr(sys, name, safe)
            setattr(sys, f"__{name}__", safe)
            stream.detach()  # else its end would close ours


class _Lossy(io.FileIO):
    """A file descriptor that keeps the first error of writing and takes all that comes later for written."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, "w", closefd=False)
        self.failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write, or do as if."""
        if self.failure is None:
            try:
                return super().write(data)
            except OSError as error:
                self.failure = error
        return memoryview(data).nbytes


def _text(fd: int, encoding: str, line_buffering: bool) -> io.TextIOWrapper:
    buffer = io.BufferedWriter(_Lossy(fd))
    return io.TextIOWrapper(buffer, encoding, errors="backslashreplace", line_buffering=line_buffering or fd == 2)


def _open_closed() -> None:
    """Give closed standard streams a place to go: the next file opened would get their number, and libraries' notes."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _finished(code: int) -> int:
    """The exit code, after what is printed is out, or it is told that it cannot be."""
    for name in _STREAMS.values():
        stream = getattr(sys, name)
        stream.flush()
        raw = getattr(getattr(stream, "buffer", None), "raw", None)
        failure = raw.failure if isinstance(raw, _Lossy) else None
        if failure is not None and failure.errno not in _READER_GONE:
            sys.stderr.write(f"error: {name} cannot be written ({failure.strerror}); files are not affected\n")
            code = code or (1 if name == "stdout" else 0)
    return code
