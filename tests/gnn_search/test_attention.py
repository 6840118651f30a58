"""All attentions, aggregations and combinations against a dense computation node by node."""

from itertools import product

import pytest
import torch
from torch import Tensor

from gnn_search.attention import AttentionLayer
from gnn_search.inputs import NetworkInput
from gnn_search.task import GraphInput
from graphs.spaces.gnn import AGGREGATES, ATTENTIONS, COMBINES

NODES, HIDDEN = 9, 3


def graph(weighted: bool) -> tuple[NetworkInput, Tensor]:
    """Directed, with an isolated node; and the dense adjacency with loops, a row for each node that reads."""
    torch.manual_seed(2)
    chosen = (torch.rand(NODES, NODES) < 0.3) & ~torch.eye(NODES, dtype=torch.bool)
    chosen[-1], chosen[:, -1] = False, False
    target, source = chosen.nonzero().unbind(1)
    weights = torch.rand(len(source)) + 0.5 if weighted else None
    dense = torch.eye(NODES)
    dense[target, source] = 1.0 if weights is None else weights
    return NetworkInput(GraphInput(torch.zeros(NODES, 1), torch.stack([source, target]), weights)), dense


def scores(attention: str, vectors: list[Tensor], z: Tensor) -> Tensor:
    """For each head the score of reading node j at node i, by Auto-GNN's formulas."""
    i, j = z[:, None], z[None]  # n n h d
    if attention in ("gat", "sym-gat"):
        found = torch.nn.functional.leaky_relu((vectors[0] * i + vectors[1] * j).sum(-1), 0.2)
        return found + found.transpose(0, 1) if attention == "sym-gat" else found
    if attention == "cos":
        return (vectors[0] * i * vectors[1] * j).sum(-1)
    if attention == "linear":
        return torch.tanh((vectors[0] * j).sum(-1)).expand(NODES, NODES, -1)
    return (vectors[2] * torch.tanh(vectors[0] * i + vectors[1] * j)).sum(-1)


def expected(layer: AttentionLayer, z: Tensor, dense: Tensor) -> Tensor:
    parts, there = z.view(NODES, layer.heads, HIDDEN), dense > 0
    if layer.attention == "const":
        weights = dense[..., None].expand(-1, -1, layer.heads)
    elif layer.attention == "gcn":
        root = dense.sum(1).rsqrt()
        weights = (root[:, None] * dense * root)[..., None].expand(-1, -1, layer.heads)
    else:
        found = scores(layer.attention, list(layer.vectors), parts)
        weights = found.masked_fill(~there[..., None], -torch.inf).softmax(1)
    messages = weights[..., None] * parts[None]  # target, source, head, feature
    if layer.aggregate == "max":
        return messages.masked_fill(~there[..., None, None], -torch.inf).amax(1).flatten(1)
    total = messages.sum(1).flatten(1)
    return total / there.sum(1)[:, None] if layer.aggregate == "mean" else total


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("heads", [1, 4])
def test_as_the_dense_computation(heads: int, weighted: bool) -> None:
    inputs, dense = graph(weighted)
    for attention, aggregate, combine in product(ATTENTIONS, AGGREGATES, COMBINES):
        layer = AttentionLayer(HIDDEN, attention, heads, aggregate, combine)
        z = torch.randn(NODES, heads * HIDDEN, requires_grad=True)
        wanted = expected(layer, z, dense)
        wanted = wanted if layer.merge is None else layer.merge(wanted)
        wanted = wanted if layer.join is None else layer.join(torch.cat([z, wanted], 1))
        found, direction, leaves = layer(z, inputs), torch.randn_like(wanted), (z, *layer.parameters())
        named = f"{attention} {aggregate} {combine}"
        torch.testing.assert_close(found, wanted, msg=lambda text, named=named: f"{named}: {text}")
        ours, theirs = (torch.autograd.grad((one * direction).sum(), leaves) for one in (found, wanted))
        for one, other in zip(ours, theirs, strict=True):
            assert one.isfinite().all()
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5, msg=lambda text, at=named: f"{at}: {text}")
