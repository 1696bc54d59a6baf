"""One hand: mesh, shape, pose, contact."""
