"""CellNetwork: the image classifier that a NAS-Bench-201 cell describes (Dong and Yang, ICLR 2020, figure 1).

A 3x3 convolution to 16 channels; three stages of five equal cells at 16, 32 and 64 channels; before the second and
third a residual block of stride 2; batch norm, ReLU, average over the image, a linear layer. A convolution of a cell is
ReLU, convolution, batch norm.

Parameters and multiply-accumulates equal those that the benchmark published for all cells. Every operation is built and
run, also one that reads a zero or that nobody reads: the benchmark did so, and a batch norm that reads zeros may learn
to put out something else.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from graphs.spaces.nasbench201 import CELL_EDGES, NasBench201
from graphs.spaces.nasbench201_costs import CELLS_A_STAGE, IMAGE_CHANNELS, STAGES

OUTPUT_NODE = 3
"""The last of a cell's four nodes."""


class CellNetwork(nn.Module):
    """Image classifier built from an architecture of `nasbench201`; made untrained.

    Args:
        graph: a cell.
        classes: logits an image gets.
        channels: of the first stage; each further stage has twice those of the one before.
        cells: of each stage.

    Raises:
        InvalidArchitecture: the graph is outside the space.
        InvalidOption: a size below 1.
    """

    def __init__(
        self, graph: ArchGraph, classes: int = 10, *, channels: int = STAGES[0][0], cells: int = CELLS_A_STAGE
    ) -> None:
        super().__init__()
        NasBench201().check(graph)
        for name, size in (("classes", classes), ("channels", channels), ("cells", cells)):
            if size < 1:
                raise InvalidOption(f"{name} is {size}, expected at least 1")
        ops = tuple(op.name for op in graph.ops[1:-1])
        body: list[nn.Module] = []
        for stage in range(len(STAGES)):
            width = channels * 2**stage
            body += [ResidualBlock(width // 2, width)] if stage else []
            body += [Cell(ops, width) for _ in range(cells)]
        self.stem = nn.Sequential(
            nn.Conv2d(IMAGE_CHANNELS, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        self.body = nn.Sequential(*body)
        self.last = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(width, classes)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b classes"]:
        """Logits of every image; h and w are multiples of 4."""
        logits: Tensor = self.head(self.last(self.body(self.stem(images))))
        return logits


class Cell(nn.Module):
    """Four nodes, each the sum of what an operation makes of each node before it; the last one is put out.

    Args:
        ops: six operation names in the order of the official string.
        channels: of what it reads and puts out.
    """

    def __init__(self, ops: tuple[str, ...], channels: int) -> None:
        super().__init__()
        self.operations = nn.ModuleList(_operation(op, channels) for op in ops)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        sums: list[Tensor | None] = [x, None, None, None]
        for (source, target), operation in zip(CELL_EDGES, self.operations, strict=True):
            if not isinstance(operation, Zero):
                read, so_far = sums[source], sums[target]
                added = operation(torch.zeros_like(x) if read is None else read)
                sums[target] = added if so_far is None else so_far + added
        out = sums[OUTPUT_NODE]
        return torch.zeros_like(x) if out is None else out


class ResidualBlock(nn.Module):
    """Halves the image: two convolutions, and beside them an average over 2x2 pixels and a 1x1 convolution."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(_convolution(3, before, after, stride=2), _convolution(3, after, after))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(before, after, 1, bias=False))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        out: Tensor = self.shortcut(x) + self.convolutions(x)
        return out


class Zero(nn.Module):
    """`none`: zeros, which a cell leaves out of its sums."""

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return torch.zeros_like(x)


def _operation(op: str, channels: int) -> nn.Module:
    """The module of one operation of a cell."""
    operations: dict[str, Callable[[], nn.Module]] = {
        "none": Zero,
        "skip_connect": nn.Identity,
        "nor_conv_1x1": lambda: _convolution(1, channels, channels),
        "nor_conv_3x3": lambda: _convolution(3, channels, channels),
        "avg_pool_3x3": lambda: nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
    }
    return operations[op]()


def _convolution(kernel: int, before: int, after: int, stride: int = 1) -> nn.Module:
    """ReLU, convolution and batch norm."""
    convolution = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), convolution, nn.BatchNorm2d(after))
