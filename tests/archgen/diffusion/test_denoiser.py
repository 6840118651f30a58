"""What the denoiser may and may not see, and what comes out of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from archgen.diffusion.denoiser import IMPOSSIBLE, Denoiser, DenoiserConfig
from archgen.diffusion.generator import new_denoiser
from archgen.diffusion.process import add_noise, negative_elbo
from graphs.layout import Layout, layout_of
from graphs.spaces.catalogue import get_space
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.spaces.nasbench201 import NasBench201

SIZE = DenoiserConfig(width=16, layers=2, heads=4)
BUILT_IN = [NasBenchGraph(), NasBench201()]


def network(layout: Layout, **options: bool) -> Denoiser:
    return new_denoiser(layout, replace(SIZE, **options), 0).eval()


def partly_hidden(layout: Layout, count: int, seed: int = 0) -> Tensor:
    """Random values, known and hidden, valid or not."""
    rng = torch.Generator().manual_seed(seed)
    return (torch.rand(count, len(layout), generator=rng) * (layout.hidden + 1)).long()


def check_logits(layout: Layout) -> None:
    logits = network(layout)(partly_hidden(layout, 7))
    assert logits.shape == (7, len(layout), max(layout.sizes))
    for slot, size in enumerate(layout.sizes):
        assert (logits[:, slot, size:] == IMPOSSIBLE).all()
        assert (logits[:, slot, :size].abs() < 1e3).all()


def test_a_logit_for_every_choice_and_none_past_the_last(toy) -> None:
    check_logits(layout_of(toy))


@pytest.mark.parametrize("space", BUILT_IN, ids=lambda space: space.name)
def test_logits_on_the_built_in_spaces(space) -> None:
    check_logits(layout_of(space))


def test_an_impossible_choice_has_no_probability() -> None:
    """Even beside logits as low as a network could give."""
    logits = torch.tensor([-1e4, -1e4, IMPOSSIBLE])
    assert logits.softmax(0).tolist() == [0.5, 0.5, 0.0]


def test_gradients_reach_every_parameter(toy) -> None:
    layout = layout_of(toy)
    denoiser, rows = new_denoiser(layout, SIZE, 1), layout.read(toy.listed)
    noise = add_noise(rows, layout.start(rows), layout.hidden, torch.Generator().manual_seed(1))
    negative_elbo(denoiser(noise.values), rows, noise).mean().backward()
    for name, parameter in denoiser.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def check_every_slot_is_seen(layout: Layout) -> None:
    """Each value that a slot may hold, the hidden one too, gives other logits of every other slot."""
    denoiser = network(layout)
    for slot in range(len(layout)):
        values = layout.hidden.repeat(layout.sizes[slot] + 1, 1)
        values[:, slot] = torch.arange(len(values))
        logits = denoiser(values)
        for a, b in torch.combinations(torch.arange(len(values))).tolist():
            moved = (logits[a] - logits[b]).abs().amax(1) > 1e-7
            moved[slot] = True
            assert moved.all(), f"slots {(~moved).nonzero()[:, 0].tolist()} do not see slot {slot} go from {a} to {b}"


def test_what_a_slot_holds_reaches_every_other_slot(toy) -> None:
    check_every_slot_is_seen(layout_of(toy))


@pytest.mark.parametrize("space", BUILT_IN, ids=lambda space: space.name)
def test_what_a_slot_holds_reaches_every_other_slot_of_the_built_in_spaces(space) -> None:
    check_every_slot_is_seen(layout_of(space))


def test_a_space_of_wirings_alone_and_of_edges_alone(tree_space, product_space) -> None:
    for space in (tree_space, product_space):
        same = [graph for graph in space.listed if graph.ops == space.listed[0].ops]
        part = type("Part", (type(space),), {"__init__": lambda self, kept=same: _list(self, kept)})()
        layout = layout_of(part)
        assert not layout.node_slots
        check_logits(layout)
        states = network(layout)(layout.read(part.listed))
        assert states.shape[0] == len(same)


def _list(space, graphs) -> None:
    space.listed = tuple(graphs)
    space.places = {graph: place for place, graph in enumerate(graphs)}


def test_rows_do_not_see_each_other(toy) -> None:
    layout = layout_of(toy)
    denoiser, values = network(layout), partly_hidden(layout, 50)
    together = denoiser(values)
    torch.testing.assert_close(denoiser(values[9:11]), together[9:11], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(denoiser(values.flip(0)), together.flip(0), rtol=1e-4, atol=1e-5)


def test_the_level_changes_nothing_at_first_and_something_once_it_is_learned(tree_space) -> None:
    layout = layout_of(tree_space)
    values, low, high = partly_hidden(layout, 5), torch.zeros(5), torch.ones(5)
    plain, guided = network(layout), network(layout, levels=True)
    guided.load_state_dict(plain.state_dict(), strict=False)
    for level in (None, low, high):
        assert torch.equal(guided(values, level), plain(values))
    assert guided.level is not None
    torch.nn.init.normal_(guided.level.net[2].weight, generator=torch.Generator().manual_seed(0))
    assert torch.equal(guided(values, low), guided(values))
    apart = (guided(values, high) - guided(values, low))[..., 0].abs()
    assert (apart > 0).all()
    mixed = guided(values, torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0]))
    torch.testing.assert_close(mixed[:2], guided(values, low)[:2])
    torch.testing.assert_close(mixed[2:], guided(values, high)[2:])


def test_only_nodes_that_vary_are_looked_at_where_the_wiring_is_fixed() -> None:
    assert network(layout_of(NasBench201())).n == 6
    assert network(layout_of(NasBenchGraph())).n == 6  # the wiring tells input and output apart


def test_a_node_with_several_slots_goes_through_the_head_once() -> None:
    """What is faster gives the logits of each slot of its own."""
    space = get_space("gnn")
    layout = layout_of(space)
    rows = layout.read([space.sample(np.random.default_rng(seed)) for seed in range(8)])
    denoiser = Denoiser(layout, DenoiserConfig(width=16, layers=1, heads=2)).eval()
    assert denoiser.several
    with torch.no_grad():
        fast = denoiser(layout.start(rows))
        denoiser.several = False
        assert torch.allclose(denoiser(layout.start(rows)), fast, atol=1e-5)
