"""ELAN's `.eaf` beside the video: when each hand is there, and the gaps between (any thread).

Four tiers, `right hand`, `right gaps`, `left hand`, `left gaps`. A hand's annotations carry the mean of its joints'
confidence and where its depth came from; a hand put into a gap by the offline smoothing is an annotation of its own,
`filled`. Times are milliseconds from the recording's first frame. Format of ELAN's EAFv3.0.xsd.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from engines.skeleton import HAND_SLICES, SIDES
from realtime.formats.steady import USUAL_STEP_S, usual_step_s
from realtime.tracks.schema import ROOT_DEPTH_NAMES, Tracks

_SCHEMA: Final = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_MIME: Final = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".mpg": "video/mpeg"}
_FILLED: Final = ROOT_DEPTH_NAMES.index("filled")


def write(tracks: Tracks, recording: Path | None, path: Path) -> None:
    """Write the tiers; a video is linked, by its full name and relative to the file. Raises OSError."""
    ET.register_namespace("xsi", _XSI)
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    root = ET.Element("ANNOTATION_DOCUMENT", AUTHOR="two-hands-live", DATE=now, FORMAT="3.0", VERSION="3.0")
    root.set(f"{{{_XSI}}}noNamespaceSchemaLocation", _SCHEMA)
    head = ET.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    if recording is not None and recording.is_file():
        _link(head, recording, path)
    order, tiers = ET.SubElement(root, "TIME_ORDER"), []
    number = 0
    for name, spans in _tiers(tracks):
        tier = ET.Element("TIER", LINGUISTIC_TYPE_REF="hands", TIER_ID=name)
        for start_ms, end_ms, value in spans:
            number += 1
            slots = f"ts{2 * number - 1}", f"ts{2 * number}"
            holder = ET.SubElement(ET.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION")
            holder.attrib.update(ANNOTATION_ID=f"a{number}", TIME_SLOT_REF1=slots[0], TIME_SLOT_REF2=slots[1])
            ET.SubElement(holder, "ANNOTATION_VALUE").text = value
            for slot, time_ms in zip(slots, (start_ms, end_ms), strict=True):
                ET.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=slot, TIME_VALUE=str(time_ms))
        tiers.append(tier)
    ET.SubElement(head, "PROPERTY", NAME="lastUsedAnnotationId").text = str(number)
    root.extend(tiers)
    ET.SubElement(
        root, "LINGUISTIC_TYPE", GRAPHIC_REFERENCES="false", LINGUISTIC_TYPE_ID="hands", TIME_ALIGNABLE="true"
    )
    ET.indent(root)
    with path.open("wb") as file:
        ET.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)


def _link(head: ET.Element, video: Path, path: Path) -> None:
    absolute = video.resolve()
    mime = _MIME.get(video.suffix.lower(), "video/*")
    relative = Path(os.path.relpath(absolute, path.resolve().parent)).as_posix()
    relative = relative if relative.startswith("..") else f"./{relative}"
    ET.SubElement(
        head, "MEDIA_DESCRIPTOR", MEDIA_URL=absolute.as_uri(), MIME_TYPE=mime, RELATIVE_MEDIA_URL=_text(relative)
    )


def _text(name: str) -> str:
    """A file's name as XML can hold it."""
    return name.encode("utf-8", "replace").decode("utf-8")


def _tiers(tracks: Tracks) -> Iterator[tuple[str, list[tuple[int, int, str]]]]:
    """Each tier's name, and its annotations: start and end in ms, text."""
    step_s = usual_step_s(tracks.t_s) if len(tracks) > 1 else USUAL_STEP_S
    bounds_s = np.append(tracks.t_s, tracks.t_s[-1] + step_s) - tracks.t_s[0] if len(tracks) else np.zeros(1)
    bounds_ms = np.rint(1000.0 * bounds_s).astype(int).tolist()
    for h, side in enumerate(SIDES):
        codes = tracks.root_depth_from[:, h]
        kinds = np.where(codes == 0, 0, np.where(codes == _FILLED, 2, 1))
        runs = [(a, b, int(kinds[a])) for a, b in _runs(kinds)]
        seen = [(bounds_ms[a], bounds_ms[b], _told(tracks, h, a, b)) for a, b, kind in runs if kind]
        yield f"{side} hand", seen
        yield f"{side} gaps", [(bounds_ms[a], bounds_ms[b], "gap") for a, b, kind in runs if not kind]


def _runs(kinds: NDArray) -> Iterator[tuple[int, int]]:
    """First frame, and the one behind the last, of each stretch of one kind."""
    edges = [0, *(np.flatnonzero(np.diff(kinds)) + 1).tolist(), len(kinds)] if len(kinds) else []
    yield from pairwise(edges)


def _told(tracks: Tracks, h: int, a: int, b: int) -> str:
    """What is known of a hand in the frames a .. b-1, which are all seen, or all filled."""
    names = Counter(ROOT_DEPTH_NAMES[code] for code in tracks.root_depth_from[a:b, h].tolist())
    usual = names.most_common(1)[0][0]
    if usual == "filled":
        return usual
    known = tracks.joint_confidence[a:b, HAND_SLICES[SIDES[h]]]
    known = known[np.isfinite(known)]
    confidence = f"{known.mean():.2f}" if len(known) else "unknown"
    sigmas_mm = tracks.root_depth_sigma_mm[a:b, h]
    sigma = f" +- {np.nanmedian(sigmas_mm):.0f} mm" if np.isfinite(sigmas_mm).any() else ""
    return f"confidence {confidence}, depth from {usual}{sigma}"
