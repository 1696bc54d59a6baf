"""A reader of LeRobot's version 3.0 of its own: follows `meta/info.json` to every frame and picture."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray


@dataclass
class DataSet:
    """A whole data set."""

    info: dict[str, Any]
    stats: dict[str, Any]
    episodes: list[dict[str, Any]]
    tasks: list[str]
    frames: dict[str, NDArray]
    """All episodes', one behind the other."""
    root: Path

    def pictures(self, key: str, episode: int) -> list[tuple[float, NDArray[np.uint8]]]:
        """Time within the episode, and picture (H, W, 3) red, green, blue."""
        row = self.episodes[episode]
        place = {name: row[f"videos/{key}/{name}"] for name in ("chunk_index", "file_index")}
        path = self.root / self.info["video_path"].format(video_key=key, **place)
        with av.open(str(path)) as video:
            shown = [(float(frame.time or 0), frame.to_ndarray(format="rgb24")) for frame in video.decode(video=0)]
        start, end = row[f"videos/{key}/from_timestamp"], row[f"videos/{key}/to_timestamp"]
        return [(time_s - start, picture) for time_s, picture in shown if start - 1e-4 <= time_s < end - 1e-4]


def read_data_set(root: Path) -> DataSet:
    info = json.loads((root / "meta/info.json").read_text())
    assert info["codebase_version"] == "v3.0"
    files = sorted((root / "meta/episodes").glob("*/*.parquet"))
    episodes = [row for file in files for row in pq.read_table(file).to_pylist()]
    tasks = pq.read_table(root / "meta/tasks.parquet").to_pylist()
    frames: dict[str, list] = {}
    for row in episodes:
        place = {name: row[f"data/{name}"] for name in ("chunk_index", "file_index")}
        table = pq.read_table(root / info["data_path"].format(**place)).to_pydict()
        mine = [i for i, number in enumerate(table["episode_index"]) if number == row["episode_index"]]
        assert len(mine) == row["length"]
        for name, values in table.items():
            frames.setdefault(name, []).extend(values[i] for i in mine)
    stats = json.loads((root / "meta/stats.json").read_text())
    by_number = sorted(tasks, key=lambda row: row["task_index"])
    arrays = {name: np.array(values) for name, values in frames.items()}
    return DataSet(info, stats, episodes, [row["task"] for row in by_number], arrays, root)
