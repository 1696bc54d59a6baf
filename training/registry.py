"""Every data set by name: how to read it, where it comes from, on what terms, and how its folder looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engines.errors import UserError
from training.datasets.coco_hands import load_coco_wholebody, load_freihand, load_onehand10k
from training.datasets.interhand.interhand26m import load_interhand26m
from training.datasets.rhd import load_rhd
from training.datasets.sample import LabelledSample
from training.datasets.stb import load_stb
from training.datasets.synthetic import load_synthetic
from training.datasets.tzionas import load_tzionas
from training.datasets.webcam import load_webcam

Loader = Callable[[Path, str], Sequence[LabelledSample]]


@dataclass(frozen=True)
class DataSet:
    """What is known of a data set before it is there."""

    load: Loader
    """(folder, split) -> samples."""
    title: str
    source: str
    licence: str
    splits: tuple[str, ...]
    layout: str
    """The files that a folder must hold."""


DATA_SETS: Final[dict[str, DataSet]] = {
    "interhand26m": DataSet(
        load=load_interhand26m,
        title="InterHand2.6M v1.0: one and two hands in a studio, 3D (Moon et al., ECCV 2020)",
        source="https://mks0601.github.io/InterHand2.6M/ (pictures at 5 or 30 fps, annotations, RootNet's output)",
        licence="CC BY-NC 4.0: not for commercial use, nor what is trained on it",
        splits=("train", "val", "test"),
        layout="images/<split>/Capture*/..., annotations/<split>/InterHand2.6M_<split>_{data,camera,joint_3d}.json; "
        "for --subset human annotations/<split>/aid_human_annot_<split>.txt; "
        "for --root-depth rootnet rootnet_output/rootnet_interhand2.6m_output_*.json",
    ),
    "rhd": DataSet(
        load=load_rhd,
        title="RHD: rendered people, 3D (Zimmermann and Brox, ICCV 2017)",
        source="https://lmb.informatik.uni-freiburg.de/resources/datasets/RenderedHandposeDataset.en.html, annotations "
        "as JSON from https://download.openmmlab.com/mmpose/datasets/rhd_annotations.zip or the InterHand2.6M page",
        licence="research only",
        splits=("train", "test"),
        layout="training/color/*.png, evaluation/color/*.png, annotations/rhd_{train,test}.json "
        "or InterNet's RHD_{training,evaluation}.json",
    ),
    "stb": DataSet(
        load=load_stb,
        title="STB: one left hand before a stereo pair, 3D (Zhang et al., ICIP 2017)",
        source="https://github.com/zhjwustc/icip17_stereo_hand_pose_dataset (or InterNet's STB_{train,test}.json)",
        licence="research only",
        splits=("train", "test"),
        layout="images/<B1..B6><Counting|Random>/BB_left_<0..1499>.png, labels/<sequence>_BB.mat; "
        "or STB_{train,test}.json and images/<sequence>/",
    ),
    "freihand": DataSet(
        load=load_freihand,
        title="FreiHAND: right hands with objects, 2D labels (Zimmermann et al., ICCV 2019)",
        source="https://lmb.informatik.uni-freiburg.de/resources/datasets/FreihandDataset.en.html, annotations from "
        "https://download.openmmlab.com/mmpose/datasets/frei_annotations.tar",
        licence="research only",
        splits=("train", "val", "test"),
        layout="training/rgb/*.jpg, annotations/freihand_{train,val,test}.json",
    ),
    "onehand10k": DataSet(
        load=load_onehand10k,
        title="OneHand10K: hands from the web, 2D, right or left not told (Wang et al., TCSVT 2019)",
        source="https://www.yangangwang.com/papers/WANG-MCC-2018-10.html, annotations from "
        "https://download.openmmlab.com/mmpose/datasets/onehand10k_annotations.tar",
        licence="research only",
        splits=("train", "test"),
        layout="Train/source/*.jpg, Test/source/*.jpg, annotations/onehand10k_{train,test}.json",
    ),
    "coco_wholebody": DataSet(
        load=load_coco_wholebody,
        title="COCO-WholeBody: both hands of people in photographs, 2D (Jin et al., ECCV 2020)",
        source="https://github.com/jin-s13/COCO-WholeBody (annotations), https://cocodataset.org (pictures of 2017)",
        licence="annotations for research only; pictures under their owners' Flickr terms",
        splits=("train", "val"),
        layout="train2017/*.jpg, val2017/*.jpg, annotations/coco_wholebody_{train,val}_v1.0.json",
    ),
    "tzionas": DataSet(
        load=load_tzionas,
        title="Hands in Action: two interacting hands, 2D joints without tips and wrists (Tzionas et al., IJCV 2016)",
        source="http://files.is.tue.mpg.de/dtzionas/Hand-Object-Capture/ (the hand-hand sequences 01-07)",
        licence="research only",
        splits=("train", "test"),
        layout="<01..07>/1/rgb/<frame>.png, <01..07>/1/joints_2D_GT/<frame>.txt",
    ),
    "webcam": DataSet(
        load=load_webcam,
        title="Real webcam pictures of one hand, 3D: the project's test, never trained on",
        source="the real-world test set of https://github.com/3d-hand-shape/hand-graph-cnn, cut to crops",
        licence="research only",
        splits=("test",),
        layout="images/*.jpg, labels.json",
    ),
    "synthetic": DataSet(
        load=load_synthetic,
        title="This project's own rendered hands, 3D",
        source="python -m training.synth",
        licence="free: made from CC0 data",
        splits=("all",),
        layout="shard-<number>.tar and shard-<number>.npz; a split is the beginning of a shard's number, or all",
    ),
}


def data_set(name: str) -> DataSet:
    """A data set by name; raises UserError if there is none."""
    if name not in DATA_SETS:
        raise UserError(f"data set {name!r} is unknown; choose one of {', '.join(DATA_SETS)}")
    return DATA_SETS[name]


def load_split(
    name: str, root: Path, split: str, subset: str = "all", cache: Path | None = None
) -> Sequence[LabelledSample]:
    """Read a split; `subset` all, human or machine is for interhand26m only. Raises UserError.

    `cache` is a folder for labels that take long to read (interhand26m's); None keeps nothing.
    """
    if name == "interhand26m":
        return load_interhand26m(root, split, subset, cache)  # type: ignore[arg-type]  # an unknown one is a UserError
    if subset != "all":
        raise UserError(f"--subset {subset}: only interhand26m has one")
    return data_set(name).load(root, split)
