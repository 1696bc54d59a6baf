"""Pictures of single moments as JPEG, out of videos that are read from front to back (any thread, one at a time)."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

import cv2

from engines.errors import UserError
from training.annotation.recordings.recording import Recording

_QUALITY: Final = 92


class FrameCache:
    """JPEGs of a recording's moments below a folder; a video is read once, at the first picture wanted of it."""

    def __init__(self, recording: Recording, folder: Path) -> None:
        self._recording, self._folder = recording, folder
        self._locks = [threading.Lock() for _ in recording.rig]
        self._read = [False] * len(recording.rig)

    def jpeg(self, moment: int, view: int) -> bytes | None:
        """The picture, or None where this camera has none at that moment. Raises UserError for a broken video."""
        frame = int(self._recording.frames[moment, view])
        if frame < 0:
            return None
        path = self._path(view, frame)
        with self._locks[view]:
            if not path.exists() and not self._read[view]:
                self._extract(view)
        try:
            return path.read_bytes()
        except OSError:
            return None  # a frame that cannot be decoded

    def _extract(self, view: int) -> None:
        wanted = {int(f) for f in self._recording.frames[:, view] if f >= 0}
        try:
            self._path(view, 0).parent.mkdir(parents=True, exist_ok=True)
            for frame in self._recording.pictures(view):
                path = self._path(view, frame.index)
                if frame.index in wanted and not path.exists():
                    code = cv2.imencode(".jpg", frame.image_bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
                    path.write_bytes(code.tobytes())
        except OSError as error:
            raise UserError(f"{self._folder}: pictures cannot be kept there ({error.strerror})") from error
        self._read[view] = True

    def _path(self, view: int, frame: int) -> Path:
        return self._folder / self._recording.rig[view].name / f"{frame:06d}.jpg"
