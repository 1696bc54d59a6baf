"""TRC, the marker file of OpenSim and Pose2Sim: text, millimetres, y up (any thread).

A marker that is not there is three empty cells. Where a row would end in one, that cell says "nan": OpenSim counts no
empty cell at a row's end, and one more tab there is one cell too many for Pose2Sim's conversion to C3D.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from realtime.formats.biomechanics.markers import MARKERS, markers_mm
from realtime.formats.steady import at_steady_rate
from realtime.tracks.schema import Tracks


def write(tracks: Tracks, path: Path) -> None:
    """Write the markers at a steady rate, from time 0 on. Raises OSError."""
    step_s, tracks = at_steady_rate(tracks)
    rate, count = f"{1 / step_s:.6f}", len(tracks)
    names = ("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate", "OrigDataStartFrame")
    values = (rate, rate, count, len(MARKERS), "mm", rate, 1, count)
    axes = (f"{axis}{i + 1}" for i in range(len(MARKERS)) for axis in "XYZ")
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write("PathFileType\t4\t(X/Y/Z)\ttwo-hands-live.trc\n")
        file.write("\t".join((*names, "OrigNumFrames")) + "\n" + "\t".join(map(str, values)) + "\n")
        file.write("Frame#\tTime\t" + "\t\t\t".join(MARKERS) + "\t\t\t\n")
        file.write("\t\t" + "\t".join(axes) + "\t\n\n")
        for i, places in enumerate(markers_mm(tracks).reshape(count, 3 * len(MARKERS))):
            cells = ["" if np.isnan(value) else f"{value:.3f}" for value in places]
            cells[-1] = cells[-1] or "nan"
            file.write(f"{i + 1}\t{tracks.t_s[i]:.6f}\t" + "\t".join(cells) + "\n")
