"""layer_code: the Python of one layer of an exported network, with what this layer needs and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gnn_search.gnn import GnnModel
from gnn_search.layers import width_of
from graphs.archgraph import Op

Reads = Literal["nothing", "edges", "mean", "symmetric", "loops", "summed", "gcn"]
"""Along which edges a layer passes messages: those of the graph by their weights, as means, or normalised on both
sides; or those and the loops without weights, with weights, or normalised as in a GCN."""

ACTIVATIONS = {
    "sigmoid": "torch.sigmoid({})",
    "tanh": "torch.tanh({})",
    "relu": "torch.relu({})",
    "linear": "{}",
    "softplus": "F.softplus({})",
    "leaky_relu": "F.leaky_relu({}, 0.01)",
    "relu6": "F.relu6({})",
    "elu": "F.elu({})",
}
SCORES = {
    "gat": ["score = leaky((heads * self.target).sum(-1)[target] + (heads * self.source).sum(-1)[source])"],
    "sym-gat": [
        "left, right = (heads * self.target).sum(-1), (heads * self.source).sum(-1)",
        "score = leaky(left[target] + right[source]) + leaky(left[source] + right[target])",
    ],
    "cos": ["score = ((heads * self.target)[target] * (heads * self.source)[source]).sum(-1)"],
    "linear": ["score = torch.tanh((heads * self.source).sum(-1))[source]"],
    "gene-linear": [
        "together = torch.tanh((heads * self.target)[target] + (heads * self.source)[source])",
        "score = (together * self.score).sum(-1)",
    ],
}
"""Scores of the attentions that look at features, from `heads` of shape "n h d"."""
VECTORS = {
    "gat": ("target", "source"),
    "sym-gat": ("target", "source"),
    "cos": ("target", "source"),
    "linear": ("source",),
    "gene-linear": ("target", "source", "score"),
}
"""What the vectors of an attention are called, in the order of `AttentionLayer.vectors`."""


@dataclass(frozen=True)
class LayerCode:
    """Lines of Python.

    Args:
        streams: linear maps of what the layer reads, of its width each.
        reads: along which edges it passes messages.
        made: lines of the constructor after the linear map.
        computed: lines that make `h` of `h = self.linear(x)`.
    """

    streams: int
    reads: Reads
    made: tuple[str, ...]
    computed: tuple[str, ...]

    @property
    def weighted(self) -> bool:
        """Whether the layer's messages have weights that are not of its own making."""
        return self.reads not in ("nothing", "loops")


def layer_code(op: Op, share: float) -> LayerCode:
    """The Python of an operation.

    Args:
        share: dropout inside layers of several steps.
    """
    width, steps, teleport = width_of(op), int(op.get("steps") or 0), float(op.get("teleport") or 0)
    passed = "aggregate(other, edge_index, weight)"
    if op.name == "attention":
        return _attention(op)
    if op.name in ("sage", "graph", "cheb", "arma"):
        reads: dict[str, Reads] = {"sage": "mean", "graph": "edges", "cheb": "symmetric", "arma": "symmetric"}
        sign = "-" if op.name == "cheb" else "+"
        return LayerCode(2, reads[op.name], (), ("own, other = h.chunk(2, 1)", f"h = own {sign} {passed}"))
    if op.name == "gin":
        made = ("self.epsilon = nn.Parameter(torch.zeros(()))", f"self.second = nn.Linear({width}, {width})")
        summed = "(1 + self.epsilon) * h + aggregate(h, edge_index, weight)"
        return LayerCode(1, "edges", made, (f"h = self.second(torch.relu({summed}))",))
    if op.name == "appnp":
        return LayerCode(1, "gcn", (), tuple(propagation("h", steps, teleport)))
    if op.name == "gcnii":
        return _gcnii(width, steps, teleport, share)
    if op.name == "mixed":
        loop = (
            "total = h",
            f"for _ in range({steps}):",
            "    h = aggregate(h, edge_index, weight)",
            "    total = total + h",
        )
        return LayerCode(1, "gcn", (), (*loop, f"h = total / {steps + 1}"))
    return LayerCode(1, "nothing", (), ())


def propagation(name: str, steps: int, teleport: float, edges: str = "edge_index, weight") -> list[str]:
    """Lines that propagate the variable `name`, with a return to the start where `teleport` is above 0."""
    if not teleport:
        return [f"for _ in range({steps}):", f"    {name} = aggregate({name}, {edges})"] if steps else []
    step = f"    {name} = {1 - teleport:g} * aggregate({name}, {edges}) + {teleport:g} * start"
    return [f"start = {name}", f"for _ in range({steps}):", step] if steps else []


def weight_names(model: GnnModel, node: int) -> dict[str, str]:
    """What the weights of the layer at `node` beside its linear map are called, from their names in `model.layers`."""
    op = model.graph.ops[node]
    names = VECTORS.get(str(op.get("attention")), ()) if op.name == "attention" else ()
    vectors = {f"inner.vectors.{place}": name for place, name in enumerate(names)}
    known = model.layers[node - 1].state_dict()
    return {name: vectors.get(name, name.removeprefix("inner.")) for name in known}


def _gcnii(width: int, steps: int, teleport: float, share: float) -> LayerCode:
    made = f"self.maps = nn.ModuleList(nn.Linear({width}, {width}, bias=False) for _ in range({steps}))"
    passed = f"{1 - teleport:g} * aggregate(h, edge_index, weight) + {teleport:g} * start"
    dropped = f"F.dropout(torch.relu(h), {share:g}, self.training)" if share else "torch.relu(h)"
    computed = (
        "start = torch.relu(h)",
        "for place, linear in enumerate(self.maps, start=1):",
        f"    h = {dropped}",
        f"    h = {passed}",
        "    beta = math.log(0.5 / place + 1)",
        "    h = (1 - beta) * h + beta * linear(h)",
    )
    return LayerCode(1, "gcn", (made,), computed)


def _attention(op: Op) -> LayerCode:
    attention, aggregate, combine = (str(op.get(name)) for name in ("attention", "aggregate", "combine"))
    hidden, heads, width = int(op.get("hidden") or 0), int(op.get("heads") or 1), width_of(op)
    vectors = VECTORS.get(attention, ())
    made = [f"self.{name} = nn.Parameter(torch.zeros({heads}, {hidden}))" for name in vectors]
    reads: Reads = "loops" if vectors else "gcn" if attention == "gcn" else "summed"
    result = "found" if combine == "mlp" else "h"
    reduce = "" if aggregate in ("sum", "mlp") else f', reduce="{aggregate}"'
    lines = ["source, target = edge_index"]
    if vectors:
        lines += [f"heads = h.view(-1, {heads}, {hidden})", *SCORES[attention]]
        lines += ["weight = softmax(score, target, num_nodes=h.size(0))"]
        messages = "heads[source] * weight[:, :, None]"
    else:
        messages = "h[source] * weight[:, None]"
    lines += [f"{result} = scatter({messages}, target, dim_size=h.size(0){reduce})"]
    lines += [f"{result} = {result}.flatten(1)"] if vectors else []
    if not vectors and not reduce:
        lines = [f"{result} = aggregate(h, edge_index, weight)"]
    if aggregate == "mlp":
        made.append(_perceptron("merge", width, width))
        lines.append(f"{result} = self.merge({result})")
    if combine == "mlp":
        made.append(_perceptron("join", 2 * width, width))
        lines.append("h = self.join(torch.cat([h, found], 1))")
    return LayerCode(1, reads, tuple(made), tuple(lines))


def _perceptron(name: str, inputs: int, outputs: int) -> str:
    return f"self.{name} = nn.Sequential(nn.Linear({inputs}, {outputs}), nn.ReLU(), nn.Linear({outputs}, {outputs}))"
