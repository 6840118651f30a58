"""Exported networks compute the same as the trained ones, import nothing of this project, and run in ONNX Runtime."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from gnn_search.export import About, source_of, state_of
from gnn_search.export_check import check_module, difference, random_graph, read_module
from gnn_search.export_onnx import arguments, check_onnx, write_onnx
from gnn_search.gnn import GnnModel
from gnn_search.inputs import NetworkInput
from gnn_search.task import GnnTask, GraphInput, Split
from graphs.archgraph import ArchGraph, Op
from graphs.errors import ExportError, InvalidOption
from graphs.spaces.attributed_dag_text import format_graph
from graphs.spaces.gnn import AGGREGATES, ATTENTIONS, COMBINES, LAYERS, Gnn

FEATURES, OUTPUTS = 6, 3
SPACE = Gnn()
PLAIN = [name for name in LAYERS if name != "attention"]
OUTSIDE = """
import sys
sys.path = [one for one in sys.path if one not in sys.argv[2:]]
import json
import runpy
import torch
module = runpy.run_path(sys.argv[1])
model = module["load"]()
x, edges = torch.ones(4, 6), torch.tensor([[0, 1, 2], [1, 2, 0]])
shapes = [list(model(x, edges).shape), list(model(x, edges, torch.ones(3)).shape)]
ours = {"archgen", "graphs", "predictors", "bo", "gnn_search"}
print(json.dumps([shapes, sorted(ours & {name.partition(".")[0] for name in sys.modules})]))
"""


def layer(name: str, **given: object) -> Op:
    """An operation with the given attributes, and few features."""
    chosen = {"hidden": 4, "activation": "tanh", "steps": 2, "teleport": 0.2, "heads": 2}
    attrs = {one: given.get(one, chosen.get(one, values[0])) for one, values in LAYERS[name].items()}
    return Op(name, **attrs)  # type: ignore[arg-type]


def network(*layers: Op, pooled: bool = False, edges: str = "chain", **end: object) -> GnnModel:
    """A network with random weights and statistics."""
    recipe = {"norm": end.pop("norm", "none"), "feature_dropout": 0.5, "drop_node": 0.2}
    sink = Op("output", **{"jumping": "cat", "steps": 0, "teleport": 0.0, **end})  # type: ignore[arg-type]
    ops = (Op("input", **recipe), *layers, sink)  # type: ignore[arg-type]
    last = len(ops) - 1
    wires = {(i, i + 1) for i in range(last)}
    if edges == "dense":
        wires |= {(i, j) for j in range(last + 1) for i in range(j) if (i, j) != (0, last)}
    torch.manual_seed(0)
    model = GnnModel(ArchGraph(ops, tuple(sorted(wires))), FEATURES, OUTPUTS, pooled=pooled).eval()
    with torch.no_grad():
        for one in (*model.parameters(), *model.buffers()):
            if one.is_floating_point():
                one.add_(0.3 * torch.rand_like(one))
    return model


def written(model: GnnModel, folder: Path, kind: str = "node") -> Path:
    """The file of Python, with its weights beside it."""
    content, file = save(state_of(model)), folder / "net.py"
    file.with_suffix(".safetensors").write_bytes(content)
    about = About('odd "name" \\n', kind, {"valid_accuracy": 81.25, "test_accuracy": 80.0}, {"seed": 1000})
    file.write_text(source_of(model, about, hashlib.sha256(content).hexdigest()))
    return file


def task(pooled: bool = False, weighted: bool = True) -> GnnTask:
    graph = random_graph(FEATURES, 40, pooled, weighted, seed=3)
    part = Split(graph, torch.arange(3), torch.arange(3) % OUTPUTS)
    return GnnTask("made up", "graph" if pooled else "node", OUTPUTS, part, part, part)


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("name", PLAIN)
def test_layers(name: str, norm: str, tmp_path: Path) -> None:
    model = network(layer(name), layer(name, hidden=8), norm=norm)
    assert check_module(model, written(model, tmp_path), task()) < 1e-4


@pytest.mark.parametrize("combine", COMBINES)
@pytest.mark.parametrize("aggregate", AGGREGATES)
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_attention(attention: str, aggregate: str, combine: str, tmp_path: Path) -> None:
    model = network(layer("attention", attention=attention, aggregate=aggregate, combine=combine))
    assert check_module(model, written(model, tmp_path), task()) < 1e-4


@pytest.mark.parametrize("activation", LAYERS["fc"]["activation"])
def test_activations(activation: str, tmp_path: Path) -> None:
    model = network(layer("fc", activation=activation), layer("gin", activation=activation), norm="batch")
    assert check_module(model, written(model, tmp_path), task()) < 1e-4


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize(("steps", "teleport"), [(0, 0.0), (1, 0.0), (4, 0.1)])
@pytest.mark.parametrize("jumping", ["cat", "max"])
def test_ends(jumping: str, steps: int, teleport: float, pooled: bool, tmp_path: Path) -> None:
    layers = layer("sage"), layer("attention", attention="gat"), layer("appnp", hidden=8)
    model = network(*layers, pooled=pooled, edges="dense", jumping=jumping, steps=steps, teleport=teleport)
    file = written(model, tmp_path, "graph" if pooled else "node")
    assert check_module(model, file, task(pooled)) < 1e-4
    module = read_module(file).load()
    graph = random_graph(FEATURES, 9, False, False)
    assert module(graph.x, graph.edge_index).shape == ((1, OUTPUTS) if pooled else (9, OUTPUTS))


def test_random_architectures_read_as_if_a_person_had_formatted_them(tmp_path: Path) -> None:
    for seed in range(40):
        torch.manual_seed(seed)
        folder = tmp_path / f"net{seed}"
        folder.mkdir()
        model = GnnModel(SPACE.sample(np.random.default_rng(seed)), FEATURES, OUTPUTS)
        assert check_module(model, written(model, folder), task()) < 1e-3
    ruff = [sys.executable, "-m", "ruff", "--isolated"]
    line = ["--line-length", "120", str(tmp_path)]
    for words in (["check", "--select", "E,F,W,I,B,UP"], ["format", "--check"]):
        done = subprocess.run([*ruff[:3], *words, ruff[3], *line], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_training_goes_on_with_the_same_dropout(tmp_path: Path) -> None:
    module = read_module(written(network(layer("gcnii")), tmp_path)).load().train()
    graph = random_graph(FEATURES, 9, False, False)
    outputs = [module(graph.x, graph.edge_index) for _ in range(2)]
    assert not torch.equal(*outputs)
    outputs[0].sum().backward()
    assert all(one.grad is not None for one in module.parameters())


@pytest.mark.parametrize("kind", ["node", "graph", "link"])
def test_nothing_of_this_project_is_imported(kind: str, tmp_path: Path) -> None:
    layers = layer("attention", attention="gat"), layer("gcnii"), layer("cheb")
    file = written(network(*layers, pooled=kind == "graph", steps=2), tmp_path, kind)
    here = [str(Path(__file__).resolve().parents[2])]
    done = subprocess.run(
        [sys.executable, "-I", "-c", OUTSIDE, str(file), *here],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    shapes, ours = json.loads(done.stdout)
    assert ours == []
    assert shapes == [[1 if kind == "graph" else 4, OUTPUTS]] * 2
    assert ("def pair_scores" in file.read_text()) == (kind == "link")


def test_what_the_file_tells(tmp_path: Path) -> None:
    model = network(layer("fc"))
    module = read_module(written(model, tmp_path))
    assert format_graph(model.graph) == module.ARCHITECTURE
    assert module.METRICS == {"valid_accuracy": 81.25, "test_accuracy": 80.0}
    assert module.DATA == 'odd "name" \\n'
    told = " ".join(str(module.__doc__).split())
    assert "valid accuracy 81.25 %, test accuracy 80.00 % (seed 1000)" in told
    assert "learning rate 0.01" in told


@pytest.mark.parametrize("damage", ["cut", "edited", "other"])
def test_weights_that_are_not_its_own_are_refused(damage: str, tmp_path: Path) -> None:
    file = written(network(layer("fc")), tmp_path)
    weights = file.with_suffix(".safetensors")
    content = weights.read_bytes()
    edited = content[:-1] + bytes([content[-1] ^ 1])
    weights.write_bytes({"cut": content[:-7], "edited": edited, "other": save({"a": torch.ones(1)})}[damage])
    with pytest.raises(ValueError, match="cut short or edited, or belongs to another"):
        read_module(file).load()


def test_a_difference_is_told() -> None:
    model, graph = network(layer("fc")), random_graph(FEATURES, 9, False, False)

    def outputs(graph: GraphInput) -> Tensor:
        found: Tensor = model(NetworkInput(graph))
        return found

    assert difference(model, outputs, graph, "net") == 0
    with pytest.raises(ExportError, match="net differs from the network by 0"):
        difference(model, lambda graph: outputs(graph) + 0.01, graph, "net")
    with pytest.raises(ExportError, match="net gives shape"):
        difference(model, lambda graph: outputs(graph)[:1], graph, "net")


ONNX = {
    "plain": network(layer("sage"), layer("gin"), layer("cheb"), layer("graph"), norm="batch", edges="dense"),
    "steps": network(layer("gcnii"), layer("mixed"), layer("appnp"), steps=2, teleport=0.1),
    "attention": network(
        layer("attention", attention="gene-linear", aggregate="max"),
        layer("attention", attention="sym-gat", aggregate="mean", combine="mlp"),
    ),
    "pooled": network(layer("arma"), layer("attention", attention="const", aggregate="mlp"), pooled=True, steps=1),
}


@pytest.mark.parametrize("name", ONNX)
def test_onnx_for_graphs_of_any_size(name: str, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
    model, file, weighted = ONNX[name], tmp_path / "net.onnx", name == "plain"
    module = read_module(written(model, tmp_path, "graph" if model.pooled else "node")).load()
    assert write_onnx(model, module, file, weighted, {"data": "made up"}) < 1e-4
    kept = onnx.load(file)
    wanted = ["x", "edge_index"] + ["edge_weight"] * weighted + ["batch"] * model.pooled
    assert [one.name for one in kept.graph.input] == wanted
    assert {one.key: one.value for one in kept.metadata_props}["data"] == "made up"
    graph = random_graph(FEATURES, 300, model.pooled, weighted, seed=8)
    assert list(arguments(graph)) == wanted
    assert check_onnx(model, file, graph) < 1e-3
    with torch.no_grad():
        next(iter(model.head.parameters())).add_(1)
        with pytest.raises(ExportError, match="differs from the network"):
            check_onnx(model, file, graph)


def test_onnx_that_cannot_be_written_or_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
    model = network(layer("fc"))

    class Odd(torch.nn.Module):
        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            return x[: int(x.sum())] if x.sum() > edge_index.sum() else x

    with pytest.raises(ExportError, match="cannot be written as ONNX"):
        write_onnx(model, Odd(), tmp_path / "odd.onnx", False, {})
    (tmp_path / "cut.onnx").write_bytes(b"\x08\x01 no")
    with pytest.raises(ExportError, match="cannot read it"):
        check_onnx(model, tmp_path / "cut.onnx", random_graph(FEATURES, 9, False, False))
    monkeypatch.setattr("gnn_search.export_onnx.find_spec", lambda _: None)
    with pytest.raises(InvalidOption, match=r"install it: pip install 'archgen\[onnx\]'"):
        write_onnx(model, Odd(), tmp_path / "odd.onnx", False, {})
