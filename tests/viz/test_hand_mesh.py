"""The hand mesh: right places, right sizes, hidden when absent, and never a new array."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.geometry.pinhole import project
from engines.skeleton import BONES, SIDES, Side
from realtime.messages import HandFrame
from tests.support.hand_frames import INTRINSICS, SIZE, hand_frame
from viz.drawing.palette import SCENE_RGB
from viz.scene3d.hand_mesh import BONE_GIRTH, JOINT_RADII_MM, HandMesh
from viz.scene3d.primitives import across, icosphere, tube_triangles
from viz.scene3d.scene import GROUND_Y_MM, camera_frustum, distance_marks, ground_grid

BOTH = hand_frame("right", "left")


def updated(frame: HandFrame, mirror: bool = False) -> HandMesh:
    mesh = HandMesh()
    mesh.update(frame, mirror)
    return mesh


def triangle_areas(mesh: HandMesh, side: Side) -> NDArray[np.float64]:
    corners = mesh.vertices_mm[mesh.triangles]
    rows = mesh.rows(side)
    mine = (mesh.triangles >= rows.start).all(axis=1) & (mesh.triangles < rows.stop).all(axis=1)
    a, b, c = corners[mine].transpose(1, 0, 2)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


@pytest.mark.parametrize("side", SIDES)
def test_spheres_have_their_radius_around_their_joint(side: Side) -> None:
    mesh = updated(BOTH)
    vertices = mesh.vertices_mm[mesh.rows(side)][: 21 * mesh.sphere_vertices].reshape(21, -1, 3)
    hand = BOTH.hand(side)
    assert hand is not None
    distance = np.linalg.norm(vertices - hand.joints_cam_mm[:, None], axis=2)
    np.testing.assert_allclose(distance, np.broadcast_to(JOINT_RADII_MM[:, None], distance.shape), atol=1e-4)
    np.testing.assert_allclose(vertices.mean(axis=1), hand.joints_cam_mm, atol=1e-4)


@pytest.mark.parametrize("side", SIDES)
def test_tubes_run_along_the_bones(side: Side) -> None:
    mesh = updated(BOTH)
    rings = mesh.vertices_mm[mesh.rows(side)][21 * mesh.sphere_vertices :].reshape(len(BONES), 2, -1, 3)
    hand = BOTH.hand(side)
    assert hand is not None
    for ring, (child, parent) in zip(rings, BONES, strict=True):
        along = hand.joints_cam_mm[child] - hand.joints_cam_mm[parent]
        for end, joint in ((ring[0], parent), (ring[1], child)):
            spokes = end - hand.joints_cam_mm[joint]
            radii = np.linalg.norm(spokes, axis=1)
            np.testing.assert_allclose(spokes @ along, 0.0, atol=1e-2)
            np.testing.assert_allclose(radii, radii[0], rtol=1e-4)
            assert radii[0] <= BONE_GIRTH * JOINT_RADII_MM[joint] + 1e-6, "a bone must not swallow its joint"


def test_normals_are_unit_and_point_out_of_the_surface() -> None:
    mesh = updated(BOTH)
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1.0, atol=1e-6)
    a, b, c = mesh.vertices_mm[mesh.triangles].transpose(1, 0, 2)
    face_normals = np.cross(b - a, c - a)
    agreement = np.einsum("ti,tki->tk", face_normals, mesh.normals[mesh.triangles])
    assert (agreement > 0).all()


@pytest.mark.parametrize(("present", "absent"), [("right", "left"), ("left", "right")])
def test_an_absent_hand_covers_no_area(present: Side, absent: Side) -> None:
    mesh = updated(BOTH)
    mesh.update(hand_frame(present))
    assert triangle_areas(mesh, absent).max() == 0.0
    assert triangle_areas(mesh, present).min() > 0.0


def test_a_hand_with_a_joint_that_is_not_finite_is_hidden() -> None:
    hand = BOTH.hands[0]
    joints = hand.joints_cam_mm.copy()
    joints[7, 2] = np.nan
    mesh = updated(dataclasses.replace(BOTH, hands=(dataclasses.replace(hand, joints_cam_mm=joints), BOTH.hands[1])))
    assert triangle_areas(mesh, "right").max() == 0.0
    assert np.isfinite(mesh.vertices_mm).all()


def test_bones_of_no_length_leave_everything_finite() -> None:
    hand = BOTH.hands[0]
    one_place = np.tile(hand.joints_cam_mm[:1], (21, 1))
    mesh = updated(dataclasses.replace(BOTH, hands=(dataclasses.replace(hand, joints_cam_mm=one_place),)))
    assert np.isfinite(mesh.vertices_mm).all()
    assert np.isfinite(mesh.normals).all()


def test_the_arrays_stay_the_same_objects() -> None:
    mesh = HandMesh()
    before = (mesh.vertices_mm, mesh.normals, mesh.colours, mesh.triangles)
    addresses = [array.ctypes.data for array in before]
    for sides in (("right", "left"), (), ("left",), ("right",)):
        mesh.update(hand_frame(*sides))
    after = (mesh.vertices_mm, mesh.normals, mesh.colours, mesh.triangles)
    assert all(a is b for a, b in zip(before, after, strict=True))
    assert [array.ctypes.data for array in after] == addresses


def test_mirroring_turns_the_joints_round_and_keeps_the_surface_outside_out() -> None:
    plain, mirrored = updated(BOTH), updated(BOTH, mirror=True)
    spheres = slice(0, 21 * plain.sphere_vertices)
    centers = [mesh.vertices_mm[spheres].reshape(21, -1, 3).mean(axis=1) for mesh in (plain, mirrored)]
    np.testing.assert_allclose(centers[1], centers[0] * [-1, 1, 1], atol=1e-4)
    a, b, c = mirrored.vertices_mm[mirrored.triangles].transpose(1, 0, 2)
    agreement = np.einsum("ti,ti->t", np.cross(b - a, c - a), mirrored.normals[mirrored.triangles[:, 0]])
    assert (agreement > 0).all()


def test_each_hand_has_its_colour_and_doubt_is_paler() -> None:
    sure, unsure = (updated(hand_frame("right", "left", confidence=c)) for c in (0.95, 0.25))
    for side in SIDES:
        bright, pale = (mesh.colours[mesh.rows(side)] for mesh in (sure, unsure))
        np.testing.assert_allclose(bright, np.tile(SCENE_RGB[side], (len(bright), 1)))
        assert np.ptp(pale, axis=1).mean() < 0.5 * np.ptp(bright, axis=1).mean()
        assert pale.mean() > bright.mean()


@pytest.mark.parametrize("subdivisions", [0, 1, 2])
def test_an_icosphere_is_closed_and_round(subdivisions: int) -> None:
    vertices, triangles = icosphere(subdivisions)
    assert vertices.shape == (10 * 4**subdivisions + 2, 3)
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 1.0)
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    _, times = np.unique(edges, axis=0, return_counts=True)
    assert (times == 2).all(), "every edge of a closed surface belongs to two triangles"
    assert len(vertices) - len(times) + len(triangles) == 2, "Euler's formula"


def test_tube_triangles_use_every_vertex() -> None:
    assert set(tube_triangles(8).ravel()) == set(range(16))


def test_across_gives_a_right_handed_basis_for_every_direction() -> None:
    directions = np.random.default_rng(3).normal(size=(200, 3))
    directions = np.concatenate([directions, np.eye(3), -np.eye(3)])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    u, v = across(directions)
    np.testing.assert_allclose(np.cross(u, v), directions, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(u, axis=1), 1.0, atol=1e-9)


def test_the_frustum_runs_through_the_corners_of_the_picture() -> None:
    corners = camera_frustum(INTRINSICS, SIZE).points_mm[1:5]
    expected = [[-0.5, -0.5], [639.5, -0.5], [639.5, 479.5], [-0.5, 479.5]]
    np.testing.assert_allclose(project(corners, INTRINSICS), expected, atol=1e-6)
    mirrored = camera_frustum(INTRINSICS, SIZE, mirror=True).points_mm[1:5]
    np.testing.assert_allclose(mirrored, corners * [-1, 1, 1])


def test_the_ground_is_flat_and_its_marks_stand_at_their_distance() -> None:
    assert (ground_grid().points_mm[:, 1] == GROUND_Y_MM).all()
    for text, (_, _, z) in distance_marks().items():
        assert abs(z - 10 * float(text.split()[0])) < 20
