"""The sampler: always valid, repeatable, and true to the law of its denoiser."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch

from archgen.diffusion.denoiser import DenoiserConfig
from archgen.diffusion.generator import new_denoiser
from archgen.diffusion.process import Slots, add_noise, negative_elbo
from archgen.diffusion.sampler import sample_graphs
from graphs.batch import encode
from graphs.spaces.nas_bench_graph import NasBenchGraph
from graphs.spaces.nasbench201 import NasBench201

SIZE = DenoiserConfig(width=16, layers=1, heads=2)


def draw(space, denoiser, slots, count, steps, seed=0, guide=None):
    rng = torch.Generator().manual_seed(seed)
    template = encode(space, [next(iter(space.enumerate()))])
    return sample_graphs(space, denoiser, slots, template, count, steps, rng, guide)


def random_slots(space) -> Slots:
    """The slots that vary among random graphs."""
    rng = np.random.default_rng(0)
    batch = encode(space, [space.sample(rng) for _ in range(300)])
    return Slots((batch.codes != batch.codes[:1]).any(0), (batch.adj != batch.adj[:1]).any(0))


@pytest.mark.parametrize("steps", [1, 2, 6, 12])
@pytest.mark.parametrize("space", [NasBenchGraph(), NasBench201()], ids=lambda space: space.name)
def test_thousands_of_graphs_of_an_untrained_denoiser_are_valid(space, steps: int) -> None:
    """Validity must not depend on what the network says, so its weights are blown up too."""
    for gain in (1.0, 30.0):
        denoiser = new_denoiser(space, SIZE, 1).eval()
        for parameter in denoiser.parameters():
            parameter.data *= gain
        graphs = draw(space, denoiser, random_slots(space), 1000, steps)
        assert len(graphs) == 1000
        for graph in set(graphs):
            space.check(graph)


@pytest.mark.parametrize("steps", range(1, 13))
def test_every_number_of_steps_works_and_repeats_with_the_seed(tree_space, slots_of, steps: int) -> None:
    denoiser = new_denoiser(tree_space, SIZE, 2).eval()
    graphs = draw(tree_space, denoiser, slots_of(tree_space), 60, steps, seed=steps)
    assert draw(tree_space, denoiser, slots_of(tree_space), 60, steps, seed=steps) == graphs
    assert draw(tree_space, denoiser, slots_of(tree_space), 60, steps, seed=99) != graphs
    assert set(graphs) <= set(tree_space.listed)


def test_slots_that_do_not_vary_keep_the_templates_values(tree_space, slots_of) -> None:
    slots = slots_of(tree_space)
    nodes = slots.nodes.clone()
    nodes[2] = False  # the template's second layer stays
    template = tree_space.listed[35]
    rng = torch.Generator().manual_seed(1)
    denoiser = new_denoiser(tree_space, SIZE, 2).eval()
    fixed = Slots(nodes, torch.zeros_like(slots.edges))
    graphs = sample_graphs(tree_space, denoiser, fixed, encode(tree_space, [template]), 400, 5, rng)
    assert {graph.edges for graph in graphs} == {template.edges}
    assert {graph.ops[2] for graph in graphs} == {template.ops[2]}
    assert {graph.ops[1] for graph in graphs} == set(tree_space.layers)


@pytest.mark.parametrize("steps", [1, 2, 6])
def test_independent_slots_are_drawn_exactly_in_any_number_of_steps(
    product_space, product_law, exact_denoiser, slots_of, distance_to, steps: int
) -> None:
    denoiser = exact_denoiser(product_space, product_law)
    graphs = draw(product_space, denoiser, slots_of(product_space), 10_000, steps)
    found, limit = distance_to(product_space, graphs, product_law)
    assert found < limit


def test_any_law_is_reached_when_slots_are_revealed_about_one_at_a_time(
    tree_space, tree_law, exact_denoiser, slots_of, distance_to
) -> None:
    denoiser = exact_denoiser(tree_space, tree_law)
    graphs = draw(tree_space, denoiser, slots_of(tree_space), 4_000, 40)
    found, limit = distance_to(tree_space, graphs, tree_law)
    assert found < limit
    for wiring in tree_space.wirings:  # the parts that the decoder's constraint would distort, at a sharper scale
        share = float(sum(p for graph, p in zip(tree_space.listed, tree_law, strict=True) if graph.edges == wiring))
        assert abs(sum(graph.edges == wiring for graph in graphs) / 4_000 - share) < 0.05  # 6 sigma


def test_more_steps_come_closer_to_a_law_of_dependent_slots(
    tree_space, tree_law, exact_denoiser, slots_of, distance_to
) -> None:
    denoiser, slots = exact_denoiser(tree_space, tree_law), slots_of(tree_space)
    found = [distance_to(tree_space, draw(tree_space, denoiser, slots, 4_000, n), tree_law)[0] for n in (1, 4, 25)]
    assert found[0] > found[1] + 0.03 > found[2] + 0.05


def test_watch_sees_every_step_and_what_is_known_stays_known(tree_space, tree_law, exact_denoiser, slots_of) -> None:
    """With one slot hidden in the end, the last two predictions differ in nothing else."""
    seen = []
    rng = torch.Generator().manual_seed(3)
    template = encode(tree_space, tree_space.listed[:1])
    slots = slots_of(tree_space)
    last = sample_graphs(
        tree_space, exact_denoiser(tree_space, tree_law), slots, template, 50, 8, rng, None, seen.append
    )
    assert len(seen) == 8
    assert seen[-1] == last
    changed = [sum(a != b for a, b in zip(before, after, strict=True)) for before, after in pairwise(seen)]
    assert changed[0] > changed[-1], "predictions settle as slots become known"


def test_a_trained_denoiser_draws_its_skewed_law(tree_space, slots_of) -> None:
    """Half of the training graphs have one first layer and one wiring; the draws must show it, far from uniform."""
    favourites = [g for g in tree_space.listed if g.ops[1].name == "fc" and g.edges == tree_space.wirings[1]]
    training = encode(tree_space, [*tree_space.listed, *favourites * 9])
    slots, denoiser = slots_of(tree_space), new_denoiser(tree_space, DenoiserConfig(32, 2, 2), 0)
    optimiser, rng = torch.optim.AdamW(denoiser.parameters(), 5e-3), torch.Generator().manual_seed(0)
    for _ in range(200):
        clean = training[torch.randint(len(training), (128,), generator=rng)]
        time = torch.rand(128, generator=rng).clamp(min=0.02)
        masked = add_noise(clean, slots, time, denoiser.mask_codes, rng)
        nodes, edges = denoiser(masked)
        optimiser.zero_grad()
        negative_elbo(nodes, edges, clean, masked, time).mean().backward()
        optimiser.step()
    graphs = draw(tree_space, denoiser.eval(), slots, 4_000, 12)
    share = Counter(graph in favourites for graph in graphs)[True] / 4_000
    assert share == pytest.approx(0.5 + 0.5 / 9, abs=0.08)  # uniform draws give 0.11
    conv = sum(graph.ops[3].name == "conv" for graph in graphs) / 4_000
    assert conv == pytest.approx(2 / 3, abs=0.08)
