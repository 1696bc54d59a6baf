"""All cameras, lenses and boards adjusted together: bundle adjustment (scipy and OpenCV; any thread).

Least squares on the corners' reprojection errors over the cameras' places (the first one is the world's origin), the
boards' places and, if asked, focal lengths, centres and distortion; soft L1, so that a blurred or late view pulls
little. The Jacobian is sparse: a corner depends on one camera and one board.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.sparse import csr_matrix, lil_matrix

from engines.geometry.distortion import trimmed
from engines.geometry.pinhole import Intrinsics
from training.annotation.calibration.placing import Pose
from training.annotation.calibration.sightings import Sightings

_SOFT_PX: Final = 1.0
_LENS: Final = 9
"""fx, fy, cx, cy and five coefficients."""
_OUTLIER_PX: Final = 6.0
_STEPS: Final = 60
_LEAST_GAIN: Final = 1e-6
"""Relative; with less a step gains nothing: it would crawl on to the last one, a tenth of a millimetre on the whole."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Adjusted:
    """What came out."""

    lenses: tuple[Intrinsics, ...]
    cameras: tuple[Pose, ...]
    """Each camera's frame from the world."""
    error_px: float
    """Root mean square over all corners."""
    camera_error_px: tuple[float, ...]
    """Median distance of corners, by camera."""
    corners: int
    left_out: int
    """Corners farther off than 6 px, which were left out of the last round."""


def adjust(
    seen: Sequence[Sightings],
    lenses: Sequence[Intrinsics],
    cameras: Sequence[Pose],
    boards: dict[int, Pose],
    free_lenses: bool,
) -> Adjusted:
    """Adjust from a start; lenses stay as they are unless `free_lenses`."""
    problem = _Problem.of(seen, lenses, cameras, boards, free_lenses)
    first = problem.solved(np.ones(len(problem.corners_px), bool))
    good = np.linalg.norm(problem.residuals(first), axis=1) < _OUTLIER_PX
    last = problem.solved(good, first)
    off = np.linalg.norm(problem.residuals(last), axis=1)
    new_lenses, new_cameras, _ = problem.unpacked(last)
    per_camera = [float(np.median(off[good & (problem.camera == k)])) for k in range(len(seen))]
    return Adjusted(
        lenses=tuple(_intrinsics(lens) for lens in new_lenses),
        cameras=tuple(Pose(cv2.Rodrigues(c[:3])[0], c[3:]) for c in new_cameras),
        error_px=float(np.sqrt((off[good] ** 2).mean())),
        camera_error_px=tuple(per_camera),
        corners=int(good.sum()),
        left_out=int((~good).sum()),
    )


@dataclass(frozen=True, eq=False)
class _Problem:
    """Corners as one long list, and how parameters are laid out."""

    corners_px: Floats
    """(N, 2)."""
    corners_mm: Floats
    """(N, 3) on the board."""
    camera: NDArray[np.int64]
    """(N,)."""
    board: NDArray[np.int64]
    """(N,)."""
    start: Floats
    lenses: Floats
    """(V, 9)."""
    free_lenses: bool

    @classmethod
    def of(
        cls,
        seen: Sequence[Sightings],
        lenses: Sequence[Intrinsics],
        cameras: Sequence[Pose],
        boards: dict[int, Pose],
        free_lenses: bool,
    ) -> _Problem:
        row_of = {moment: k for k, moment in enumerate(boards)}
        px, mm, camera, board = [], [], [], []
        for k, one in enumerate(seen):
            for moment, view in one.views.items():
                if moment in row_of:
                    px.append(view.corners_px)
                    mm.append(view.corners_mm)
                    camera.append(np.full(len(view.corners_px), k))
                    board.append(np.full(len(view.corners_px), row_of[moment]))
        lens = np.array([_lens_row(one) for one in lenses])
        places = [_pose_row(pose) for pose in (*cameras[1:], *boards.values())]
        start = np.concatenate([*places, lens.ravel()] if free_lenses else places)
        return cls(
            np.concatenate(px).astype(np.float64),
            np.concatenate(mm).astype(np.float64),
            np.concatenate(camera),
            np.concatenate(board),
            start,
            lens,
            free_lenses,
        )

    def unpacked(self, values: Floats) -> tuple[Floats, Floats, Floats]:
        """Lenses (V, 9), cameras (V, 6), boards (B, 6)."""
        views = len(self.lenses)
        lenses = values[len(values) - views * _LENS :].reshape(views, _LENS) if self.free_lenses else self.lenses
        places = values[: len(values) - views * _LENS] if self.free_lenses else values
        poses = places.reshape(-1, 6)
        return lenses, np.vstack([np.zeros((1, 6)), poses[: views - 1]]), poses[views - 1 :]

    def residuals(self, values: Floats) -> Floats:
        """(N, 2) px."""
        lenses, cameras, boards = self.unpacked(values)
        turns = np.stack([cv2.Rodrigues(row[:3])[0] for row in boards])
        world = np.einsum("nij,nj->ni", turns[self.board], self.corners_mm) + boards[self.board, 3:]
        found = np.zeros_like(self.corners_px)
        for k, (lens, place) in enumerate(zip(lenses, cameras, strict=True)):
            own = self.camera == k
            if own.any():
                matrix = np.array([[lens[0], 0.0, lens[2]], [0.0, lens[1], lens[3]], [0.0, 0.0, 1.0]])
                points = np.ascontiguousarray(world[own, None])
                found[own] = cv2.projectPoints(points, place[:3], place[3:], matrix, lens[4:])[0][:, 0]
        return found - self.corners_px

    def solved(self, good: NDArray[np.bool_], start: Floats | None = None) -> Floats:
        """The best parameters for the good corners."""
        result = least_squares(
            lambda values: self.residuals(values)[good].ravel(),
            self.start if start is None else start,
            jac_sparsity=self._pattern(good),
            x_scale="jac",
            loss="soft_l1",
            f_scale=_SOFT_PX,
            max_nfev=_STEPS,
            ftol=_LEAST_GAIN,
        )
        return np.asarray(result.x, np.float64)

    def _pattern(self, good: NDArray[np.bool_]) -> csr_matrix:
        """Which parameter each residual depends on."""
        views, boards = len(self.lenses), int(self.board.max()) + 1
        rows = int(good.sum()) * 2
        pattern = lil_matrix((rows, len(self.start)), dtype=np.int8)
        camera, board = np.repeat(self.camera[good], 2), np.repeat(self.board[good], 2)
        row = np.arange(rows)
        for k in range(6):
            moved = camera > 0
            pattern[row[moved], (camera[moved] - 1) * 6 + k] = 1
            pattern[row, (views - 1 + board) * 6 + k] = 1
        for k in range(_LENS if self.free_lenses else 0):
            pattern[row, (views - 1 + boards) * 6 + camera * _LENS + k] = 1
        return csr_matrix(pattern)


def _lens_row(lens: Intrinsics) -> Floats:
    return np.array([*lens.as_array(), *(*lens.distortion, *(0.0,) * 5)[:5]])


def _pose_row(pose: Pose) -> Floats:
    return np.concatenate([cv2.Rodrigues(pose.rotation)[0].ravel(), pose.shift_mm])


def _intrinsics(row: Floats) -> Intrinsics:
    fx, fy, cx, cy = (float(v) for v in row[:4])
    return Intrinsics(fx, fy, cx, cy, distortion=trimmed(row[4:].tolist()))
