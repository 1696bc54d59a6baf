"""A camera: opened in the mode asked for, grabbed by its own thread, waited for when it is unplugged.

Iterate from one thread; `close` may be called from any. After `close` the iteration ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from engines.errors import UserError
from engines.redaction import without_secrets
from realtime.config import CameraSettings
from realtime.sources.live_source import LiveSource
from realtime.sources.pictures import check_size, to_bgr, turned_back
from realtime.sources.shown_picture import square_size

NETWORK_TIMEOUT_MS: Final = 3000
RETRY_S: Final = 0.25
BAD_READS: Final = 3
"""So many reads without a picture, one after the other, mean that the camera is gone."""
MAX_STAMP_AGE_S: Final = 0.5
"""A driver's stamp that is so fresh is one of the monotonic clock."""
LONGEST_QUEUE_S: Final = 30.0
"""No frame waits for so long."""

_log = logging.getLogger(__name__)
# FFmpeg inside OpenCV writes to the terminal by itself; what matters reaches the user as our own message.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class CameraSource(LiveSource):
    """A camera by index ("0"), device path ("/dev/video2") or address ("http://...", "rtsp://...").

    Raises UserError if there is none, naming those that exist. Unplugged while running, it is waited for
    `settings.reconnect_s` seconds; then the iteration ends with a UserError. `t_capture_s` is the driver's own time
    stamp where it gives one on the monotonic clock, else the time at which the frame arrived.
    """

    def __init__(self, camera: str, settings: CameraSettings) -> None:
        """Open the camera and take a first picture, which tells its size."""
        super().__init__()
        self._stamps_are_ours = False
        self.name = f"camera {without_secrets(camera)}"
        self._camera = camera
        self._settings = settings
        self._is_device = _device_path(camera) is not None
        _check_exists(camera)
        device = self._open()
        image = None if device is None else self._first_picture(device)
        if device is None or image is None:
            raise UserError(f"{self.name}: gives no picture; {self._advice()}")
        self._device = device
        self._raw_px = image.shape[1], image.shape[0]
        self.size_px = self._square_px(device)
        check_size(self.name, self.size_px)
        self.fps = device.get(cv2.CAP_PROP_FPS) or None
        self._warn_of_other_mode()
        self._wanted = threading.Event()
        # At once: what nobody grabs waits in the driver or the network, and would come later as if it were new.
        self._thread.start()

    def __enter__(self) -> Self:
        """Start to hand on frames."""
        self._wanted.set()
        return self

    def _capture(self) -> None:
        with _quiet_opencv():  # a stream that stalls makes it write; the user gets our own words
            while not self._stopping.is_set():
                self._grab_until_lost()
                if not self._stopping.is_set():
                    self._reconnect()

    def _release(self) -> None:
        self._device.release()

    def _grab_until_lost(self) -> None:
        bad_reads = 0
        while bad_reads < BAD_READS and not self._stopping.is_set():
            if not self._device.grab():
                bad_reads += 1
                continue
            t_capture_s = self._capture_time(time.monotonic())
            if not self._wanted.is_set():
                bad_reads = 0
                continue
            decoded, image = self._device.retrieve()
            if not decoded or (image.shape[1], image.shape[0]) != self._raw_px:
                bad_reads += 1
                self._broken += 1
                self._index += 1
                continue
            bad_reads = 0
            image = self._square(to_bgr(image))
            self._put(turned_back(image) if self._settings.mirrored else image, t_capture_s, self._index)
            self._index += 1

    def _reconnect(self) -> None:
        """Wait for the camera to come back; raises UserError when it does not."""
        wait_s = self._settings.reconnect_s
        _log.warning("%s: gives no more pictures; waiting up to %g s for it", self.name, wait_s)
        self._device.release()
        end_s = time.monotonic() + wait_s
        while time.monotonic() < end_s and not self._stopping.wait(RETRY_S):
            device = self._open()
            image = None if device is None else self._first_picture(device)
            if device is None or image is None:
                continue
            if (image.shape[1], image.shape[0]) != self._raw_px or self._square_px(device) != self.size_px:
                raise UserError(f"{self.name}: came back with pictures of another size; start again")
            self._device = device
            _log.warning("%s: is back", self.name)
            return
        if not self._stopping.is_set():
            raise UserError(f"{self.name}: was unplugged and did not come back within {wait_s:g} s")

    def _open(self) -> cv2.VideoCapture | None:
        with _quiet_opencv():
            device = self._open_device() if self._is_device else _open_address(self._camera)
        return device if device.isOpened() else None

    def _open_device(self) -> cv2.VideoCapture:
        target: int | str = int(self._camera) if self._camera.isdecimal() else self._camera
        device = cv2.VideoCapture(target, cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY)
        # MJPG first: uncompressed, USB 2 has no room for the rate. One buffer: V4L2 else queues four old frames.
        device.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        device.set(cv2.CAP_PROP_FRAME_WIDTH, self._settings.width)
        device.set(cv2.CAP_PROP_FRAME_HEIGHT, self._settings.height)
        device.set(cv2.CAP_PROP_FPS, self._settings.fps)
        device.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return device

    def _first_picture(self, device: cv2.VideoCapture) -> NDArray | None:
        """Take a picture; releases the device if it gives none in several tries."""
        with _quiet_opencv():
            for _ in range(BAD_READS):
                read, image = device.read()
                if read:
                    return image
        device.release()
        return None

    def _square_px(self, device: cv2.VideoCapture) -> tuple[int, int]:
        """(width, height) with square pixels: the analogue ancestors of network cameras had others."""
        wide, high = (round(device.get(each)) for each in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
        known = not self._is_device and wide > 0 and high > 0
        return square_size(self._raw_px, Fraction(wide, high) if known else None)

    def _square(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._raw_px == self.size_px:
            return image
        return cv2.resize(image, self.size_px, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)

    def _advice(self) -> str:
        if self._is_device:
            return f"another program may be using it, or it is no camera. {_list_cameras()}"
        return "check address, user name and password (user:password@host), and whether a player such as VLC shows it"

    def _capture_time(self, now_s: float) -> float:
        """The driver's stamp, once one was seen to be of the monotonic clock; then old frames keep theirs, too."""
        stamp_s = self._device.get(cv2.CAP_PROP_POS_MSEC) / 1e3 if self._is_device else 0.0
        age_s = now_s - stamp_s
        self._stamps_are_ours |= 0 <= age_s < MAX_STAMP_AGE_S
        return stamp_s if self._stamps_are_ours and 0 <= age_s < LONGEST_QUEUE_S else now_s

    def _warn_of_other_mode(self) -> None:
        """Say so if the device runs in another mode than was asked for; drivers take the nearest one silently."""
        asked = self._settings
        same_size = self.size_px == (asked.width, asked.height)
        same_rate = self.fps is None or abs(self.fps - asked.fps) <= 1
        if self._is_device and not (same_size and same_rate):
            rate = "" if self.fps is None else f" at {self.fps:g} Hz"
            _log.warning(
                "%s: %dx%d at %g Hz asked for, it gives %dx%d%s",
                self.name, asked.width, asked.height, asked.fps, *self.size_px, rate,
            )  # fmt: skip


def _open_address(address: str) -> cv2.VideoCapture:
    timeouts = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, NETWORK_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, NETWORK_TIMEOUT_MS,
    ]  # fmt: skip
    return cv2.VideoCapture(address, cv2.CAP_FFMPEG, timeouts)


def _device_path(camera: str) -> Path | None:
    """Where the camera would be, if it is named by index or device path."""
    if camera.isdecimal():
        return Path(f"/dev/video{camera}")
    return Path(camera) if camera.startswith("/dev/") else None


def _check_exists(camera: str) -> None:
    """Raise UserError early, with a better reason than OpenCV gives."""
    path = _device_path(camera)
    if path is None:
        if Path(camera).is_file():
            raise UserError(f"{camera}: is a file; play a recording with --video")
        if "://" not in camera and not Path(camera).exists():
            raise UserError(f"camera {camera}: no such device or address. {_list_cameras()}")
    elif sys.platform == "linux":
        if not path.exists():
            raise UserError(f"camera {camera}: there is none. {_list_cameras()}")
        if not os.access(path, os.R_OK | os.W_OK):
            raise UserError(f"camera {camera}: no permission; 'sudo usermod -aG video $USER', then log in again")


def _list_cameras() -> str:
    paths = sorted(Path("/dev").glob("video*"), key=lambda p: (len(p.name), p.name))
    if not paths:
        return "No camera was found; plug one in, or use --video with a recording"
    return "Found: " + ", ".join(f"{path} ({_label(path)})" for path in paths)


def _label(path: Path) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/sys/class/video4linux/{path.name}/name").read_text(encoding="utf-8", errors="replace").strip()
    return "unknown"


@contextlib.contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Keep OpenCV's own warnings off the terminal."""
    level = cv2.setLogLevel(0)
    try:
        yield
    finally:
        cv2.setLogLevel(level)
