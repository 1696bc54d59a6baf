"""Real hands laid as rendered ones meet: poses are found, places and depths are those of the rendered pair."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.errors import UserError
from engines.skeleton import HAND_SLICES, WRIST
from tests.support.drawn_hands import write_hands
from tests.support.real_set import fan
from training.banks.real_bank import STORED_PX, load_real
from training.composed.arrangements import Arrangement, Gallery, arrangements, shapes_of, similarity
from training.composed.cutouts import Cutout, cut_out, mirrored, with_room
from training.composed.meetings import meeting_as
from training.composed.pairs import composed_pair
from training.composed_pairs import Order, compose

FOCAL_PX, AWAY_MM = 400.0, 500.0


def turned(joints: NDArray, degrees: float, scale: float, shift: tuple[float, float]) -> NDArray[np.float64]:
    """(N, 2) points turned, scaled and moved."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.asarray(scale * joints @ np.array([[cos, sin], [-sin, cos]]) + shift)


def meeting(right_mm: float, left_mm: float) -> Arrangement:
    """A right hand and a left one across it, so far away."""
    right = fan((100, 150), 60, spread_rad=0.32, bone=0.165)
    left = turned(right * [-1, 1], 50, 1.1, (0, 0))
    left += right[12] - left[12]
    depth = np.array([right_mm, left_mm], np.float32)[:, None].repeat(21, 1)
    return Arrangement(np.stack([right, left]).astype(np.float32), depth)


def write_meetings(root: Path, count: int = 3) -> None:
    """A rendered shard's labels of such pairs, one nearer with either hand; no pictures are needed."""
    root.mkdir(parents=True, exist_ok=True)
    joints = np.zeros((count, 42, 3), np.float32)
    for row in range(count):
        one = meeting(AWAY_MM, AWAY_MM + 20 * (-1) ** row)
        pixels, depth = one.joints_px.reshape(42, 2), one.depth_mm.reshape(42, 1)
        joints[row] = np.hstack([(pixels - 160) / FOCAL_PX * depth, depth])
    valid, camera = np.ones((count, 42), np.uint8), np.array([FOCAL_PX, FOCAL_PX, 160, 160], np.float32)
    np.savez(root / "shard-000.npz", joints_cam_mm=joints, joint_valid=valid, intrinsics_px=np.tile(camera, (count, 1)))
    (root / "shard-000.tar").touch()


@pytest.fixture(scope="module")
def hands(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Cutout, Cutout]:
    root = tmp_path_factory.mktemp("hands")
    write_hands(root / "sets", "home", 4)
    bank = load_real(root / "sets", "home", STORED_PX, root / "cache")
    one, two = cut_out(bank, 0), cut_out(bank, 1)
    assert one is not None and two is not None
    return root, one, mirrored(two)


def test_shapes_know_no_turn_and_no_size_and_mirrors_exchange_the_hands(hands: tuple[Path, Cutout, Cutout]) -> None:
    root, _, _ = hands
    bank = load_real(root / "sets", "home", STORED_PX, root / "cache")
    gallery = Gallery.of(bank, np.arange(4))
    joints = bank.joints_px[2, HAND_SLICES["right"]]
    np.testing.assert_allclose(gallery.alike(turned(joints, 130, 0.4, (7, -30)), "right")[2], 1, atol=1e-6)
    np.testing.assert_allclose(gallery.alike(turned(joints * [-1, 1], 70, 2, (0, 9)), "left")[2], 1, atol=1e-6)
    bent = joints.copy()
    bent[:4] = bent[WRIST]
    assert gallery.alike(bent, "right")[2] < 0.98
    np.testing.assert_allclose(np.linalg.norm(shapes_of(bank.joints_px[:, :21]), axis=1), 1)


def test_a_similarity_is_found_again() -> None:
    points = np.random.default_rng(0).normal(0, 30, (21, 2))
    wanted = turned(points, -40, 1.7, (12, 5))
    matrix = similarity(points, wanted)
    np.testing.assert_allclose(points @ matrix[:, :2].T + matrix[:, 2], wanted, atol=1e-9)


def test_a_photograph_is_carried_on_with_its_arm_and_not_where_it_cuts_the_hand(
    hands: tuple[Path, Cutout, Cutout],
) -> None:
    _, first, _ = hands
    wide = with_room(first)
    assert wide is not None and wide.photograph.all()
    x, y = np.round(wide.joints_px).astype(int).T
    assert (wide.alpha[y, x] > 0.5).mean() > 0.85
    assert wide.alpha[-1].max() > 0.5 and wide.alpha[0].max() < 0.1  # the arm leaves below, nothing above
    assert wide.picture_rgb.sum(-1).min() > 30  # nowhere black
    cut = first.photograph.copy()
    cut[: int(np.sort(first.joints_px[:, 1])[3])] = False
    assert with_room(replace(first, photograph=cut)) is None


@pytest.mark.parametrize("first_mm", [480, 520])
def test_hands_lie_as_the_rendered_ones_and_the_nearer_one_is_seen(
    hands: tuple[Path, Cutout, Cutout], first_mm: float
) -> None:
    _, first, second = hands
    like = meeting(first_mm, 500)
    pair = composed_pair(first, second, np.random.default_rng(1), like)
    assert pair is not None
    joints = pair.joints_px.astype(np.float64)
    matrix = similarity(like.joints_px[0].astype(np.float64), joints[:21])
    wanted = like.joints_px[1] @ matrix[:, :2].T + matrix[:, 2]
    assert np.linalg.norm(joints[21:] - wanted, axis=1).mean() < 4  # they are not posed quite alike
    meet = meeting_as(like, first, second)
    assert meet is not None
    x, y = np.round(meet.joints_px[12]).astype(int)  # where one finger crosses the other
    assert meet.first_in_front[y, x] == (first_mm < 500)


def test_the_command_lays_them_so_and_says_which_meetings_it_took(
    hands: tuple[Path, Cutout, Cutout], tmp_path: Path
) -> None:
    root, _, _ = hands
    write_meetings(root / "rendered")
    order = Order(root / "sets", ("home",), tmp_path, 2, root / "cache", root / "rendered", part=2)
    assert compose(order) == 2
    made = load_real(tmp_path, "composed-000", STORED_PX, tmp_path / "cache")
    assert made.hand_present.all() and made.hand_known.all()
    like = arrangements(root / "rendered")[0]
    for row in range(2):
        matrix = similarity(like.joints_px.reshape(42, 2).astype(np.float64), made.joints_px[row].astype(np.float64))
        off = like.joints_px.reshape(42, 2) @ matrix[:, :2].T + matrix[:, 2] - made.joints_px[row]
        assert np.linalg.norm(off, axis=1).mean() < 6
    with pytest.raises(UserError, match="other meetings"):
        compose(replace(order, meetings=None))
    write_meetings(root / "rendered", count=4)  # under the same name
    with pytest.raises(UserError, match="other meetings"):
        compose(order)
    with pytest.raises(UserError, match="no rendered pairs"):
        compose(replace(order, out=tmp_path / "new", meetings=tmp_path))
