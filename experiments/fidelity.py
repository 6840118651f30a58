"""How faithful are samples? Train on one half of structured data, compare with the other half.

    python experiments/fidelity.py --data nas-bench-graph
    python experiments/fidelity.py --data free-dag
    python experiments/fidelity.py --data ofa
    python experiments/fidelity.py --data measured
    python experiments/fidelity.py --data nas-bench-graph --curve

Data: `nas-bench-graph`, each network once; `free-dag`, 40,000 graphs drawn by exp(depth + 3x3 convolutions) from
200,000 uniform ones; `ofa`, 40,000 subnets under 300 M MACs, tilted by an accuracy predictor; `measured`, the measured
subnets, 1,713 distinct ones. Beside the samples stand the floor, two random parts of the data as large as the samples,
and the simplest baseline, slots drawn independently from the training half's marginals and made valid by the layout.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from archgen.diffusion.additive_law import AdditiveLaw, Part, part_configurations
from archgen.diffusion.generator import DiffusionGenerator
from archgen.diffusion.sampler import sample_rows
from archgen.diffusion.training import train_generator, usual_config
from archgen.fidelity import between_halves, compare
from archgen.row_costs import AdditiveCost, row_cost
from graphs.condition import Condition
from graphs.layout import Layout, layout_of
from graphs.spaces.catalogue import get_space
from graphs.tables.ofa_mobilenetv3 import load_subnets
from predictors.additive import fit_additive
from predictors.slot_features import slot_features

SHOWN = (
    "marginals",
    "worst_marginal",
    "pairs",
    "worst_pair",
    "wl_mmd",
    "distinct",
    "unique_rows",
    "uniqueness",
    "novelty",
)
CAP = 300.0
"""Millions of MACs."""
NATS = 10.0
"""Strength of the skewed OFA law on the predictor's scale."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=list(DATA), default="nas-bench-graph")
    parser.add_argument("--rows", type=int, default=40_000, help="data drawn, where they are not a fixed list")
    parser.add_argument("--steps", type=int, help="training steps, the space's usual number unless given")
    parser.add_argument("--curve", action="store_true", help="quality against denoising steps")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    layout, data = DATA[arguments.data](arguments.rows, arguments.seed)
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(arguments.seed))
    seen, held = data[order[: len(data) // 2]], data[order[len(data) // 2 :]]
    graphs = layout.write(seen)
    config = usual_config(layout, arguments.seed, arguments.steps)
    generator = train_generator(layout.space, config, graphs=graphs)
    print(f"{arguments.data}: trained on {len(seen):,} of {len(data):,} in {generator.provenance['seconds']:.0f} s")
    known = {layout.space.canonical(graph) for graph in graphs}
    if arguments.curve:
        curve(generator, held, known, arguments.seed)
        return
    samples = torch.cat(list(generator.stream(len(held), arguments.seed + 1)))
    found = compare(layout, samples, held, known)
    base = compare(layout, independent(layout, seen, len(held), arguments.seed), held, known)
    halves = compare(layout, seen, held)
    floor = between_halves(layout, data, seed=arguments.seed, splits=5)
    print("figure           samples   training half   floor             independent slots")
    for name in SHOWN:
        sure = f"{getattr(floor.mean, name):.4f} +- {getattr(floor.deviation, name):.4f}"
        cells = (getattr(found, name), getattr(halves, name))
        print(f"{name:<16} {cells[0]:<9.4f} {cells[1]:<15.4f} {sure:<17} {getattr(base, name):.4f}")


def curve(generator: DiffusionGenerator, held: Int[Tensor, "m s"], known: set[str], seed: int) -> None:
    """Fidelity and raw validity against the number of denoising steps."""
    layout = generator.layout
    print("steps  raw validity  marginals  pairs   wl_mmd   novelty")
    for steps in sorted({1, 2, 3, 4, 6, 8, 12, 20, len(layout)}):
        if steps > len(layout):
            continue
        rows = torch.cat(list(generator.stream(len(held), seed + 1, steps=steps)))
        raw = torch.cat(list(generator.stream(min(len(held), 10_000), seed + 1, steps=steps, constrained=False)))
        found = compare(layout, rows, held, known)
        valid = float(layout.valid(raw).double().mean())
        print(
            f"{steps:<6} {valid:<13.2%} {found.marginals:<10.4f} {found.pairs:<7.4f} {found.wl_mmd:<8.4f} "
            f"{found.novelty:.4f}",
            flush=True,
        )


def independent(layout: Layout, rows: Int[Tensor, "m s"], count: int, seed: int) -> Int[Tensor, "b s"]:
    """Slots that are not given, drawn one after another from their marginals, restricted to what is valid."""
    open_slots = layout.start(rows) == layout.hidden
    k = max(layout.sizes)
    hot = torch.nn.functional.one_hot(rows, k) * open_slots[..., None]
    logits = (hot.sum(0) + 1e-3).log()
    rng = torch.Generator().manual_seed(seed)
    start = layout.start(rows[torch.randint(len(rows), (count,), generator=rng)])
    return torch.cat(
        [
            sample_rows(layout, lambda values: logits.expand(len(values), -1, -1), part, 1, rng)
            for part in torch.split(start, 4096)
        ]
    )


def nas_bench_graph(_rows: int, _seed: int) -> tuple[Layout, Int[Tensor, "m s"]]:
    space = get_space("nas-bench-graph")
    layout = layout_of(space)
    return layout, layout.read(space.networks)


def free_dag(rows: int, seed: int) -> tuple[Layout, Int[Tensor, "m s"]]:
    """Deep graphs with many 3x3 convolutions: uniform ones, resampled without repetition of a draw."""
    space = get_space("free-dag")
    layout, rng = layout_of(space), np.random.default_rng(seed)
    graphs = [space.sample(rng) for _ in range(5 * rows)]
    score = torch.tensor(
        [space.costs(graph)["depth"] + sum(op.name == "conv3x3" for op in graph.ops) for graph in graphs]
    )
    noise = torch.from_numpy(rng.gumbel(size=len(graphs)))
    kept = (score + noise).topk(rows).indices
    return layout, layout.read([graphs[int(place)] for place in kept])


def ofa(rows: int, seed: int) -> tuple[Layout, Int[Tensor, "m s"]]:
    """Good subnets under a cap of MACs: pairs of layers in a stage and all stages together depend on each other."""
    layout, measured, top1 = _measured()
    features = slot_features(layout.sizes, groups=layout.parts, shared=layout.alike, attributes=layout.attributes)
    predictor = fit_additive(features, measured, top1)
    macs = row_cost(layout, lambda graph: layout.space.costs(graph)["macs"])
    assert isinstance(macs, AdditiveCost)
    parts = tuple(
        Part(slots, configurations, predictor.part_score(slots, configurations), table)
        for (slots, configurations), table in zip(part_configurations(layout), macs.tables, strict=True)
    )
    cap = macs.bound(Condition("macs", "<=", CAP))
    law = AdditiveLaw(parts, NATS, cap=cap, fixed_cost=macs.fixed)
    return layout, law.draw(rows, torch.Generator().manual_seed(seed))


def measured(_rows: int, _seed: int) -> tuple[Layout, Int[Tensor, "m s"]]:
    layout, rows, _ = _measured()
    return layout, torch.unique(rows, dim=0)


def _measured() -> tuple[Layout, Int[Tensor, "m s"], Float[Tensor, " m"]]:
    layout, subnets = layout_of(get_space("ofa-mobilenetv3")), load_subnets()
    return layout, layout.read(subnets.graphs), torch.from_numpy(subnets.top1)


DATA = {"nas-bench-graph": nas_bench_graph, "free-dag": free_dag, "ofa": ofa, "measured": measured}

if __name__ == "__main__":
    main()
