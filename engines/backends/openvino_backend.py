"""OpenVINO: the network on a CPU. The only home of openvino in the live program."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from engines.backends.openvino_compiled import Compiled
from engines.building.calibration import calibration_sha256
from engines.building.engine_graph import engine_graph
from engines.building.openvino_files import MODEL_FILE, openvino_files
from engines.cache.key import engine_key
from engines.cache.store import default_cache, find_engine, store_engine, why_not_cached
from engines.contract import EngineRequest, Say
from engines.errors import BackendUnavailable, UserError
from engines.geometry.crop import Crop
from engines.geometry.cutting import CpuCutter
from engines.kept_networks import compiled_network
from engines.openvino_core import DEVICE, openvino_core, own_precision
from engines.presets import spec_of
from engines.spec import INPUT_NAME, OUTPUT_NAMES, NetworkSpec


class OpenVinoBackend:
    """The network on a CPU, for each batch size that was asked for."""

    name = "openvino"

    def __init__(self, compiled: Compiled, spec: NetworkSpec, precision: str, folder: Path, witness: bool) -> None:
        self.input_px = spec.input_px
        self.depth_along_ray = spec.depth_along_ray
        self.witness = witness
        self.precision = precision
        self.folder: Path | None = folder
        self._cutter = CpuCutter(spec.input_px, max(compiled.batches))
        self._compiled = compiled

    def __call__(self, crops_bgr: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float32]]:
        """As `Backend.__call__`."""
        return dict(zip(OUTPUT_NAMES, self._compiled(crops_bgr), strict=True))

    def cut(self, image_bgr: NDArray[np.uint8], crops: Sequence[Crop]) -> NDArray[np.uint8]:
        """As `Backend.cut`, with OpenCV."""
        return self._cutter(image_bgr, crops)

    @classmethod
    def open(cls, request: EngineRequest, weights: Path, say: Say) -> OpenVinoBackend:
        """Load the engine from the cache, or build it there first."""
        core = openvino_core()
        precision = _precision(request)
        device = str(core.get_property(DEVICE, "FULL_DEVICE_NAME"))
        pictures = calibration_sha256(request.calibration) if precision == "int8" else ""
        runtime = ov.get_version()
        key = engine_key(
            request.preset,
            cls.name,
            runtime,
            precision,
            request.batches,
            weights,
            device,
            pictures,
            witness=request.witness,
        )
        cache = request.cache or default_cache()
        folder = find_engine(cache, key)
        if folder is None:
            say(f"building the {request.preset} engine for {cls.name} {precision} ({why_not_cached(cache, key)}) ...")
            folder = store_engine(cache, key, *_build(core, request, weights, precision, say))

        def read(batch: int) -> ov.Model:
            try:
                model = core.read_model(folder / MODEL_FILE)
            except RuntimeError as error:
                raise UserError(f"{folder}: the engine cannot be read any more, was it deleted?") from error
            model.reshape([batch, *list(model.input(0).partial_shape)[1:]])
            return model

        def compile_for(batch: int) -> ov.CompiledModel:
            return compiled_network(
                request.preset, key.digest(), lambda: read(batch), precision, request.threads, batch, cache
            )

        spec = spec_of(request.preset)
        compiled = Compiled(compile_for, request.batches, spec.input_px, request.at_once, say)
        return cls(compiled, spec, precision, folder, bool(key.witness_sha256))


def _precision(request: EngineRequest) -> str:
    """`auto` takes the processor's own; raises BackendUnavailable for fp16."""
    if request.precision == "fp16":
        raise BackendUnavailable("backend openvino runs in bf16 or fp32 on a CPU; choose --precision bf16")
    return own_precision() if request.precision == "auto" else request.precision


def _build(
    core: ov.Core, request: EngineRequest, weights: Path, precision: str, say: Say
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Files and facts of a new engine."""
    started = time.perf_counter()
    size = spec_of(request.preset).input_px
    graph = engine_graph(
        OpenVinoBackend.name, precision, request.preset, weights, request.calibration, say, witness=request.witness
    )
    files = openvino_files(core, graph, precision)
    facts = {
        "input": {INPUT_NAME: ["batch", size, size, 3], "dtype": "uint8"},
        "profiles": list(request.batches),
        "outputs": list(OUTPUT_NAMES),
        "build_s": round(time.perf_counter() - started, 2),
        "versions": {name: version(name) for name in ("openvino", "torch", "onnx")},
    }
    return files, facts
