"""`python -m viz.report tracks.npz --video clip.mp4`: a page of a recording, or of each in a folder."""

from __future__ import annotations

import sys

from viz.report.making import main

if __name__ == "__main__":
    sys.exit(main())
