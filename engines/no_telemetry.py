"""Nothing leaves the machine unasked: dependencies that report their use to their makers are told not to.

`engines` calls this before anything else of it is imported. Whoever wants a report sets the variable himself.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final

_VARIABLES: Final = {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime: to Microsoft, from 1.30 on also on Linux
    "NNCF_CI": "1",  # to Intel, through openvino_telemetry
    "RAY_USAGE_STATS_ENABLED": "0",  # to Anyscale, from the head of a cluster
    "DO_NOT_TRACK": "1",  # what others ask for: https://consoledonottrack.com
}
_PACKAGES: Final = ("openvino_telemetry",)
"""Imported by OpenVINO, which posts every start; without it OpenVINO takes a stub of its own."""


def switch_off() -> None:
    """Set what is not set yet, for this process and those that it starts."""
    modules: dict[str, Any] = sys.modules
    for name, value in _VARIABLES.items():
        os.environ.setdefault(name, value)
    for name in _PACKAGES:
        modules.setdefault(name, None)  # Python's way to say: there is no such package
