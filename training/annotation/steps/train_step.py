"""A 2D detector of your own: the paper's kind (simple baseline on a ResNet), on any data set the project reads.

It may be stopped and started again. What it writes is a name for detect --detector.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from pydantic import ValidationError

from engines.errors import UserError
from realtime.command import above_zero
from training.annotation.keypoints.network import save_detector
from training.annotation.keypoints.task import KeypointSettings, KeypointTask, start_keypoints
from training.command import positive
from training.loop.loop import checkpoint_path, train
from training.loop.ranks import ALONE
from training.loop.state import load_state
from training.paper.state import new_paper_state


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's options."""
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the data set, such as one that export wrote"
    )
    parser.add_argument(
        "--dataset", default="interhand26m", help="which data set it is (interhand26m, as export writes)"
    )
    parser.add_argument("--split", default="train", help="what to train on (train)")
    parser.add_argument("--validation", default="val", help="split that is held out (val); none for nothing")
    parser.add_argument("--output", type=Path, default=Path("out/annotation/detector"), help="folder of the run")
    parser.add_argument("--depth", type=int, choices=(18, 34, 50, 101, 152), default=50, help="of the ResNet (50)")
    parser.add_argument("--trunk", type=Path, help="ImageNet weights of that ResNet (torchvision's .pth)")
    parser.add_argument("--crop", type=positive, default=256, help="side of the crops, px (256)")
    parser.add_argument("--epochs", type=positive, default=20, help="passes through the hands (20)")
    parser.add_argument("--batch", type=positive, default=32)
    parser.add_argument("--learning-rate", type=above_zero, default=1e-3)
    parser.add_argument("--workers", type=int, default=2, help="processes that read pictures ahead (2)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=0)


def run(arguments: argparse.Namespace) -> None:
    """Do it. Raises UserError."""
    settings = settings_of(arguments)
    torch.manual_seed(settings.seed)
    task = KeypointTask(settings, ALONE)
    state = new_paper_state(settings, start_keypoints(settings))
    settings.output.mkdir(parents=True, exist_ok=True)
    path = checkpoint_path(settings)
    if path.exists():
        load_state(state, path)
        print(f"going on after {state.samples} samples")
    train(settings, state, task)
    figures = task.validate(state.averaged)
    weights = settings.output / "detector.safetensors"
    made_by = {"data": [part.model_dump(mode="json") for part in settings.data.train], "held_out": figures}
    save_detector(state.averaged, weights, settings.data.crop_px, made_by)
    told = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
    print(f"written     {weights}{f' (held out: {told})' if told else ''}; use it with detect --detector {weights}")


def settings_of(arguments: argparse.Namespace) -> KeypointSettings:
    """The run's settings; raises UserError naming what does not fit."""
    a = arguments
    part = {"dataset": a.dataset, "root": a.data}
    held_out = [] if a.validation == "none" else [{**part, "split": a.validation}]
    try:
        return KeypointSettings.model_validate(
            {
                "data": {
                    "train": [{**part, "split": a.split}],
                    "validation": held_out,
                    "crop_px": a.crop,
                    "workers": a.workers,
                },
                "schedule": {"epochs": a.epochs, "learning_rate": a.learning_rate, "decay": "cosine", "warmup": 200},
                "augmentation": {
                    "shift": 0.1,
                    "scale": 0.25,
                    "roll_deg": 45,
                    "roll_share": 0.8,
                    "flip": 0.5,
                    "colour": 0.2,
                },
                "depth": a.depth,
                "trunk": a.trunk,
                "batch": a.batch,
                "clip_norm": 5.0,
                "seed": a.seed,
                "device": a.device,
                "validate_every": 20_000,
                "output": a.output,
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"train: {where}: {first['msg']} (given: {first['input']})") from error
