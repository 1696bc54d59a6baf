"""Draws docs/report.jpg, the page of the sample clip, with Chromium: `.venv/bin/python scripts/picture_report.py`."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2

ROOT = Path(__file__).parents[1]
CLIP = ROOT / "samples" / "two_hands.mp4"
SIZE_PX = (1120, 1745)
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")

browser = next((path for path in map(shutil.which, NAMES) if path), None)
if browser is None:
    sys.exit("error: needs Chromium (apt-get install chromium)")
with tempfile.TemporaryDirectory() as folder:
    tracks, page, shot = (Path(folder) / name for name in ("two_hands.npz", "page.html", "page.png"))
    python = [sys.executable]
    subprocess.run(
        [*python, "run_demo.py", "--video", CLIP, "--headless", "--save-tracks", tracks], cwd=ROOT, check=True
    )
    subprocess.run([*python, "-m", "viz.report", tracks, "--video", CLIP, "--out", page], cwd=ROOT, check=True)
    how = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/browser"]
    what = ["--window-size={},{}".format(*SIZE_PX), f"--screenshot={shot}", page.as_uri()]
    subprocess.run([browser, *how, *what], check=True, stderr=subprocess.DEVNULL)
    small = cv2.resize(cv2.imread(str(shot)), None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(ROOT / "docs" / "report.jpg"), small, [cv2.IMWRITE_JPEG_QUALITY, 85])
