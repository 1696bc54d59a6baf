"""No deployed network makes a tensor in the CPU's memory: a CUDA graph cannot be captured over such a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from engines.building.graph import halved
from engines.networks.decode import BytesInput, DeployedLite
from engines.networks.decode_paper import DeployedPaper
from engines.networks.internet import InterNet
from engines.networks.lite import Lite
from engines.networks.paper import PaperNetworks
from engines.networks.rootnet import RootNet
from engines.networks.witness import Witness
from engines.spec import LITE, PAPER, PAPER_ARGMAX, NetworkSpec

_FROM_THE_HOST = {torch.tensor, torch.as_tensor, torch.from_numpy, Tensor.new_tensor}


class HostTensors(TorchDispatchMode):
    """Refuses every operation that takes or gives a CPU tensor; a number may be one without dimensions."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        outputs = func(*args, **(kwargs or {}))
        for value in tree_leaves((args, kwargs, outputs)):
            assert not (isinstance(value, Tensor) and value.device.type == "cpu" and value.dim()), func
        return outputs


class HostCalls(TorchFunctionMode):
    """Refuses what makes a tensor of Python's values, also as an index; on the meta device it would not show."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        assert func not in _FROM_THE_HOST, func
        if func is Tensor.__getitem__:
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            assert not any(isinstance(part, list) for part in index), "a list as an index"
        return func(*args, **(kwargs or {}))


def _paper(spec: NetworkSpec, rootnet: bool, **internet: bool) -> nn.Module:
    return DeployedPaper(PaperNetworks(InterNet(18, **internet), RootNet(18, 2) if rootnet else None), spec)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "lite": lambda: DeployedLite(Lite(spec=LITE), Witness()),
    "lite, alone": lambda: DeployedLite(Lite(spec=LITE)),
    "paper": partial(_paper, PAPER, True),
    "paper, InterNet alone": partial(_paper, PAPER, False),
    "paper, mmpose": partial(_paper, PAPER, True, imagenet_input=True),
    "paper, mixed training": partial(_paper, PAPER, True, mean_readout=True),
    "paper-argmax": partial(_paper, PAPER_ARGMAX, False),
}


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Iterator[nn.Module]:
    with torch.device("meta"):
        yield NETWORKS[request.param]().eval()


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_forward_pass_stays_on_its_device(network: Any, precision: str) -> None:
    graph = BytesInput(halved(network) if precision == "fp16" else network, precision)
    size = network.spec.input_px if isinstance(network, DeployedPaper) else LITE.input_px
    crops = torch.zeros((1, size, size, 3), dtype=torch.uint8, device="meta")
    with torch.inference_mode(), HostCalls(), HostTensors():
        outputs = graph(crops)
    assert {value.device.type for value in outputs} == {"meta"}


@pytest.mark.parametrize(
    "makes_one",
    [
        lambda x: x + torch.tensor([1.0, 2.0]).to(x),
        lambda x: x + torch.tensor([1.0, 2.0], device=x.device),
        lambda x: x[[1, 0]],
        lambda x: x + torch.arange(2).to(x),
    ],
)
def test_what_makes_one_is_seen(makes_one: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(AssertionError), HostCalls(), HostTensors():
        makes_one(torch.zeros(2, device="meta"))
