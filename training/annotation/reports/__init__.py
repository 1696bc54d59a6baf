"""What a triangulation is worth: figures, cameras that do not fit, pictures to look at."""
