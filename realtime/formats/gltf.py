"""glTF and GLB: both hands as skinned, animated skeletons, in metres, y up. The only home of pygltflib (any thread).

Every joint's place is animated as well as its rotation, so the joints lie where they were tracked. A hand that is away
has the scale 0, which viewers do not draw.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pygltflib as gl
from numpy.typing import NDArray

from engines.skeleton import BONES, JOINT_NAMES, JOINTS_PER_HAND, PARENTS, SIDE_RGB, SIDES, WRIST, WRIST_FIRST
from realtime.formats.rig import HandMotion, hand_motion, local_places, posed
from realtime.tracks.schema import Tracks

M_PER_MM: Final = 1e-3
_GIRTH: Final = 0.12
"""Half the width of a bone's octahedron, as a share of its length."""
_OCTAHEDRON: Final = np.array([(a, b, end) for end in (0, 1) for a, b in ((1, 2), (2, 3), (3, 4), (4, 1))])


def write(tracks: Tracks, path: Path) -> None:
    """Write one binary file (.glb), or one of text with the data inside (.gltf). Raises OSError."""
    document = gl.GLTF2(
        asset=gl.Asset(generator="two-hands-live"),
        scene=0,
        scenes=[gl.Scene(nodes=[0])],
        nodes=[gl.Node(name="two_hands", children=[])],
        animations=[gl.Animation(name="tracks")],
    )
    data = _Data(document)
    times = data.add(tracks.t_s - tracks.t_s[0] if len(tracks) else tracks.t_s, gl.SCALAR, limits=True)
    for side in SIDES:
        motion = hand_motion(tracks, side)
        joints = _add_skeleton(document, motion)
        _add_skin(data, motion, joints)
        if len(tracks):
            _animate(data, motion, joints, times)
    data.finish()
    if path.suffix.lower() == ".glb":
        document.save_binary(path)
        return
    document.convert_buffers(gl.BufferFormat.DATAURI)
    document.save_json(path)


class _Data:
    """Collects arrays into the one buffer of a document."""

    def __init__(self, document: gl.GLTF2) -> None:
        self.document = document
        self._blob = bytearray()

    def add(self, values: NDArray, kind: str, target: int | None = None, limits: bool = False) -> int:
        """Append (N, ...) as float32, or as uint16 where it holds integers; the accessor's number."""
        whole = values.dtype.kind in "iu"
        array = np.ascontiguousarray(values, np.uint16 if whole else np.float32)
        view = gl.BufferView(buffer=0, byteOffset=len(self._blob), byteLength=array.nbytes, target=target)
        self._blob += array.tobytes() + bytes(-array.nbytes % 4)
        accessor = gl.Accessor(
            bufferView=len(self.document.bufferViews),
            componentType=gl.UNSIGNED_SHORT if whole else gl.FLOAT,
            count=len(array),
            type=kind,
        )
        if limits and len(array):
            flat = array.reshape(len(array), -1)
            accessor.min, accessor.max = flat.min(axis=0).tolist(), flat.max(axis=0).tolist()
        self.document.bufferViews.append(view)
        self.document.accessors.append(accessor)
        return len(self.document.accessors) - 1

    def finish(self) -> None:
        """Attach the buffer."""
        self.document.buffers = [gl.Buffer(byteLength=len(self._blob))]
        self.document.set_binary_blob(bytes(self._blob))


def _add_skeleton(document: gl.GLTF2, motion: HandMotion) -> list[int]:
    """A node for the hand and one for each joint in the rest pose; the numbers of the 21 joints' nodes."""
    nodes = document.nodes
    document.nodes[0].children.append(len(nodes))
    first = len(nodes) + 1
    joints = [first + WRIST_FIRST.index(joint) for joint in range(JOINTS_PER_HAND)]
    nodes.append(gl.Node(name=f"{motion.side}_hand", children=[joints[WRIST]]))
    rest = _rest_places_m(motion)
    for joint in WRIST_FIRST:
        parent = PARENTS[joint]
        place = rest[joint] - (rest[parent] if joint != WRIST else 0.0)
        children = [joints[child] for child, its_parent in BONES if its_parent == joint]
        name = f"{motion.side}_{JOINT_NAMES[joint]}"
        nodes.append(gl.Node(name=name, translation=place.tolist(), rotation=[0, 0, 0, 1], children=children))
    return joints


def _rest_places_m(motion: HandMotion) -> NDArray[np.float64]:
    """(21, 3) joints of the rest pose, where the hand mostly is."""
    wrist = np.median(motion.wrist_mm, axis=0) if len(motion.wrist_mm) else np.zeros(3)
    return (wrist + posed(motion.rest_mm)) * M_PER_MM


def _add_skin(data: _Data, motion: HandMotion, joints: list[int]) -> None:
    """An octahedron for each bone, which its parent joint carries."""
    document = data.document
    rest = _rest_places_m(motion)
    binding = np.tile(np.eye(4), (JOINTS_PER_HAND, 1, 1))
    binding[:, 3, :3] = -rest  # column-major, as the format asks
    document.skins.append(
        gl.Skin(inverseBindMatrices=data.add(binding.reshape(-1, 16), gl.MAT4), joints=joints, skeleton=joints[WRIST])
    )
    vertices, normals = _bones_mesh(rest)
    carrier = np.zeros((len(vertices), 4), np.uint16)
    carrier[:, 0] = np.repeat([parent for _, parent in BONES], len(vertices) // len(BONES))
    weights = np.zeros((len(vertices), 4))
    weights[:, 0] = 1.0
    attributes = gl.Attributes(
        POSITION=data.add(vertices, gl.VEC3, gl.ARRAY_BUFFER, limits=True),
        NORMAL=data.add(normals, gl.VEC3, gl.ARRAY_BUFFER),
        JOINTS_0=data.add(carrier, gl.VEC4, gl.ARRAY_BUFFER),
        WEIGHTS_0=data.add(weights, gl.VEC4, gl.ARRAY_BUFFER),
    )
    colour = [*SIDE_RGB[motion.side], 1.0]
    surface = gl.PbrMetallicRoughness(baseColorFactor=colour, metallicFactor=0.0, roughnessFactor=0.7)
    document.materials.append(gl.Material(name=motion.side, pbrMetallicRoughness=surface, doubleSided=True))
    mesh = gl.Primitive(attributes=attributes, material=len(document.materials) - 1)
    document.meshes.append(gl.Mesh(name=f"{motion.side}_hand", primitives=[mesh]))
    document.scenes[0].nodes.append(len(document.nodes))  # joints alone move it, so the format wants it at the top
    number = len(document.meshes) - 1
    document.nodes.append(gl.Node(name=f"{motion.side}_mesh", mesh=number, skin=len(document.skins) - 1))


def _bones_mesh(rest: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Vertices and flat normals (20 * 24, 3) of the bones' octahedra in the rest pose."""
    triangles = []
    for child, parent in BONES:
        bone = rest[child] - rest[parent]
        side = np.cross(bone, (0.0, 0.0, 1.0)) * _GIRTH
        out = np.array([0.0, 0.0, np.linalg.norm(bone) * _GIRTH])
        middle = rest[parent] + 0.2 * bone
        corners = np.array([rest[parent], middle + side, middle + out, middle - side, middle - out, rest[child]])
        for a, b, end in _OCTAHEDRON:
            face = corners[[a, b, 5 if end else 0]]
            outward = np.cross(face[1] - face[0], face[2] - face[0]) @ (face.mean(axis=0) - middle) > 0
            triangles.append(face if outward else face[[1, 0, 2]])
    faces = np.array(triangles)  # (160, 3, 3)
    normals = np.cross(faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return faces.reshape(-1, 3), np.repeat(normals, 3, axis=0)


def _animate(data: _Data, motion: HandMotion, joints: list[int], times: int) -> None:
    places = local_places(motion) * M_PER_MM
    turns = motion.rotations.as_quat().reshape(-1, JOINTS_PER_HAND, 4)
    # q and -q turn alike; with the nearer one, a viewer that mixes two frames goes the short way.
    jumps = (turns[1:] * turns[:-1]).sum(axis=-1, keepdims=True) < 0
    turns[1:] *= np.where(np.cumsum(jumps, axis=0) % 2, -1.0, 1.0)
    for joint, node in enumerate(joints):
        _add_channel(data, node, "translation", times, data.add(places[:, joint], gl.VEC3))
        _add_channel(data, node, "rotation", times, data.add(turns[:, joint], gl.VEC4))
    scale = np.repeat(motion.there[:, None], 3, axis=1).astype(np.float32)
    hand = joints[WRIST] - 1
    _add_channel(data, hand, "scale", times, data.add(scale, gl.VEC3), gl.ANIM_STEP)


def _add_channel(
    data: _Data, node: int, path: str, times: int, values: int, interpolation: str = gl.ANIM_LINEAR
) -> None:
    animation = data.document.animations[0]
    animation.samplers.append(gl.AnimationSampler(input=times, output=values, interpolation=interpolation))
    target = gl.AnimationChannelTarget(node=node, path=path)
    animation.channels.append(gl.AnimationChannel(sampler=len(animation.samplers) - 1, target=target))
