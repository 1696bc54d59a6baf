"""The plots of the page, from top to bottom; each returns an `<svg>` (matplotlib; main thread)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from engines.skeleton import FINGER_BASES, FINGER_TIPS, FINGERS, HAND_SLICES, SIDES, WRIST, Side
from realtime.tracks.schema import ROOT_DEPTH_NAMES, Tracks
from viz.report.motion import speed_mm_s
from viz.report.plotting import DIM, band, colour, line, stacked, svg

_INDEX_TIP = FINGER_TIPS[1]
_HEIGHTS_IN = {"coverage": 0.95, "depth": 2.4, "speed": 3.0, "angles": 6.6, "confidence": 2.2}


def coverage(tracks: Tracks, marks_s: Sequence[float]) -> str:
    """A bar for each hand where it is seen, pale where it was filled in; marks below for the pictures of the strip."""
    return svg(_HEIGHTS_IN["coverage"], partial(_coverage, tracks, marks_s))


def depth(tracks: Tracks) -> str:
    """Distance of both wrists, with one standard deviation to either side."""
    return svg(_HEIGHTS_IN["depth"], partial(_depth, tracks))


def speed(tracks: Tracks) -> str:
    """Speeds of wrist and index fingertip."""
    return svg(_HEIGHTS_IN["speed"], partial(_speed, tracks))


def angles(tracks: Tracks, sides: Sequence[Side]) -> str:
    """Flexion of each finger's three joints and abduction of its first, in a column for each of these hands."""
    return svg(_HEIGHTS_IN["angles"], partial(_angles, tracks, sides))


def confidence(tracks: Tracks) -> str:
    """Confidence of the joints: their mean, and the least and most sure ones around it."""
    return svg(_HEIGHTS_IN["confidence"], partial(_confidence, tracks))


def _coverage(tracks: Tracks, marks_s: Sequence[float], figure: Figure) -> None:
    axes = stacked(figure, 1, _HEIGHTS_IN["coverage"], tracks.t_s)[0, 0]
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_yticks([1.0, 0.0], [f"{side} hand" for side in SIDES])
    axes.set_ylim(-0.75, 1.5)
    filled = ROOT_DEPTH_NAMES.index("filled")
    for h, side in enumerate(SIDES):
        axes.axhspan(0.65 - h, 1.35 - h, color="#eef0f3", linewidth=0)
        for chosen, paleness in (
            (tracks.root_depth_from[:, h] > 0, 0.0),
            (tracks.root_depth_from[:, h] == filled, 0.6),
        ):
            axes.broken_barh(_spans(chosen, tracks.t_s), (0.65 - h, 0.7), color=colour(side, paleness), linewidth=0)
    axes.plot(marks_s, [-0.6] * len(marks_s), "^", color=DIM, markersize=4, clip_on=False)


def _spans(chosen: NDArray[np.bool_], t_s: NDArray[np.float64]) -> list[tuple[float, float]]:
    """(start, length) of each run of chosen frames; a frame lasts until the next one, at most twice the usual time."""
    usual_s = float(np.median(np.diff(t_s))) if len(t_s) > 1 else 1.0
    lasts_s = np.minimum(np.append(np.diff(t_s), usual_s), 2 * usual_s)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], chosen.astype(int), [0]])))
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(float(t_s[a] - t_s[0]), float(t_s[b - 1] - t_s[a] + lasts_s[b - 1])) for a, b in runs]


def _depth(tracks: Tracks, figure: Figure) -> None:
    axes = stacked(figure, 1, _HEIGHTS_IN["depth"], tracks.t_s)[0, 0]
    for h, side in enumerate(SIDES):
        depth_mm = np.asarray(tracks.joints_cam_mm[:, HAND_SLICES[side]][:, WRIST, 2], np.float64)
        sigma_mm = tracks.root_depth_sigma_mm[:, h]
        band(axes, tracks.t_s, depth_mm - sigma_mm, depth_mm + sigma_mm, color=colour(side), alpha=0.18)
        line(axes, tracks.t_s, depth_mm, 0.08, color=colour(side))
    axes.set_ylabel("mm")


def _speed(tracks: Tracks, figure: Figure) -> None:
    rows = stacked(figure, 2, _HEIGHTS_IN["speed"], tracks.t_s)[:, 0]
    for axes, joint, name in zip(rows, (WRIST, _INDEX_TIP), ("wrist", "index fingertip"), strict=True):
        for side in SIDES:
            places_mm = tracks.joints_cam_mm[:, HAND_SLICES[side]][:, joint]
            line(axes, tracks.t_s, speed_mm_s(places_mm, tracks.t_s) / 1e3, color=colour(side))
        axes.set_ylabel("m/s")
        _name(axes, name)
    rows[0].set_ylim(bottom=0)


def _angles(tracks: Tracks, sides: Sequence[Side], figure: Figure) -> None:
    rows = stacked(figure, 5, _HEIGHTS_IN["angles"], tracks.t_s, len(sides))
    every = tracks.joint_angles_deg()
    for column, side in enumerate(sides):
        angles = every[:, HAND_SLICES[side]]  # (F, 21, 2)
        for finger, axes in enumerate(rows[:, column]):
            base = FINGER_BASES[finger]
            line(axes, tracks.t_s, angles[:, base, 1], 0.0, color=DIM, linewidth=0.9, linestyle=(0, (3, 2)))
            for joint, paleness in ((base - 2, 0.62), (base - 1, 0.3), (base, 0.0)):
                line(axes, tracks.t_s, angles[:, joint, 0], 0.08, color=colour(side, paleness), linewidth=1.1)
            _name(axes, f"{side} {FINGERS[finger]}")
    rows[0, 0].set_ylim(-50, 140)
    rows[0, 0].set_yticks([-45, 0, 45, 90], ["-45°", "0°", "45°", "90°"])


def _confidence(tracks: Tracks, figure: Figure) -> None:
    axes = stacked(figure, 1, _HEIGHTS_IN["confidence"], tracks.t_s)[0, 0]
    for side in SIDES:
        sure = np.asarray(tracks.joint_confidence[:, HAND_SLICES[side]], np.float64)
        low, high = np.percentile(sure, (10, 90), axis=1)
        band(axes, tracks.t_s, low, high, color=colour(side), alpha=0.18)
        line(axes, tracks.t_s, sure.mean(axis=1), 0.0, color=colour(side))
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])


def _name(axes: Axes, text: str) -> None:
    """A plot's name in its upper left corner."""
    axes.text(0.006, 0.96, text, transform=axes.transAxes, va="top", color=DIM)
