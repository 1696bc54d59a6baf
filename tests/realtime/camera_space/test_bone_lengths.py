"""Bones of constant length, frame by frame: what is measured too flat bends back, pixels stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engines.geometry.pinhole import backproject, project
from engines.skeleton import WRIST
from realtime.batch.run import batch_settings
from realtime.camera_space.bone_lengths import bone_lengths, hand_length, usual_lengths, with_lengths
from realtime.layers import load_settings
from tests.support.hand_frames import INTRINSICS, pose


def test_usual_bones_have_the_hands_length() -> None:
    assert hand_length(usual_lengths(190.0)) == pytest.approx(190.0)
    assert usual_lengths(190.0)[-1] > usual_lengths(150.0)[-1] > 0


def test_depths_with_noise_come_nearer_to_the_truth_on_the_same_rays() -> None:
    """Test hands have the usual bones; 12 mm of noise in depth, as the network has it."""
    rng = np.random.default_rng(3)
    lengths = usual_lengths(178.0)
    before, after, bones = [], [], []
    for i in range(40):
        hand = pose("right" if i % 2 else "left", (10.0, 40.0, 480.0))
        noise = rng.normal(0, 12, 21)
        noisy = backproject(hand.joints_px.astype(float), hand.joints_cam_mm[:, 2] + noise, INTRINSICS)
        seen = replace(hand, joints_cam_mm=noisy.astype(np.float32))
        (kept,) = with_lengths([seen], lengths, INTRINSICS)
        np.testing.assert_allclose(project(kept.joints_cam_mm, INTRINSICS), hand.joints_px, atol=0.01)
        for one, errors in ((seen, before), (kept, after)):
            off = (one.joints_cam_mm - one.joints_cam_mm[WRIST]) - (hand.joints_cam_mm - hand.joints_cam_mm[WRIST])
            errors.append(np.linalg.norm(off, axis=1).mean())
        bones.append([np.abs(bone_lengths(one.joints_cam_mm) - lengths).mean() for one in (seen, kept)])
    assert np.mean(after) < 0.92 * np.mean(before)
    assert np.mean(bones, axis=0)[1] < 0.5 * np.mean(bones, axis=0)[0]
    assert with_lengths([], lengths, INTRINSICS) == ()


def test_it_is_left_to_the_offline_smoothing_where_that_follows() -> None:
    settings = load_settings()
    assert settings.fusion.keep_bones
    assert batch_settings(settings, smooth=False).fusion.keep_bones
    assert not batch_settings(settings, smooth=True).fusion.keep_bones
