"""Small helpers around moderngl: context, vertex layouts, uniforms (the thread of the renderer)."""

from __future__ import annotations

from dataclasses import dataclass

import moderngl
import numpy as np

from engines.errors import UserError


@dataclass(frozen=True)
class Uploaded:
    """A prop on the device."""

    arrays: dict[str, moderngl.VertexArray]
    buffers: list[moderngl.Buffer]

    def release(self) -> None:
        """Free it on the device."""
        for item in (*self.arrays.values(), *self.buffers):
            item.release()


@dataclass(frozen=True)
class Targets:
    """What a picture of one size is drawn into."""

    depth_mm: moderngl.Texture
    owner: moderngl.Texture
    """0 where nothing is."""
    layers: moderngl.Framebuffer
    """Takes the two above."""
    colour: moderngl.Texture
    surface: moderngl.Texture
    """Normal and depth in mm."""
    scene: moderngl.Framebuffer
    """Takes the two above; the depth buffer is that of `layers`, to be read only."""
    final: moderngl.Texture
    shaded: moderngl.Framebuffer
    """Takes the final picture."""


def make_targets(context: moderngl.Context, size: tuple[int, int]) -> Targets:
    """Textures and framebuffers of (width, height)."""
    colour = context.texture(size, 4, dtype="f2")
    surface = context.texture(size, 4, dtype="f4")
    surface.filter = (moderngl.NEAREST, moderngl.NEAREST)
    depth_mm = context.texture(size, 1, dtype="f4")
    owner = context.texture(size, 1, dtype="f2", alignment=1)
    nearest = context.depth_renderbuffer(size)
    layers = context.framebuffer([depth_mm, owner], nearest)
    scene = context.framebuffer([colour, surface], nearest)
    scene.depth_mask = False  # neither cleared nor written: only what is nearest is shaded
    final = context.texture(size, 4, dtype="f2")
    return Targets(depth_mm, owner, layers, colour, surface, scene, final, context.framebuffer([final]))


def create_context() -> moderngl.Context:
    """An OpenGL context on EGL, without a display; `UserError` where there is none."""
    try:
        return moderngl.create_context(standalone=True, backend="egl")
    except Exception as error:  # moderngl raises plain Exception, depending on what the driver lacks
        raise UserError(f"no OpenGL context ({error}): install libegl1, libegl-mesa0 and libgl1-mesa-dri") from error


def attributes(
    program: moderngl.Program, dynamic: moderngl.Buffer, static: moderngl.Buffer, bend: moderngl.Buffer | None = None
) -> list[tuple]:
    """Buffer layouts; attributes that the compiler dropped from a program are skipped over."""
    content: list[tuple] = []
    for buffer, fields in (
        (dynamic, (("position", 3), ("normal", 3))),
        (static, (("rest", 3), ("rest_normal_z", 1), ("uv", 2))),
    ):
        used = [name for name, _ in fields if name in program]
        layout = " ".join(f"{n}f" if name in program else f"{4 * n}x" for name, n in fields)
        if used:
            content.append((buffer, layout, *used))
    if bend is not None and "bend" in program:
        content.append((bend, "1f", "bend"))
    return content


def set_uniform(program: moderngl.Program, name: str, value: object) -> None:
    """Set a uniform; one that the compiler dropped as unused is left out."""
    if name not in program:
        return
    uniform = program[name]
    if isinstance(value, np.ndarray):
        uniform.write(np.ascontiguousarray(value, np.float32).tobytes())
    else:
        uniform.value = value
