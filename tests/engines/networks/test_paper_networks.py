"""InterNet and RootNet: names, shapes and the published computation, against an independent one in float64 numpy."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from engines.errors import UserError
from engines.networks.internet import InterNet
from engines.networks.resnet import LAYOUTS, ResNet, load_imagenet
from engines.networks.rootnet import RootNet

Arrays = dict[str, NDArray[np.float64]]


def listing(network: nn.Module) -> str:
    """Names and shapes as the released checkpoints have them, one a line."""
    return "".join(f"module.{name} {tuple(value.shape)}\n" for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("network", "entries", "digest"),
    [
        (InterNet, 366, "a11190b0d51af15aa76b207331d3c69f431d97169adc1bb94ef538b8d2f0e5b5"),
        (RootNet, 340, "76845a428fd94b833fd8c5c0db33ed9463ae79d67b542e2a9dbf6b8c58acac4b"),
    ],
)
def test_names_and_shapes_are_those_of_the_released_checkpoints(
    network: type[nn.Module], entries: int, digest: str
) -> None:
    text = listing(network())
    assert text.count("\n") == entries
    assert hashlib.sha256(text.encode()).hexdigest() == digest, "the digest is that of the list of released names"


# He et al., table 1, less the classifier's 512 or 2048 x 1000 + 1000.
@pytest.mark.parametrize(
    ("depth", "parameters"),
    [(18, 11_176_512), (34, 21_284_672), (50, 23_508_032), (101, 42_500_160), (152, 58_143_808)],
)
def test_every_resnet_has_the_published_size(depth: int, parameters: int) -> None:
    with torch.device("meta"):
        trunk = ResNet(depth)
    assert sum(p.numel() for p in trunk.parameters()) == parameters
    assert trunk.out_channels == (512 if depth < 50 else 2048)


def test_fresh_layers_are_gaussian_of_a_thousandth() -> None:
    network = InterNet(18)
    weights = network.state_dict()
    assert float(weights["pose_net.joint_deconv_1.0.weight"].std()) == pytest.approx(0.001, rel=0.02)
    assert float(weights["backbone_net.resnet.layer4.0.conv1.weight"].std()) == pytest.approx(0.001, rel=0.02)
    assert not weights["pose_net.root_fc.2.bias"].any()
    assert (weights["backbone_net.resnet.bn1.weight"] == 1).all()


def test_imagenet_weights_fill_the_trunk_and_leave_the_classifier_out(tmp_path) -> None:
    published = {name: torch.randn_like(value.float()) for name, value in ResNet(18).state_dict().items()}
    torch.save(published | {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}, tmp_path / "r18.pth")
    trunk = RootNet(18).trunk
    load_imagenet(trunk, tmp_path / "r18.pth")
    torch.testing.assert_close(trunk.layer3[1].conv2.weight, published["layer3.1.conv2.weight"])
    with pytest.raises(UserError, match=r"a ResNet-34 trunk: parameters .* missing \(layer1.2.conv1.weight"):
        load_imagenet(ResNet(34), tmp_path / "r18.pth")


def test_an_unknown_depth_is_named() -> None:
    with pytest.raises(UserError, match="no ResNet-20; choose one of 18, 34, 50, 101, 152"):
        InterNet(20)


# The same formulae once more, in numpy, float64, straight from the definitions.


def conv(x: NDArray, weight: NDArray, stride: int, pad: int) -> NDArray:
    """Sum over taps: (B, C, H, W), (O, C, k, k)."""
    k = weight.shape[-1]
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    height, width = ((side - k) // stride + 1 for side in x.shape[2:])
    out = np.zeros((len(x), len(weight), height, width))
    for i in range(k):
        for j in range(k):
            taps = x[:, :, i : i + stride * height : stride, j : j + stride * width : stride]
            out += np.einsum("oc,bchw->bohw", weight[:, :, i, j], taps, optimize=True)
    return out


def deconv(x: NDArray, weight: NDArray) -> NDArray:
    """Each input cell paints its 4x4 kernel at twice its place, less one: (B, C, H, W), (C, O, 4, 4)."""
    batch, _, height, width = x.shape
    out = np.zeros((batch, weight.shape[1], 2 * height + 2, 2 * width + 2))
    for i in range(4):
        for j in range(4):
            painted = np.einsum("co,bchw->bohw", weight[:, :, i, j], x, optimize=True)
            out[:, :, i : i + 2 * height : 2, j : j + 2 * width : 2] += painted
    return out[:, :, 1:-1, 1:-1]


def norm(x: NDArray, p: Arrays, name: str) -> NDArray:
    """Batch norm with the stored mean and variance."""
    scale = p[f"{name}.weight"] / np.sqrt(p[f"{name}.running_var"] + 1e-5)
    return (x - p[f"{name}.running_mean"][:, None, None]) * scale[:, None, None] + p[f"{name}.bias"][:, None, None]


def relu(x: NDArray) -> NDArray:
    return np.maximum(x, 0)


def block(x: NDArray, p: Arrays, name: str, stride: int) -> NDArray:
    if f"{name}.conv3.weight" in p:
        y = relu(norm(conv(x, p[f"{name}.conv1.weight"], 1, 0), p, f"{name}.bn1"))
        y = relu(norm(conv(y, p[f"{name}.conv2.weight"], stride, 1), p, f"{name}.bn2"))
        y = norm(conv(y, p[f"{name}.conv3.weight"], 1, 0), p, f"{name}.bn3")
    else:
        y = relu(norm(conv(x, p[f"{name}.conv1.weight"], stride, 1), p, f"{name}.bn1"))
        y = norm(conv(y, p[f"{name}.conv2.weight"], 1, 1), p, f"{name}.bn2")
    if f"{name}.downsample.0.weight" in p:
        x = norm(conv(x, p[f"{name}.downsample.0.weight"], stride, 0), p, f"{name}.downsample.1")
    return relu(x + y)


def resnet(x: NDArray, p: Arrays, prefix: str, depth: int) -> NDArray:
    x = relu(norm(conv(x, p[f"{prefix}conv1.weight"], 2, 3), p, f"{prefix}bn1"))
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    half = x.shape[-1] // 2 - 1
    x = np.max([x[:, :, i : i + 2 * half : 2, j : j + 2 * half : 2] for i in range(3) for j in range(3)], axis=0)
    for stage, count in enumerate(LAYOUTS[depth][1]):
        for k in range(count):
            x = block(x, p, f"{prefix}layer{stage + 1}.{k}", 2 if stage and not k else 1)
    return x


def upsampled(x: NDArray, p: Arrays, name: str) -> NDArray:
    for k in (0, 3, 6):
        x = relu(norm(deconv(x, p[f"{name}.{k}.weight"]), p, f"{name}.{k + 1}"))
    return x


def two_layers(x: NDArray, p: Arrays, name: str) -> NDArray:
    hidden = relu(x @ p[f"{name}.0.weight"].T + p[f"{name}.0.bias"])
    return hidden @ p[f"{name}.2.weight"].T + p[f"{name}.2.bias"]


def softmax(x: NDArray) -> NDArray:
    shifted = np.exp(x - x.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def internet(x: NDArray, p: Arrays, depth: int) -> tuple[NDArray, NDArray, NDArray]:
    features = resnet(x, p, "backbone_net.resnet.", depth)
    heat = []
    for side in (1, 2):
        y = conv(
            upsampled(features, p, f"pose_net.joint_deconv_{side}"), p[f"pose_net.joint_conv_{side}.0.weight"], 1, 0
        )
        y += p[f"pose_net.joint_conv_{side}.0.bias"][:, None, None]
        heat.append(y.reshape(len(y), 21, 64, *y.shape[2:]))
    pooled = features.mean((2, 3))
    root = (softmax(two_layers(pooled, p, "pose_net.root_fc")) * np.arange(64)).sum(-1, keepdims=True)
    return np.concatenate(heat, 1), root, 1 / (1 + np.exp(-two_layers(pooled, p, "pose_net.hand_fc")))


def rootnet(x: NDArray, k: NDArray, p: Arrays, depth: int) -> NDArray:
    features = resnet(x, p, "backbone.", depth)
    maps = conv(upsampled(features, p, "root.deconv_layers"), p["root.xy_layer.weight"], 1, 0)
    maps += p["root.xy_layer.bias"][:, None, None]
    batch, roots, height, width = maps.shape
    probability = softmax(maps.reshape(batch, roots, -1)).reshape(maps.shape)
    x_cells, y_cells = (
        (probability * np.arange(width)).sum((2, 3)),
        (probability * np.arange(height)[:, None]).sum((2, 3)),
    )
    gamma = features.mean((2, 3)) @ p["root.depth_layer.weight"][:, :, 0, 0].T + p["root.depth_layer.bias"]
    return np.stack([x_cells, y_cells, gamma * k[:, None]], -1)


def lively(network: nn.Module) -> tuple[nn.Module, Arrays]:
    """Weights of a usual size and a batch norm that does something, in float64 and eval mode."""
    torch.manual_seed(0)
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, std=0.1)
            nn.init.normal_(part.running_mean, std=0.1)
            nn.init.uniform_(part.running_var, 0.5, 2.0)
    network.double().eval()
    return network, {name: value.numpy() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("depth", [18, 50])
def test_internet_computes_what_was_published(depth: int) -> None:
    network, parameters = lively(InterNet(depth))
    picture = np.random.default_rng(0).random((2, 3, 64, 64))
    with torch.inference_mode():
        heat, root, hands = network(torch.from_numpy(picture))
    want_heat, want_root, want_hands = internet(picture, parameters, depth)
    assert heat.shape == (2, 42, 64, 16, 16)
    np.testing.assert_allclose(heat.numpy(), want_heat, rtol=1e-9, atol=1e-9 * np.abs(want_heat).max())
    np.testing.assert_allclose(root.numpy(), want_root, rtol=1e-5)
    np.testing.assert_allclose(hands.numpy(), want_hands, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("depth", "roots"), [(18, 2), (50, 1)])
def test_rootnet_computes_what_was_published(depth: int, roots: int) -> None:
    network, parameters = lively(RootNet(depth, roots))
    picture = np.random.default_rng(1).random((2, 3, 64, 64))
    k = np.array([400.0, 900.0])
    with torch.inference_mode():
        answer = network(torch.from_numpy(picture), torch.from_numpy(k)).numpy()
        gamma = network.gamma(torch.from_numpy(picture)).numpy()
    want = rootnet(picture, k, parameters, depth)
    assert answer.shape == ((2, 3) if roots == 1 else (2, 2, 3))
    np.testing.assert_allclose(answer.reshape(want.shape), want, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(gamma, want[..., 2] / k[:, None], rtol=1e-5, atol=1e-6)


def test_input_of_256_gives_the_published_volume() -> None:
    with torch.device("meta"):
        outputs = InterNet(50).eval()(torch.zeros((1, 3, 256, 256)))
    assert [tuple(value.shape) for value in outputs] == [(1, 42, 64, 64, 64), (1, 1), (1, 2)]
    assert outputs[0].numel() * 4 == 44_040_192


def test_mmpose_input_is_normalised_inside() -> None:
    released, retrained = InterNet(18).eval(), InterNet(18, imagenet_input=True).eval()
    retrained.load_state_dict(released.state_dict())
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    picture = torch.rand((1, 3, 64, 64))
    with torch.inference_mode():
        ours = retrained.trunk.conv1((picture - mean[:, None, None]) / std[:, None, None])
        seen: list[torch.Tensor] = []
        retrained.trunk.conv1.register_forward_hook(lambda module, inputs, output: seen.append(output))
        retrained(picture)
    torch.testing.assert_close(seen[0], ours)
