"""source_of, state_of: a trained network as one file of Python that needs PyTorch Geometric alone, and its weights."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from gnn_search.export_layers import weight_names
from gnn_search.export_network import classes_of
from gnn_search.export_parts import HELPERS, LOAD, PAIRS
from gnn_search.gnn import GnnModel
from graphs.spaces.attributed_dag_text import format_graph

WIDTH = 110
"""Of the lines of long texts."""


@dataclass(frozen=True)
class About:
    """What the file tells about its weights.

    Args:
        data: the name of the data set.
        kind: what is labelled.
        metrics: of exactly these weights.
        training: further words on how they came about, such as the seed.
    """

    data: str
    kind: str
    metrics: Mapping[str, float]
    training: Mapping[str, int]


def state_of(model: GnnModel) -> dict[str, Tensor]:
    """The weights of the network under the names that they have in its source."""
    known, found = model.state_dict(), dict[str, Tensor]()
    for place in range(len(model.layers)):
        layer = f"layer{place + 1}."
        found |= _linear(known, f"maps.{place}.", layer + "linear.")
        found |= _renamed(known, f"norms.{place}.", layer + "norm.")
        for old, new in weight_names(model, place + 1).items():
            found[layer + new] = known[f"layers.{place}.{old}"]
    for place in range(len(model.ends or ())):
        found |= _linear(known, f"ends.{place}.", f"end{place + 1}.")
    found |= _linear(known, "head.", "head.")
    return {name: value.detach().contiguous().clone() for name, value in found.items()}


def source_of(model: GnnModel, about: About, digest: str) -> str:
    """Python with a class `Gnn`, whose weights `load` reads from the safetensors file beside it.

    Args:
        model: the network.
        about: goes into the file's docstring and constants.
        digest: SHA-256 of the file with the weights.
    """
    body = classes_of(model, about.kind)
    helpers = [text for name, text in HELPERS.items() if re.search(rf"\b{name}\(", body)]
    rest = "\n\n\n".join([*helpers, *([PAIRS] if about.kind == "link" else []), LOAD])
    head = _head(model, about, digest)
    return f"{head[0]}\n\n{_imports(body + rest)}\n\n{head[1]}\n\n\n{body}\n\n\n{rest}\n"


def _linear(known: Mapping[str, Tensor], old: str, new: str) -> dict[str, Tensor]:
    """A `Joint` as one `nn.Linear` of the concatenation."""
    count = sum(name.startswith(f"{old}weights.") for name in known)
    weight = torch.cat([known[f"{old}weights.{place}"] for place in range(count)])
    return {f"{new}weight": weight.t(), f"{new}bias": known[f"{old}bias"]}


def _renamed(known: Mapping[str, Tensor], old: str, new: str) -> dict[str, Tensor]:
    return {new + name.removeprefix(old): value for name, value in known.items() if name.startswith(old)}


def _imports(text: str) -> str:
    """Those that the text needs, in the order that tools like."""
    utilities = [name for name in ("add_self_loops", "scatter", "softmax") if re.search(rf"\b{name}\(", text)]
    functional = "import torch.nn.functional as F" if re.search(r"\bF\.", text) else ""
    norm = "from torch_geometric.nn.conv.gcn_conv import gcn_norm" if "gcn_norm(" in text else ""
    standard = ["import hashlib", "import math" if re.search(r"\bmath\.", text) else "", "from pathlib import Path"]
    others = [
        "import torch" if re.search(r"\btorch\.", text) else "",
        functional,
        "from safetensors.torch import load as read_weights",
        "from torch import Tensor, nn",
        norm,
        f"from torch_geometric.utils import {', '.join(utilities)}" if utilities else "",
    ]
    return "\n\n".join("\n".join(filter(None, lines)) for lines in (standard, others))


def _head(model: GnnModel, about: About, digest: str) -> tuple[str, str]:
    """The docstring and the constants."""
    metrics = ", ".join(f"{name.replace('_', ' ')} {value:.2f} %" for name, value in about.metrics.items())
    training = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in about.training.items())
    recipe = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in asdict(model.recipe).items())
    told = re.sub(r'[\\"]', "/", about.data)
    what = {"node": "nodes", "graph": "graphs", "link": "pairs of nodes"}[about.kind]
    paragraphs = [
        f"Of exactly the weights in the file beside this one: {metrics} ({training}).",
        f"Recipe: {recipe}.",
        "    model = load()\n    out = model(x, edge_index)",
        "Needs torch, torch_geometric and safetensors.",
    ]
    wrapped = [text if text.startswith(" ") else textwrap.fill(text, WIDTH) for text in paragraphs]
    title = f"A graph neural network that labels {what} of the data set {told}."
    docstring = '"""' + "\n\n".join([title, *wrapped]) + '\n"""'
    pieces = re.findall(r"[^;|,]+[;|,]*", format_graph(model.graph))
    constants = [
        "ARCHITECTURE = (\n" + "\n".join(f'    "{line}"' for line in _filled(pieces)) + "\n)",
        f"DATA = {_quoted(about.data)}",
        f"METRICS = {_mapping(about.metrics)}",
        f'SHA256 = "{digest}"',
        'WEIGHTS = Path(__file__).with_suffix(".safetensors")',
    ]
    return docstring, "\n".join(constants)


def _filled(pieces: list[str]) -> list[str]:
    """Pieces joined to lines that are not too long."""
    lines = [""]
    for piece in pieces:
        if lines[-1] and len(lines[-1]) + len(piece) > WIDTH:
            lines.append("")
        lines[-1] += piece
    return lines


def _quoted(text: str) -> str:
    return repr(text) if '"' in text else f'"{repr(text)[1:-1]}"'


def _mapping(values: Mapping[str, float]) -> str:
    assert all(map(math.isfinite, values.values())), "trained weights have metrics"
    return "{" + ", ".join(f'"{name}": {value!r}' for name, value in values.items()) + "}"
