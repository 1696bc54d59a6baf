"""A folder of pictures as a recording: one after the other, at a fixed rate (one thread)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from realtime.messages import Frame
from realtime.sources.one_view import AnotherView, check_view
from realtime.sources.pictures import UnreadablePicture, bits_used, picture_size, read_picture, turned_back
from realtime.sources.recorded import Recorded

PICTURE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".webp")

_log = logging.getLogger(__name__)


class ImageFolderSource(Recorded):
    """The pictures of a folder, "2.png" before "10.png", at `fps` pictures a second; `mirrored` ones are turned back.

    Those of another size in the first one's proportions are scaled to it; other proportions are another view, and end
    the recording with AnotherView, as in videos. A folder without a readable picture is a UserError. Damaged pictures
    are skipped and counted, and keep their time.
    """

    def __init__(self, folder: Path | str, fps: float = 30.0, *, mirrored: bool = False) -> None:
        """List the folder and look at the first picture that is readable."""
        folder = Path(folder)
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder}: is a file; name the folder that it lies in")
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder of pictures")
        if not fps > 0:
            raise UserError(f"{fps:g} pictures a second is no rate; it must be above 0")
        self.name = str(folder)
        self._mirrored = mirrored
        self.fps: float | None = fps
        self._step_s = 1 / fps
        names = [p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and not p.name.startswith(".")]
        self._paths = sorted(names, key=_natural_order)
        self.frame_count = len(self._paths)
        self.size_px = self._first_size()
        self._bits = bits_used(self._paths)
        if self._bits < 16:
            _log.warning("%s: its pictures use %d of their 16 bits; that much is taken for white", folder, self._bits)

    def __iter__(self) -> Iterator[Frame]:
        """Read picture by picture."""
        paths, self._paths = self._paths, []
        self.dropped = self.first_index - self.whole_before
        for index, path in enumerate(paths[self.first_index :], self.first_index):
            try:
                image = read_picture(path, self._bits)
            except UnreadablePicture as error:
                _log.warning("%s; it is skipped", error)
                self.dropped += 1
                continue
            image = self._scaled(path, image, left=len(paths) - index)
            yield Frame(index, index * self._step_s, turned_back(image) if self._mirrored else image)

    def _scaled(self, path: Path, image: NDArray[np.uint8], left: int) -> NDArray[np.uint8]:
        """(H, W, 3) in the first picture's size; `left` pictures are missing where it shows another view."""
        size_px = image.shape[1], image.shape[0]
        if size_px == self.size_px:
            return image
        try:
            check_view(str(path), size_px, self.size_px, "keep those from there on in a folder of their own")
        except AnotherView:
            self.missing = left
            raise
        shrinks = size_px[0] > self.size_px[0]
        scaled = cv2.resize(image, self.size_px, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        return scaled.astype(np.uint8, copy=False)

    def _first_size(self) -> tuple[int, int]:
        for path in self._paths:
            try:
                return picture_size(path)
            except UnreadablePicture:
                continue
        raise UserError(f"{self.name}: holds no readable picture ({', '.join(PICTURE_SUFFIXES)})")


def _natural_order(path: Path) -> tuple[list[tuple[bool, int, str]], str]:
    """Sort key that reads runs of digits as numbers."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(not p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in parts if p], path.name
