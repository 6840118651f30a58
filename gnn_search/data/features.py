"""Features of nodes: a sparse tensor where few are not zero, rows that sum to 1, degrees where there are none.

Features are float32, shape "n d", dense or sparse CSR; jaxtyping cannot state the layout.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Int
from torch import Tensor

SPARSE_SHARE = 0.1
"""Features are sparse if at most this share of them is not zero."""

DEGREES = 64
"""Features that stand for a degree; nodes with 63 neighbours and more share the last."""


def laid_out(x: Tensor) -> Tensor:
    """The same features, sparse CSR where at most a tenth is not zero, else dense; both float32.

    Args:
        x: features in any layout, shape "n d".
    """
    if x.layout != torch.strided:
        x = x.to_sparse_coo().coalesce()  # type: ignore[no-untyped-call]
    values = x if x.layout == torch.strided else x.values()
    if int(torch.count_nonzero(values)) <= SPARSE_SHARE * x.shape[0] * x.shape[1]:
        with quiet():
            return x.float().to_sparse_csr()
    return (x if x.layout == torch.strided else x.to_dense()).float().contiguous()


def rows(x: Tensor, nodes: Int[Tensor, " m"]) -> Tensor:
    """The features of some nodes, in the order given and the layout of `x`."""
    if x.layout == torch.strided:
        return x[nodes]
    starts, counts = x.crow_indices()[nodes], x.crow_indices().diff()[nodes]
    crow = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    # The entry at place p of the result lies as far from its row's start as it did in x.
    places = torch.arange(int(crow[-1])) + (starts - crow[:-1]).repeat_interleave(counts)
    return _csr(crow, x.col_indices()[places], x.values()[places], (len(nodes), x.shape[1]))


def normalized(x: Tensor) -> Tensor:
    """Each row divided by the sum of its absolute values; rows of zeros stay."""
    if x.layout == torch.strided:
        sums = x.abs().sum(dim=1, keepdim=True)
        return x / torch.where(sums > 0, sums, 1.0)
    owners = torch.arange(x.shape[0]).repeat_interleave(x.crow_indices().diff())
    sums = torch.zeros(x.shape[0]).index_add(0, owners, x.values().abs())
    values = x.values() / torch.where(sums > 0, sums, 1.0)[owners]
    return _csr(x.crow_indices(), x.col_indices(), values, (x.shape[0], x.shape[1]))


def degree_features(edge_index: Int[Tensor, "2 e"], nodes: int) -> Tensor:
    """One of `DEGREES` features is 1: that of the number of edges that arrive, as Xu et al. (ICLR 2019) do on graphs
    without features."""
    degrees = torch.bincount(edge_index[1], minlength=nodes).clamp(max=DEGREES - 1)
    return _csr(torch.arange(nodes + 1), degrees, torch.ones(nodes), (nodes, DEGREES))


def _csr(crow: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    with quiet():
        return torch.sparse_csr_tensor(crow, columns, values, shape, check_invariants=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Without PyTorch's remark that sparse CSR tensors are new."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        yield
