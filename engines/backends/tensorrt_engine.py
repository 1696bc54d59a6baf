"""TensorRT engines in the cache: found, or built there (imports torch only to build)."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, Final

from engines.backends.gpu import Gpu, nvidia_gpu
from engines.building.calibration import calibration_sha256
from engines.building.engine_graph import engine_graph
from engines.building.tensorrt_package import Flavour, TensorRt, check_targets, load_tensorrt, supported_targets
from engines.building.tensorrt_plan import build_plan
from engines.cache.key import EngineKey, engine_key
from engines.cache.store import default_cache, find_engine, find_engine_among, store_engine, why_not_cached
from engines.contract import EngineRequest, Say
from engines.errors import BackendUnavailable
from engines.files import replace_file
from engines.installed import require_installed
from engines.presets import spec_of
from engines.spec import INPUT_NAME, OUTPUT_NAMES

PLAN_FILE: Final = "engine.plan"
_ALL_TARGETS: Final = "all"


def graph_precision(flavour: Flavour, request: EngineRequest) -> str:
    """fp16 unless fp32 or int8 is asked for; raises BackendUnavailable for what no graph is made in."""
    if request.precision == "bf16":
        raise BackendUnavailable(f"backend {flavour} runs in fp16, fp32 or int8; choose --precision fp16")
    return "fp16" if request.precision == "auto" else request.precision


def ensure_engine(flavour: Flavour, request: EngineRequest, weights: Path, say: Say) -> tuple[Path, EngineKey]:
    """Folder and key of an engine for the targets asked for, else for the GPU at hand, else (RTX) for all it can.

    Raises BackendUnavailable where the flavour cannot build, UserError for targets it does not know.
    """
    require_installed(flavour)
    tensorrt = load_tensorrt(flavour)
    check_targets(tensorrt, request.targets)
    gpu = nvidia_gpu()
    if flavour == "tensorrt" and gpu is None:
        raise BackendUnavailable(
            "backend tensorrt builds and runs on an NVIDIA GPU and none answers: choose --engine openvino, "
            "or build ahead for other machines with --backend tensorrt_rtx"
        )
    device = _device(tensorrt, request, gpu)
    precision = graph_precision(flavour, request)
    pictures = calibration_sha256(request.calibration) if precision == "int8" else ""
    key = engine_key(
        request.preset,
        flavour,
        tensorrt.version,
        precision,
        request.batches,
        weights,
        device,
        pictures,
        witness=request.witness,
    )
    cache = request.cache or default_cache()
    folder = find_engine(cache, key) or find_engine_among(cache, key, lambda built_for: _covers(built_for, device))
    if folder is None:
        reason = why_not_cached(cache, key)
        say(f"building the {request.preset} engine for {flavour} {precision}, {device} ({reason}) ...")
        folder = _build(tensorrt, request, weights, key, cache, say)
    return folder, key


def _device(tensorrt: TensorRt, request: EngineRequest, gpu: Gpu | None) -> str:
    """What the engine is built for, as its key has it: TensorRT one model of GPU, TensorRT-RTX capabilities."""
    if tensorrt.flavour == "tensorrt":
        return f"{gpu.name} {gpu.capability}" if gpu else ""
    if request.targets:
        return ",".join(sorted(set(request.targets)))
    return gpu.capability if gpu and gpu.capability in supported_targets(tensorrt) else _ALL_TARGETS


def _covers(built_for: str, wanted: str) -> bool:
    """Whether an engine for `built_for` ("sm80,sm89", "all") also serves `wanted`; sm75 must be asked for by name."""
    if built_for == _ALL_TARGETS:
        return "sm75" not in wanted.split(",")
    return set(wanted.split(",")) <= set(built_for.split(","))


def _build(tensorrt: TensorRt, request: EngineRequest, weights: Path, key: EngineKey, cache: Path, say: Say) -> Path:
    from importlib.metadata import version

    started = time.perf_counter()
    graph = engine_graph(
        tensorrt.flavour, key.precision, request.preset, weights, request.calibration, say, witness=request.witness
    )
    exported = time.perf_counter()
    targets = () if tensorrt.flavour == "tensorrt" or key.device == _ALL_TARGETS else tuple(key.device.split(","))
    timing_file = _timing_file(cache, tensorrt, nvidia_gpu())
    known_timings = timing_file.read_bytes() if timing_file.is_file() else b""
    plan, timings = build_plan(tensorrt, graph, request.batches, targets, known_timings, say)
    size = spec_of(request.preset).input_px
    facts: dict[str, Any] = {
        "input": {INPUT_NAME: ["batch", size, size, 3], "dtype": "uint8"},
        "profiles": list(request.batches),
        "outputs": list(OUTPUT_NAMES),
        "export_s": round(exported - started, 2),
        "build_s": round(time.perf_counter() - exported, 2),
        "versions": {tensorrt.flavour: tensorrt.version, "torch": version("torch"), "onnx": version("onnx")},
    }
    folder = store_engine(cache, key, {PLAN_FILE: plan}, facts)
    if timings:
        replace_file(timing_file, timings)
    return folder


def _timing_file(cache: Path, tensorrt: TensorRt, gpu: Gpu | None) -> Path:
    """One file a version and model of GPU: a cache of another one is of no use, and must not be overwritten."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", gpu.name).strip("-") if gpu else "none"
    return cache / f"timing-{tensorrt.version}-{name}.cache"
