"""A recording as a set of real hands for `lite`: a square crop around every labelled hand of every camera (one thread).

The form is that of `training.banks.real_bank`. Depths are along the line of sight through the crop's centre, which is
what `lite` is taught (`engines.geometry.ray_depth`). A hand of which a joint is not accepted is not taught.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.geometry.crop import crop_around, extract, transform
from engines.geometry.ray_depth import shares_along
from engines.skeleton import HAND_SLICES, SIDES, WRISTS
from training.annotation.cameras.camera import Camera
from training.annotation.export.labelled_views import labelled_moments
from training.annotation.recordings.recording import Recording
from training.annotation.triangulation.delays import as_shown
from training.annotation.triangulation.hands import Hands
from training.banks.real_bank import STORED_EXTENT, STORED_PX
from training.pseudo.labelling import Labelled
from training.pseudo.sets import LabelBank

_LEAST_INSIDE = 0.9
"""Share of a hand's joints that a picture must show for the hand to be taught there."""
_SMALLEST_PX = 60.0


def export_shards(
    recording: Recording,
    hands: Hands,
    root: Path,
    name: str,
    moments: NDArray[np.bool_],
    say: Callable[[str], None] = print,
) -> int:
    """Write a set, one part for each camera; returns the number of crops. Raises UserError."""
    bank = LabelBank(root)
    labels = labelled_moments(hands)
    chosen = labels.labelled.any(axis=1) & moments
    facts = {"from": str(recording.folder), "cameras": list(recording.names), "moments": int(chosen.sum())}
    done = bank.begin(name, facts)
    total = bank.totals(name)[1]
    for view in range(done, len(recording.rig)):
        rows = list(_crops(recording, hands, view, chosen))
        bank.write(name, rows, int(chosen.sum()), Counter())
        total += len(rows)
        say(f"exported    {recording.rig[view].name}: {len(rows)} crops")
    return total


def _crops(recording: Recording, hands: Hands, view: int, chosen: NDArray[np.bool_]) -> Iterator[Labelled]:
    camera, labels = recording.rig[view], labelled_moments(hands)
    shown_mm, known_there = as_shown(hands, view)
    moment_of = {int(f): m for m, f in enumerate(recording.frames[:, view]) if f >= 0 and chosen[m]}
    for frame in recording.pictures(view):
        moment = moment_of.get(frame.index)
        if moment is None:
            continue
        good = labels.joint_valid[moment] & known_there[moment]
        joints = np.where(good[:, None], shown_mm[moment], np.nan)
        pixels = camera.project(joints)
        whole = [_whole(camera, pixels[rows]) for rows in HAND_SLICES.values()]
        for k in range(len(SIDES)):
            if whole[k]:
                known = whole[1 - k] or not (labels.labelled | labels.unsure)[moment, 1 - k]
                yield _crop(frame.image_bgr, camera, joints, pixels, whole, k, bool(known))


def _whole(camera: Camera, pixels: NDArray) -> bool:
    """Whether all joints of a hand (21, 2) are known and nearly all in the picture."""
    if not np.isfinite(pixels).all():
        return False
    inside = ((pixels >= 0) & (pixels <= np.array(camera.size_px) - 1)).all(axis=-1)
    return bool(inside.mean() >= _LEAST_INSIDE)


def _crop(
    image_bgr: NDArray[np.uint8],
    camera: Camera,
    joints_mm: NDArray,
    pixels: NDArray,
    whole: list[bool],
    main: int,
    other_known: bool,
) -> Labelled:
    crop = crop_around(pixels[HAND_SLICES[SIDES[main]]], factor=STORED_EXTENT)
    shown = transform(crop.crop_from_image(STORED_PX), pixels)
    depth = _along(camera, joints_mm, pixels, np.array(crop.center_px))
    for k, side in enumerate(SIDES):
        rows = HAND_SLICES[side]
        inside = whole[k] and bool(((shown[rows] >= 0) & (shown[rows] < STORED_PX)).all(axis=-1).mean() > 0.5)
        if not inside:
            shown[rows], depth[rows] = np.nan, np.nan
    return Labelled(
        picture_bgr=extract(image_bgr, crop, STORED_PX).astype(np.uint8),
        joints_px=shown.astype(np.float32),
        joint_depth_mm=depth.astype(np.float32),
        right_is_main=main == 0,
        other_hand_known=other_known,
    )


def _along(camera: Camera, joints_mm: NDArray, pixels: NDArray, center_px: NDArray) -> NDArray[np.float64]:
    """(42,) how much farther than the hand's wrist each joint is along the line of sight through the crop's centre."""
    shares = shares_along(np.nan_to_num(pixels), center_px, camera.intrinsics)
    along = np.where(np.isfinite(pixels[:, 0]), shares, np.nan) * camera.in_camera(joints_mm)[:, 2]
    return np.asarray(along - np.repeat(along[list(WRISTS)], 21))
