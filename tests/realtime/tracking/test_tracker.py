"""The tracker and the relative-depth rule, fed with a network that answers from known hands."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.geometry.crop import Crop, crop_around, transform
from engines.geometry.pinhole import Intrinsics, project, rootnet_k
from engines.output import NetworkOutput
from engines.skeleton import HAND_SLICES, SIDES, WRISTS, Side
from realtime.camera_space.fusion import DepthFusion
from realtime.config import load_settings
from realtime.messages import HandBox, HandPose
from realtime.tracking.tracker import CropPlan, HandTracker

INPUT_PX = 160
CAMERA = Intrinsics(554.0, 554.0, 319.5, 239.5)
SETTINGS = load_settings(None, [])


def open_hand(side: Side, wrist_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """(21, 3) a flat hand that points up, 180 mm long, its thumb towards the other hand."""
    spread = np.linspace(-1, 1, 5)
    joints = np.zeros((21, 3))
    for finger in range(5):
        for k in range(4):
            length = 180 - 25 * k - 15 * abs(finger - 2)
            joints[4 * finger + k] = [-40 * spread[finger] * length / 180, -length, 4.0 * k]
    if side == "left":
        joints[:, 0] *= -1
    return joints + np.array(wrist_mm)


def answer(
    plan: CropPlan, hands: dict[Side, NDArray[np.float64]], named: dict[Side, Side] | None = None
) -> NetworkOutput:
    """What a perfect network says of a crop: hands mostly inside it are there. `named` exchanges its channels."""
    joints_px, depth = np.zeros((42, 2)), np.zeros(42)
    probability, gamma = np.full(2, 0.02), np.ones(2)
    wrists = {}
    for side, joints in hands.items():
        channel = (named or {}).get(side, side)
        shown = transform(plan.crop.crop_from_image(INPUT_PX), project(joints, CAMERA))
        inside = ((shown > 0) & (shown < INPUT_PX)).all(axis=1).mean()
        joints_px[HAND_SLICES[channel]] = shown
        depth[HAND_SLICES[channel]] = joints[:, 2] - joints[20, 2]
        probability[SIDES.index(channel)] = 0.98 if inside > 0.6 else 0.02
        gamma[SIDES.index(channel)] = joints[20, 2] / rootnet_k(plan.crop.side_px, CAMERA.fx, CAMERA.fy)
        wrists[side] = joints[20, 2]
    relative = wrists.get("left", 0.0) - wrists.get("right", 0.0)
    f32 = np.float32
    return NetworkOutput(
        joints_px.astype(f32),
        depth.astype(f32),
        np.full(42, 0.9, f32),
        probability.astype(f32),
        relative,
        gamma.astype(f32),
    )


class Scene:
    """A tracker and a fusion that see hands at 30 frames a second."""

    def __init__(self, most_hands: int = 2) -> None:
        self.tracker = HandTracker(SETTINGS.tracker, INPUT_PX, most_hands)
        self.fusion = DepthFusion(SETTINGS.fusion.blend_s)
        self.t_s = 0.0
        self.plans: list[CropPlan] = []

    def see(
        self, hands: dict[Side, NDArray[np.float64]], named: dict[Side, Side] | None = None
    ) -> tuple[HandPose, ...]:
        self.t_s += 1 / 30
        self.plans = self.tracker.plan(self.t_s)
        outputs = [answer(plan, hands, named) for plan in self.plans]
        return self.fusion(self.tracker.update(self.plans, outputs, self.t_s), self.t_s, CAMERA)

    def acquire(self, hands: dict[Side, NDArray[np.float64]], wrong: bool = False) -> None:
        other: dict[Side, Side] = {"right": "left", "left": "right"}
        boxes = [
            HandBox(other[side] if wrong else side, crop_around(project(joints, CAMERA)), 0.9)
            for side, joints in hands.items()
        ]
        self.tracker.acquire(boxes)


APART: dict[Side, NDArray[np.float64]] = {
    "right": open_hand("right", (-160, 80, 600)),
    "left": open_hand("left", (150, 90, 520)),
}


def near(gap_mm: float, depth_mm: float = 40.0) -> dict[Side, NDArray[np.float64]]:
    return {
        "right": open_hand("right", (-gap_mm / 2, 80, 600)),
        "left": open_hand("left", (gap_mm / 2, 80, 600 - depth_mm)),
    }


def assert_hands(
    poses: tuple[HandPose, ...], hands: dict[Side, NDArray[np.float64]], tolerance_mm: float = 0.5
) -> None:
    assert [pose.side for pose in poses] == [side for side in SIDES if side in hands]
    for pose in poses:
        np.testing.assert_allclose(pose.joints_cam_mm, hands[pose.side], atol=tolerance_mm)


def test_hands_apart_have_a_crop_each_and_come_out_in_millimetres() -> None:
    scene = Scene()
    scene.acquire(APART)
    for _ in range(5):
        poses = scene.see(APART)
    assert len(scene.plans) == 2
    assert_hands(poses, APART)
    assert {pose.root_depth_from for pose in poses} == {"rootnet"}


def test_near_hands_share_a_crop_and_the_left_wrist_follows_the_relative_rule() -> None:
    scene = Scene()
    scene.acquire(APART)
    scene.see(APART)
    for gap in np.linspace(300, 50, 40):
        poses = scene.see(near(gap))
    for _ in range(10):
        poses = scene.see(near(50))
    assert len(scene.plans) == 1
    assert_hands(poses, near(50))
    assert [pose.root_depth_from for pose in poses] == ["rootnet", "relative"]


def test_a_switch_of_the_rule_makes_no_jump() -> None:
    """RootNet's own left depth is 60 mm off here; the wrist must move there and back over the blend, not at once."""
    scene = Scene()
    scene.acquire(APART)
    depths = []
    for gap in [*np.linspace(330, 50, 60), *np.linspace(50, 330, 60)]:
        scene.t_s += 1 / 30
        scene.plans = scene.tracker.plan(scene.t_s)
        outputs = []
        for plan in scene.plans:
            exact = answer(plan, near(gap, 0.0))
            gamma = exact.root_depth_factor * np.array([1.0, 1.1], np.float32)
            outputs.append(NetworkOutput(**{**vars(exact), "root_depth_factor": gamma}))
        poses = scene.fusion(scene.tracker.update(scene.plans, outputs, scene.t_s), scene.t_s, CAMERA)
        depths += [float(pose.joints_cam_mm[20, 2]) for pose in poses if pose.side == "left"]
    assert max(depths) - min(depths) > 50
    assert np.abs(np.diff(depths)).max() < 60 / (SETTINGS.fusion.blend_s * 30) * 1.5


def test_merging_has_hysteresis() -> None:
    scene = Scene()
    scene.acquire(APART)
    scene.see(APART)
    counts = []
    for gap in [*np.linspace(320, 50, 60), *np.linspace(50, 320, 60)]:
        scene.see(near(gap))
        counts.append(len(scene.plans))
    merged_at = counts.index(1)
    parted_at = len(counts) - counts[::-1].index(1)
    assert counts[merged_at:parted_at] == [1] * (parted_at - merged_at)
    assert parted_at - 60 > 60 - merged_at


def test_the_detectors_wrong_name_is_put_right_and_stays() -> None:
    scene = Scene()
    hands: dict[Side, NDArray[np.float64]] = {"right": APART["right"]}
    scene.acquire(hands, wrong=True)
    sides = [pose.side for _ in range(20) for pose in scene.see(hands)]
    assert sides[-15:] == ["right"] * 15


def test_a_moment_of_confusion_does_not_exchange_names() -> None:
    scene = Scene()
    scene.acquire(APART)
    for _ in range(10):
        scene.see(APART)
    swapped: dict[Side, Side] = {"right": "left", "left": "right"}
    for _ in range(3):
        poses = scene.see(APART, named=swapped)
        assert_hands(poses, APART)


def test_a_hand_that_leaves_is_lost_and_the_other_stays() -> None:
    scene = Scene()
    scene.acquire(APART)
    for _ in range(3):
        scene.see(APART)
    only: dict[Side, NDArray[np.float64]] = {"right": APART["right"]}
    for _ in range(SETTINGS.tracker.lose_after_frames):
        scene.see(only)
    assert scene.tracker.sides == ("right",)
    assert_hands(scene.see(only), only)


def test_who_asks_for_one_hand_gets_one_also_where_its_crop_shows_both() -> None:
    hands = near(90.0)
    for most, expected in ((2, 2), (1, 1)):
        scene = Scene(most)
        box = crop_around(np.concatenate([project(joints, CAMERA) for joints in hands.values()]))
        scene.tracker.acquire([HandBox("right", box, 0.9)])
        for _ in range(3):
            poses = scene.see(hands)
        assert len(poses) == expected
        assert len(scene.tracker.sides) == expected


def test_a_fast_hand_is_not_lost() -> None:
    scene = Scene()
    scene.acquire({"right": open_hand("right", (-200, 80, 600))})
    for x in np.linspace(-200, 200, 12):  # 1.1 m/s
        hands: dict[Side, NDArray[np.float64]] = {"right": open_hand("right", (x, 80, 600))}
        assert_hands(scene.see(hands), hands)


def test_two_crops_on_one_hand_give_one_hand() -> None:
    scene = Scene()
    box = crop_around(project(APART["right"], CAMERA))
    scene.tracker.acquire([HandBox("right", box, 0.9)])
    scene.see({"right": APART["right"]})
    scene.tracker.acquire([HandBox("left", Crop((box.center_px[0] + 150, box.center_px[1]), 350.0), 0.5)])
    for _ in range(8):
        poses = scene.see({"right": APART["right"]})
    assert_hands(poses, {"right": APART["right"]})


@pytest.mark.parametrize("wrist", WRISTS)
def test_wrist_rows(wrist: int) -> None:
    assert wrist % 21 == 20
