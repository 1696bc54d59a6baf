#version 330
// Ambient occlusion in screen space: how much of the hemisphere above a point other hand surface hides.
uniform sampler2D colour;
uniform sampler2D surface;  // normal, depth in mm
uniform vec4 camera;
uniform vec2 size;
uniform float radius;
uniform float strength;
uniform float turn;         // 0..1, other random directions for each sub-frame
in vec2 v_uv;
out vec4 result;

const int SAMPLES = 14;
const float GOLDEN_ANGLE = 2.39996;

vec3 to_camera(vec2 uv, float z) {
    vec2 px = vec2(uv.x * size.x, (1.0 - uv.y) * size.y) - 0.5;
    return vec3((px - camera.zw) / camera.xy * z, z);
}

vec2 to_uv(vec3 p) {
    vec2 px = camera.xy * p.xy / p.z + camera.zw + 0.5;
    return vec2(px.x / size.x, 1.0 - px.y / size.y);
}

void main() {
    vec4 c = texture(colour, v_uv);
    vec4 g = texture(surface, v_uv);
    if (c.a < 0.5) {
        result = vec4(0.0);
        return;
    }
    vec3 p = to_camera(v_uv, g.w);
    vec3 n = g.xyz;
    vec3 side = abs(n.z) < 0.9 ? vec3(0.0, 0.0, 1.0) : vec3(1.0, 0.0, 0.0);
    vec3 tangent = normalize(cross(side, n));
    vec3 bitangent = cross(n, tangent);
    float random = fract(sin(dot(gl_FragCoord.xy, vec2(12.9898, 78.233))) * 43758.5453 + turn);
    float hidden = 0.0;
    for (int i = 0; i < SAMPLES; i++) {
        float t = (float(i) + random) / float(SAMPLES);
        float angle = random * 6.283 + GOLDEN_ANGLE * float(i);
        float z = 1.0 - t;
        float s = sqrt(max(1.0 - z * z, 0.0));
        float reach = radius * (0.15 + 0.85 * fract(t * 7.3 + random));
        vec3 q = p + (tangent * s * cos(angle) + bitangent * s * sin(angle) + n * z) * reach;
        vec2 uv = to_uv(q);
        float depth = texture(surface, uv).w;
        bool hit = texture(colour, uv).a > 0.5 && depth < q.z - 0.6 && depth > q.z - radius * 2.2;
        hidden += hit ? 1.0 : 0.0;
    }
    float open = clamp(1.0 - strength * hidden / float(SAMPLES), 0.08, 1.0);
    result = vec4(c.rgb * pow(vec3(open), vec3(0.85, 1.05, 1.1)), 1.0);
}
