"""ONNX -> OpenVINO's own form of the graph, as it lies in the cache."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import openvino as ov
from openvino._offline_transformations import apply_moc_transformations

from engines.building.openvino_weights import store_as_bf16
from engines.errors import UserError

MODEL_FILE: Final = "engine.xml"


def openvino_files(core: ov.Core, graph: bytes, precision: str) -> dict[str, bytes]:
    """Names and contents of the files that an engine of `precision` is; UserError where they cannot be written."""
    model = core.read_model(graph)
    if precision != "int8":  # whose pairs around the weights could be folded away
        # What OpenVINO does first whenever it compiles: half the nodes are left to read and to keep.
        apply_moc_transformations(model, cf=True)
    if precision == "bf16":
        store_as_bf16(model)
    xml, data = serialised(model)
    return {MODEL_FILE: xml, str(Path(MODEL_FILE).with_suffix(".bin")): data}


def serialised(model: ov.Model) -> tuple[bytes, bytes]:
    """Both files of the model's form on disk, which OpenVINO writes to a folder only; UserError if it cannot."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / MODEL_FILE
            ov.save_model(model, path, compress_to_fp16=False)
            return path.read_bytes(), path.with_suffix(".bin").read_bytes()
    except (OSError, RuntimeError) as error:  # a full disk is a RuntimeError of "iostream error"
        raise UserError(
            f"{_temporary_folder()}: the engine cannot be written there ({error}); free some space, or set TMPDIR"
        ) from error


def _temporary_folder() -> str:
    """Where temporary files go; there may be no place for them at all."""
    try:
        return tempfile.gettempdir()
    except OSError:
        return "the temporary folder"
