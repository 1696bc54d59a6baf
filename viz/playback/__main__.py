"""`python -m viz.playback tracks.npz --video clip.mp4`: plays a track file again."""

from __future__ import annotations

import sys

from viz.playback.player import main

if __name__ == "__main__":
    sys.exit(main())
