"""The work of each stage: the functions behind the separate commands, called one after the other."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from tqdm import tqdm

from engines.backends.opening import open_backend
from engines.building.sample_crops import sample_crops
from engines.contract import EngineRequest
from engines.errors import UserError
from engines.files import in_one_step
from engines.networks.checkpoints import load_weights, sidecar_path
from engines.networks.lite import Lite
from engines.presets import DEFAULT_WEIGHTS
from engines.second_look import looking_twice
from engines.verification.verify import verify
from training import pseudo_labels, train
from training.banks.real_bank import STORED_PX, load_real
from training.composed_pairs import PART, Order, compose, rows_of_one_hand
from training.datasets.sample import LabelledSample
from training.evaluate import judge_network
from training.evaluation.report import even_rows, write_report
from training.evaluation.root_depth import TRUE, RootDepths
from training.export import export
from training.lite.backgrounds import SIDE_PX, load_backgrounds
from training.lite.settings import Settings, training_shards
from training.lite.validation import load_held_out, validate
from training.mix_trunk import MEDIAPIPES_SHARE, write_mix
from training.registry import load_split
from training.retraining.plan import Banks, RetrainPlan
from training.retraining.stage import Outcome, file_digest
from training.synth.render.render_bank import check_drawing, render_bank
from training.synth.render.sensor import srgb_from_linear
from training.synth.scene.background import room

ROOMS: Final = {False: 48, True: 6}
"""Of a dry run as few as show that it can be done."""
MOST_JOINT_PX: Final = 1.5
"""How far an engine's joints may be from torch's on average, in pixels of the crop: half precision moves them by .4."""
_TIMED_S: Final = {False: 5.0, True: 0.2}
_VERIFIED_CROPS: Final = {False: 32, True: 8}
_DRY_SAMPLES: Final = 12
_WEIGHTS: Final = "lite.safetensors"


def draw_rooms(count: int, folder: Path) -> Outcome:
    """Plain pictures without hands for those who have no photographs."""
    target = folder / "rooms"
    target.mkdir(exist_ok=True)
    for seed in range(count):
        picture = srgb_from_linear(room(SIDE_PX, SIDE_PX, seed))
        cv2.imwrite(str(target / f"{seed:03d}.png"), np.rint(picture[..., ::-1] * 255).astype(np.uint8))
    return Outcome(f"{count} drawn rooms", target)


def render(plan: RetrainPlan, folder: Path) -> Outcome:
    """The bank of rendered hands; goes on with the first unfinished shard."""
    check_drawing()
    bank = folder / "bank"
    panoramas = plan.backgrounds if plan.backgrounds and plan.backgrounds.is_dir() else None
    rejected = render_bank(bank, plan.count, plan.seed, plan.workers, panoramas, plan.shard_size)
    return Outcome(f"{plan.count} pictures, {rejected.total()} scenes thrown away", bank)


def run_training(settings: Settings) -> Outcome:
    """One training run; goes on where it stopped."""
    train.run(settings)
    return Outcome(_last_validation(settings.output / "log.csv"), settings.output / "last.pt")


def label_pictures(pictures: Sequence[Path], weights: Path, folder: Path) -> Outcome:
    """Sets of real hands from pictures or videos, labelled by MediaPipe's network and these weights."""
    target = folder / "real"
    words = ["--pictures", *map(str, pictures), "--out", str(target), "--weights", str(weights)]
    pseudo_labels.label(pseudo_labels.parser().parse_args(words))
    return Outcome(f"{len(list(target.glob('*.npz')))} parts of labelled hands", target)


def compose_pairs(banks: Banks, seed: int, cache: Path, dry_run: bool, folder: Path) -> Outcome:
    """As many pairs as there are pictures of one real hand, in a folder for each bank; none of hands held out.

    Half of them lie at random, half as the hands of the rendered pairs do.
    """
    target, made = folder / "composed", 0
    target.mkdir(exist_ok=True)
    rendered = next(bank.root for bank in banks.banks if bank.kind == "rendered")
    for number, bank in enumerate(bank for bank in banks.banks if bank.kind == "real"):
        names = training_shards(bank)
        count = sum(len(rows_of_one_hand(load_real(bank.root, name, STORED_PX, cache))) for name in names) // 2
        if count < 1:
            continue
        part = _DRY_SAMPLES // 2 if dry_run else min(count, PART)
        order = Order(bank.root, names, target / str(number), part if dry_run else count, cache, seed=seed, part=part)
        made += compose(order) + compose(replace(order, name="arranged", meetings=rendered))
    return Outcome(f"{made} pairs of real hands", target)


def mix(weights: Path, folder: Path) -> Outcome:
    """Weights with a part of MediaPipe's trunk, to train on real hands from."""
    target = folder / _WEIGHTS
    write_mix(weights, MEDIAPIPES_SHARE, target)
    return Outcome(f"{MEDIAPIPES_SHARE:g} of MediaPipe's trunk", target)


def export_weights(settings: Settings, folder: Path) -> Outcome:
    """Calibrated weights of a finished run."""
    weights = folder / _WEIGHTS
    held_out = export(settings, weights)["held_out"]
    return Outcome(_held_out_words(held_out), weights)


def judge(weights: Path, samples: Sequence[LabelledSample], name: str, cache: Path, folder: Path) -> Outcome:
    """Figures of a labelled set, with the true wrist depths, as `training.evaluate` gives them; a report beside."""
    backend = looking_twice(open_backend(EngineRequest(weights=weights, cache=cache), tqdm.write), "lite")
    runs = judge_network(backend, samples, RootDepths(TRUE, {}))
    content = {run.name: _without_nan(asdict(run.figures)) for run in runs}
    (folder / "figures.json").write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    about = {"data set": name, "samples": str(len(samples)), "judged": str(weights)}
    write_report(folder / "report", f"Evaluation: {name}", about, samples, runs)
    last = runs[-1].figures
    words = f"2D {last.error_2d_px:.1f} px, root-relative {last.root_relative_mm:.1f} mm"
    if math.isfinite(last.mrrpe_mm):
        words += f", MRRPE {last.mrrpe_mm:.1f} mm"
    return Outcome(f"{words}, {len(samples)} samples", folder / "figures.json")


def judge_held_out(weights: Path, banks: Banks, cache: Path, dry_run: bool, folder: Path) -> Outcome:
    """`judge` on the shards that were never trained on."""
    samples = [
        sample
        for bank in banks.banks
        if bank.kind == "rendered"
        for shard in bank.validation
        for sample in load_split("synthetic", bank.root, shard)
        if sample.sequence == shard  # the split 10 is also that of shard 100
    ]
    return judge(weights, _fewer(samples, dry_run), "synthetic", cache, folder)


def judge_webcam(weights: Path, root: Path, cache: Path, dry_run: bool, folder: Path) -> Outcome:
    """`judge` on real webcam pictures."""
    samples = [*load_split("webcam", root, "test")]
    return judge(weights, _fewer(samples, dry_run), "webcam", cache, folder)


def _fewer(samples: list[LabelledSample], dry_run: bool) -> list[LabelledSample]:
    return [samples[i] for i in even_rows(len(samples), _DRY_SAMPLES)] if dry_run else samples


def build_engine(weights: Path, cache: Path, dry_run: bool, folder: Path) -> Outcome:
    """The engine of this machine, held against torch in fp32; raises UserError if it gives other joints."""
    request = EngineRequest(weights=weights, cache=cache)
    engine = open_backend(request, tqdm.write)
    reference = open_backend(EngineRequest(weights=weights, backend="torch", precision="fp32"))
    crops = sample_crops(engine.input_px, count=_VERIFIED_CROPS[dry_run])
    found = verify(engine, reference, crops, timed_s=_TIMED_S[dry_run])
    (folder / "verification.json").write_text(json.dumps(asdict(found), indent=2) + "\n")
    if not found.joints_px_mean <= MOST_JOINT_PX:
        raise UserError(
            f"{engine.name} in {engine.precision} puts joints {found.joints_px_mean:.2f} px from torch's, more than "
            f"{MOST_JOINT_PX}: try python -m engines.build --weights {weights} --precision fp32 --verify"
        )
    words = f"{engine.name} {engine.precision}: {found.joints_px_mean:.2f} px from torch, {found.latency_p50_ms:.1f} ms"
    return Outcome(words, folder / "verification.json")


def install(weights: Path, settings: Settings, force: bool, shipped: Path = DEFAULT_WEIGHTS["lite"]) -> Outcome:
    """Put `weights` where the program looks for them, if they are better on held-out hands or `force` says so."""
    if shipped.exists() and file_digest(shipped) == file_digest(weights):
        return Outcome("already in place", shipped)
    new = _held_out_px(weights, settings)  # raises for the new ones and their shards: what follows is the old ones'
    old, judged = math.inf, "there were no old ones"
    if shipped.exists():
        try:
            old = _held_out_px(shipped, settings)
            judged = f"the old ones {old:.2f}"
        except UserError as error:  # damaged, or of another network: any that can be read are better
            judged = f"the old ones could not be read: {error}"
    if not (new < old or force):
        return Outcome(f"kept the old ones: the new ones {new:.2f} px held out, {judged}", shipped)
    for source, target in ((sidecar_path(weights), sidecar_path(shipped)), (weights, shipped)):
        with in_one_step(target, alone=True) as whole:
            shutil.copyfile(source, whole)
    return Outcome(f"installed: {new:.2f} px held out, {judged}", shipped)


def _held_out_px(weights: Path, settings: Settings) -> float:
    """Mean 2D error of single hands and pairs on the held-out shards, in pixels of a 256 px crop."""
    network = Lite()
    load_weights(network, weights)
    data = settings.data.model_copy(update={"crop_px": None})  # as it will look: at its full input
    settings = settings.model_copy(update={"data": data})
    held_out = load_held_out(data)
    found = validate(network.to(settings.device).eval(), held_out, load_backgrounds(data.backgrounds), settings)
    return (found["single_px"] + found["pair_px"]) / 2


def _last_validation(log: Path) -> str:
    if not log.exists():
        return "too short to be validated"
    with log.open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    prefix = "held_out_"
    told = {name: text for name, text in last.items() if name.startswith(prefix) and text}  # others had other columns
    held_out = {name.removeprefix(prefix): float(text) for name, text in told.items()}
    return f"{last['samples']} samples, {_held_out_words(held_out)}"


def _held_out_words(held_out: dict[str, float]) -> str:
    return f"held out {held_out['single_px']:.1f} px single, {held_out['pair_px']:.1f} px pairs"


def _without_nan(figures: dict[str, float]) -> dict[str, float | None]:
    """JSON has no NaN: null."""
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}
