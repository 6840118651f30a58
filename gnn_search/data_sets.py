"""load_task: a named or saved data set as a task to train graph neural networks on.

`load_task("cora")` is Cora with its public split; `load_task("enzymes")` has whole graphs to label;
`load_task("photo", kind="link")` pairs of nodes; `load_task("my_graph.pt")` reads a saved PyG `Data` object.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch_geometric.data import Data

from gnn_search.data.build import TaskOptions, graph_task, link_task, node_task
from gnn_search.data.checks import checked_graph
from gnn_search.data.memory import require_memory as require_memory
from gnn_search.data.pyg_files import load_pyg
from gnn_search.data.saved import read_saved
from gnn_search.data.sources import find_source, plain
from gnn_search.data.splits import Parts
from gnn_search.data.synthetic import PREFIX, named_block_model
from gnn_search.data.synthetic import stochastic_block_model as stochastic_block_model
from gnn_search.task import GnnTask
from graphs.errors import DataError, InvalidOption, unknown_name

Kind = Literal["node", "graph", "link"]


def load_task(
    name: str,
    *,
    kind: Kind | None = None,
    inductive: bool = False,
    directed: bool = False,
    normalize: bool | None = None,
    seed: int = 0,
    root: str | Path | None = None,
) -> GnnTask:
    """The task that a name stands for.

    Raw files are looked for in `root`, else in the folder that ARCHGEN_DATA names, and only then downloaded by PyG.
    What PyG makes of them is kept in the folder that ARCHGEN_CACHE names, else in the user's cache folder.

    Parts of nodes: the data set's masks, of several splits the first; where there are none, 20 nodes of each class for
    training, 30 for validation and the rest for test, drawn by `seed` (Shchur et al. 2018; see `random_node_split` for
    small classes). Of graphs: the official parts where PyG has them, else 80, 10 and 10 % of each class, by `seed`. Of
    pairs: 85, 5 and 10 % of the undirected edges, each with as many pairs without an edge; messages pass over training
    edges alone.

    Self-loops and repetitions of edges are removed; edges get both directions, with the greater weight of the two. Only
    `edge_weight` is read as weights, no `edge_attr`. TUDataset has the features that PyG reads by default: labels of
    nodes, no attributes. Where there are no features, the degree of a node stands for them (see `degree_features`).

    Args:
        name: in any case; one of `gnn_search.data.sources.SOURCES` ("cora", "cs", "enzymes"), a class of
            `torch_geometric.datasets` ("KarateClub", "TUDataset:AIDS"), "synthetic-sbm" with or without a number of
            nodes ("synthetic-sbm-20000"), or the path of a saved `Data` object or list of these, which ends in ".pt".
        kind: what is labelled; unless given, graphs where there are several, else nodes.
        inductive: whether training reads only the nodes that are not for validation or test, and the edges between
            them. Under a random split that leaves but the labelled nodes. Graphs are apart in any case.
        directed: whether edges keep their direction, where PyG has it.
        normalize: whether each node's features are divided by the sum of their absolute values; bags of words are
            unless you say otherwise, all else is not.
        seed: of random splits; two calls with the same arguments return equal tasks.
        root: a folder with raw files as PyG lays them out.

    Raises:
        UnknownName: no such data set or kind.
        DataError: files that are missing or cannot be read, or data that cannot be trained on; says what to do.
        InvalidOption: options that do not go together.
    """
    if name.lower().endswith(".pt"):
        label, parts, words, published = Path(name).stem, [read_saved(Path(name))], False, False
    elif plain(name).startswith(PREFIX):
        label, parts, words, published = plain(name), [[named_block_model(plain(name))]], False, True
    else:
        source = find_source(name)
        parts = load_pyg(source, None if root is None else Path(root))
        label, words, published = plain(name), source.words, True
    return _task(
        label,
        parts,
        kind,
        TaskOptions(seed, inductive, directed, words if normalize is None else normalize),
        complete_masks=not published,
    )


def task_from_data(
    name: str,
    data: Data | Sequence[Data],
    *,
    kind: Kind | None = None,
    inductive: bool = False,
    directed: bool = False,
    normalize: bool = False,
    seed: int = 0,
) -> GnnTask:
    """The task in a PyG `Data` object, or in several with a label each, read as `load_task` does; the same errors."""
    parts = [[data] if isinstance(data, Data) else list(data)]
    return _task(name, parts, kind, TaskOptions(seed, inductive, directed, normalize), complete_masks=True)


def _task(
    name: str, parts: list[list[Any]], kind: Kind | None, options: TaskOptions, *, complete_masks: bool
) -> GnnTask:
    graphs = [graph for part in parts for graph in part]
    if not graphs:
        raise DataError(f"{name} holds no graph, expected at least one")
    kind = kind or ("node" if len(graphs) == 1 else "graph")
    _check_options(name, kind, len(graphs), options)
    if kind == "graph":
        checked = [checked_graph(f"{name}, graph {number}", graph, kind) for number, graph in enumerate(graphs)]
        return graph_task(name, checked, _official_parts(parts), options)
    graph = checked_graph(name, graphs[0], kind, complete_masks=complete_masks)
    return link_task(name, graph, options) if kind == "link" else node_task(name, graph, options)


def _official_parts(parts: list[list[Any]]) -> Parts | None:
    """Numbers of the graphs of each part where the data set came in three."""
    if len(parts) != 3:
        return None
    first, second = len(parts[0]), len(parts[0]) + len(parts[1])
    return torch.arange(first), torch.arange(first, second), torch.arange(second, second + len(parts[2]))


def _check_options(name: str, kind: str, graphs: int, options: TaskOptions) -> None:
    if kind not in ("node", "graph", "link"):
        raise unknown_name("kind", kind, ("node", "graph", "link"))
    if kind == "graph" and graphs == 1:
        raise InvalidOption(f"{name} is one graph, so kind='graph' has nothing to compare; take kind='node' or 'link'")
    if kind != "graph" and graphs > 1:
        raise InvalidOption(
            f"{name} holds {graphs} graphs, so kind='{kind}' is not offered; take kind='graph', or join them, "
            "Data.from_dict(Batch.from_data_list(graphs).to_dict()), and set masks"
        )
    if kind == "link" and options.directed:
        raise InvalidOption("directed=True with kind='link': a pair's score is the same both ways; leave directed out")
    if kind == "link" and options.inductive:
        raise InvalidOption(
            "inductive=True with kind='link': all parts read the training edges alone; leave inductive out"
        )
    if options.seed < 0:
        raise InvalidOption(f"seed is {options.seed}, expected at least 0")
