"""The tracker and the relative-depth rule, fed with a network that answers from known hands."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.geometry.crop import Crop, crop_around, transform
from engines.geometry.pinhole import Intrinsics, project, rootnet_k
from engines.output import NetworkOutput
from engines.skeleton import HAND_SLICES, SIDES, WRISTS, Side
from realtime.camera_space.fusion import DepthFusion
from realtime.camera_space.smoothing import HandSmoother
from realtime.config import Person
from realtime.layers import load_settings
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
    relative = -relative if named else relative
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

    def __init__(self, most_hands: int = 2, step_s: float = 1 / 30) -> None:
        self.step_s = step_s
        self.tracker = HandTracker(SETTINGS.tracker, INPUT_PX, most_hands)
        self.fusion = DepthFusion(SETTINGS.fusion.blend_s)
        self.smoother = HandSmoother(SETTINGS.smoothing)
        self.smooth: tuple[HandPose, ...] = ()
        self.t_s = 0.0
        self.plans: list[CropPlan] = []

    def see(
        self, hands: dict[Side, NDArray[np.float64]], named: dict[Side, Side] | None = None
    ) -> tuple[HandPose, ...]:
        self.t_s += self.step_s
        self.plans = self.tracker.plan(self.t_s)
        outputs = [answer(plan, hands, named) for plan in self.plans]
        return self.fuse(outputs)

    def fuse(self, outputs: list[NetworkOutput]) -> tuple[HandPose, ...]:
        seen = self.tracker.update(self.plans, outputs, self.t_s)
        if seen.exchanged:
            self.fusion.exchange_names()
            self.smoother.exchange_names()
        raw = self.fusion(seen.hands, self.t_s, CAMERA)
        self.smooth = self.smoother(raw, self.t_s, CAMERA)
        return raw

    def acquire(self, hands: dict[Side, NDArray[np.float64]], wrong: bool = False) -> None:
        other: dict[Side, Side] = {"right": "left", "left": "right"}
        boxes = [
            HandBox(other[side] if wrong else side, crop_around(project(joints, CAMERA)), 0.9)
            for side, joints in hands.items()
        ]
        self.tracker.acquire(boxes, self.t_s)


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
        poses = scene.fuse(outputs)
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
    for _ in range(math.ceil(SETTINGS.tracker.lose_after_s / scene.step_s)):
        scene.see(only)
    assert scene.tracker.sides == ("right",)
    assert_hands(scene.see(only), only)


@pytest.mark.parametrize(("wrist_mm", "shows"), [(260.0, True), (330.0, True), (375.0, False)])
def test_a_hand_of_which_only_fingers_are_in_the_picture_is_not_seen(wrist_mm: float, shows: bool) -> None:
    """Whole; without its wrist; and without its knuckles, fingertips still in it."""
    scene = Scene()
    scene.tracker.size_px = (640, 480)
    hand: dict[Side, NDArray[np.float64]] = {"right": open_hand("right", (0.0, wrist_mm, 600.0))}
    scene.acquire(hand)
    assert bool(scene.see(hand)) == shows
    assert project(hand["right"], CAMERA)[:, 1].min() < 450


def test_who_asks_for_one_hand_gets_one_also_where_its_crop_shows_both() -> None:
    hands = near(90.0)
    for most, expected in ((2, 2), (1, 1)):
        scene = Scene(most)
        box = crop_around(np.concatenate([project(joints, CAMERA) for joints in hands.values()]))
        scene.tracker.acquire([HandBox("right", box, 0.9)], 0.0)
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
    scene.tracker.acquire([HandBox("right", box, 0.9)], 0.0)
    scene.see({"right": APART["right"]})
    scene.tracker.acquire([HandBox("left", Crop((box.center_px[0] + 150, box.center_px[1]), 350.0), 0.5)], scene.t_s)
    for _ in range(8):
        poses = scene.see({"right": APART["right"]})
    assert_hands(poses, {"right": APART["right"]})


@pytest.mark.parametrize("wrist", WRISTS)
def test_wrist_rows(wrist: int) -> None:
    assert wrist % 21 == 20


def test_a_renaming_carries_depths_and_filters_along() -> None:
    """Both hands are called wrongly at first; they stand still at different depths, and so must what is shown."""
    scene = Scene()
    scene.acquire(APART, wrong=True)
    shown = [hand for _ in range(20) for hand in [scene.see(APART), scene.smooth][1]]
    assert {hand.side for hand in shown[-2:]} == {"right", "left"}
    assert scene.smooth[0].joints_cam_mm[20, 0] < 0 < scene.smooth[1].joints_cam_mm[20, 0]
    for hand in shown:
        true = APART["right" if hand.joints_cam_mm[20, 0] < 0 else "left"]
        np.testing.assert_allclose(hand.joints_cam_mm, true, atol=1.0)


@pytest.mark.parametrize("steps_s", [(1 / 30,), (0.001, 2 / 30 - 0.001)], ids=["even", "pairs"])
def test_hands_are_held_however_frames_are_delivered(steps_s: tuple[float, ...]) -> None:
    """A network camera's pictures are taken evenly and stamped as they arrive, two at once."""
    scene = Scene()
    scene.acquire(waving(0))
    for i in range(90):
        scene.step_s = steps_s[i % len(steps_s)]
        assert [pose.side for pose in scene.see(waving(i))] == ["right", "left"], i


def waving(i: int) -> dict[Side, NDArray[np.float64]]:
    """Two hands that each wave 200 mm up and down, twice a second, taken at 30 Hz."""
    up = 100 * np.sin(2 * np.pi * 2 * i / 30)
    return {"right": open_hand("right", (-160, 80 + up, 600)), "left": open_hand("left", (150, 90 - up, 520))}


@pytest.mark.parametrize("rate_hz", [15, 30, 60, 120])
def test_a_hand_is_lost_after_the_same_time_at_any_rate(rate_hz: int) -> None:
    scene = Scene(step_s=1 / rate_hz)
    scene.acquire(APART)
    for _ in range(rate_hz):
        scene.see(APART)
    gone_s = scene.t_s
    while scene.tracker.sides:
        scene.see({})
    assert scene.t_s - gone_s == pytest.approx(SETTINGS.tracker.lose_after_s, abs=1.01 / rate_hz)


@pytest.mark.parametrize("rate_hz", [15, 30, 60])
def test_names_turn_after_the_same_time_at_any_rate(rate_hz: int) -> None:
    """A hand that was known for a second and then looks like the other one keeps its name for half a second."""
    scene = Scene(step_s=1 / rate_hz)
    hands: dict[Side, NDArray[np.float64]] = {"right": APART["right"]}
    scene.acquire(hands)
    for _ in range(rate_hz):
        scene.see(hands)
    turned_s = scene.t_s
    while scene.see(hands, named={"right": "left"})[0].side == "right":
        assert scene.t_s < turned_s + 2
    assert scene.t_s - turned_s == pytest.approx(0.75, abs=0.2)


def test_hands_that_share_a_crop_keep_their_places_when_the_network_takes_one_for_the_other() -> None:
    scene = Scene()
    scene.acquire(APART)
    scene.see(APART)
    for gap in np.linspace(300, 65, 40):
        scene.see(near(gap))
    for _ in range(5):
        poses = scene.see(near(65), named={"right": "left", "left": "right"})
        assert len(scene.plans) == 1
        assert_hands(poses, near(65))


def test_one_hand_that_a_shared_crop_shows_in_both_channels_is_one_hand() -> None:
    """Where the left hand has gone, the network wavers whether the right one is right or left."""
    scene = Scene()
    scene.acquire(APART)
    scene.see(APART)
    for gap in np.linspace(300, 60, 40):
        scene.see(near(gap))
    scene.t_s += 1 / 30
    (plan,) = scene.plans = scene.tracker.plan(scene.t_s)
    one = answer(plan, {"right": near(60)["right"]})
    joints = one.joints_crop_px.copy()
    joints[HAND_SLICES["left"]] = joints[HAND_SLICES["right"]] + 2
    unsure = replace(one, joints_crop_px=joints, hand_probability=np.array([0.55, 0.6], np.float32))
    assert [pose.side for pose in scene.fuse([unsure])] == ["right"]


def test_a_hand_that_was_lost_is_called_as_before_whatever_the_detector_says() -> None:
    scene = Scene()
    scene.acquire(APART)
    for _ in range(10):
        scene.see(APART)
    only: dict[Side, NDArray[np.float64]] = {"right": APART["right"]}
    while "left" in scene.tracker.sides:
        scene.see(only)
    scene.tracker.acquire([HandBox("right", crop_around(project(APART["left"], CAMERA)), 0.99)], scene.t_s)
    assert_hands(scene.see(APART), APART)


def test_a_crop_that_has_lost_its_hand_goes_where_the_detector_finds_it() -> None:
    """It had drawn together to a fingertip; the hand around it is no second one."""
    scene = Scene()
    hand: dict[Side, NDArray[np.float64]] = {"right": APART["right"]}
    whole = crop_around(project(APART["right"], CAMERA))
    tip = Crop((whole.center_px[0], whole.center_px[1] + 40), whole.side_px / 4)
    scene.acquire(hand)
    scene.see(hand)
    state = scene.tracker.state
    scene.tracker.state = replace(state, tracks={"right": replace(state.tracks["right"], crop=tip, missed=3)})
    scene.acquire(hand)
    assert scene.tracker.sides == ("right",)
    assert_hands(scene.see(hand), hand)


def test_a_fast_hand_that_left_its_crop_is_found_again_under_its_name() -> None:
    """The detector finds it beside the crop, where it can have moved to: it is no second hand."""
    scene = Scene()
    for x in (-200.0, -200.0, 60.0):
        hand: dict[Side, NDArray[np.float64]] = {"right": open_hand("right", (x, 80, 700))}
        if not scene.tracker.sides:
            scene.acquire(hand)
        poses = scene.see(hand)
    assert poses == ()
    scene.acquire(hand)
    assert scene.tracker.sides == ("right",)
    assert_hands(scene.see(hand), hand)


def test_a_hand_that_is_not_seen_is_not_moved_onto_the_one_that_is() -> None:
    scene = Scene()
    hands = near(80)
    scene.acquire(hands)
    scene.see(hands)
    only: dict[Side, NDArray[np.float64]] = {"right": hands["right"]}
    for _ in range(2):
        scene.see(only)
    before = scene.tracker.state.tracks["left"].crop
    scene.acquire(only, wrong=True)
    assert scene.tracker.state.tracks["left"].crop == before


def test_a_lone_hand_is_not_called_by_the_name_of_one_that_was_lost_a_moment_ago() -> None:
    """Fingers around a cup look like the other hand's; that one was there the whole time."""
    scene = Scene()
    scene.acquire(APART)
    for _ in range(10):
        scene.see(APART)
    alike: dict[Side, Side] = {"right": "left"}
    for _ in range(30):  # the network takes the right hand for a left one, in its own crop only
        scene.t_s += scene.step_s
        scene.plans = scene.tracker.plan(scene.t_s)
        sides = [plan.sides[0] for plan in scene.plans]
        outputs = [
            answer(plan, {side: APART[side]}, alike if side == "right" else None)
            for plan, side in zip(scene.plans, sides, strict=True)
        ]
        assert [pose.side for pose in scene.fuse(outputs)] == ["right", "left"]
    for _ in range(math.ceil(SETTINGS.tracker.lose_after_s / scene.step_s) + 2):
        assert [pose.side for pose in scene.see({"right": APART["right"]}, named=alike)] == ["right"]
    assert scene.tracker.sides == ("right",)
    scene.acquire({"left": APART["left"]})  # found again, but nothing is seen there: it stays the one that was lost
    for _ in range(3):
        assert [pose.side for pose in scene.see({"right": APART["right"]}, named=alike)] == ["right"]


def test_another_persons_hand_does_not_take_the_place_of_a_lost_one() -> None:
    scene = Scene()
    hand: dict[Side, NDArray[np.float64]] = {"right": open_hand("right", (-500, 80, 1200))}
    scene.acquire(hand)
    for _ in range(10):
        scene.see(hand)
    while scene.tracker.sides:
        scene.see({})
    far: dict[Side, NDArray[np.float64]] = {"right": open_hand("right", (500, 80, 1200))}
    scene.acquire(far)
    assert scene.tracker.sides == ()
    scene.acquire(hand)
    assert_hands(scene.see(hand), hand)


def test_of_two_right_hands_the_one_that_was_first_is_kept() -> None:
    scene = Scene()
    own, other = open_hand("right", (-250, 80, 600)), open_hand("right", (350, 80, 700))
    scene.acquire({"right": own})
    for _ in range(10):
        scene.see({"right": own})
    seen = []
    for i in range(60):
        if i % 3 == 0 and len(scene.tracker.sides) < 2:  # the detector takes the stranger's hand for a left one
            scene.tracker.acquire([HandBox("left", crop_around(project(other, CAMERA)), 0.9)], scene.t_s)
        scene.t_s += scene.step_s
        scene.plans = scene.tracker.plan(scene.t_s)
        outputs = [answer(plan, {"right": own if plan.crop.center_px[0] < 320 else other}) for plan in scene.plans]
        poses = scene.fuse(outputs)
        np.testing.assert_allclose(poses[0].joints_cam_mm, own, atol=0.5)
        seen.append(len(poses))
    assert seen[0] == 2
    assert seen[15:] == [1] * 45


@pytest.mark.parametrize(("person", "index"), [("first", 0), ("largest", 1), ("nearest", 2)])
def test_who_is_followed_may_be_chosen(person: Person, index: int) -> None:
    boxes = [
        HandBox("right", Crop((100.0, 240.0), 100.0), 0.99, palm_px=40.0),
        HandBox("right", Crop((320.0, 240.0), 140.0), 0.9, palm_px=42.0),
        HandBox("right", Crop((540.0, 240.0), 110.0), 0.8, palm_px=60.0),
    ]
    tracker = HandTracker(SETTINGS.tracker.model_copy(update={"person": person}), INPUT_PX, most_hands=1)
    tracker.acquire(boxes, 0.0)
    assert [plan.crop for plan in tracker.plan(0.0)] == [boxes[index].crop]
