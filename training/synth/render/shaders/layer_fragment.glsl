#version 330
// What lies under a pixel, before anything is shaded: its depth and whose it is.
in vec3 v_position;
uniform float owner_index;   // 1 right hand, 2 left hand, 3 held object, 4 behind
layout(location = 0) out float depth_mm;
layout(location = 1) out float owner;

void main() {
    depth_mm = v_position.z;
    owner = owner_index;
}
