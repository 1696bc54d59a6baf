"""Playing a track file again: `python -m viz.playback`."""
