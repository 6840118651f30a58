"""classes_of: the Python classes of a network, one for each of its layers and one for the whole."""

from __future__ import annotations

import re

from gnn_search.export_layers import ACTIVATIONS, LayerCode, Reads, layer_code, propagation
from gnn_search.export_parts import EDGES
from gnn_search.gnn import GnnModel
from graphs.archgraph import Op

ARGUMENTS: dict[Reads, str] = {
    "nothing": "",
    "edges": ", edge_index, edge_weight",
    "mean": ", edge_index, mean_weight",
    "symmetric": ", edge_index, symmetric_weight",
    "loops": ", loops",
    "summed": ", loops, loop_weight",
    "gcn": ", loops, gcn_weight",
}
"""What a layer is called with beside features."""


def classes_of(model: GnnModel, kind: str) -> str:
    """The classes `Layer1`, `Layer2`, ... and `Gnn`.

    Args:
        kind: what the network's task labels.
    """
    codes = [layer_code(op, model.recipe.dropout) for op in model.graph.ops[1:-1]]
    layers = [_layer(model, node, code) for node, code in enumerate(codes, start=1)]
    return "\n\n\n".join([*layers, _network(model, codes, kind)])


def _layer(model: GnnModel, node: int, code: LayerCode) -> str:
    """The class of one layer."""
    op = model.graph.ops[node]
    width = len(model.state_dict()[f"maps.{node - 1}.bias"]) // code.streams
    inputs, batch = _inputs(model, f"maps.{node - 1}."), model.recipe.norm == "batch"
    made = [f"self.linear = nn.Linear({inputs}, {width * code.streams})", *code.made]
    made += [f"self.norm = nn.BatchNorm1d({width})"] if batch else []
    arguments = "x: Tensor"
    if code.reads != "nothing":
        arguments += ", edge_index: Tensor" + (", weight: Tensor" if code.weighted else "")
    *computed, last = ["h = self.linear(x)", *code.computed]
    activation = ACTIVATIONS[str(op.get("activation"))]
    if not batch and re.fullmatch(r"h = [^\n]+", last):  # the last line of a loop stands by itself
        computed.append("return " + activation.format(last.removeprefix("h = ")))
    else:
        computed += [last, "return " + activation.format("self.norm(h)" if batch else "h")]
    lines = [
        f"class Layer{node}(nn.Module):",
        f'    """{_described(op)}."""',
        "",
        "    def __init__(self) -> None:",
        "        super().__init__()",
        *(f"        {line}" for line in made),
        "",
        f"    def forward(self, {arguments}) -> Tensor:",
        *(f"        {line}" for line in computed),
    ]
    return "\n".join(lines)


def _described(op: Op) -> str:
    return f"{op.name}: " + ", ".join(f"{name} {value}" for name, value in op.attrs)


def _inputs(model: GnnModel, prefix: str) -> int:
    known = model.state_dict()
    return sum(len(value) for name, value in known.items() if name.startswith(f"{prefix}weights."))


def _network(model: GnnModel, codes: list[LayerCode], kind: str) -> str:
    """The class of the whole network."""
    outputs, ends = int(model.head.bias.shape[0]), len(model.ends or ())
    made = [f"self.layer{node} = Layer{node}()" for node in range(1, len(codes) + 1)]
    for place in range(ends):
        width = len(model.state_dict()[f"ends.{place}.bias"])
        made.append(f"self.end{place + 1} = nn.Linear({_inputs(model, f'ends.{place}.')}, {width})")
    made.append(f"self.head = nn.Linear({_inputs(model, 'head.')}, {outputs})")
    item = {"graph": "g", "link": "n", "node": "n"}[kind]
    told = "features of a node, whose dot products score pairs" if kind == "link" else "logits of the classes"
    weights = "" if weighs(codes, model.steps) else "; not used here"
    graphs = ", one graph unless given" if model.pooled else "; not used here"
    lines = [
        "class Gnn(nn.Module):",
        f'    """The network: x of shape "n {_features(model)}" to "{item} {outputs}", {told}.',
        "",
        "    Args of forward:",
        "        x: features of the nodes.",
        '        edge_index: source and target of each edge, shape "2 e", without self-loops or repetitions.',
        f"        edge_weight: positive weights, all 1 unless given{weights}.",
        f"        batch: the number of each node's graph{graphs}.",
        '    """',
        "",
        "    def __init__(self) -> None:",
        "        super().__init__()",
        *(f"        {line}" for line in made),
        "",
        "    def forward(",
        "        self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None, batch: Tensor | None = None",
        "    ) -> Tensor:",
        *(f"        {line}" for line in _forward(model, codes)),
    ]
    return "\n".join(lines)


def _features(model: GnnModel) -> int:
    return len(model.state_dict()["maps.0.weights.0"])


def weighs(codes: list[LayerCode], steps: int) -> bool:
    """Whether the weights of edges matter."""
    return steps > 0 or any(code.weighted for code in codes)


def _forward(model: GnnModel, codes: list[LayerCode]) -> list[str]:
    recipe, before = model.recipe, model.graph.predecessors
    needed: set[str] = {code.reads for code in codes} | ({"gcn"} if model.steps else set())
    if needed & {"summed", "gcn"}:
        needed -= {"loops"}  # made on the way
    lines = []
    if weighs(codes, model.steps):
        lines += ["if edge_weight is None:", "    edge_weight = x.new_ones(edge_index.size(1))"]
    lines += [line for kinds, line in EDGES if needed & kinds]
    if recipe.feature_dropout:
        lines.append(f"x = F.dropout(x, {recipe.feature_dropout:g}, self.training)")
    if recipe.drop_node:
        lines.append(f"x = x * F.dropout(x.new_ones(x.size(0), 1), {recipe.drop_node:g}, self.training)")
    for node, code in enumerate(codes, start=1):
        value = f"self.layer{node}({_together(before[node])}{ARGUMENTS[code.reads]})"
        if recipe.dropout:
            value = f"F.dropout({value}, {recipe.dropout:g}, self.training)"
        lines.append(f"h{node} = {value}")
    return lines + _end(model)


def _end(model: GnnModel) -> list[str]:
    """From the layers to what the network gives."""
    lines, sources = [], model.graph.predecessors[-1]
    read = _together(sources)
    if model.ends is not None:
        mapped = [f"self.end{place}({_named(node)})" for place, node in enumerate(sources, start=1)]
        read = mapped[0] if len(mapped) == 1 else f"torch.stack([{', '.join(mapped)}]).amax(0)"
    lines.append(f"out = self.head({read})")
    lines += propagation("out", model.steps, model.teleport, "loops, gcn_weight")
    if model.pooled:
        lines += ["if batch is None:", "    return out.mean(0, keepdim=True)"]
        return [*lines, 'return scatter(out, batch, dim_size=batch.max().item() + 1, reduce="mean")']
    return [*lines, "return out"] if model.steps else [*lines[:-1], lines[-1].replace("out = ", "return ")]


def _named(node: int) -> str:
    return f"h{node}" if node else "x"


def _together(nodes: tuple[int, ...]) -> str:
    return _named(nodes[0]) if len(nodes) == 1 else f"torch.cat([{', '.join(map(_named, nodes))}], 1)"
