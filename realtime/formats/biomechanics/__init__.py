"""What biomechanics loads: marker files (TRC, C3D) and OpenPose's key points in the picture."""
