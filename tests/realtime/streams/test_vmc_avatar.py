"""VMC on a VRM avatar that @pixiv/three-vrm loads and moves: its fingers lie as the person's do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from engines.skeleton import FINGER_BASES, SIDES
from tests.support.other_node import run_node
from tests.support.vmc_hands import bones_of, with_joints
from tests.support.vrm_avatar import FINGERS, PARTS, write_vrm
from training.synth.hand.model import HandState, Placement
from training.synth.hand.poses import GESTURES
from training.synth.hand.shape import neutral_shape

MOVED_BY_THREE_VRM = """
import { readFileSync } from "fs";
import { Vector3 } from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
import { VRMLoaderPlugin } from "@pixiv/three-vrm";
globalThis.self = globalThis;
const loader = new GLTFLoader().register((parser) => new VRMLoaderPlugin(parser));
const file = new Uint8Array(readFileSync(process.argv[1]));
const { vrm } = (await loader.parseAsync(file.buffer, "")).userData;
const vrmName = (name) => name.replace("ThumbProximal", "ThumbMetacarpal").replace("ThumbIntermediate", "ThumbProximal")
  .replace(/^./, (letter) => letter.toLowerCase());
const moved = JSON.parse(readFileSync(process.argv[2])).map((bones) => {
  // From Unity's left-handed axes, as UniVRM has them of VRM 1.0: x is turned round.
  for (const [name, [, , , x, y, z, w]] of Object.entries(bones))
    vrm.humanoid.getNormalizedBoneNode(vrmName(name)).quaternion.set(x, -y, -z, w);
  vrm.update(0);
  vrm.scene.updateMatrixWorld(true);
  const places = {};
  vrm.scene.traverse((node) => { places[node.name] = node.getWorldPosition(new Vector3()).toArray(); });
  return places;
});
console.log(JSON.stringify(moved));
"""


def test_three_vrm_bends_an_avatars_fingers_as_ours(tmp_path: Path) -> None:
    write_vrm(tmp_path / "avatar.vrm")
    hands, bones = [], []
    for seed, gesture in enumerate(("relaxed", "fist", "spread", "pinch")):
        for side in SIDES:
            place = Placement(np.array([0.0, 0.0, 500.0]), Rotation.random(random_state=seed).as_matrix())
            frame = with_joints(side, HandState(side, GESTURES[gesture], place).skeleton(neutral_shape()).joints_mm)
            hands.append(frame.hands[0])
            bones.append(bones_of(frame))
    (tmp_path / "bones.json").write_text(json.dumps(bones))
    words = str(tmp_path / "avatar.vrm"), str(tmp_path / "bones.json")
    moved = run_node(MOVED_BY_THREE_VRM, ("three", "@pixiv/three-vrm"), *words)
    for hand, places in zip(hands, moved, strict=True):
        joints = hand.joints_cam_mm.astype(np.float64)
        for finger, base in zip(FINGERS, FINGER_BASES, strict=True):
            names = [f"{hand.side}{finger}{part}" for part in (*PARTS[finger], "End")]
            avatars = np.diff([places[name] for name in names], axis=0)
            ours = np.diff(joints[[base - k for k in range(4)]], axis=0) * [1, -1, -1]  # y up, z to the viewer
            for one, other in zip(avatars, ours, strict=True):
                np.testing.assert_allclose(one / np.linalg.norm(one), other / np.linalg.norm(other), atol=1e-5)
