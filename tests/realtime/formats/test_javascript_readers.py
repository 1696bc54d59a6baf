"""What JavaScript's packages read in this program's files: Foxglove's, three.js, glTF's validator."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engines.skeleton import JOINT_NAMES, SIDES, WRIST_FIRST
from realtime.formats.saving import save_as
from realtime.tracks.schema import Tracks
from tests.support.other_node import run_node
from tests.support.track_files import tracks_of

PRESENT = ["rl", "", "r", "rl", "l", "rl"]

READ_BY_FOXGLOVE = """
import { McapIndexedReader } from "@mcap/core";
import { loadDecompressHandlers } from "@mcap/support";
import { FileHandleReadable } from "@mcap/nodejs";
import { parse } from "@foxglove/rosmsg";
import { MessageReader } from "@foxglove/rosmsg2-serialization";
import { open } from "fs/promises";
const readable = new FileHandleReadable(await open(process.argv[1]));
const mcap = await McapIndexedReader.Initialize({ readable, decompressHandlers: await loadDecompressHandlers() });
const read = {};
for await (const message of mcap.readMessages()) {
  const { topic, schemaId } = mcap.channelsById.get(message.channelId);
  const schema = new TextDecoder().decode(mcap.schemasById.get(schemaId).data);
  (read[topic] ??= []).push(new MessageReader(parse(schema, { ros2: true })).readMessage(message.data));
}
console.log(JSON.stringify(read));
"""
FOXGLOVE = ("@mcap/core", "@mcap/support", "@mcap/nodejs", "@foxglove/rosmsg", "@foxglove/rosmsg2-serialization")

READ_BY_THREE = """
import { readFileSync } from "fs";
import { AnimationMixer, LoopOnce, Vector3 } from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
import validator from "gltf-validator";
globalThis.self = globalThis;
const bytes = new Uint8Array(readFileSync(process.argv[1]));
const { issues } = await validator.validateBytes(bytes);
const [names, times] = [process.argv[2], process.argv[3]].map(JSON.parse);
const { scene, animations } = await new GLTFLoader().parseAsync(bytes.buffer, "");
const mixer = new AnimationMixer(scene);
const action = mixer.clipAction(animations[0]);
action.setLoop(LoopOnce);
action.clampWhenFinished = true;
action.play();
const places = times.map((time) => {
  mixer.setTime(Math.fround(time) + 1e-7);
  scene.updateMatrixWorld(true);
  return names.map((name) => scene.getObjectByName(name).getWorldPosition(new Vector3()).toArray());
});
console.log(JSON.stringify({ issues, places }));
"""


@pytest.fixture(scope="module")
def tracks() -> Tracks:
    return tracks_of(PRESENT)


def test_foxgloves_packages_read_the_mcap(tracks: Tracks, tmp_path: Path) -> None:
    save_as(tracks, tmp_path / "t.mcap")
    read = run_node(READ_BY_FOXGLOVE, FOXGLOVE, str(tmp_path / "t.mcap"))
    for h, side in enumerate(SIDES):
        rows = [21 * h + joint for joint in WRIST_FIRST]
        for i, message in enumerate(read[f"/hands/{side}/joints"]):
            stamp = message["header"]["stamp"]
            assert stamp["sec"] + 1e-9 * stamp["nanosec"] == pytest.approx(tracks.t_s[i], abs=1e-6)
            poses = message["poses"]
            if not tracks.root_depth_from[i, h]:
                assert poses == []
                continue
            places = [[pose["position"][axis] for axis in "xyz"] for pose in poses]
            turns = [[pose["orientation"][axis] for axis in "xyzw"] for pose in poses]
            np.testing.assert_allclose(np.array(places) * 1000, tracks.joints_cam_mm[i, rows], atol=1e-4)
            np.testing.assert_allclose(turns, tracks.joint_rotations[i, rows], atol=1e-6)
    assert len(read["/tf"]) == len(read["/camera_info"]) == len(PRESENT)
    assert read["/camera_info"][0]["k"]["0"] == pytest.approx(tracks.intrinsics_px[0])


def test_three_js_moves_the_glb_and_its_validator_finds_nothing(tracks: Tracks, tmp_path: Path) -> None:
    save_as(tracks, tmp_path / "t.glb")
    names = [f"{side}_{joint}" for side in SIDES for joint in JOINT_NAMES]
    times_s = (tracks.t_s - tracks.t_s[0]).tolist()
    words = str(tmp_path / "t.glb"), json.dumps(names), json.dumps(times_s)
    read = run_node(READ_BY_THREE, ("three", "gltf-validator"), *words)
    assert read["issues"]["messages"] == []
    there = np.isfinite(tracks.joints_cam_mm[..., 0])
    found = np.array(read["places"]) * [1000, -1000, -1000]
    np.testing.assert_allclose(found[there], tracks.joints_cam_mm[there], atol=2e-3)
