"""Draws hands with OpenGL on EGL: Mesa's software driver on a CPU, the graphics driver on a GPU.

A renderer belongs to the thread (and process) that made it: create it after a fork. It needs no display. With several
workers set LP_NUM_THREADS=1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

import moderngl
import numpy as np
from numpy.typing import NDArray

from engines.geometry.pinhole import Intrinsics
from training.synth.hand.asset import load_asset, load_feature_map
from training.synth.hand.model import vertex_normals
from training.synth.hand.shape import calibrated_rest
from training.synth.hand.visibility import Layers
from training.synth.person.appearance import OWNERS, DressedHand, Lights, Material, Owner, Prop, unit
from training.synth.render.gl import Targets, Uploaded, attributes, create_context, make_targets, set_uniform

SHADOW_MAP_PX: Final = 1024
SHADOW_BLUR_MM: Final = 5.5
_SHADERS: Final = Path(__file__).parent / "shaders"
_MATERIAL_UNIFORMS: Final = (
    *("seed", "skin", "palm", "redness", "nail", "vein", "mottling", "crease", "fine", "veins", "roughness"),
    *("specular", "hair", "wrap", "sleeve", "sleeve_stripe", "stripe_frequency", "sleeve_roughness"),
    *("sleeve_specular", "print_frequency", "weave"),
)
_LIGHT_UNIFORMS: Final = ("key_direction", "key_radiance", "key_shadow", "sky", "ground", "up")
_Item = tuple[dict[str, moderngl.VertexArray], Material, Owner]
"""A thing to draw: its vertex arrays by program, its looks, what it belongs to."""


@dataclass(frozen=True)
class _Laid:
    """What the next picture shows, on the device."""

    hands: tuple[DressedHand, ...] = ()
    props: tuple[Prop, ...] = ()
    items: tuple[_Item, ...] = ()
    uploaded: tuple[Uploaded, ...] = ()
    camera: tuple[float, ...] = ()

    def release(self) -> None:
        """Free what was made for this picture alone."""
        for mesh in self.uploaded:
            mesh.release()


class Renderer:
    """Renders up to two hands into a picture of fixed size; use it in a `with` block or call `close`.

    Raises `UserError` when no OpenGL context can be made.
    """

    def __init__(self, width: int, height: int) -> None:
        self._context = create_context()
        self._programs = {
            "hand": self._program("hand_vertex", "hand_fragment"),
            "plain": self._program("hand_vertex", "hand_fragment", "PLAIN"),
            "depth": self._program("hand_vertex", "depth_fragment"),
            "layer": self._program("hand_vertex", "layer_fragment"),
            "occlusion": self._program("screen_vertex", "occlusion_fragment"),
        }
        self._make_textures()
        self._targets: dict[tuple[int, int], Targets] = {}
        self._use_size((width, height))
        self._usual_size = (width, height)
        self._make_geometry()
        self._laid = _Laid()

    def __enter__(self) -> Renderer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the context and all that it holds."""
        self._context.release()

    def render(
        self,
        hands: Sequence[DressedHand],
        intrinsics: Intrinsics,
        lights: Lights,
        noise_turn: float = 0.0,
        props: Sequence[Prop] = (),
        size: tuple[int, int] | None = None,
    ) -> NDArray[np.float32]:
        """(height, width, 4) linear RGB, zero where nothing is, and alpha 0 or 1; `size` is another width and height.

        Edges are not smoothed: render larger and reduce, or average renders with the principal point shifted within a
        pixel. `noise_turn` (0..1) varies the grain of the ambient occlusion between such renders.
        """
        self.lay(hands, intrinsics, props, size)
        return self.shade(lights, noise_turn)

    def lay(
        self,
        hands: Sequence[DressedHand],
        intrinsics: Intrinsics,
        props: Sequence[Prop] = (),
        size: tuple[int, int] | None = None,
    ) -> None:
        """Find what lies under each pixel (`layers`), for a tenth of the time of a picture, before `shade` draws it."""
        self._use_size(size or self._usual_size)
        for slot, hand in enumerate(hands):
            which = load_asset().render_vertex
            dynamic = np.hstack([hand.mesh.vertices_mm[which], hand.mesh.normals[which]])
            self._dynamic[slot].write(np.ascontiguousarray(dynamic, np.float32).tobytes())
            self._bend[slot].write(np.ascontiguousarray(hand.mesh.bend[which], np.float32).tobytes())
        self._laid.release()
        uploaded = [self._upload(prop) for prop in props]
        items: list[_Item] = [
            (self._hand_arrays(slot, hand), hand.material, hand.mesh.side) for slot, hand in enumerate(hands)
        ]
        items += [(mesh.arrays, prop.material, prop.owner) for mesh, prop in zip(uploaded, props, strict=True)]
        camera = tuple(float(value) for value in intrinsics.as_array())
        self._laid = _Laid(tuple(hands), tuple(props), tuple(items), tuple(uploaded), camera)
        self._draw_layers()

    def shade(self, lights: Lights, noise_turn: float = 0.0) -> NDArray[np.float32]:
        """The picture of what was laid last; see `render`."""
        light_from_camera, extent_mm = _light_view(self._laid.hands, self._laid.props, lights)
        self._draw_shadow_map(light_from_camera)
        self._draw_surfaces(lights, light_from_camera, SHADOW_BLUR_MM / (2 * extent_mm))
        self._draw_occlusion(lights, noise_turn)
        width, height = self._size
        picture = np.frombuffer(self._target.final.read(), np.float16).reshape(height, width, 4)
        return picture[::-1].astype(np.float32)

    def layers(self) -> Layers:
        """Depth and owner of each pixel of what was laid last."""
        width, height = self._size
        depth_mm = np.frombuffer(self._target.depth_mm.read(), np.float32).reshape(height, width)[::-1]
        owner = np.frombuffer(self._target.owner.read(), np.float16).reshape(height, width)[::-1]
        return Layers(depth_mm, owner.astype(np.int8) - np.int8(1))

    def _draw_layers(self) -> None:
        self._context.enable(moderngl.DEPTH_TEST | moderngl.CULL_FACE)
        self._target.layers.use()
        self._target.layers.clear()
        program = self._programs["layer"]
        self._set_view(program)
        set_uniform(program, "shadow_pass", 0.0)
        for arrays, material, owner in self._laid.items:
            self._set_sleeve(program, material)
            set_uniform(program, "owner_index", float(OWNERS.index(owner) + 1))
            arrays["layer"].render()
        self._context.disable(moderngl.CULL_FACE)

    def _draw_shadow_map(self, light_from_camera: NDArray) -> None:
        self._context.enable(moderngl.DEPTH_TEST)
        self._shadow_target.use()
        self._shadow_target.clear()
        program = self._programs["depth"]
        set_uniform(program, "light_from_camera", light_from_camera)
        set_uniform(program, "shadow_pass", 1.0)
        for arrays, material, owner in self._laid.items:
            if owner == "behind":
                continue  # it would need most of the map, and no lamp stands behind it
            self._set_sleeve(program, material)
            arrays["depth"].render()

    def _draw_surfaces(self, lights: Lights, light_from_camera: NDArray, shadow_blur: float) -> None:
        self._target.scene.use()
        self._target.scene.clear()
        self._context.enable(moderngl.CULL_FACE)
        self._context.depth_func = "<="
        hands = [item for item in self._laid.items if item[2] != "behind"]
        self._draw_items("hand", hands, lights, light_from_camera, shadow_blur)
        self._draw_items(
            "plain", [i for i in self._laid.items if i[2] == "behind"], lights, light_from_camera, shadow_blur
        )
        self._context.depth_func = "<"
        self._context.disable(moderngl.CULL_FACE)

    def _draw_items(
        self,
        name: str,
        items: Sequence[_Item],
        lights: Lights,
        light_from_camera: NDArray,
        shadow_blur: float,
    ) -> None:
        if not items:
            return
        program = self._programs[name]
        for unit_index, (sampler, texture) in enumerate(self._hand_textures.items()):
            texture.use(unit_index)
            set_uniform(program, sampler, unit_index)
        self._set_view(program)
        set_uniform(program, "light_from_camera", light_from_camera)
        set_uniform(program, "shadow_pass", 0.0)
        set_uniform(program, "shadow_blur", shadow_blur)
        set_uniform(program, "fill_directions", np.asarray(lights.fill_directions))
        set_uniform(program, "fill_radiance", np.asarray(lights.fill_radiance))
        for light in _LIGHT_UNIFORMS:
            set_uniform(program, light, getattr(lights, light))
        for arrays, material, _ in items:
            self._set_sleeve(program, material)
            for field in _MATERIAL_UNIFORMS:
                set_uniform(program, field, getattr(material, field))
            arrays[name].render()

    def _draw_occlusion(self, lights: Lights, noise_turn: float) -> None:
        program = self._programs["occlusion"]
        self._context.disable(moderngl.DEPTH_TEST)
        self._target.shaded.use()
        self._target.colour.use(0)
        self._target.surface.use(1)
        set_uniform(program, "colour", 0)
        set_uniform(program, "surface", 1)
        self._set_view(program)
        set_uniform(program, "radius", lights.occlusion_radius_mm)
        set_uniform(program, "strength", lights.occlusion_strength)
        set_uniform(program, "turn", noise_turn)
        self._screen.render()

    def _set_view(self, program: moderngl.Program) -> None:
        set_uniform(program, "camera", self._laid.camera)
        set_uniform(program, "size", tuple(float(value) for value in self._size))

    def _hand_arrays(self, slot: int, hand: DressedHand) -> dict[str, moderngl.VertexArray]:
        return {name: self._vertex_arrays[name, slot, hand.mesh.side] for name in ("hand", "depth", "layer")}

    def _upload(self, prop: Prop) -> Uploaded:
        """Buffers of a prop for one picture; it lies outside the feature map."""
        count = len(prop.vertices_mm)
        outside = np.full((count, 2), -1.0)
        static = np.hstack([prop.rest_mm, np.zeros((count, 1)), outside])
        blocks = (np.hstack([prop.vertices_mm, prop.normals]), static)
        dynamic, static_buffer = (self._context.buffer(np.ascontiguousarray(b, np.float32).tobytes()) for b in blocks)
        index = self._context.buffer(np.ascontiguousarray(prop.triangles, np.int32).tobytes())
        surface = "plain" if prop.owner == "behind" else "hand"
        programs = {name: self._programs[name] for name in (surface, "depth", "layer")}
        arrays = {
            name: self._context.vertex_array(program, attributes(program, dynamic, static_buffer), index)
            for name, program in programs.items()
        }
        return Uploaded(arrays, [dynamic, static_buffer, index])

    @staticmethod
    def _set_sleeve(program: moderngl.Program, material: Material) -> None:
        set_uniform(program, "sleeve_start", material.sleeve_start_mm)
        set_uniform(program, "sleeve_thickness", material.sleeve_thickness_mm)

    def _program(self, vertex: str, fragment: str, define: str = "") -> moderngl.Program:
        sources = [(_SHADERS / f"{name}.glsl").read_text(encoding="utf-8") for name in (vertex, fragment)]
        if define:
            sources[1] = sources[1].replace("\n", f"\n#define {define}\n", 1)  # right after the version
        return self._context.program(vertex_shader=sources[0], fragment_shader=sources[1])

    def _make_textures(self) -> None:
        # OpenGL's first row is at v = 0, the picture's at v = 1.
        features = np.ascontiguousarray(load_feature_map()[::-1])
        feature_texture = self._context.texture(features.shape[1::-1], 4, features.tobytes())
        feature_texture.build_mipmaps()
        feature_texture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        feature_texture.anisotropy = 4.0
        values = np.random.default_rng(0).integers(0, 256, (32, 32, 32), np.uint8)
        noise = self._context.texture3d((32, 32, 32), 1, values.tobytes())
        noise.filter = (moderngl.LINEAR, moderngl.LINEAR)
        noise.repeat_x = noise.repeat_y = noise.repeat_z = True
        shadow_map = self._context.depth_texture((SHADOW_MAP_PX, SHADOW_MAP_PX))
        shadow_map.compare_func = "<="
        shadow_map.filter = (moderngl.LINEAR, moderngl.LINEAR)
        self._hand_textures = {"features": feature_texture, "noise": noise, "shadow_map": shadow_map}
        self._shadow_target = self._context.framebuffer(depth_attachment=shadow_map)

    def _use_size(self, size: tuple[int, int]) -> None:
        if size not in self._targets:
            self._targets[size] = make_targets(self._context, size)
        self._size, self._target = size, self._targets[size]

    def _make_geometry(self) -> None:
        asset, (rest, _) = load_asset(), calibrated_rest()
        which = asset.render_vertex
        static = np.hstack([rest[which], vertex_normals(rest)[which, 2:3], asset.render_uv])
        static_buffer = self._context.buffer(np.ascontiguousarray(static, np.float32).tobytes())
        triangles = asset.render_triangles.astype(np.int32)
        index = {
            "right": self._context.buffer(triangles.tobytes()),
            "left": self._context.buffer(np.ascontiguousarray(triangles[:, ::-1]).tobytes()),
        }
        self._dynamic = [self._context.buffer(reserve=len(which) * 24) for _ in range(2)]
        self._bend = [self._context.buffer(reserve=len(which) * 4) for _ in range(2)]
        self._vertex_arrays = {
            (name, slot, side): self._context.vertex_array(
                self._programs[name],
                attributes(self._programs[name], self._dynamic[slot], static_buffer, self._bend[slot]),
                index[side],
            )
            for name in ("hand", "depth", "layer")
            for slot in range(2)
            for side in ("right", "left")
        }
        corners = self._context.buffer(np.array([-1, -1, 3, -1, -1, 3], np.float32).tobytes())
        self._screen = self._context.vertex_array(self._programs["occlusion"], [(corners, "2f", "corner")])


def _light_view(
    hands: Sequence[DressedHand], props: Sequence[Prop], lights: Lights
) -> tuple[NDArray[np.float32], float]:
    """Orthographic view of the key light over all hands and what they hold, transposed as OpenGL wants it.

    And its half width in mm.
    """
    shapes: list[NDArray] = [hand.mesh.vertices_mm[::7] for hand in hands]
    shapes += [prop.vertices_mm for prop in props if prop.owner == "held"]
    points = np.vstack(shapes) if shapes else np.zeros((1, 3))
    center = (points.min(axis=0) + points.max(axis=0)) / 2
    z = -np.asarray(lights.key_direction)
    helper = np.array([0.0, 1.0, 0.0]) if abs(z[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    x = unit(np.cross(helper, z))
    axes = np.stack([x, np.cross(z, x), z])
    reach = np.abs((points - center) @ axes.T).max(axis=0)
    extent = float(reach[:2].max()) + 12
    matrix = np.eye(4)
    matrix[:3, :3] = axes / np.array([[extent], [extent], [reach[2] + 30]])
    matrix[:3, 3] = -matrix[:3, :3] @ center
    return matrix.T.astype(np.float32), extent
