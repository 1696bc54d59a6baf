"""The one OpenVINO core of a process, which is never freed (any thread).

Loading OpenVINO's CPU plugin gives the calling thread another stack for its signals, and freeing the plugin unmaps that
stack. Where cores are freed in another order than they were made in, or in another thread, the thread keeps a stack
that is gone, and the next signal that Python handles there (Ctrl-C, a child's end) ends the process with SIGSEGV and
no word: OpenVINO 2026.4 puts back the stack from before only in the thread that frees, and only where its own is the
current one.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import openvino as ov


@cache
def openvino_core() -> ov.Core:
    """Made with the first call."""
    import openvino as ov

    return ov.Core()
