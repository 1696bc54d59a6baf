#version 330
// Only the depth is wanted.
void main() {}
