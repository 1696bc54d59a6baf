"""Both hands in 3D."""
