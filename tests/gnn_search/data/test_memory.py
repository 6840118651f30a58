"""The estimate counts tensors exactly, grows with all that matters, and is compared before anything is tried."""

import pytest
import torch

from gnn_search.data.memory import graph_bytes, require_memory, training_bytes
from gnn_search.data_sets import load_task
from gnn_search.task import GraphInput
from graphs.errors import DataError, InvalidOption, TooLarge


def test_bytes_of_tensors() -> None:
    edges = torch.zeros(2, 5, dtype=torch.long)
    assert graph_bytes(GraphInput(torch.zeros(3, 4), edges)) == 48 + 80
    assert (
        graph_bytes(GraphInput(torch.eye(3).to_sparse_csr(), edges, torch.ones(5))) == 4 * 8 + 3 * 8 + 3 * 4 + 80 + 20
    )


def test_refused_with_estimate_and_limit() -> None:
    task = load_task("synthetic-sbm")
    needed = require_memory(task, 64, limit=2**40)
    assert needed == training_bytes(task, 64) < training_bytes(task, 128) < training_bytes(task, 128, layers=8)
    assert require_memory(task, 64, limit=needed) == needed
    with pytest.raises(
        TooLarge, match=r"synthetic-sbm: full-batch training with 4 layers of 64 .* limit is 9.31e-10 GiB"
    ):
        require_memory(task, 64, limit=1)
    assert issubclass(TooLarge, DataError)


@pytest.mark.parametrize("options", [{"hidden": 0}, {"hidden": 8, "layers": 0}, {"hidden": 8, "limit": 0}])
def test_sizes_that_cannot_be(options: dict[str, int]) -> None:
    with pytest.raises(InvalidOption, match="is 0, expected at least 1"):
        require_memory(load_task("synthetic-sbm"), **options)
