"""How Ctrl-C ends a command, wherever it comes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import run_demo
from engines.terminal import INTERRUPTED, command


def interrupted() -> int:
    raise KeyboardInterrupt


def interrupted_in_an_import() -> int:
    """As numpy, and what is written in C++, make an error of their own of it."""
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt as error:
        raise ImportError("initialization failed") from error


@pytest.mark.parametrize("end", [interrupted, interrupted_in_an_import])
def test_ctrl_c_is_one_word(
    end: Callable[[], int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_demo, "_run", lambda _: end())
    for main in (command(end), lambda: run_demo.main([])):
        assert main() == INTERRUPTED
        assert capsys.readouterr().err == "interrupted\n"


def test_a_package_that_cannot_be_imported_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> int:
        raise ImportError("no such library")

    monkeypatch.setattr(run_demo, "_run", lambda _: missing())
    assert run_demo.main([]) == 1
    assert "no such library" in capsys.readouterr().err
    with pytest.raises(ImportError, match="no such library"):
        command(missing)()
