"""BlockTable: every block of a forward pass counts, each kind is measured once."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from graphs.errors import InvalidOption
from predictors.latency.lookup import BlockTable, blocks_of
from predictors.latency.measure import Measurement, this_device


class Network(nn.Module):
    """Two equal convolutions, of which the second runs twice, one that never runs, and a block with another in it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.unused = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.outer = nn.Sequential(nn.Conv2d(3, 3, 1))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.outer(self.second(self.second(self.first(x))))
        return out


def is_block(name: str, module: nn.Module) -> bool:
    return name == "outer" or isinstance(module, nn.Conv2d)


def test_sums_over_what_runs() -> None:
    measured: list[nn.Module] = []

    def alone(module: nn.Module, inputs: Sequence[Tensor]) -> Measurement:
        measured.append(module)
        seconds = 10.0 if isinstance(module, nn.Sequential) else float(inputs[0].shape[-1])
        return Measurement(seconds, seconds, seconds, this_device())

    table, network = BlockTable(is_block, alone), Network()
    assert table(network, [torch.zeros(1, 3, 8, 8)]) == 3 * 8 + 10
    assert measured == [network.first, network.outer]
    assert table(Network(), [torch.zeros(1, 3, 8, 8)]) == 3 * 8 + 10
    assert len(measured) == 2
    assert table(network, [torch.zeros(1, 3, 4, 4)]) == 3 * 4 + 10
    assert len(table.blocks) == 4


def test_blocks_are_what_a_pass_runs_in_its_order() -> None:
    network, images = Network(), torch.randn(1, 3, 8, 8)
    found = list(blocks_of(network, [images], is_block))
    assert [block.module for block in found] == [network.first, network.second, network.second, network.outer]
    torch.testing.assert_close(found[1].inputs[0], network.first(images).detach())
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_a_network_without_blocks() -> None:
    with pytest.raises(InvalidOption, match="is_block"):
        BlockTable(lambda *_: False, lambda *_: pytest.fail("nothing to measure"))(Network(), [torch.zeros(1, 3, 4, 4)])
