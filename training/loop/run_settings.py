"""What the settings of every training run have, whichever network it trains."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

Precision = Literal["fp32", "bf16", "fp16"]
"""What convolutions compute in (automatic mixed precision); losses, weights and statistics are fp32 in any case."""
_TYPES: Final[dict[Precision, torch.dtype]] = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Section(BaseModel):
    """A part of the settings: unknown keys are refused, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RunSettings(Section):
    """What the loop needs to know."""

    batch: int = Field(48, gt=0)
    """Samples of a step, over all GPUs together."""
    clip_norm: float | None = Field(5.0, gt=0)
    """Largest norm of the gradient; null does not clip."""
    ema_half_life: int = Field(30_000, ge=0)
    """Samples after which a weight's past counts half in the averaged network, which is what is kept; 0: the last
    weights themselves.
    """
    weight_decay: float = Field(0.01, ge=0)
    synchronise_batch_norm: bool = True
    """On several GPUs: batch norm over the whole batch, and their number changes nothing; else each for itself."""
    seed: int = Field(0, ge=0)
    device: str = "cpu"
    validate_every: int = Field(20_000, gt=0)
    """Samples between two rows of the log; the checkpoint is written then, too."""
    output: Path = Path("out/training")

    def amp(self) -> Precision:
        """The precision of the run."""
        raise NotImplementedError


def autocast(settings: RunSettings) -> torch.autocast:
    """The context in which the network runs."""
    precision = settings.amp()
    kind = torch.device(settings.device).type
    return torch.autocast(kind, _TYPES.get(precision, torch.bfloat16), enabled=precision != "fp32")
