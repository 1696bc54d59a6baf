#version 330
// A hand in the camera frame (mm, z forward) to the picture or, for the shadow map, to the key light's view.
in vec3 position;
in vec3 normal;
in vec3 rest;
in float rest_normal_z;
in vec2 uv;
in float bend;        // of the joint underneath, 0 .. 1; 0 for what is no hand
uniform vec4 camera;  // fx, fy, cx, cy in pixels; pixel (0, 0) is the centre of the top left pixel
uniform vec2 size;    // width, height in pixels
uniform mat4 light_from_camera;
uniform float shadow_pass;
uniform float sleeve_start;
uniform float sleeve_thickness;
invariant gl_Position;  // the same in all programs, or surfaces would miss the depth that was laid
out vec3 v_position;
out vec3 v_normal;
out vec3 v_rest;
out float v_rest_normal_z;
out vec2 v_uv;
out float v_bend;

const float NEAR = 50.0;
const float FAR = 4000.0;

void main() {
    float sleeve = clamp((-sleeve_start - rest.y) / 6.0, 0.0, 1.0);
    vec3 p = position + normal * sleeve * sleeve_thickness;
    v_position = p;
    v_normal = normal;
    v_rest = rest;
    v_rest_normal_z = rest_normal_z;
    v_uv = uv;
    v_bend = bend;
    if (shadow_pass > 0.5) {
        gl_Position = light_from_camera * vec4(p, 1.0);
    } else {
        float x = 2.0 * (camera.x * p.x + (camera.z + 0.5) * p.z) / size.x - p.z;
        float y = p.z - 2.0 * (camera.y * p.y + (camera.w + 0.5) * p.z) / size.y;
        float z = (FAR + NEAR) / (FAR - NEAR) * p.z - 2.0 * FAR * NEAR / (FAR - NEAR);
        gl_Position = vec4(x, y, z, p.z);
    }
}
