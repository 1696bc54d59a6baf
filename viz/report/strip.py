"""Pictures of a recording with the hands drawn in, as data that a page holds within itself (main thread)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from realtime.tracks.schema import Tracks
from viz.drawing.overlay import draw_overlay
from viz.drawing.status import OverlayStatus
from viz.playback.pictures import Pictures

PICTURES: Final = 8
_AREA_PX: Final = 400 * 300
_QUALITY: Final = 82


@dataclass(frozen=True)
class StripPicture:
    """One of them."""

    t_s: float
    """From the first frame."""
    url: str
    """`data:image/jpeg;base64,...`"""


def strip(tracks: Tracks, pictures: Pictures, count: int = PICTURES) -> tuple[StripPicture, ...]:
    """Pictures evenly over the recording, whatever is seen in them: the middle one of each part."""
    chosen = np.unique(((np.arange(count) + 0.5) * len(tracks) / count).astype(int)) if len(tracks) else []
    return tuple(StripPicture(float(tracks.t_s[i] - tracks.t_s[0]), _drawn(tracks, pictures, int(i))) for i in chosen)


def _drawn(tracks: Tracks, pictures: Pictures, i: int) -> str:
    picture = pictures.of(i)
    scale = float(np.sqrt(_AREA_PX / (picture.shape[0] * picture.shape[1])))
    size = max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    status = OverlayStatus(note=f"{tracks.t_s[i] - tracks.t_s[0]:.2f} s")
    hands = replace(tracks.hand_frame(i), crops=())  # at this size the crops' corners would only be in the way
    drawn = draw_overlay(small, hands, status)
    _, jpeg = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode("ascii")
