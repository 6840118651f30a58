"""Training of GNNs against plain PyG: the same networks, recipe and epochs, test accuracy at the best validation epoch.

    python benchmarks/gnn_training.py --data cora citeseer --model gcn gat --seeds 3

Plain PyG has dense features, `GCNConv` or `GATConv`, `F.dropout`, Adam, and an evaluation after each epoch. Each run is
a process of its own with one thread; runs of the two take turns, so that what else the machine does falls on both.
Prints a line for each data set and model: accuracies as mean +- standard deviation in percent, seconds a run by the
clock on the wall and of the processor, which other jobs disturb less, and ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import GATConv, GCNConv

from gnn_search.attention import AttentionLayer
from gnn_search.data_sets import load_task
from gnn_search.gnn import GnnModel
from gnn_search.inputs import NetworkInput
from gnn_search.joint import Joint, Raw
from gnn_search.sparse import SparseMatrix, dropout
from gnn_search.task import GnnTask
from gnn_search.training import PreparedTask, Protocol, train
from graphs.archgraph import ArchGraph, Op
from graphs.spaces.gnn import Recipe

RECIPES = {"gcn": Recipe(), "gat": Recipe(feature_dropout=0.6, dropout=0.6, learning_rate=0.005)}
"""Those of Kipf and Welling (2017), with 64 hidden features, and of Velickovic et al. (2018), with 8 heads of 8."""


HEAD = """| data | model | plain PyG | ours | plain s | ours s | faster | plain CPU s | ours CPU s | faster |
|---|---|---|---|---|---|---|---|---|---|"""


class PlainNetwork(nn.Module):
    """Two layers of PyG."""

    def __init__(self, model: str, features: int, classes: int) -> None:
        super().__init__()
        self.share, self.gat = RECIPES[model].dropout, model == "gat"
        if self.gat:  # dropout of attention coefficients is left out on both sides
            self.first, self.second = GATConv(features, 8, heads=8), GATConv(64, classes)
        else:
            self.first, self.second = GCNConv(features, 64, cached=True), GCNConv(64, classes, cached=True)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = self.first(F.dropout(x, self.share, self.training), edge_index)
        x = F.dropout(F.elu(x) if self.gat else F.relu(x), self.share, self.training)
        found: Tensor = self.second(x, edge_index)
        return found


def plain_run(model: str, task: GnnTask, seed: int, epochs: int) -> float:
    """Test accuracy in percent at the best validation epoch of a training as tutorials have it."""
    torch.manual_seed(seed)
    x = task.train.graph.x.to_dense()
    edge_index, recipe = task.train.graph.edge_index, RECIPES[model]
    network = PlainNetwork(model, x.shape[1], task.classes)
    groups = [
        {"params": network.first.parameters(), "weight_decay": recipe.weight_decay},
        {"params": network.second.parameters(), "weight_decay": 0.0},
    ]
    optimizer = torch.optim.Adam(groups, lr=recipe.learning_rate)
    best, test = -1.0, 0.0
    for _ in range(epochs):
        network.train()
        optimizer.zero_grad()
        F.cross_entropy(network(x, edge_index)[task.train.items], task.train.labels).backward()
        optimizer.step()
        network.eval()
        with torch.no_grad():
            logits = network(x, edge_index)
        right = [float((logits[s.items].argmax(1) == s.labels).float().mean()) for s in (task.valid, task.test)]
        if right[0] > best:
            best, test = right[0], right[1]
    return 100 * test


class SameGat(nn.Module):
    """PyG's two layers of GAT in ours; an architecture of the spaces has a linear head instead of the second."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.share = RECIPES["gat"].dropout
        self.maps = nn.ModuleList([Joint([features], 64), Joint([64], classes)])
        usual = ("sum", "identity")
        self.layers = nn.ModuleList([AttentionLayer(8, "gat", 8, *usual), AttentionLayer(classes, "gat", 1, *usual)])

    def forward(self, inputs: NetworkInput) -> Tensor:
        features = inputs.features
        assert isinstance(features, SparseMatrix)
        raw = Raw(features.dropped(self.share) if self.training else features, None)
        hidden = F.elu(self.layers[0](self.maps[0]([raw]), inputs))
        found: Tensor = self.layers[1](self.maps[1]([dropout(hidden, self.share, self.training)]), inputs)
        return found


def our_run(model: str, task: GnnTask, seed: int, epochs: int) -> float:
    """The same with `train`."""
    features = task.train.graph.features

    def make() -> nn.Module:
        return GnnModel(gcn(), features, task.classes) if model == "gcn" else SameGat(features, task.classes)

    return train(make, PreparedTask(task), RECIPES[model], seed, Protocol(epochs, patience=epochs)).test


def gcn() -> ArchGraph:
    """One layer and a linear head whose logits are propagated once, which is a second."""
    usual = {"aggregate": "sum", "combine": "identity", "activation": "relu"}
    inner = Op("attention", hidden=64, attention="gcn", heads=1, **usual)
    ops = (Op("input", **vars(RECIPES["gcn"])), inner, Op("output", jumping="cat", steps=1, teleport=0.0))
    return ArchGraph(ops, ((0, 1), (1, 2)))


def one_run(arguments: argparse.Namespace) -> None:
    """What a process of its own does: trains once and prints test accuracy and seconds, loading apart."""
    torch.set_num_threads(1)
    task = load_task(arguments.data[0])
    started, busy = time.perf_counter(), time.process_time()
    run = plain_run if arguments.way == "plain" else our_run
    test = run(arguments.model[0], task, arguments.seed, arguments.epochs)
    seconds = {"wall": time.perf_counter() - started, "cpu": time.process_time() - busy}
    print(json.dumps({"test": test, **seconds}))


def apart(way: str, data: str, model: str, seed: int, epochs: int) -> dict[str, float]:
    """`one_run` in a new process."""
    options = ["--way", way, "--data", data, "--model", model, "--seed", str(seed), "--epochs", str(epochs)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", __file__, *options]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def mean_and_deviation(values: list[float], digits: int) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.{digits}f} +- {deviation:.{digits}f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["cora", "citeseer"])
    parser.add_argument("--model", nargs="+", choices=sorted(RECIPES), default=["gcn", "gat"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--way", choices=("plain", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        return one_run(arguments)
    print(HEAD)
    for data in arguments.data:
        for model in arguments.model:
            runs: dict[str, list[dict[str, float]]] = {"plain": [], "ours": []}
            for seed in range(arguments.seeds):
                for way, found in runs.items():
                    found.append(apart(way, data, model, seed, arguments.epochs))
            accuracies = [mean_and_deviation([run["test"] for run in found], 1) for found in runs.values()]
            columns = [data, model, *accuracies]
            for clock in ("wall", "cpu"):
                plain, ours = ([run[clock] for run in found] for found in runs.values())
                ratio = statistics.mean(plain) / statistics.mean(ours)
                columns += [mean_and_deviation(plain, 1), mean_and_deviation(ours, 1), f"{ratio:.1f}x"]
            print("|", " | ".join(columns), "|", flush=True)
    return None


if __name__ == "__main__":
    main()
