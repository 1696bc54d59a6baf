"""From joints to orientations: each bone's rotation, angles, OpenXR's joints; `docs/tracks.md` states the axes."""
