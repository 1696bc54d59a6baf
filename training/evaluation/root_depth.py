"""Where the absolute depth of the wrists comes from when 2.5D is turned into 3D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.errors import UserError
from engines.geometry.crop import Crop
from training.datasets.rootnet_output import RootNetOutput, find_rootnet_output, load_rootnet_output
from training.datasets.sample import LabelledSample
from training.evaluation.predictions import Predictions

TRUE, OWN, ROOTNET = "gt", "own", "rootnet"


@dataclass(frozen=True)
class RootDepths:
    """How the depths of a run are found: `gt` the labels, `own` the network, otherwise a file of RootNet's output."""

    kind: str
    answers: dict[int, RootNetOutput]
    """By annotation id; empty for `gt` and `own`."""

    def crops(self, samples: Sequence[LabelledSample]) -> list[Crop]:
        """What the network looks at: the labelled boxes, or RootNet's own, as the released code does."""
        if not self.answers:
            return [samples[i].crop() for i in range(len(samples))]
        return [self.answers[samples[i].annotation_id].crop for i in range(len(samples))]

    def depths_mm(self, found: Predictions) -> NDArray[np.float64] | None:
        """(N, 2) depth of the right and the left wrist; None is the labels' own."""
        if self.answers:
            return np.stack([self.answers[int(id_)].depth_mm for id_ in found.annotation_id])
        if self.kind == TRUE:
            return None
        if not np.isfinite(found.root_depth_mm).all():
            raise UserError("--root-depth own: there are no absolute depths (root_depth_mm) for every sample")
        return found.root_depth_mm


def with_absolute_left_root(found: Predictions, depths: RootDepths) -> Predictions:
    """Answers whose left wrist stands at its own absolute depth, not at the right one's plus z(R->L): the paper's
    ablation of MRRPE. Raises UserError where the depths are the labels', which would answer the question.
    """
    absolute = depths.depths_mm(found)
    if absolute is None:
        raise UserError(
            "--left-root absolute: takes absolute depths that were found: --root-depth rootnet, own or FILE"
        )
    return replace(found, left_minus_right_root_mm=absolute[:, 1] - absolute[:, 0])


def root_depths(choice: str, root: Path, split: str, samples: Sequence[LabelledSample]) -> RootDepths:
    """What `--root-depth` asks for; raises UserError if a file is missing, damaged, or lacks a sample."""
    if choice in (TRUE, OWN):
        return RootDepths(choice, {})
    path = find_rootnet_output(root, split) if choice == ROOTNET else Path(choice)
    answers = load_rootnet_output(path)
    missing = next((s.annotation_id for s in samples if s.annotation_id not in answers), None)
    if missing is not None:
        raise UserError(f"{path}: no answer for annotation {missing}; the file belongs to another split or data set")
    return RootDepths(choice, answers)
