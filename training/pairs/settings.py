"""Settings of a run that trains the pair detector; `training/configs/pairs.yaml` holds those of what ships."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from training.lite.settings import Banks
from training.loop.run_settings import Precision, RunSettings, Section


class PairDataSettings(Banks):
    """Where the pictures are."""

    backgrounds: Path
    """Folder of photographs without hands; one in five is held out."""
    cache: Path = Path("out/bank")
    """Folder of the decoded pictures."""
    picture_px: int = Field(160, ge=64, le=512)
    """Side of the rendered pictures kept in memory."""
    real_px: int = Field(224, ge=64, le=512)
    """Side of the real ones."""
    pairs: float = Field(0.8, ge=0, le=1)
    """Share of both hands among the rendered pieces of a frame."""
    real: float = Field(0.35, ge=0, lt=1)
    """Share of real pieces."""
    empty: float = Field(0.25, ge=0, le=1)
    """Share of frames without any hand."""
    repeats: int = Field(4, ge=1)
    """How often a composed batch is learnt from, on average."""
    held_out_frames: int = Field(400, ge=1)
    """Composed to judge on."""
    smallest: float = Field(0.1, gt=0, le=1)
    """Longer side of the smallest box, as a share of the frame's longer side ..."""
    largest: float = Field(0.65, gt=0, le=1)
    """... and of the largest one."""


class PairScheduleSettings(Section):
    """Learning rate over the run: warm up, hold, then fall to zero (cosine) between `decay_from` and `samples`."""

    samples: int = Field(gt=0)
    decay_from: int = Field(ge=0)
    warmup: int = Field(4_000, ge=0)
    learning_rate: float = Field(2.0e-3, gt=0)


class PairLossWeights(Section):
    """What each term of the loss counts."""

    heat: float = Field(default=1.0, ge=0)
    offset: float = Field(default=0.3, ge=0)
    log_size: float = Field(default=0.5, ge=0)
    up: float = Field(default=0.2, ge=0)


class PairSettings(RunSettings):
    """One training run of the pair detector. Its trunk stays as MediaPipe has it: only the head learns."""

    network: Literal["pairs"] = "pairs"
    data: PairDataSettings
    schedule: PairScheduleSettings
    loss: PairLossWeights = PairLossWeights()
    bfloat16: bool = True

    def amp(self) -> Precision:
        """bfloat16 or full precision."""
        return "bf16" if self.bfloat16 else "fp32"
