"""What bones of constant length are worth, frame by frame: `python -m benchmarks.bone_lengths [--root DIR]`.

Looks at labelled real hands of one person, each by itself, and at the sample clip, and moves the joints to a hand with
constant bones in three ways: each bone keeps its direction; each joint keeps its pixel and moves in depth
(`realtime.camera_space.bone_lengths`); first the one, then the other. Lengths are the labels' medians (calibrated), or
the medians of what the network itself says; or only the hand's length is known, which scales depths, and bones have
their usual share of it, as `fusion.keep_bones` does. Errors in mm: joints relative to the wrist, mean; the same after a
fit of turn and size; the wrist.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.backends.opening import open_backend
from engines.contract import Backend, EngineRequest
from engines.errors import UserError
from engines.geometry.pinhole import Intrinsics, backproject
from engines.second_look import looking_twice
from engines.skeleton import BONES, HAND_SLICES, SIDES, WRIST
from engines.terminal import command
from realtime.batch.run import batch_settings
from realtime.camera_space.bone_lengths import hand_length, keep_lengths, typical_lengths, usual_lengths
from realtime.camera_space.wrist_depth import size_factor
from realtime.command import CommandParser
from realtime.layers import load_settings
from training.evaluate import WEBCAM
from training.evaluation.clips import load_truth
from training.evaluation.look import look, turned_crops
from training.registry import load_split
from training.sequences import SAMPLE, track

Floats = NDArray[np.float64]
_OUTWARDS = sorted(range(len(BONES)), key=lambda i: -BONES[i][1])
"""Bones from the wrist to the tips: parents have higher numbers."""


@dataclass(frozen=True)
class Hands:
    """N sights of one person's hand with labels."""

    joints_px: Floats
    """(N, 21, 2)."""
    depth_mm: Floats
    """(N, 21) along z, as the network says."""
    truth_mm: Floats
    """(N, 21, 3)."""
    cameras: Sequence[Intrinsics]
    left: NDArray[np.bool_]
    """(N,) it is a left hand."""
    confidence: Floats
    """(N, 21) the joints'."""

    def in_space(self, depth_mm: Floats) -> Floats:
        """(N, 21, 3) with these depths."""
        return np.stack([backproject(*one) for one in zip(self.joints_px, depth_mm, self.cameras, strict=True)])


def along_bones(joints_mm: Floats, lengths_mm: Floats) -> Floats:
    """Joints (N, 21, 3) from the wrist outwards, each bone in its direction, as long as (20,)."""
    moved = joints_mm.copy()
    for i in _OUTWARDS:
        child, parent = BONES[i]
        bone = joints_mm[:, child] - joints_mm[:, parent]
        moved[:, child] = moved[:, parent] + bone * (lengths_mm[i] / np.linalg.norm(bone, axis=1, keepdims=True))
    return moved


def along_rays(hands: Hands, lengths_mm: Floats) -> Floats:
    """Joints (N, 21, 3) that stay on their pixels, the bones nearly as long as (20,)."""
    rows = zip(hands.joints_px, hands.depth_mm, hands.cameras, strict=True)
    depth = [keep_lengths(px[None], mm[None], lengths_mm, camera)[0] for px, mm, camera in rows]
    return hands.in_space(np.stack(depth))


def errors_mm(found: Floats, truth: Floats) -> tuple[float, float, float]:
    """Root-relative, aligned (Procrustes) and the wrist's mean error."""
    relative = (found - found[:, [WRIST]]) - (truth - truth[:, [WRIST]])
    a, b = found - found.mean(axis=1, keepdims=True), truth - truth.mean(axis=1, keepdims=True)
    u, s, vt = np.linalg.svd(np.einsum("nki,nkj->nij", a, b))
    s[:, 2] *= np.linalg.det(u @ vt)
    u[:, :, 2] *= np.linalg.det(u @ vt)[:, None]
    size = s.sum(axis=1) / (a**2).sum(axis=(1, 2))
    aligned = size[:, None, None] * (a @ (u @ vt)) - b
    wrist = found[:, WRIST] - truth[:, WRIST]
    parts = (relative[:, :WRIST], aligned, wrist)
    return tuple(float(np.linalg.norm(part, axis=-1).mean()) for part in parts)  # type: ignore[return-value]


def report(name: str, hands: Hands) -> None:
    """Print the table of one source."""
    measured = hands.in_space(hands.depth_mm)
    ways = {"as measured": measured}
    for kind, lengths in (("calibrated", typical_lengths(hands.truth_mm)), ("own", typical_lengths(measured))):
        rays = along_rays(hands, lengths)
        ways |= {f"{kind}, along bones": along_bones(measured, lengths), f"{kind}, along rays": rays}
        ways[f"{kind}, rays, then bones"] = along_bones(rays, lengths)
    length = hand_length(typical_lengths(hands.truth_mm))
    known = replace(hands, depth_mm=hands.depth_mm * size_factor(length))
    ways |= {"length known": known.in_space(known.depth_mm)}
    ways |= {"length known, along rays": along_rays(known, usual_lengths(length))}
    print(f"{name}: {len(measured)} hands{'':12}root-relative  aligned    wrist  mm")
    for way, joints in ways.items():
        print(f"  {way:30} {'':6}{'{:8.2f} {:8.2f} {:8.2f}'.format(*errors_mm(joints, hands.truth_mm))}")


def webcam(root: Path, backend: Backend) -> Hands:
    """Single pictures, each with the network's own depth. Raises UserError if they are not there."""
    samples = load_split("webcam", root, "test")
    first = look(backend, samples, [samples[i].crop() for i in range(len(samples))], "upright crop")
    found = look(backend, samples, turned_crops(samples, first), "turned crop")
    sides = [int(not samples[i].hand_present[0]) for i in range(len(samples))]
    rows = [HAND_SLICES[SIDES[side]] for side in sides]
    every = list(enumerate(rows))
    cameras = [samples[i].intrinsics for i, _ in every]
    return Hands(
        joints_px=np.stack([found.joints_px[i, row] for i, row in every]),
        depth_mm=np.stack([found.joint_depth_mm[i, row] + found.root_depth_mm[i, sides[i]] for i, row in every]),
        truth_mm=np.stack([np.asarray(samples[i].joints_cam_mm)[row] for i, row in every]).astype(np.float64),
        cameras=[camera for camera in cameras if camera is not None],
        left=np.array(sides, bool),
        confidence=np.stack([found.joint_confidence[i, row] for i, row in every]),
    )


def sample_clip(backend: Backend) -> Hands:
    """The hands of the sample clip, tracked without smoothing. Raises UserError if it cannot be read."""
    truth = load_truth(SAMPLE.with_suffix(".npz"))
    frames = track(SAMPLE, truth, backend, batch_settings(load_settings(), smooth=True))
    seen = [(frame.intrinsics, hand, i) for i, frame in enumerate(frames) for hand in frame.hands]
    return Hands(
        joints_px=np.stack([hand.joints_px for _, hand, _ in seen]).astype(np.float64),
        depth_mm=np.stack([hand.joints_cam_mm[:, 2] for _, hand, _ in seen]).astype(np.float64),
        truth_mm=np.stack([truth.joints_cam_mm[i, HAND_SLICES[hand.side]] for _, hand, i in seen]).astype(np.float64),
        cameras=[camera for camera, _, _ in seen],
        left=np.array([hand.side == "left" for _, hand, _ in seen]),
        confidence=np.stack([hand.confidence for _, hand, _ in seen]).astype(np.float64),
    )


def report_both(module: str, doc: str | None, report: Callable[[str, Hands], None], argv: list[str] | None) -> int:
    """A command that reports on the sample clip's hands and the webcam's; returns the exit code."""
    parser = CommandParser(f"python -m {module}", doc)
    parser.add_argument("--root", type=Path, default=WEBCAM, help="the data set webcam (docs/evaluation.md)")
    root = parser.parse_args(argv).root
    try:
        request = EngineRequest(threads=1)
        backend = looking_twice(open_backend(request, lambda line: print(line, file=sys.stderr)), "lite")
        report("sample clip", sample_clip(backend))
        report("webcam", webcam(root, backend))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


@command
def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    return report_both("benchmarks.bone_lengths", __doc__, report, argv)


if __name__ == "__main__":
    sys.exit(main())
