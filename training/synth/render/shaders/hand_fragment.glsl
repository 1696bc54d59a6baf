#version 330
// With PLAIN (things behind the hands, out of focus and far): no shadow, no grain, no hair.
// Skin, nails, hair and sleeve under one shadowed key light, four fill lights and an ambience. Linear light out.
in vec3 v_position;
in vec3 v_normal;
in vec3 v_rest;
in float v_rest_normal_z;
in vec2 v_uv;
in float v_bend;
uniform sampler2D features;  // palm, redness, crease, nail
uniform sampler3D noise;
uniform sampler2DShadow shadow_map;
uniform mat4 light_from_camera;
uniform float shadow_blur;   // radius in texture coordinates of the shadow map
uniform vec3 seed, skin, palm, redness, nail, vein;
uniform float mottling, crease, fine, veins, roughness, specular, hair, wrap;
uniform float sleeve_start, stripe_frequency, print_frequency, weave, sleeve_roughness, sleeve_specular;
uniform vec3 sleeve, sleeve_stripe;
uniform vec3 key_direction, key_radiance, sky, ground, up;
uniform float key_shadow;
uniform vec3 fill_directions[4];
uniform vec3 fill_radiance[4];
layout(location = 0) out vec4 colour;
layout(location = 1) out vec4 surface;

const float NOISE_MM = 32.0;
const float PI = 3.1416;

float noise_at(vec3 q) { return texture(noise, q).r; }

// Four octaves, about -0.5 .. 0.5.
float fractal(vec3 q) {
    float sum = 0.5 * noise_at(q) + 0.25 * noise_at(q * 2.03 + 0.17) + 0.125 * noise_at(q * 4.1 + 0.53)
              + 0.0625 * noise_at(q * 8.3 + 0.71);
    return sum / 0.9375 - 0.5;
}

float fine_noise(vec3 rest) { return fractal(rest / NOISE_MM * 2.3 + seed * 2.3 + 0.6); }

// Share of the key light that reaches the point: 12 taps on a turned spiral.
float key_visibility(vec3 p, vec3 n) {
    vec3 c = (light_from_camera * vec4(p + n * 1.2, 1.0)).xyz * 0.5 + 0.5;
    if (any(lessThan(c.xy, vec2(0.0))) || any(greaterThan(c.xy, vec2(1.0)))) return 1.0;
    float start = fract(sin(dot(gl_FragCoord.xy, vec2(12.9898, 78.233))) * 43758.5453) * 6.283;
    float lit = 0.0;
    for (int i = 0; i < 12; i++) {
        float angle = start + 2.39996 * float(i);
        float r = shadow_blur * sqrt((float(i) + 0.5) / 12.0);
        lit += texture(shadow_map, vec3(c.xy + r * vec2(cos(angle), sin(angle)), c.z - 0.004));
    }
    return mix(1.0, lit / 12.0, key_shadow);
}

#ifdef PLAIN
vec3 skin_colour(vec4 f) {
    vec3 a = mix(skin, palm, f.x);
    float broad = noise_at(v_rest / NOISE_MM * 0.4 + seed) - 0.5;
    return mix(a, a * redness, clamp(max(0.0, broad) * 1.2 * mottling, 0.0, 1.0)) * (1.0 + 0.5 * mottling * broad);
}
#else
vec3 skin_colour(vec4 f) {
    vec3 q = v_rest / NOISE_MM + seed;
    float broad = fractal(q * 0.14);
    float medium = fractal(q * 0.55 + 0.3);
    vec3 a = mix(skin, palm, f.x);
    a = mix(a, a * redness, clamp(f.y * 0.8 + max(0.0, broad) * 1.2 * mottling, 0.0, 1.0));
    a *= 1.0 + mottling * (broad * 0.5 + medium * 0.35) + fine * fine_noise(v_rest) * 0.5;
    float line = smoothstep(0.90, 1.0, 1.0 - abs((fractal(q * 0.10 + 0.9) + 0.5) * 2.0 - 1.0)) * (1.0 - f.x);
    a = mix(a, a * vein, line * veins);
    a *= 1.0 - crease * f.z;
    vec3 streak = vec3(v_rest.x * 0.9 + noise_at(q * 0.5) * 3.0, v_rest.y * 0.10 + v_rest.x * 0.03, v_rest.z * 0.9) / 5.0;
    float strand = smoothstep(0.60, 0.78, noise_at(streak) * 0.7 + noise_at(streak * 2.1 + 0.4) * 0.3);
    float where = smoothstep(15.0, -40.0, v_rest.y) * (1.0 - 0.8 * smoothstep(-0.2, 0.6, v_rest_normal_z));
    return a * (1.0 - 0.75 * strand * clamp(hair, 0.0, 1.3) * where);
}

vec3 bumped(vec3 n, float crease_depth) {
    vec2 e = vec2(0.6, 0.0);
    vec3 ahead = vec3(fine_noise(v_rest + e.xyy), fine_noise(v_rest + e.yxy), fine_noise(v_rest + e.yyx));
    vec3 slope = ahead - fine_noise(v_rest);
    vec2 groove = vec2(dFdx(crease_depth), -dFdy(crease_depth));
    n -= (slope - dot(slope, n) * n) * fine * 1.1;
    n -= vec3(clamp(groove, -0.5, 0.5) * 0.5 * crease, 0.0);
    return n / max(length(n), 1e-4);
}
#endif

// Reflected light of one lamp: wrapped diffuse in x of `albedo`, GGX highlight.
vec3 lamp(vec3 n, vec3 v, vec3 l, vec3 radiance, vec3 wrapped, vec3 albedo, float rough, float gloss) {
    float facing = dot(n, l);
    vec3 diffuse = clamp((vec3(facing) + wrapped) / (1.0 + wrapped), 0.0, 1.0);
    float x = max(facing, 0.0);
    float nv = max(dot(n, v), 0.05);
    vec3 h = l + v;
    h /= max(length(h), 1e-4);
    float nh = max(dot(n, h), 0.0);
    float a2 = pow(rough, 4.0);
    float k = (rough + 1.0) * (rough + 1.0) / 8.0;
    float d = nh * nh * (a2 - 1.0) + 1.0;
    float distribution = a2 / max(PI * d * d, 1e-5);
    float geometry = 1.0 / ((x * (1.0 - k) + k) * (nv * (1.0 - k) + k) * 4.0);
    float fresnel = 0.028 + 0.972 * pow(clamp(1.0 - dot(v, h), 0.0, 1.0), 5.0);
    return radiance * (albedo * diffuse + gloss * x * distribution * geometry * fresnel * 3.14);
}

void main() {
    vec3 n = v_normal / max(length(v_normal), 1e-4);
    vec3 v = normalize(-v_position);
    bool mapped = all(greaterThan(v_uv, vec2(0.0))) && all(lessThan(v_uv, vec2(1.0)));
    vec4 f = mapped ? texture(features, v_uv) : vec4(clamp(0.5 + v_rest_normal_z * 1.1, 0.0, 1.0), 0.0, 0.0, 0.0);
    f.z *= mix(1.15 - 0.95 * v_bend, 0.7 + 1.1 * v_bend, f.x);  // skin stretches over knuckles and folds in the palm
    f.x *= 1.0 - 0.8 * smoothstep(30.0, -45.0, v_rest.y);
    vec3 albedo = skin_colour(f);
    float brightest = max(max(albedo.r, albedo.g), max(albedo.b, 1e-3));
    albedo = mix(albedo, nail * (0.75 + 0.25 * albedo / brightest), f.w * 0.75);
    float rough = mix(roughness, 0.22, f.w);
    float gloss = mix(specular, 1.1, f.w);
    float wrapping = wrap;
    if (v_rest.y < -sleeve_start) {
        float stripe = step(0.5, fract(v_rest.y * stripe_frequency));
        if (print_frequency > 0.0) stripe = smoothstep(0.48, 0.52, noise_at(v_rest * print_frequency + seed));
        float thread = noise_at(v_rest * 0.125 + seed);
        albedo = mix(sleeve, sleeve_stripe, stripe) * (1.0 + weave * (thread - 0.5));
        rough = sleeve_roughness;
        gloss = sleeve_specular;
        wrapping = 0.1;
        f.z = 0.0;
    }
#ifndef PLAIN
    n = bumped(n, f.z);
#endif
    vec3 wrapped = wrapping * vec3(1.0, 0.5, 0.35);
#ifdef PLAIN
    vec3 key = key_radiance;
#else
    vec3 key = key_radiance * (key_shadow > 0.0 ? key_visibility(v_position, v_normal) : 1.0);
#endif
    vec3 light = lamp(n, v, key_direction, key, wrapped, albedo, rough, gloss);
    for (int i = 0; i < 4; i++) {
        light += lamp(n, v, fill_directions[i], fill_radiance[i], wrapped, albedo, rough, gloss);
    }
    vec3 ambience = mix(ground, sky, 0.5 + 0.5 * dot(n, up));
    float edge = 0.028 + 0.4 * pow(clamp(1.0 - dot(n, v), 0.0, 1.0), 5.0);
    light += ambience * (albedo + edge * 0.5 * gloss);
    colour = vec4(clamp(light, 0.0, 60.0), 1.0);
    surface = vec4(n, v_position.z);
}
