"""The Once-for-All space, its costs and its layout. Costs are checked against measured networks and PyTorch."""

import itertools
import math
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from archgen.testing import SpaceContract
from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.errors import InvalidArchitecture, InvalidOption
from graphs.space import SearchSpace
from graphs.spaces.ofa_mobilenetv3 import FORM, LAYERS, STAGES, OfaMobileNetV3, Stages
from graphs.spaces.ofa_mobilenetv3_costs import Costs, fixed_costs, make_divisible, network_costs, stage_costs
from graphs.spaces.ofa_mobilenetv3_layout import ABSENT, OfaMobileNetV3Layout, layer_choice
from graphs.tables.ofa_mobilenetv3 import load_subnets

SPACE = OfaMobileNetV3()
LAYOUT = OfaMobileNetV3Layout(SPACE)
ARCHITECTURES = st.tuples(*[st.lists(st.sampled_from(LAYERS), min_size=2, max_size=4).map(tuple)] * 5)
EVERY_STAGE = [layers for depth in (2, 3, 4) for layers in itertools.product(range(9), repeat=depth)]
"""The layer choices that a stage can have, by their numbers."""


def some(count: int, seed: int = 0) -> list[ArchGraph]:
    rng = np.random.default_rng(seed)
    return [SPACE.sample(rng) for _ in range(count)]


def alike(kernel: int, expand: int, depth: int) -> ArchGraph:
    """The network of five equal stages of equal layers."""
    return SPACE.build((((kernel, expand),) * depth,) * 5)


class TestOfaMobileNetV3(SpaceContract):
    space = SPACE

    def test_edge_states_show_nothing_but_edges_of_the_graph(self) -> None:
        """Nodes of this layout are stages, in a chain between input and output."""
        (chain,) = LAYOUT.edge_states(self.partly_hidden(LAYOUT)[1]).tolist()
        assert [(i, j) for i in range(7) for j in range(7) if chain[i][j]] == list(itertools.pairwise(range(7)))


# The space


def test_size_is_that_of_the_paper() -> None:
    assert SPACE.size == SPACE.network_count == len(EVERY_STAGE) ** 5 == 21_758_655_492_572_485_851


@given(stages=ARCHITECTURES)
def test_build_format_and_parse_round_trip(stages: Stages) -> None:
    graph = SPACE.build(stages)
    assert SPACE.describe(graph) == stages
    assert SPACE.parse(f" {SPACE.format(graph)}\n") == graph
    assert SPACE.simplify(graph) == graph


def test_the_string_says_what_the_docs_say() -> None:
    graph = SPACE.parse(FORM)
    assert SPACE.format(graph) == FORM
    assert SPACE.describe(graph)[1] == ((5, 4), (5, 4), (3, 4))
    assert graph.ops[3] == Op("mbconv", stage=2, kernel=5, expand=4)
    assert len(graph) == 2 + 2 + 3 + 2 + 4 + 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("22222|33-33-33-33-33", "cannot read"),
        ("22222|33-33-33-33-33|33-33-33-33-33|", "cannot read"),
        ("22222|33-33-33-33-3x|33-33-33-33-33", "cannot read"),
        ("22222|33-33-33-33-³3|33-33-33-33-33", "cannot read"),
        ("22222|33-33-33-33-33|33-33-33--33", "cannot read"),
        ("22223|33-33-33-33-33|33-33-33-33-33", "kernels of 2-2-2-2-2 layers but depths 2-2-2-2-3"),
        ("22222|33-33-33-33-33|33-33-33-33-333", "expansions of 2-2-2-2-3 layers but depths 2-2-2-2-2"),
        ("22225|33-33-33-33-33333|33-33-33-33-33333", "stage 5 has depth 5, expected 2 to 4"),
        ("2222|33-33-33-33|33-33-33-33", "stage 5 has depth 0, expected 2 to 4"),
        ("222222|33-33-33-33-33-33|33-33-33-33-33-33", "node 11 has stage=6"),
        ("99999|" + "|".join(["-".join(["3" * 9] * 5)] * 2), "47 nodes, at most 22"),
        ("22222|33-33-34-33-33|33-33-33-33-33", "node 6 has kernel=4, expected one of"),
        ("22222|33-33-33-33-33|35-33-33-33-33", "node 2 has expand=5, expected one of"),
    ],
)
def test_unreadable_strings(text: str, message: str) -> None:
    with pytest.raises(InvalidArchitecture, match=message):
        SPACE.parse(text)


LAYER = Op("mbconv", stage=1, kernel=3, expand=3)
SMALL = alike(3, 3, 2)


@pytest.mark.parametrize(
    ("ops", "message"),
    [
        (SMALL.ops[1:], "expected input, layers and output, got mbconv"),
        (SMALL.ops[:-1], "expected input, layers and output"),
        ((Op("input", stage=1), *SMALL.ops[1:]), "expected input, layers and output"),
        ((INPUT, INPUT, *SMALL.ops[2:]), "node 1 is input, expected mbconv"),
        ((INPUT, Op("mbconv", stage=1, kernel=3), *SMALL.ops[2:]), "node 1 is mbconv.*expected mbconv with stage"),
        ((INPUT, Op("conv"), *SMALL.ops[2:]), "node 1 has operation 'conv'"),
        ((INPUT, *SMALL.ops[3:5], LAYER, LAYER, *SMALL.ops[5:]), "node 3 is of stage 1 and follows one of stage 2"),
        ((INPUT, *SMALL.ops[2:]), "stage 1 has depth 1, expected 2 to 4"),
        ((INPUT, LAYER, LAYER, LAYER, *SMALL.ops[1:]), "stage 1 has depth 5, expected 2 to 4"),
        ((INPUT, *SMALL.ops[3:]), "stage 1 has depth 0"),
    ],
)
def test_graphs_outside_the_space(ops: tuple[Op, ...], message: str) -> None:
    with pytest.raises(InvalidArchitecture, match=message):
        SPACE.check(ArchGraph(ops, tuple(itertools.pairwise(range(len(ops))))))


def test_only_a_chain_is_of_the_space() -> None:
    for edges in ((*SMALL.edges, (0, 2)), SMALL.edges[:-1], ((0, 2), *SMALL.edges[1:])):
        with pytest.raises(InvalidArchitecture, match="expected a chain"):
            SPACE.check(ArchGraph(SMALL.ops, edges))


def test_samples_are_uniform_over_descriptions() -> None:
    """Frequencies of depths and of layers within five standard errors; a stage of depth d has 9^d descriptions."""
    stages = [layers for graph in some(2_000) for layers in SPACE.describe(graph)]
    depths = np.bincount([len(layers) for layers in stages], minlength=5)[2:]
    for count, share in zip(depths, np.array([81, 729, 6561]) / 7371, strict=True):
        assert abs(count - len(stages) * share) < 5 * math.sqrt(len(stages) * share * (1 - share))
    for at in range(4):
        there = [LAYERS.index(layers[at]) for layers in stages if len(layers) > at]
        assert (abs(np.bincount(there, minlength=9) - len(there) / 9) < 5 * math.sqrt(len(there) * 8 / 81)).all()


@pytest.mark.parametrize("graph", [SMALL, alike(7, 6, 4), alike(5, 4, 3), *some(2)], ids=SPACE.format)
def test_neighbours_are_one_decision_away_and_are_each_others(graph: ArchGraph) -> None:
    depths = [len(layers) for layers in SPACE.describe(graph)]
    neighbours = list(SPACE.neighbours(graph))
    shorter, longer = (sum(depth != end for depth in depths) for end in (2, 4))
    assert len(neighbours) == 4 * sum(depths) + shorter + 9 * longer
    for neighbour in neighbours[::5]:
        assert graph in SPACE.neighbours(neighbour)
        (changed,) = [
            (old, new) for old, new in zip(SPACE.describe(graph), SPACE.describe(neighbour), strict=True) if old != new
        ]
        old, new = sorted(changed, key=len)
        if len(old) == len(new):
            assert (
                sum(a != b for one, other in zip(old, new, strict=True) for a, b in zip(one, other, strict=True)) == 1
            )
        else:
            assert new[:-1] == old


def test_mutate_has_the_law_of_the_default() -> None:
    for seed, graph in enumerate(some(20)):
        expected = SearchSpace.mutate(SPACE, graph, np.random.default_rng(seed))
        assert SPACE.mutate(graph, np.random.default_rng(seed)) == expected


def test_the_type_of_a_number_does_not_change_the_id() -> None:
    ops = tuple(Op(op.name, **{name: float(value) for name, value in op.attrs}) for op in SMALL.ops)
    assert OfaMobileNetV3().canonical(ArchGraph(ops, SMALL.edges)) == OfaMobileNetV3().canonical(SMALL)


def test_spaces_and_layouts_are_pickled_after_use() -> None:
    graph = some(1)[0]
    layout = OfaMobileNetV3Layout(OfaMobileNetV3())
    name, row = layout.space.canonical(graph), layout.read([graph])
    again = pickle.loads(pickle.dumps(layout))
    assert again.space.canonical(graph) == name
    assert again.write(row) == [graph]
    assert again.sizes == layout.sizes


def test_without_a_layout_torch_is_not_loaded() -> None:
    code = """
import sys
import numpy as np
import graphs.tables.ofa_mobilenetv3
from graphs.spaces.ofa_mobilenetv3 import OfaMobileNetV3
space = OfaMobileNetV3()
space.costs(space.sample(np.random.default_rng(0)))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# Costs


def test_every_measured_subnet_costs_what_was_published(data_dir: Path) -> None:
    subnets = load_subnets(data_dir)
    assert len(subnets) == 1_749
    for graph, params, macs in zip(subnets.graphs, subnets.params, subnets.macs, strict=True):
        assert network_costs(graph) == Costs(params, macs), SPACE.format(graph)


@pytest.mark.parametrize(
    ("kernel", "expand", "depth", "resolution", "params", "macs"),
    [
        (7, 6, 4, 224, 7_664_760, 566_170_656),
        (7, 6, 4, 128, 7_664_760, 188_248_320),
        (3, 3, 2, 224, 3_410_792, 121_278_672),
        (3, 3, 2, 128, 3_410_792, 41_476_224),
        (5, 4, 3, 192, 4_551_792, 185_097_984),
        (3, 6, 4, 224, 7_299_960, 433_141_536),
        (7, 3, 4, 224, 4_554_328, 292_708_368),
        (7, 6, 2, 224, 4_837_928, 282_627_744),
    ],
)
def test_the_sizes_of_the_authors_code(
    kernel: int, expand: int, depth: int, resolution: int, params: int, macs: int
) -> None:
    assert network_costs(alike(kernel, expand, depth), resolution) == Costs(params, macs)


class Squeeze(nn.Module):
    """Squeeze-and-excitation to a quarter of the channels, rounded to eights."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        few = max(8, int(channels / 4 + 4) // 8 * 8)
        few += 8 if few < 0.9 * channels / 4 else 0
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, few, 1),
            nn.ReLU(),
            nn.Conv2d(few, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x * self.gate(x)
        return out


def convolution(before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    inner = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return [inner, nn.BatchNorm2d(after), nn.Hardswish()]


def reference(stages: Stages) -> nn.Module:
    """The layers that multiply or have parameters, in a row; residual sums cost nothing."""
    layers = convolution(3, 16, 3, stride=2) + convolution(16, 16, 3, groups=16) + convolution(16, 16, 1)
    before = 16
    plans = ((24, 2, False), (40, 2, True), (80, 2, False), (112, 1, True), (160, 2, True))
    for (after, stride, squeeze), stage in zip(plans, stages, strict=True):
        for at, (kernel, expand) in enumerate(stage):
            wide = before * expand
            layers += convolution(before, wide, 1)
            layers += convolution(wide, wide, kernel, stride if at == 0 else 1, groups=wide)
            layers += [Squeeze(wide)] if squeeze else []
            layers += convolution(wide, after, 1)
            before = after
    pooled = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(960, 1280, bias=False), nn.Linear(1280, 1000)]
    return nn.Sequential(*layers, *convolution(before, 960, 1), *pooled)


def counted(network: nn.Module, resolution: int) -> Costs:
    """Parameters, and products of one forward pass by hooks on what multiplies."""
    macs = 0

    def count(module: nn.Module, _: object, out: Tensor) -> None:
        nonlocal macs
        macs += out.numel() * module.get_parameter("weight")[0].numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    network.eval()(torch.empty(1, 3, resolution, resolution, device="meta"))
    return Costs(sum(parameter.numel() for parameter in network.parameters()), macs)


@pytest.mark.parametrize("graph", [SMALL, SPACE.parse(FORM), *some(2, seed=3)], ids=SPACE.format)
def test_a_network_that_is_built_costs_the_same(graph: ArchGraph) -> None:
    with torch.device("meta"):
        network = reference(SPACE.describe(graph))
    for resolution in (224, 67):
        assert network_costs(graph, resolution) == counted(network, resolution)
        for module in network.modules():
            module._forward_hooks.clear()


@given(stages=ARCHITECTURES, resolution=st.integers(1, 300))
def test_costs_add_up_over_the_stages(stages: Stages, resolution: int) -> None:
    total = fixed_costs(resolution)
    for stage, layers in zip(STAGES, stages, strict=True):
        total += stage_costs(stage, layers, resolution)
    assert network_costs(SPACE.build(stages), resolution) == total


def test_costs_of_the_space_are_in_millions() -> None:
    assert SPACE.costs(alike(7, 6, 4)) == {"params": 7.664760, "macs": 566.170656}


@pytest.mark.parametrize(
    ("channels", "rounded"), [(1, 8), (11, 16), (12, 16), (18, 24), (20, 24), (36, 40), (91, 88), (100, 104)]
)
def test_channels_are_rounded_to_eights(channels: int, rounded: int) -> None:
    assert make_divisible(channels) == rounded


def test_costs_refuse_what_is_not_of_the_space() -> None:
    with pytest.raises(InvalidArchitecture, match="stage 6, expected 1 to 5"):
        stage_costs(6, LAYERS[:2])
    for layers in (LAYERS[:1], LAYERS[:5], (LAYERS[0], (9, 3))):
        with pytest.raises(InvalidArchitecture, match="expected 2 to 4 layers"):
            stage_costs(1, layers)
    with pytest.raises(InvalidArchitecture, match="stage 1 has depth 1"):
        network_costs(ArchGraph((INPUT, LAYER, OUTPUT), ((0, 1), (1, 2))))
    for resolution in (0, -224):
        with pytest.raises(InvalidOption, match=f"resolution is {resolution}, expected at least 1"):
            fixed_costs(resolution)
        with pytest.raises(InvalidOption, match=f"resolution is {resolution}, expected at least 1"):
            stage_costs(1, LAYERS[:2], resolution)
        with pytest.raises(InvalidOption, match=f"resolution is {resolution}, expected at least 1"):
            network_costs(SMALL, resolution)


# The layout


@given(stages=ARCHITECTURES)
def test_rows_hold_the_numbers_of_the_layers(stages: Stages) -> None:
    (row,) = LAYOUT.read([SPACE.build(stages)]).tolist()
    for stage, layers in enumerate(stages):
        values = row[4 * stage : 4 * stage + 4]
        assert tuple(map(layer_choice, values[: len(layers)])) == layers
        assert set(values[len(layers) :]) <= {ABSENT}
    assert LAYOUT.write(torch.tensor([row])) == [SPACE.build(stages)]


def test_slots() -> None:
    assert LAYOUT.sizes == (9, 9, 10, 10) * 5
    assert LAYOUT.coupled == ((2, 3), (6, 7), (10, 11), (14, 15), (18, 19))
    assert LAYOUT.parts == tuple(tuple(range(4 * stage, 4 * stage + 4)) for stage in range(5))
    for value in (-1, ABSENT):
        with pytest.raises(InvalidArchitecture, match=f"layer choice {value}, expected 0 to 8"):
            layer_choice(value)


def in_a_row(stage: int, values: Tensor, seed: int = 0) -> Tensor:
    """Rows of random architectures with `values`, [b 4], at a stage."""
    rows = LAYOUT.read(some(20, seed)).repeat(-(-len(values) // 20), 1)[: len(values)]
    rows[:, 4 * stage : 4 * stage + 4] = values
    return rows


STAGE_ROWS = torch.tensor([(*layers, *[ABSENT] * (4 - len(layers))) for layers in EVERY_STAGE])


@settings(max_examples=20)
@given(stage=st.integers(0, 4), seed=st.integers(0, 1_000))
def test_allowed_is_what_some_completion_of_the_stage_has(stage: int, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    first = 4 * stage
    hidden = LAYOUT.hidden[first : first + 4]
    masks = torch.tensor(list(itertools.product([False, True], repeat=4)))
    depths = torch.tensor([0, 81, 81 + 729])[torch.randint(3, (16,), generator=rng)]  # shallow stages as often as deep
    values = torch.where(masks, hidden, STAGE_ROWS[(depths + torch.randint(81, (16,), generator=rng))])
    agree = (values[:, None] == STAGE_ROWS) | (values == hidden)[:, None]
    for place in range(4):
        others = [other for other in range(4) if other != place]
        takes = nn.functional.one_hot(STAGE_ROWS[:, place], LAYOUT.sizes[first + place])
        expected = agree[..., others].all(2).double() @ takes.double() > 0
        assert torch.equal(LAYOUT.allowed(in_a_row(stage, values, seed), first + place), expected)


@pytest.mark.parametrize("stage", range(5))
def test_valid_rows_of_a_stage_are_exactly_its_architectures(stage: int) -> None:
    first = 4 * stage
    every = torch.cartesian_prod(*map(torch.arange, LAYOUT.sizes[first : first + 4]))
    possible = set(map(tuple, STAGE_ROWS.tolist()))
    rows = in_a_row(stage, every)
    valid = LAYOUT.valid(rows)
    assert valid.tolist() == [tuple(values) in possible for values in every.tolist()]
    assert torch.equal(valid, super(OfaMobileNetV3Layout, LAYOUT).valid(rows))
    graphs = LAYOUT.write(rows[valid])
    assert len(set(graphs)) == len({tuple(row) for row in rows[valid].tolist()})
    assert torch.equal(LAYOUT.read(graphs), rows[valid])
    for graph in graphs[::100]:
        SPACE.check(graph)


@pytest.mark.parametrize(("slot", "value"), [(0, ABSENT), (3, ABSENT + 1), (7, -1), (18, 10)])
def test_rows_with_hidden_or_unknown_values_are_refused(slot: int, value: int) -> None:
    rows = LAYOUT.read(some(3))
    rows[1, slot] = value
    assert LAYOUT.valid(rows).tolist() == [True, False, True]
    with pytest.raises(InvalidArchitecture, match=r"row 1, .* is no architecture"):
        LAYOUT.write(rows)


def test_no_rows_and_no_graphs() -> None:
    assert LAYOUT.read([]).shape == (0, 20)
    assert LAYOUT.write(torch.zeros(0, 20, dtype=torch.int64)) == []
