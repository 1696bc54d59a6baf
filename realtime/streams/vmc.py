"""VMC, the Virtual Motion Capture protocol: hand and finger bones for avatars (pure functions; any thread).

OSC over UDP (protocol.vmc.info); docs/streams.md says what is sent. Unity's humanoid bones, local to their parents,
in Unity's left-handed metres. A rotation of nothing is the avatar's T-pose: arms out, palms down, fingers parallel to
them, thumbs 45 degrees forward. So an avatar's bone points where the person's does, whatever hands they have.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import FINGER_BASES, JOINTS_PER_HAND, PARENTS, SIDES, WRIST, Side
from realtime.messages import HandPose
from realtime.rotations.quaternions import IDENTITY, from_matrices, inverse, times, turned
from realtime.rotations.rest_hand import mirrored_frames_for
from realtime.streams.message import StreamFrame
from realtime.streams.osc import bundle, osc_text

PORT: Final = 39539
"""Where those who show avatars listen."""
_BONES: Final = {
    WRIST: "Hand",
    **{
        base - k: f"{finger}{part}"
        for finger, base in zip(("Thumb", "Index", "Middle", "Ring", "Little"), FINGER_BASES, strict=True)
        for k, part in enumerate(("Proximal", "Intermediate", "Distal"))
    },
}
"""Unity's `HumanBodyBones` of our joints, parents first, without Left and Right."""
_JOINTS: Final = np.array(list(_BONES))
_PARENTS: Final = np.array([PARENTS[joint] for joint in _BONES])
_FOREARM_M: Final = 0.25
"""From an avatar's elbow to its hand; nobody sees the elbow here."""
_UNITY_FROM_CAMERA: Final = -1e-3
"""A person before the camera as an avatar that looks along +z: every axis turns round, which mirrors; mm to m."""
_T_POSE: Final[dict[Side, NDArray[np.float64]]] = {
    "right": np.array([[0.0, 0.0, 1.0], [0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]),
    "left": np.array([[0.0, 0.0, -1.0], [0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]]),
}
"""camera_from_wrist of a person in T-pose before the camera: fingers out to the side, back of the hand up."""
_T_THUMB: Final = np.array([[0.0, -1.0, 1.0], [np.sqrt(2.0), 0.0, 0.0], [0.0, 1.0, 1.0]]) / np.sqrt(2.0)
"""wrist_from_joint of a right thumb in T-pose: level, 45 degrees forward, its nail forward and inward."""


def _t_turns(side: Side) -> NDArray[np.float64]:
    """(21, 4) camera_from_joint of the T-pose that VRM demands (VRMC_vrm-1.0, tpose.md; 0.x has the same, like Unity).

    Four fingers are parallel to the arm, nails up.
    """
    frames = np.tile(np.eye(3), (JOINTS_PER_HAND, 1, 1))
    frames[: FINGER_BASES[0] + 1] = _T_THUMB
    return from_matrices(_T_POSE[side] @ mirrored_frames_for(side, frames))


_T_TURNS: Final = {side: _t_turns(side) for side in SIDES}


class VmcPackets:
    """The packets of successive frames, whose times count from the first one.

    They have single precision: a machine's clock that has run for a month would step by a quarter of a second.
    """

    def __init__(self) -> None:
        self._began_s: float | None = None

    def __call__(self, frame: StreamFrame) -> list[bytes]:
        """Those of one frame."""
        if self._began_s is None:
            self._began_s = frame.hands.t_capture_s
        return packets(frame, self._began_s)


def packets(frame: StreamFrame, began_s: float = 0.0) -> list[bytes]:
    """A bundle that says that the program is alive and where the wrists are, and one for each hand's bones."""
    hands = [hand for hand in frame.hands.hands if np.isfinite(hand.joint_rotations).all()]
    time_s = struct.pack(">f", frame.hands.t_capture_s - began_s)
    alive = [_message("/VMC/Ext/OK", ",i", struct.pack(">i", 1)), _message("/VMC/Ext/T", ",f", time_s)]
    return [bundle([*alive, *map(_tracker, hands)]), *(bundle(_bones(hand)) for hand in hands)]


def local_bones(hand: HandPose) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(16, 3) metres and (16, 4) x, y, z, w of the bones, each in its parent's frame; the hand's is the forearm's.

    Seen from the T-pose all axes of camera and avatar are opposite; that leaves a rotation's numbers as they are.
    """
    world = times(hand.joint_rotations, inverse(_T_TURNS[hand.side]))
    parents = world[_PARENTS]
    parents[0] = IDENTITY  # the forearm, which is not seen, stays as it is in the T-pose
    joints = hand.joints_cam_mm.astype(np.float64)
    bones = turned(inverse(parents), (joints[_JOINTS] - joints[_PARENTS]) * _UNITY_FROM_CAMERA)
    bones[0] = _FOREARM_M if hand.side == "right" else -_FOREARM_M, 0.0, 0.0
    return bones, times(inverse(parents), world[_JOINTS])


def _bones(hand: HandPose) -> list[bytes]:
    side = hand.side.capitalize()
    places, turns = local_bones(hand)
    numbers = np.concatenate([places, turns], axis=1)
    bones = zip(_BONES.values(), numbers, strict=True)
    return [_named("/VMC/Ext/Bone/Pos", f"{side}{bone}", row) for bone, row in bones]


def _tracker(hand: HandPose) -> bytes:
    """The wrist in space, for a receiver that moves the arm after it."""
    wrist = hand.joints_cam_mm[WRIST].astype(np.float64) * _UNITY_FROM_CAMERA
    turn = times(hand.joint_rotations[WRIST], inverse(_T_TURNS[hand.side][WRIST]))
    return _named("/VMC/Ext/Tra/Pos", f"{hand.side.capitalize()}Hand", np.concatenate([wrist, turn]))


def _named(address: str, name: str, numbers: NDArray[np.float64]) -> bytes:
    return _message(address, ",sfffffff", osc_text(name) + numbers.astype(">f4").tobytes())


def _message(address: str, kinds: str, arguments: bytes) -> bytes:
    return osc_text(address) + osc_text(kinds) + arguments
