"""Runs Python code and tells whom it spoke to: every name it looked up and every address beyond this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_HOOK = """
import sys
def _told(event, arguments):
    if event == "socket.getaddrinfo" and arguments[0] not in (None, "127.0.0.1", "::1", "localhost", "0.0.0.0", "::"):
        sys.stderr.write(f"outside: looks up {arguments[0]}\\n")
    if event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        if not str(arguments[1][0]).startswith(("127.", "::1")):
            sys.stderr.write(f"outside: {event} {arguments[1]}\\n")
sys.addaudithook(_told)
"""
_CALL = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\("|inet_pton\(AF_INET6, ")([^"]+)')


def run_watched(code: str, folder: Path, timeout_s: float = 250) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """The finished process, and what it did outside: by Python's audit, and by the kernel's calls where strace is.

    It runs as on a user's machine: with a home of its own, where nobody has said no to anything, and in no CI.
    """
    (folder / "home").mkdir(exist_ok=True)
    unwanted = ("CI", "NNCF_CI", "DO_NOT_TRACK", "ORT_DISABLE_TELEMETRY", "RAY_USAGE_STATS_ENABLED", "XDG_CONFIG_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")  # where the engine is that others built
    environment |= {"HOME": str(folder / "home"), "XDG_CACHE_HOME": cache}
    log = folder / "calls.log"
    trace = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", str(log)]
    command = [*(trace if shutil.which("strace") else []), sys.executable, "-c", _HOOK + code]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    outside = [line for line in done.stderr.splitlines() if line.startswith("outside: ")]
    calls = log.read_text(errors="replace").splitlines() if log.exists() else []
    # A name server may be on this machine and still ask others.
    return done, outside + [line for line in calls for port, host in _CALL.findall(line) if _is_outside(port, host)]


def _is_outside(port: str, host: str) -> bool:
    # Datagram sockets are "connected" to ask for the own address; port 0 sends nothing.
    return port == "53" or (port != "0" and not host.startswith(("127.", "::1", "::ffff:127.")))
