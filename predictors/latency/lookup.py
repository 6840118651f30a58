"""BlockTable: the latency of a network as the sum of its blocks, each measured alone once.

As in FBNet (Wu et al. CVPR 2019, section 3.2) and ProxylessNAS (Cai et al. ICLR 2019, section 3.3). What runs between
blocks, such as sums, is left out, and a block alone finds its weights in the cache more often than inside a network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from graphs.errors import InvalidOption
from predictors.latency.measure import Measurement

IsBlock = Callable[[str, nn.Module], bool]
"""From a module's name inside the network and the module to whether it is measured as a whole."""
Key = tuple[str, tuple[tuple[int, ...], ...]]
"""What a block is built of, as PyTorch prints it, and the shapes of what it reads."""


@dataclass(frozen=True, eq=False)
class Block:
    """A block of a network and what it reads there."""

    module: nn.Module
    inputs: tuple[Tensor, ...]

    @property
    def key(self) -> Key:
        """Equal for blocks that differ in their weights alone."""
        return repr(self.module), tuple(tuple(tensor.shape) for tensor in self.inputs)


@dataclass(frozen=True, eq=False)
class BlockTable:
    """Grows by the blocks that it has not met.

    Args:
        is_block: which modules are blocks; of nested ones the outermost.
        measure: a block's latency, such as `predictors.latency.measure.measure`, on one device.
        blocks: what was measured.
    """

    is_block: IsBlock
    measure: Callable[[nn.Module, Sequence[Tensor]], Measurement]
    blocks: dict[Key, Measurement] = field(default_factory=dict)

    def __call__(self, network: nn.Module, inputs: Sequence[Tensor]) -> float:
        """The sum of the medians of all blocks that a forward pass runs, in seconds; a block run twice counts twice.

        Raises:
            InvalidOption: the network runs no block.
        """
        total, found = 0.0, list(blocks_of(network, inputs, self.is_block))
        if not found:
            raise InvalidOption("the network runs no module that `is_block` takes; expected at least one")
        for block in found:
            if block.key not in self.blocks:
                self.blocks[block.key] = self.measure(block.module, block.inputs)
            total += self.blocks[block.key].median
        return total


@torch.no_grad()
def blocks_of(network: nn.Module, inputs: Sequence[Tensor], is_block: IsBlock) -> Iterator[Block]:
    """The blocks that a forward pass in evaluation mode runs, in the order in which it runs them."""
    met: list[Block] = []

    def note(module: nn.Module, read: tuple[Any, ...]) -> None:
        met.append(Block(module, tuple(tensor.detach().clone() for tensor in read)))

    handles = [module.register_forward_pre_hook(note) for module in _outermost(network, "", is_block)]
    try:
        network.eval()(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    yield from met


def _outermost(module: nn.Module, name: str, is_block: IsBlock) -> Iterator[nn.Module]:
    """The blocks in `module`, none inside another."""
    if is_block(name, module):
        yield module
        return
    for child, inner in module.named_children():
        yield from _outermost(inner, f"{name}.{child}" if name else child, is_block)
