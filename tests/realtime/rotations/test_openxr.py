"""OpenXR's joints of a track: places, axes, radii, and what is estimated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engines.skeleton import HAND_SLICES, JOINT_NAMES, SIDES
from realtime.rotations.openxr import ESTIMATED, OPENXR_JOINTS
from realtime.rotations.quaternions import turned
from realtime.tracks.schema import ROOT_DEPTH_NAMES
from tests.support.track_files import tracks_of
from training.synth.hand.asset import load_asset, phalanx_bone
from training.synth.hand.shape import neutral_shape

OURS = {
    "wrist": "wrist",
    **{f"thumb_{part}": f"thumb{k}" for k, part in enumerate(("metacarpal", "proximal", "distal", "tip"), 1)},
    **{
        f"{finger}_{part}": f"{finger}{k}"
        for finger in ("index", "middle", "ring", "little")
        for k, part in enumerate(("proximal", "intermediate", "distal", "tip"), 1)
    },
}


def test_the_names_are_those_of_the_header() -> None:
    """openxr.h: palm 0, wrist 1, thumb tip 5, index metacarpal 6, middle tip 15, little tip 25."""
    assert [OPENXR_JOINTS.index(name) for name in ("palm", "wrist", "thumb_tip")] == [0, 1, 5]
    assert [OPENXR_JOINTS.index(name) for name in ("index_metacarpal", "middle_tip", "little_tip")] == [6, 15, 25]
    assert {name for name, flag in zip(OPENXR_JOINTS, ESTIMATED, strict=True) if not flag} == set(OURS)


def test_joints_lie_where_ours_do_and_absent_hands_are_not_valid() -> None:
    tracks = tracks_of(["rl", "r", ""])
    found = tracks.openxr()
    assert found.position_m.shape == (3, 2, 26, 3)
    for h, side in enumerate(SIDES):
        for name, ours in OURS.items():
            expected = tracks.joints_cam_mm[:, 21 * h + JOINT_NAMES.index(ours)] * [1, -1, -1] / 1000
            np.testing.assert_allclose(found.position_m[:, h, OPENXR_JOINTS.index(name)], expected, atol=1e-6)
        assert HAND_SLICES[side].start == 21 * h
    np.testing.assert_array_equal(found.valid.all(axis=2), [[True, True], [True, False], [False, False]])
    np.testing.assert_array_equal(found.valid.any(axis=2), found.valid.all(axis=2))


def test_bones_point_along_minus_z_and_backs_up() -> None:
    """These hands hold their palms to the camera: their backs look away from it, along OpenXR's -z."""
    found = tracks_of(["rl"]).openxr()
    ahead, up = (turned(found.orientation[0], np.array(axis)) for axis in ([0.0, 0, -1], [0.0, 1, 0]))
    at = {name: i for i, name in enumerate(OPENXR_JOINTS)}
    for a, b in (
        ("index_metacarpal", "index_proximal"),
        ("ring_proximal", "ring_intermediate"),
        ("palm", "middle_proximal"),
    ):
        bone = found.position_m[0, :, at[b]] - found.position_m[0, :, at[a]]
        bone /= np.linalg.norm(bone, axis=-1, keepdims=True)
        np.testing.assert_allclose(ahead[:, at[a]], bone, atol=1e-6)
    for name in ("wrist", "palm", "middle_metacarpal"):
        assert (up[:, at[name]] @ [0, 0, -1] > 0.95).all()
    np.testing.assert_allclose(np.linalg.norm(found.orientation, axis=-1), 1, atol=1e-6)


def test_what_is_unsure_estimated_or_filled_is_not_tracked() -> None:
    tracks = tracks_of(["rl", "rl"])
    tracks.joint_confidence[0, JOINT_NAMES.index("index3")] = 0.2
    filled = replace(tracks, root_depth_from=np.full((2, 2), ROOT_DEPTH_NAMES.index("filled"), np.uint8))
    found = tracks.openxr()
    assert not found.tracked[..., ESTIMATED].any()
    assert found.tracked[1][:, ~ESTIMATED].all()
    assert not found.tracked[0, 0, OPENXR_JOINTS.index("index_distal")]
    assert set(np.unique(found.location_flags)) == {3, 15}
    assert filled.openxr().valid.all() and not filled.openxr().tracked.any()


def test_radii_are_those_of_the_generators_hand() -> None:
    """Half the thickness of the index finger's skin at its middle joint, of the mean hand."""
    shape = neutral_shape()
    joint, before = shape.joints_mm[6], shape.joints_mm[7]
    along = (joint - before) / np.linalg.norm(joint - before)
    apart = shape.vertices_mm - joint
    beside = np.abs(apart @ along) < 2.5
    own = load_asset().bone_weights[:, [phalanx_bone(1, k) for k in range(3)]].sum(axis=1) > 0.5
    across = apart[beside & own] - (apart[beside & own] @ along)[:, None] * along
    expected = np.linalg.norm(across, axis=1).mean() / np.linalg.norm(shape.joints_mm[11] - shape.joints_mm[20])
    tracks = tracks_of(["r"])
    length = np.linalg.norm(tracks.joints_cam_mm[0, 11] - tracks.joints_cam_mm[0, 20]) / 1000
    radius = tracks.openxr().radius_m[0, 0, OPENXR_JOINTS.index("index_intermediate")]
    np.testing.assert_allclose(radius / length, expected, rtol=0.1)
