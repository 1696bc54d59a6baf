"""Properties of the One-Euro filter and of smoothed hands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics, backproject, project
from engines.skeleton import WRIST, Side
from realtime.camera_space.one_euro import FilterState, one_euro
from realtime.camera_space.smoothing import HandSmoother
from realtime.config import OneEuroSettings
from realtime.layers import load_settings
from realtime.messages import HandPose

INTRINSICS = Intrinsics(554.3, 554.3, 319.5, 239.5)
SETTINGS = load_settings().smoothing

cutoffs = st.floats(0.1, 20)
betas = st.floats(0, 0.5)
steps = st.lists(st.floats(1e-3, 0.2), min_size=2, max_size=30)


class Filter:
    """One signal through `one_euro`."""

    def __init__(self, min_cutoff_hz: float = 1.0, beta: float = 0.0) -> None:
        self.settings = OneEuroSettings(min_cutoff_hz=min_cutoff_hz, beta=beta)
        self.state: FilterState | None = None

    def __call__(self, value: NDArray, t_s: float, mm_per_unit: float = 1.0) -> NDArray[np.float64]:
        self.state = one_euro(self.state, value, t_s, self.settings, 1.0, mm_per_unit)
        return self.state.value


def times(step_s: list[float]) -> list[float]:
    return [0.0, *np.cumsum(step_s).tolist()]


@given(cutoff=cutoffs, beta=betas, step_s=steps, value=st.floats(-1e4, 1e4))
def test_constant_stays_as_it_is(cutoff: float, beta: float, step_s: list[float], value: float) -> None:
    smooth = Filter(cutoff, beta)
    for t_s in times(step_s):
        np.testing.assert_array_equal(smooth(np.full((3, 2), value), t_s), value)


@given(cutoff=cutoffs, beta=betas, step_s=steps)
def test_step_is_approached_from_one_side(cutoff: float, beta: float, step_s: list[float]) -> None:
    smooth = Filter(cutoff, beta)
    smooth(np.zeros(1), -0.01)
    outputs = [float(smooth(np.ones(1), t_s)[0]) for t_s in times(step_s)]
    assert all(0 < a <= b <= 1 for a, b in zip([1e-9, *outputs], outputs, strict=False))
    assert float(smooth(np.ones(1), times(step_s)[-1] + 100.0)[0]) == pytest.approx(1.0, abs=1e-6)


@given(cutoff=cutoffs, step_s=steps)
def test_held_signal_does_not_depend_on_the_sampling(cutoff: float, step_s: list[float]) -> None:
    """With a fixed cutoff, what follows a step depends on the time since then, not on the samples between."""
    often, once = Filter(cutoff), Filter(cutoff)
    often(np.zeros(2), -0.01)
    once(np.zeros(2), -0.01)
    seen = [often(np.ones(2), t_s) for t_s in times(step_s)]
    once(np.ones(2), 0.0)
    np.testing.assert_allclose(seen[-1], once(np.ones(2), times(step_s)[-1]), atol=1e-9)


def test_moving_signal_hardly_depends_on_the_sampling() -> None:
    def wave(t_s: NDArray) -> NDArray:
        return 100 * np.sin(2 * np.pi * 0.7 * t_s)

    def smoothed(rate_hz: int) -> NDArray:
        smooth = Filter(1.2, 0.02)
        t_s = np.arange(0, 3, 1 / rate_hz)
        out = np.array([smooth(wave(t)[None], float(t))[0] for t in t_s])
        return out[:: rate_hz // 30]

    np.testing.assert_allclose(smoothed(60), smoothed(240), atol=6)


@given(speed=st.floats(1, 3000), cutoff=st.floats(0.5, 5), beta=st.floats(0, 0.1), rate_hz=st.floats(15, 120))
def test_lag_at_constant_speed_is_bounded(speed: float, cutoff: float, beta: float, rate_hz: float) -> None:
    smooth = Filter(cutoff, beta)
    t_s = np.arange(0, 5, 1 / rate_hz)
    lag = [speed * t - float(smooth(np.array([speed * t]), float(t))[0]) for t in t_s]
    # The speed's own low-pass has settled to 1e-13 by then.
    assert 0 <= lag[-1] <= speed / (2 * np.pi * (cutoff + beta * speed)) * (1 + 1e-6)


def test_what_begins_in_motion_does_not_trail() -> None:
    """Its speed is what the first two frames say: it is no still hand that starts to move."""
    speed_mm_s, beta = 900.0, SETTINGS.image.beta
    smooth = Filter(SETTINGS.image.min_cutoff_hz, beta)
    lags = [k / 30 * speed_mm_s - float(smooth(np.array([k / 30 * speed_mm_s]), k / 30)[0]) for k in range(9)]
    assert max(lags) < 1 / (2 * np.pi * beta)


def test_points_have_their_own_speed_whatever_its_direction() -> None:
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    rng = np.random.default_rng(0)
    straight, turned, alone = (Filter(1.0, 0.05) for _ in range(3))
    for i in range(20):
        points = rng.normal(0, 10, (5, 2)) * np.arange(5)[:, None]
        out = straight(points, i / 30)
        np.testing.assert_allclose(turned(points @ turn.T, i / 30), out @ turn.T, atol=1e-9)
        np.testing.assert_allclose(alone(points[3:4], i / 30), out[3:4], atol=1e-12)


def test_speed_is_judged_in_millimetres() -> None:
    in_px, in_mm = Filter(1.0, 0.05), Filter(1.0, 0.05)
    for i in range(10):
        value_px = np.array([3.0 * i, -(i**2)])
        out_mm = in_mm(value_px * 1.7, i / 30)
        np.testing.assert_allclose(in_px(value_px, i / 30, mm_per_unit=1.7) * 1.7, out_mm, atol=1e-9)


def test_time_that_does_not_advance_changes_nothing() -> None:
    smooth = Filter()
    smooth(np.zeros(1), 0.0)
    out = smooth(np.ones(1), 0.1)
    for t_s in (0.1, 0.05):
        np.testing.assert_array_equal(smooth(np.full(1, 7.0), t_s), out)


def make_hand(joints_cam_mm: NDArray, side: Side = "right") -> HandPose:
    return HandPose(
        side=side,
        joints_cam_mm=joints_cam_mm.astype(np.float32),
        joints_px=project(joints_cam_mm, INTRINSICS).astype(np.float32),
        confidence=np.ones(21, np.float32),
        hand_probability=0.9,
        root_depth_from="rootnet",
    )


REST = np.random.default_rng(1).normal(0, 40, (21, 3)) + [50, -30, 600]


def noisy_hand(rng: np.random.Generator, joints_cam_mm: NDArray = REST) -> HandPose:
    """Give a hand the noise of a network: 1.5 px, 4 mm of relative depth, 2 % of the distance."""
    joints_px = project(joints_cam_mm, INTRINSICS) + rng.normal(0, 1.5, (21, 2))
    wrist_mm = joints_cam_mm[WRIST, 2]
    depth_mm = joints_cam_mm[:, 2] + rng.normal(0, 4, 21) + rng.normal(0, 0.02 * wrist_mm)
    return make_hand(backproject(joints_px, depth_mm, INTRINSICS))


def test_still_hand_jitters_less_and_is_not_biased() -> None:
    rng = np.random.default_rng(0)
    smoother = HandSmoother(SETTINGS)
    raw = [noisy_hand(rng) for _ in range(300)]
    out = [smoother((hand,), i / 30, INTRINSICS)[0] for i, hand in enumerate(raw)]

    def jitter(hands: list[HandPose]) -> NDArray:
        joints = np.array([h.joints_cam_mm for h in hands[60:]], np.float64)
        return np.diff(joints, axis=0).std(axis=(0, 1))

    assert (jitter(out) < 0.25 * jitter(raw)).all()
    mean = np.mean([h.joints_cam_mm for h in out[60:]], axis=0)
    np.testing.assert_allclose(mean, REST, atol=5)


def test_moving_hand_keeps_up() -> None:
    """A hand that crosses the picture at 800 mm/s stays within 8 mm of where it is, one that waves within 15."""
    smoother = HandSmoother(SETTINGS)
    for i in range(40):
        joints = REST + [800 * i / 30 - 500, 0, 0]
        out = smoother((make_hand(joints),), i / 30, INTRINSICS)[0]
    assert np.abs(out.joints_cam_mm - joints).max() < 8


def test_depth_noise_does_not_move_the_hand_in_the_picture() -> None:
    rng = np.random.default_rng(0)
    smoother = HandSmoother(SETTINGS)
    still_px = project(REST, INTRINSICS)
    for i in range(30):
        depth_mm = REST[:, 2] + rng.normal(0, 30)
        hand = make_hand(backproject(still_px, depth_mm, INTRINSICS))
        out = smoother((hand,), i / 30, INTRINSICS)[0]
        np.testing.assert_allclose(out.joints_px, still_px, atol=1e-3)


def test_millimetres_and_pixels_agree() -> None:
    rng = np.random.default_rng(0)
    smoother = HandSmoother(SETTINGS)
    for i in range(20):
        out = smoother((noisy_hand(rng, REST + [5.0 * i, 0, -4.0 * i]),), i / 30, INTRINSICS)[0]
        np.testing.assert_allclose(project(out.joints_cam_mm, INTRINSICS), out.joints_px, atol=1e-2)


def far(hand: HandPose) -> HandPose:
    return make_hand(hand.joints_cam_mm.astype(np.float64) + [0, 0, 300], hand.side)


@pytest.mark.parametrize("case", ["a gap in time", "time turns back", "elsewhere", "reset"])
def test_hand_that_comes_back_late_or_elsewhere_starts_afresh(case: str) -> None:
    smoother = HandSmoother(SETTINGS)
    hand, back = make_hand(REST), far(make_hand(REST))
    t_s = 1.0
    for _ in range(5):
        t_s += 1 / 30
        smoother((hand,), t_s, INTRINSICS)
    if case == "elsewhere":
        t_s += 1 / 30
        back = make_hand(REST + [400, 0, 0])
        assert smoother((), t_s, INTRINSICS) == ()
    elif case == "reset":
        smoother.reset()
    t_s += {"a gap in time": 0.45, "time turns back": -1.0}.get(case, 1 / 30)
    out = smoother((back,), t_s, INTRINSICS)[0]
    np.testing.assert_allclose(out.joints_cam_mm, back.joints_cam_mm, rtol=1e-5)


def test_a_missed_frame_does_not_shake_a_moving_hand() -> None:
    """Seen in every frame or not seen in one of them, its error stays what it was."""
    rng = np.random.default_rng(2)
    errors = []
    for _ in range(40):
        smoother = HandSmoother(SETTINGS)
        for i in range(41):
            hand = noisy_hand(rng, REST + [300 * i / 30 - 200, 0, 0])
            out = smoother(() if i == 39 else (hand,), i / 30, INTRINSICS)
            if i in (38, 40):
                errors.append(out[0].joints_cam_mm - (REST + [300 * i / 30 - 200, 0, 0]))
    before, after = np.array(errors[::2]), np.array(errors[1::2])
    assert np.abs(after).mean() < 1.35 * np.abs(before).mean()


@pytest.mark.parametrize("missed", [4, 6, 8])
def test_a_hand_taken_up_again_glides_to_where_it_is(missed: int) -> None:
    """Its distance was judged otherwise before: it goes there without a jump, within half a second."""
    smoother = HandSmoother(SETTINGS)
    now = make_hand(REST + [20, 0, 60])
    for i in range(20):
        smoother((make_hand(REST),), i / 30, INTRINSICS)
    for i in range(20, 20 + missed):
        assert smoother((), i / 30, INTRINSICS) == ()
    wrist = [REST[WRIST]]
    for i in range(20 + missed, 35 + missed):
        wrist.append(smoother((now,), i / 30, INTRINSICS)[0].joints_cam_mm[WRIST])
    steps = np.linalg.norm(np.diff(wrist, axis=0), axis=1)
    assert steps.max() < 30
    np.testing.assert_allclose(wrist[-1], now.joints_cam_mm[WRIST], atol=8)


def test_pairs_of_frames_are_no_fast_motion() -> None:
    """A network camera gives two pictures with stamps a millisecond apart: noise is no speed."""
    rng = np.random.default_rng(3)
    calm = {}
    for name, steps_s in (("even", [1 / 30] * 2), ("pairs", [0.001, 2 / 30 - 0.001])):
        smoother, t_s, wrists = HandSmoother(SETTINGS), 0.0, []
        for i in range(300):
            t_s += steps_s[i % 2]
            wrists.append(smoother((noisy_hand(rng),), t_s, INTRINSICS)[0].joints_cam_mm[WRIST])
        calm[name] = np.std(wrists[60:], axis=0).mean()
    assert calm["pairs"] < 1.5 * calm["even"]


def test_hands_do_not_influence_each_other() -> None:
    rng = np.random.default_rng(0)
    both, one = HandSmoother(SETTINGS), HandSmoother(SETTINGS)
    for i in range(10):
        right, left = noisy_hand(rng), make_hand(REST + [-200.0 + 30 * i, 0, 0], "left")
        pair = both((left, right) if i % 2 else (right, left), i / 30, INTRINSICS)
        single = one((right,), i / 30, INTRINSICS)[0]
        seen = next(h for h in pair if h.side == "right")
        np.testing.assert_array_equal(seen.joints_cam_mm, single.joints_cam_mm)
        assert (seen.hand_probability, seen.root_depth_from) == (0.9, "rootnet")
