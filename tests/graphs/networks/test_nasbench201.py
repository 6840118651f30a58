"""CellNetwork: published parameters and multiply-accumulates, and a cell computed node by node, are the references."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from graphs.errors import InvalidArchitecture, InvalidOption
from graphs.networks.nasbench201 import Cell, CellNetwork
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.spaces.nasbench201 import OPERATIONS, NasBench201
from graphs.tables.nasbench201 import load_nasbench201

SPACE = NasBench201()
SAMPLE = [SPACE.build((op,) * 6) for op in OPERATIONS] + [
    SPACE.sample(np.random.default_rng(seed)) for seed in range(15)
]


def counted(network: nn.Module) -> tuple[float, float]:
    """Millions of parameters, and of products of one forward pass by hooks; the linear layer's biases count."""
    products = 0

    def count(module: nn.Module, _: object, out: Tensor) -> None:
        nonlocal products
        weight = module.get_parameter("weight")
        products += out.numel() * weight[0].numel() + (out.numel() if isinstance(module, nn.Linear) else 0)

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, 32, 32))
    return sum(parameter.numel() for parameter in network.parameters()) / 1e6, products / 1e6


def test_published_parameters_and_multiply_accumulates(data_dir) -> None:  # type: ignore[no-untyped-def]
    table = load_nasbench201("cifar10", data_dir)
    for graph in SAMPLE:
        row = table(graph)
        assert counted(CellNetwork(graph)) == (row["params"], row["macs"]), SPACE.format(graph)


def test_the_numbers_that_the_paper_prints() -> None:
    found, products = counted(CellNetwork(SPACE.build(("nor_conv_3x3",) * 6)))
    assert found == 1.531546
    assert f"{products:.2f}" == "220.12"


@pytest.mark.parametrize("graph", SAMPLE[:12], ids=SPACE.format)
def test_forward_and_backward(graph) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    network = CellNetwork(graph, 7, channels=4, cells=1)
    logits = network(torch.randn(3, 3, 8, 8))
    assert logits.shape == (3, 7)
    logits.square().sum().backward()
    assert network.head.weight.grad is not None
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_a_cell_computed_by_hand() -> None:
    torch.manual_seed(0)
    cell = Cell(("nor_conv_3x3", "none", "avg_pool_3x3", "skip_connect", "none", "nor_conv_1x1"), 4).eval()
    x, ops = torch.randn(2, 4, 6, 6), cell.operations
    expected = x + ops[5](ops[2](ops[0](x)))
    torch.testing.assert_close(cell(x), expected)
    assert len(list(cell.parameters())) == 6  # two convolutions, each with a batch norm


def test_zeros_go_through_operations() -> None:
    """What reads a zero is dead at first; a trained batch norm that reads zeros puts out its bias."""
    cell = Cell(("none", "none", "none", "none", "nor_conv_3x3", "none"), 4)
    x = torch.randn(2, 4, 6, 6)
    assert not cell(x).any()
    nn.init.ones_(cell.operations[4][2].bias)
    assert bool((cell(x) == 1).all())
    assert not Cell(("none",) * 6, 4)(x).any()


def test_batch_norm_and_strides_are_where_the_benchmark_has_them() -> None:
    network = CellNetwork(SPACE.build(("skip_connect",) * 6))
    strides = [module.stride for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert strides.count((2, 2)) == 2
    assert sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == 6
    seen: list[torch.Size] = []
    network.last.register_forward_pre_hook(lambda _, read: seen.append(read[0].shape))
    network.eval()(torch.zeros(1, 3, 32, 32))
    assert seen == [torch.Size([1, 64, 8, 8])]


def test_what_is_refused() -> None:
    with pytest.raises(InvalidArchitecture, match="nasbench201"):
        CellNetwork(NasBenchGraph().parse("0123|gcn|gcn|gcn|gcn"))
    for name in ("classes", "channels", "cells"):
        with pytest.raises(InvalidOption, match=f"{name} is 0"):
            CellNetwork(SAMPLE[0], **{name: 0})
