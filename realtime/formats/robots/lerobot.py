"""LeRobot's data set, version 3.0: a folder of Parquet files, videos and JSON (any thread).

One episode for each recording, in files of its own (`chunk-000/file-000` is the first). Frames come at a steady, whole
rate; joints lie between those nearest in time, pictures are the nearest. `docs/formats.md` lists the features. The
layout is that of `lerobot.datasets` 0.6.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from realtime.formats.robots.episode_columns import DEPTH_FROM, Column, columns
from realtime.formats.robots.episode_video import CODEC, PIXEL_FORMAT, video_size_px, write_video
from realtime.formats.robots.lerobot_stats import Stats, as_lists, of_pictures, pooled, stats_of
from realtime.formats.robots.lerobot_tables import write_episodes, write_frames, write_tasks
from realtime.formats.steady import USUAL_STEP_S, at_steady_rate, usual_step_s
from realtime.tracks.schema import Tracks

VERSION: Final = "v3.0"
VIDEO: Final = "observation.images.camera"
TASK: Final = "two hands before one camera"
_CHUNK: Final = 1000
_FILE: Final = "chunk-{chunk_index:03d}/file-{file_index:03d}"


@dataclass
class _Written:
    """What is known of the data set so far."""

    fps: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    stats: list[dict[str, Stats]] = field(default_factory=list)
    features: dict[str, Any] = field(default_factory=dict)


def write_together(episodes: Sequence[tuple[Tracks, Path | None]], path: Path) -> None:
    """Write recordings, each with the video or folder of pictures that was tracked, into the folder `path`.

    Their rate is the first one's; there are pictures if there are those of all. Raises UserError and OSError.
    """
    times_s = episodes[0][0].t_s
    set_ = _Written(max(round(1 / (usual_step_s(times_s) if len(times_s) > 1 else USUAL_STEP_S)), 1))
    with_video = all(recording is not None and len(tracks) for tracks, recording in episodes)
    for tracks, recording in episodes:
        _add_episode(set_, tracks, recording if with_video else None, path)
    write_episodes(set_.rows, path / f"meta/episodes/{_FILE.format(chunk_index=0, file_index=0)}.parquet")
    write_tasks([TASK], path / "meta/tasks.parquet")
    together = {name: pooled([of[name] for of in set_.stats]) for name in set_.features}
    _write_json(path / "meta/stats.json", as_lists(together))
    _write_json(path / "meta/info.json", _info(set_, with_video))


def _add_episode(set_: _Written, tracks: Tracks, recording: Path | None, path: Path) -> None:
    _, tracks = at_steady_rate(tracks, 1 / set_.fps)
    number, first = len(set_.rows), set_.rows[-1]["dataset_to_index"] if set_.rows else 0
    place = {"chunk_index": number // _CHUNK, "file_index": number % _CHUNK}
    row: dict[str, Any] = {"episode_index": number, "tasks": [TASK], "length": len(tracks)}
    row |= {f"data/{key}": value for key, value in place.items()}
    row |= {"dataset_from_index": first, "dataset_to_index": first + len(tracks)}

    found = {**columns(tracks), **_counters(len(tracks), number, first, set_.fps)}
    values = {name: column.values if len(column.names) > 1 else column.values[:, 0] for name, column in found.items()}
    write_frames(values, path / f"data/{_FILE.format(**place)}.parquet")
    stats = {name: stats_of(column.values, column.known) for name, column in found.items()}
    features = {name: _feature(name, column) for name, column in found.items()}

    if recording is not None:
        video = path / f"videos/{VIDEO}/{_FILE.format(**place)}.mp4"
        video.parent.mkdir(parents=True, exist_ok=True)
        stats[VIDEO] = of_pictures(write_video(tracks, recording, set_.fps, video))
        features[VIDEO] = _video_feature(tracks, set_.fps)
        row |= {f"videos/{VIDEO}/{key}": value for key, value in place.items()}
        row |= {f"videos/{VIDEO}/from_timestamp": 0.0, f"videos/{VIDEO}/to_timestamp": len(tracks) / set_.fps}

    listed = as_lists(stats)
    row |= {f"stats/{name}/{key}": value for name, of in listed.items() for key, value in of.items()}
    set_.rows.append({**row, "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0})
    set_.stats.append(stats)
    set_.features = set_.features or features


def _counters(count: int, number: int, first: int, fps: int) -> dict[str, Column]:
    """LeRobot's own columns."""
    frames = np.arange(count)
    values = {
        "timestamp": (frames / fps).astype(np.float32),
        "frame_index": frames,
        "episode_index": np.full(count, number),
        "index": first + frames,
        "task_index": np.zeros(count, np.int64),
    }
    known = np.ones((count, 1), bool)
    return {name: Column(("",), value[:, None], known) for name, value in values.items()}


def _feature(name: str, column: Column) -> dict[str, Any]:
    dtype = str(column.values.dtype)
    names = list(column.names) if name.startswith("observation.") else None
    info = {"codes": DEPTH_FROM} if name == "observation.hands.depth_from" else None
    found: dict[str, Any] = {"dtype": dtype, "shape": [len(column.names)], "names": names}
    return found if info is None else {**found, "info": info}


def _video_feature(tracks: Tracks, fps: int) -> dict[str, Any]:
    width, height = video_size_px(tracks)
    info = {
        "video.height": height,
        "video.width": width,
        "video.codec": CODEC,
        "video.pix_fmt": PIXEL_FORMAT,
        "video.fps": fps,
        "video.channels": 3,
        "is_depth_map": False,
        "has_audio": False,
    }
    return {"dtype": "video", "shape": [height, width, 3], "names": ["height", "width", "channels"], "info": info}


def _info(set_: _Written, with_video: bool) -> dict[str, Any]:
    return {
        "codebase_version": VERSION,
        "robot_type": "two_human_hands",
        "fps": set_.fps,
        "total_episodes": len(set_.rows),
        "total_frames": set_.rows[-1]["dataset_to_index"],
        "total_tasks": 1,
        "chunks_size": _CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "splits": {"train": f"0:{len(set_.rows)}"},
        "data_path": f"data/{_FILE}.parquet",
        "video_path": f"videos/{{video_key}}/{_FILE}.mp4" if with_video else None,
        "features": set_.features,
    }


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")
