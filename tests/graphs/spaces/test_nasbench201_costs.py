"""Costs of NAS-Bench-201: the published columns, and a network built in PyTorch and counted, are the references."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from graphs.errors import InvalidArchitecture, InvalidOption, UnknownName
from graphs.spaces.nasbench201 import CELL_EDGES, OPERATIONS, NasBench201
from graphs.spaces.nasbench201_costs import KERNELS, Costs, fixed_costs, network_costs, operation_costs

SPACE = NasBench201()
ALL_3X3 = ("nor_conv_3x3",) * 6
CELLS = [(op,) * 6 for op in OPERATIONS] + [
    tuple(op.name for op in SPACE.sample(np.random.default_rng(seed)).ops[1:-1]) for seed in range(4)
]


def normalised(kernel: int, before: int, after: int, stride: int = 1) -> nn.Module:
    """ReLU, convolution and batch norm, as every convolution of the benchmark but the stem's and the shortcut's."""
    convolution = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), convolution, nn.BatchNorm2d(after))


class Zero(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class Cell(nn.Module):
    def __init__(self, ops: tuple[str, ...], channels: int) -> None:
        super().__init__()
        build = {
            "none": Zero,
            "skip_connect": nn.Identity,
            "nor_conv_1x1": lambda: normalised(1, channels, channels),
            "nor_conv_3x3": lambda: normalised(3, channels, channels),
            "avg_pool_3x3": lambda: nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
        }
        self.operations = nn.ModuleList(build[op]() for op in ops)

    def forward(self, x: Tensor) -> Tensor:
        sums = [x, *[torch.zeros_like(x)] * 3]
        for (source, target), operation in zip(CELL_EDGES, self.operations, strict=True):
            sums[target] = sums[target] + operation(sums[source])
        return sums[3]


class Residual(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.body = nn.Sequential(normalised(3, before, after, stride=2), normalised(3, after, after))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(before, after, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x) + self.shortcut(x)
        return out


def build(ops: tuple[str, ...], classes: int) -> nn.Module:
    parts: list[nn.Module] = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)]
    for channels in (16, 32, 64):
        parts += [Residual(channels // 2, channels)] if channels > 16 else []
        parts += [Cell(ops, channels) for _ in range(5)]
    head = [nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes)]
    return nn.Sequential(*parts, *head)


def counted(network: nn.Module) -> Costs:
    """Parameters, and products of one forward pass by hooks on what multiplies; the linear layer's biases count."""
    macs = 0

    def count(module: nn.Module, _: object, out: Tensor) -> None:
        nonlocal macs
        weight = module.get_parameter("weight")
        macs += out.numel() * weight[0].numel() + (out.numel() if isinstance(module, nn.Linear) else 0)

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, 32, 32))
    return Costs(sum(parameter.numel() for parameter in network.parameters()), macs)


@pytest.mark.parametrize("ops", CELLS, ids=lambda ops: SPACE.format(SPACE.build(ops)))
def test_a_network_that_is_built_costs_the_same(ops: tuple[str, ...]) -> None:
    for classes in (10, 100):
        assert network_costs(ops, classes) == counted(build(ops, classes))


def test_the_published_columns_of_every_cell(data_dir: Path) -> None:
    with (data_dir / "nasbench201" / "nasbench201.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == SPACE.size
    for row in rows:
        costs = SPACE.costs(SPACE.parse(row["arch"]))
        assert costs == {"params": float(row["params_millions"]), "macs": float(row["macs_millions"])}, row["arch"]


def test_the_numbers_that_the_paper_prints() -> None:
    costs = network_costs(ALL_3X3)
    assert costs.params == 1_531_546
    assert f"{costs.macs / 1e6:.2f}" == "220.12"


@given(ops=st.tuples(*[st.sampled_from(OPERATIONS)] * 6), classes=st.integers(1, 1000))
def test_costs_add_up_over_the_operations(ops: tuple[str, ...], classes: int) -> None:
    total = fixed_costs(classes)
    for op in ops:
        total += operation_costs(op)
    assert network_costs(ops, classes) == total


def test_cells_of_one_multiset_of_operations_cost_the_same() -> None:
    orders = set(itertools.permutations(("none", "none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "none")))
    assert len(orders) == 120
    assert len({network_costs(ops) for ops in orders}) == 1


def test_a_dead_operation_is_counted() -> None:
    dead = SPACE.build(("none", "none", "none", "none", "nor_conv_3x3", "none"))
    empty = SPACE.build(("none",) * 6)
    assert SPACE.canonical(dead) == SPACE.canonical(empty)
    assert SPACE.costs(dead)["params"] > SPACE.costs(empty)["params"]


def test_every_operation_has_a_cost() -> None:
    assert set(KERNELS) == set(OPERATIONS)


def test_what_is_refused() -> None:
    with pytest.raises(InvalidArchitecture, match="expected 6 operations, got 5"):
        network_costs(ALL_3X3[:5])
    with pytest.raises(UnknownName, match="Did you mean 'nor_conv_3x3'"):
        network_costs((*ALL_3X3[:5], "nor_conv_33"))
    with pytest.raises(InvalidOption, match="classes is 0"):
        network_costs(ALL_3X3, classes=0)
    with pytest.raises(InvalidArchitecture, match="six operations"):
        SPACE.costs(SPACE.simplify(SPACE.build(("none",) * 6)))
