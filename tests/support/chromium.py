"""A headless Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from websockets.sync.client import ClientConnection, connect

NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_S: Final = 30.0
WINDOW_PX: Final = (1000, 700)


def find_chromium() -> str | None:
    """Return the program, or None if there is none."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Page:
    """One page: evaluate expressions in it, wait for them, use its mouse, take its picture."""

    def __init__(self, tools: ClientConnection) -> None:
        self._tools = tools
        self._calls = 0
        self.faults: list[str] = []
        self.call("Runtime.enable")
        self.call("Page.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._calls += 1
        self._tools.send(json.dumps({"id": self._calls, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._tools.recv(timeout=PATIENCE_S))
            if answer.get("method") == "Runtime.exceptionThrown":
                self.faults.append(answer["params"]["exceptionDetails"]["exception"]["description"])
            if answer.get("id") == self._calls:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def value(self, expression: str) -> Any:
        """Return what an expression is now."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until it holds; fails with the page's own text after half a minute."""
        end_s = time.monotonic() + PATIENCE_S
        while not self.value(condition):
            assert time.monotonic() < end_s, f"{condition} never held: {self.value('document.body.innerText')}"
            time.sleep(0.05)

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def picture(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])


@contextmanager
def chromium(program: str, folder: Path) -> Iterator[Page]:
    """Start the browser with its files in `folder`; it ends with the block."""
    words = [program, "--headless", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"]
    words += [f"--user-data-dir={folder}", "--window-size={},{}".format(*WINDOW_PX), "about:blank"]
    if os.geteuid() == 0:
        words.insert(1, "--no-sandbox")  # root has to do without
    # What is on the path may be a script around the browser, which is a family of processes: a group ends as a whole.
    quiet = subprocess.DEVNULL
    # A socket whose name must be short goes into a temporary folder, which nobody removes when the group is killed.
    with TemporaryDirectory(prefix="web-", ignore_cleanup_errors=True) as temporary:
        environment = os.environ | {"TMPDIR": temporary}
        browser = subprocess.Popen(words, stdout=quiet, stderr=quiet, env=environment, start_new_session=True)
        try:
            with connect(_tools_of_page(browser, folder), max_size=2**25) as tools:
                yield Page(tools)
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait(PATIENCE_S)


def _tools_of_page(browser: subprocess.Popen[bytes], folder: Path) -> str:
    end_s = time.monotonic() + PATIENCE_S
    port_file = folder / "DevToolsActivePort"
    while not port_file.exists() or len(port_file.read_text().split()) < 2:
        assert browser.poll() is None, "Chromium ended at once"
        assert time.monotonic() < end_s, "Chromium does not answer"
        time.sleep(0.05)
    with urllib.request.urlopen(f"http://127.0.0.1:{port_file.read_text().split()[0]}/json/list", timeout=20) as answer:
        pages = [target for target in json.load(answer) if target["type"] == "page"]
    return str(pages[0]["webSocketDebuggerUrl"])
