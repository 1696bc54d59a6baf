"""Released checkpoints: what loads, what is refused and how it is named, conversion, and the deployed preset."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.smooth_weights import smooth_paper
from engines.backends.opening import open_backend
from engines.backends.overlap import SideBySide, can_overlap
from engines.building.graph import deployed_module, halved
from engines.building.sample_crops import sample_crops
from engines.contract import EngineRequest
from engines.convert import main as convert_main
from engines.errors import UserError
from engines.networks.decode import BytesInput
from engines.networks.decode_paper import DeployedPaper, gamma_from_bones
from engines.networks.paper import PaperNetworks, read_paper, write_paper
from engines.networks.released import load_released
from engines.presets import weights_of
from engines.spec import PAPER
from engines.verification.verify import verify
from tests.support.paper_weights import small_paper
from tests.support.slim_networks import HALF, slim, slim_networks  # noqa: F401  pytest finds the fixture here

State = dict[str, Tensor]
pytestmark = pytest.mark.usefixtures("slim_networks")


@pytest.fixture(scope="module")
def networks(slim_networks: None) -> PaperNetworks:  # noqa: F811
    return smooth_paper(18)


@pytest.fixture(scope="module")
def snapshots(networks: PaperNetworks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both checkpoints in the form of the releases."""
    folder = tmp_path_factory.mktemp("released")
    assert networks.rootnet is not None
    for name, network in (("snapshot_20", networks.internet), ("snapshot_18", networks.rootnet)):
        torch.save(_released(network.state_dict()), folder / f"{name}.pth.tar")
    return folder


def _released(state: State) -> dict[str, Any]:
    optimizer = {"state": {0: {"step": 3, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4, "params": [0]}]}
    return {"epoch": 20, "network": {f"module.{k}": v for k, v in state.items()}, "optimizer": optimizer}


def _mmpose(state: State, head: str) -> dict[str, Any]:
    """The same parameters under mmpose's names, with the arrays that mmpose keeps in its remarks."""
    names = {
        "backbone_net.resnet.": "backbone.",
        "pose_net.joint_deconv_1.": f"{head}.right_hand_head.deconv_layers.",
        "pose_net.joint_conv_1.0.": f"{head}.right_hand_head.final_layer.",
        "pose_net.joint_deconv_2.": f"{head}.left_hand_head.deconv_layers.",
        "pose_net.joint_conv_2.0.": f"{head}.left_hand_head.final_layer.",
        "pose_net.root_fc.": f"{head}.root_head.fc.",
        "pose_net.hand_fc.": f"{head}.hand_type_head.fc.",
    }
    renamed = {}
    for name, value in state.items():
        ours = next(prefix for prefix in names if name.startswith(prefix))
        renamed[names[ours] + name.removeprefix(ours)] = value
    remarks = {"dataset_meta": {"sigmas": np.zeros(42, np.float32), "flip": np.arange(42), "score": np.float64(9.5)}}
    return {"meta": remarks, "state_dict": renamed}


@pytest.mark.parametrize("zipped", [True, False], ids=["new files", "files of torch before 1.6"])
def test_released_checkpoints_load_whole(
    networks: PaperNetworks, snapshots: Path, tmp_path: Path, zipped: bool
) -> None:
    path = tmp_path / "snapshot_20.pth.tar"
    content = torch.load(snapshots / path.name, weights_only=True)
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    loaded = load_released("internet", path)
    assert not loaded.training
    assert not loaded.imagenet_input
    assert loaded.trunk.depth == 18
    for name, value in networks.internet.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


def test_rootnet_loads_with_one_root_or_two(snapshots: Path, tmp_path: Path) -> None:
    assert load_released("rootnet", snapshots / "snapshot_18.pth.tar").roots == 2
    published = smooth_paper(18, roots=1).rootnet
    assert published is not None
    torch.save(_released(published.state_dict()), tmp_path / "one.pth.tar")
    loaded = load_released("rootnet", tmp_path / "one.pth.tar")
    with torch.inference_mode():
        assert loaded(torch.rand((3, 3, 64, 64)), torch.ones(3)).shape == (3, 3)
        networks = PaperNetworks(load_released("internet", snapshots / "snapshot_20.pth.tar"), loaded)
        gamma = DeployedPaper(networks.eval(), PAPER)(torch.rand((1, 3, 256, 256)))[5]
    assert gamma.shape == (1, 2)
    assert gamma[0, 0] == gamma[0, 1]


@pytest.mark.parametrize("head", ["head", "keypoint_head"], ids=["mmpose 1", "mmpose 0"])
def test_mmpose_checkpoints_load_and_bring_their_normalisation(
    networks: PaperNetworks, tmp_path: Path, head: str
) -> None:
    torch.save(_mmpose(networks.internet.state_dict(), head), tmp_path / "internet_res50_interhand3d.pth")
    loaded = load_released("internet", tmp_path / "internet_res50_interhand3d.pth")
    assert loaded.imagenet_input
    for name, value in networks.internet.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


def _drop(state: State) -> None:
    del state["module.pose_net.root_fc.2.bias"], state["module.backbone_net.resnet.layer2.0.conv1.weight"]


def _add(state: State) -> None:
    state["module.pose_net.joint_deconv_3.0.weight"] = torch.zeros(3)


def _reshape(state: State) -> None:
    state["module.pose_net.hand_fc.2.weight"] = torch.zeros(3, 512)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_drop, r"2 missing \(backbone_net.resnet.layer2.0.conv1.weight, pose_net.root_fc.2.bias\)"),
        (_add, r"1 extra \(pose_net.joint_deconv_3.0.weight\)"),
        (_reshape, r"1 of another shape \(pose_net.hand_fc.2.weight \(3, 512\) instead of \(2, 512\)\)"),
    ],
)
def test_parameters_amiss_are_named(snapshots: Path, tmp_path: Path, change: Any, message: str) -> None:
    content = torch.load(snapshots / "snapshot_20.pth.tar", weights_only=True)
    change(content["network"])
    torch.save(content, tmp_path / "s.pth.tar")
    with pytest.raises(UserError, match=message) as error:
        load_released("internet", tmp_path / "s.pth.tar")
    assert str(error.value).startswith(str(tmp_path / "s.pth.tar"))
    assert "\n" not in str(error.value)


class _Touch:
    """A pickle that would create a file, if anything ever ran it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("damage", ["missing", "cut", "noise", "code", "text", "no dict", "no tensors", "empty"])
def test_files_that_are_no_checkpoint_are_one_line_and_run_nothing(
    snapshots: Path, tmp_path: Path, damage: str
) -> None:
    path, trap = tmp_path / "snapshot_20.pth.tar", tmp_path / "trap"
    if damage == "cut":
        path.write_bytes((snapshots / path.name).read_bytes()[:1_000_000])
    elif damage == "noise":
        path.write_bytes(np.random.default_rng(0).bytes(10_000))
    elif damage == "code":
        path.write_bytes(pickle.dumps({"network": _Touch(trap)}, protocol=2))
    elif damage == "text":
        path.write_text("<html>not found</html>")
    elif damage == "no dict":
        torch.save(torch.zeros(3), path)
    elif damage == "no tensors":
        torch.save({"network": {"module.conv1.weight": 3}}, path)
    elif damage == "empty":
        path.touch()
    with pytest.raises(UserError) as error:
        load_released("internet", path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert not trap.exists()


def test_the_other_networks_checkpoint_is_recognised(snapshots: Path) -> None:
    with pytest.raises(UserError, match="is a RootNet checkpoint"):
        load_released("internet", snapshots / "snapshot_18.pth.tar")
    with pytest.raises(UserError, match="is an InterNet checkpoint"):
        load_released("rootnet", snapshots / "snapshot_20.pth.tar")


def test_conversion_keeps_every_output(snapshots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "paper.safetensors"
    internet, rootnet = str(snapshots / "snapshot_20.pth.tar"), str(snapshots / "snapshot_18.pth.tar")
    assert convert_main(["--internet", internet, "--rootnet", rootnet, "--output", str(output)]) == 0
    sidecar = json.loads(output.with_suffix(".json").read_text())
    assert sidecar["internet"]["file"] == "snapshot_20.pth.tar"
    assert sidecar["rootnet"]["roots"] == 2
    crops = torch.from_numpy(sample_crops(256, count=2))
    with torch.inference_mode():
        converted = deployed_module("paper", output)(crops)
        released = deployed_module("paper", snapshots / "snapshot_20.pth.tar")(crops)
    for ours, theirs in zip(converted[:5], released[:5], strict=True):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(released[5], gamma_from_bones(released[0], released[1], 256))
    assert not torch.equal(converted[5], released[5]), "RootNet's own"
    assert not list(tmp_path.glob("*.tmp*"))
    assert convert_main(["--internet", rootnet, "--output", str(output)]) == 2
    assert convert_main(["--internet", internet, "--output", "paper.onnx"]) == 2
    assert "ending .safetensors" in capsys.readouterr().err


def test_converted_file_remembers_mmpose_normalisation(networks: PaperNetworks, tmp_path: Path) -> None:
    torch.save(_mmpose(networks.internet.state_dict(), "head"), tmp_path / "m.pth")
    write_paper(PaperNetworks(load_released("internet", tmp_path / "m.pth")), tmp_path / "m.safetensors", {}, half=True)
    again = read_paper(tmp_path / "m.safetensors")
    assert again.internet.imagenet_input
    assert again.rootnet is None
    name = "pose_net.hand_fc.0.weight"
    torch.testing.assert_close(
        again.internet.state_dict()[name], networks.internet.state_dict()[name], rtol=1e-3, atol=1e-3
    )
    with pytest.raises(UserError, match="no file of preset paper"):
        read_paper(weights_of("lite", None))


def test_paper_without_weights_says_how_to_get_some() -> None:
    with pytest.raises(UserError, match=r"ships none: give a released checkpoint .*python -m engines.convert"):
        weights_of("paper", Path("no/such.safetensors"))


def test_preset_paper_runs_on_openvino_as_in_torch(tmp_path: Path) -> None:
    """With weights that other files' engines are built of, too, so that they are exported once."""
    lines: list[str] = []
    with slim(*HALF):
        weights = small_paper(tmp_path / "paper.safetensors")
        report = verify(
            open_backend(EngineRequest("paper", weights, "openvino", "fp32", cache=tmp_path), lines.append),
            open_backend(EngineRequest("paper", weights, "torch", "fp32")),
            sample_crops(256, count=2),
            timed_s=0.0,
        )
    assert len(lines) == 1
    assert report.joints_px_largest < 0.05
    assert report.joint_depth_mm_largest < 0.05
    assert report.root_depth_factor_largest < 1e-3
    assert report.confidence_largest < 1e-3


def test_a_snapshot_runs_as_it_is_without_a_rootnet(snapshots: Path, tmp_path: Path) -> None:
    request = EngineRequest("paper-argmax", snapshots / "snapshot_20.pth.tar", "openvino", "fp32", cache=tmp_path)
    engine = open_backend(request)
    crops = sample_crops(256, count=2)
    both = {name: value.copy() for name, value in engine(crops).items()}
    joints, depths = (torch.from_numpy(both[name]) for name in ("joints_crop_px", "joint_depth_mm"))
    np.testing.assert_allclose(both["root_depth_factor"], gamma_from_bones(joints, depths, 256), rtol=1e-4)
    assert not (both["joints_crop_px"] % 4).any()
    np.testing.assert_array_equal(engine(crops[1:])["joints_crop_px"][0], both["joints_crop_px"][1])


def test_a_rootnet_beside_the_snapshot_gives_its_own_depth(snapshots: Path, tmp_path: Path) -> None:
    internet, rootnet = snapshots / "snapshot_20.pth.tar", snapshots / "snapshot_18.pth.tar"
    request = EngineRequest("paper", internet, "torch", "fp32", cache=tmp_path, rootnet=rootnet)
    lines: list[str] = []
    crops = sample_crops(256, count=1)
    both = open_backend(request, lines.append)(crops)
    alone = open_backend(replace(request, rootnet=None))(crops)
    np.testing.assert_allclose(both["joints_crop_px"], alone["joints_crop_px"], atol=1e-3)
    assert np.abs(both["root_depth_factor"] / alone["root_depth_factor"] - 1).min() > 1e-3
    assert len(lines) == 1
    open_backend(request, lines.append)
    assert len(lines) == 1
    (file,) = tmp_path.glob("paper-*.safetensors")
    file.write_bytes(file.read_bytes()[:-1000])
    healed = open_backend(request, lines.append)(crops)
    assert "is damaged" in lines[1]
    assert len(lines) == 2
    np.testing.assert_array_equal(healed["root_depth_factor"], both["root_depth_factor"])
    with pytest.raises(UserError, match="no such RootNet checkpoint"):
        open_backend(replace(request, rootnet=tmp_path / "no.pth.tar"))
    with pytest.raises(UserError, match="leave --rootnet out"):
        open_backend(EngineRequest("lite", rootnet=rootnet))


def test_networks_side_by_side_say_the_same_as_one_after_the_other(
    networks: PaperNetworks, snapshots: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "paper.safetensors"
    write_paper(networks, weights, {})
    graph = deployed_module("paper", weights)
    crops = torch.from_numpy(sample_crops(256, count=1))
    with torch.inference_mode():
        for ours, theirs in zip(SideBySide(graph)(crops), graph(crops), strict=True):
            assert torch.equal(ours, theirs)
    assert not can_overlap(deployed_module("paper", snapshots / "snapshot_20.pth.tar"))


def test_half_precision_moves_depths_by_less_than_a_tenth_of_a_millimetre(
    networks: PaperNetworks, tmp_path: Path
) -> None:
    """As a GPU computes it: weights and what passes between the layers in half precision, sums in fp32."""
    weights = tmp_path / "paper.safetensors"
    write_paper(networks, weights, {})
    crops = torch.from_numpy(sample_crops(256, count=2))
    rounded = deployed_module("paper", weights, "fp16").float()
    rounded.dtype = torch.float32
    for part in rounded.modules():
        if not list(part.children()):
            part.register_forward_hook(lambda module, inputs, output: output.half().float())
    with torch.inference_mode():
        whole, half = deployed_module("paper", weights)(crops), rounded(crops)
        bare = deployed_module("paper-argmax", weights)(crops)
    assert 0 < float((half[1] - whole[1]).abs().mean()) < 0.1
    # Across the picture these untrained blobs are several times as broad as trained ones, and as much less exact.
    assert 0 < float((half[0] - whole[0]).norm(dim=-1).mean()) < 0.25
    assert torch.equal(bare[0] % 4, torch.zeros_like(bare[0]))
    assert 0 < float((bare[0] - whole[0]).abs().max()) <= 4


def test_half_precision_graph_answers_in_single() -> None:
    network = DeployedPaper(smooth_paper(18), PAPER)
    graph = BytesInput(halved(network), "fp16")
    assert {value.dtype for value in network.state_dict().values() if value.is_floating_point()} == {torch.float16}
    with torch.device("meta"), torch.inference_mode():
        outputs = graph.to("meta")(torch.zeros((1, 256, 256, 3), dtype=torch.uint8))
    assert {value.dtype for value in outputs} == {torch.float32}
