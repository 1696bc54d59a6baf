"""How far rotations turn from one frame to the next, beside the truth: `python -m benchmarks.rotation_steps`.

The sample clip as the program tracks it, live (also as if all joints were sure) and smoothed offline, then the same
hands' true joints at its own and at higher rates, and the true joints of a random story of both hands at 60 pictures a
second (`--seed`). Steps are degrees of every joint, in the camera's frame and against the joint before (which a turning
hand does not hide); "too far" is the share that goes 20 degrees farther than the true joint goes in that frame. Last,
how far all joints are off the true rotations on average.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import SAMPLE
from engines.backends.opening import open_backend
from engines.contract import EngineRequest
from engines.errors import UserError
from engines.second_look import looking_twice
from engines.skeleton import FINGER_TIPS, JOINTS_PER_HAND, PARENTS, SIDES, WRIST
from engines.terminal import command
from realtime.batch.run import batch_settings
from realtime.command import CommandParser
from realtime.layers import load_settings
from realtime.rotations.hand_rotations import hand_rotations
from realtime.rotations.quaternions import angle_deg, from_matrices, inverse, times
from realtime.tracks.offline import smooth_offline
from realtime.tracks.reader import load_tracks
from realtime.tracks.schema import Tracks, rotations_of
from realtime.tracks.writer import TrackWriter
from training.evaluation.clips import load_truth
from training.sequences import track
from training.synth.hand.orientations import true_rotations
from training.synth.hand.shape import HandShape
from training.synth.story.random_scene import Surroundings, random_scene
from training.synth.story.scene import RATE_HZ, Motion, make_scene

TOO_FAR_DEG: Final = 20.0
_TURNING: Final = np.array([j for j in range(JOINTS_PER_HAND) if j not in FINGER_TIPS])
"""Tips turn with the bones before them."""
Floats = NDArray[np.float64]


def of_story(story: Motion, shape: HandShape, times_s: Floats) -> tuple[Floats, Floats]:
    """(F, 2, 21, 4) rotations of both hands: those told from the true joints, and the true ones."""
    told, true = np.empty((2, len(times_s), len(SIDES), JOINTS_PER_HAND, 4))
    for i, t_s in enumerate(times_s):
        for h, state in enumerate(story.at(float(t_s))):
            told[i, h] = hand_rotations(state.skeleton(shape).joints_mm, state.side)
            true[i, h] = from_matrices(true_rotations(state, shape))
    return told, true


def steps_deg(rotations: Floats) -> Floats:
    """(F - 1, 2, 21, 2) of (F, 2, 21, 4), in the camera and against the joint before; NaN where a hand is away."""
    parents = np.where(np.array(PARENTS) < 0, WRIST, PARENTS)
    local = times(inverse(rotations[:, :, parents]), rotations)
    return np.stack([angle_deg(turns[1:], turns[:-1]) for turns in (rotations, local)], axis=-1)


def report(name: str, found: Floats, true: Floats) -> None:
    """Print a row: largest and 99th percentile of ours and of the truth, in both frames; the error."""
    row = f"{name:34}"
    ours, truth = (steps_deg(turns)[:, :, _TURNING] for turns in (found, true))
    truth = np.where(np.isfinite(ours), truth, np.nan)
    for k in range(2):
        cells = [f(one[..., k]) for f in (np.nanmax, _p99) for one in (ours, truth)]
        far = 100.0 * np.mean((ours[..., k] - truth[..., k])[np.isfinite(ours[..., k])] > TOO_FAR_DEG)
        row += "{:8.1f} ({:5.1f}){:7.1f} ({:5.1f})".format(*cells) + f"{far:7.2f} %"
    print(row + f"{np.nanmean(angle_deg(found, true)[:, :, _TURNING]):8.1f}")


def tracked_clip(offline: bool) -> Tracks:
    """The sample clip as the live pipeline sees it, or smoothed afterwards. Raises UserError if it cannot be read."""
    truth = load_truth(SAMPLE.with_suffix(".npz"))
    backend = looking_twice(open_backend(EngineRequest(threads=1), lambda line: print(line, file=sys.stderr)), "lite")
    frames = track(SAMPLE, truth, backend, batch_settings(load_settings(), smooth=offline))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tracks.npz"
        with TrackWriter(path, truth.intrinsics, frames[0].size_px, "{}", "{}") as writer:
            for frame in frames:
                writer.append(frame)
        found = load_tracks(path)
    return smooth_offline(found) if offline else found


def rows(seed: int) -> None:
    """Print the whole table."""
    scene = make_scene()
    frames = np.arange(round(scene.duration_s * RATE_HZ)) / RATE_HZ
    print(f"{'largest (true), 99 of 100 (true)':34}{'in the camera':>30}{'against the joint before':>45}{'off':>14}")
    told, true = of_story(scene.story, scene.shape, frames)
    for offline in (False, True):
        tracks = tracked_clip(offline)
        turns = tracks.joint_rotations.astype(np.float64).reshape(-1, len(SIDES), JOINTS_PER_HAND, 4)
        report(f"sample clip, {'smoothed offline' if offline else 'live'}", turns, true[tracks.frame_index])
        if not offline:
            sure = rotations_of(tracks.joints_cam_mm).astype(np.float64).reshape(turns.shape)
            report("as if all its joints were sure", sure, true[tracks.frame_index])
    report(f"its true joints, {RATE_HZ} Hz", told, true)
    for rate_hz in (60, 120):
        report(f"its true joints, {rate_hz} Hz", *of_story(scene.story, scene.shape, np.arange(0, 10, 1 / rate_hz)))
    other = random_scene(seed, 10.0, Surroundings())
    report(f"story {seed}, true joints, 60 Hz", *of_story(other.story, other.shape, np.arange(0, 10, 1 / 60)))


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = CommandParser("python -m benchmarks.rotation_steps", __doc__)
    parser.add_argument("--seed", type=int, default=3, help="of the random story (default 3)")
    try:
        rows(parser.parse_args(argv).seed)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _p99(values: Floats) -> float:
    return float(np.nanpercentile(values, 99))


if __name__ == "__main__":
    sys.exit(main())
