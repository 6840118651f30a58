"""The exact law of the decoders on spaces too large for the contract's own law test."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from graphs.batch import GraphBatch, encode
from graphs.decoding import BIG, ListedDecoder, gumbel
from graphs.spaces.nas_bench_graph import LINKS, OPERATIONS, NasBenchGraph
from graphs.spaces.nasbench201 import NasBench201

SPACE = NasBenchGraph()
SKIP = SPACE.fields[0].choices.index("skip")
DRAWS = 200_000


def indices(batch: GraphBatch) -> Tensor:
    """The number of each description: the wiring, then one digit for each layer, in 9 * 9^4 places."""
    wirings = encode(SPACE, [SPACE.build(links, OPERATIONS[:4]) for links in LINKS]).adj.flatten(1)
    number = (batch.adj.flatten(1)[:, None] == wirings).all(2).long().argmax(1)
    for layer in range(1, 5):
        number = number * 9 + batch.codes[:, layer, 0] - 1
    return number


def law(node: Tensor, edge: Tensor) -> Tensor:
    """The restricted product over all 9 * 9^4 descriptions, all-skip struck out, from the definition."""
    score = torch.zeros(9, 9, 9, 9, 9, dtype=torch.float64)
    for at, links in enumerate(LINKS):
        score[at] += sum(float(edge[i, j]) for i, j in SPACE.build(links, OPERATIONS[:4]).edges)
    for layer in range(1, 5):
        shape = [1] * 5
        shape[layer] = 9
        score += node[layer, 0, 1:10].double().reshape(shape)
    score[:, 8, 8, 8, 8] = -math.inf
    return score.flatten().softmax(0)


@pytest.mark.parametrize(("spread", "skip"), [(1.0, 0.0), (2.0, 3.0), (0.5, 6.0), (0.0, 12.0)])
def test_product_decoder_with_a_forbidden_combination(spread: float, skip: float) -> None:
    """With a skip logit of 6 most free draws are all-skip and are drawn again, so this tests the redraw."""
    rng = torch.Generator().manual_seed(0)
    node, edge = torch.randn(6, 1, 11, generator=rng) * spread, torch.randn(6, 6, generator=rng) * spread
    node[:, 0, SKIP] += skip
    decoder, found = SPACE.decoder(), torch.zeros(9**5)
    for _ in range(DRAWS // 20_000):
        drawn = decoder(node.expand(20_000, -1, -1, -1), edge.expand(20_000, -1, -1), rng)
        found += torch.bincount(indices(drawn), minlength=9**5)
    exact = law(node, edge)
    assert found[exact == 0].sum() == 0
    distance = float((found / DRAWS - exact).abs().sum()) / 2
    floor = float((exact * (1 - exact) / DRAWS).sqrt().sum()) / 2
    assert distance < floor + math.sqrt(math.log(1e6) / (2 * DRAWS))
    check_marginals(found.reshape(9, 9, 9, 9, 9).double(), exact.reshape(9, 9, 9, 9, 9))


def check_marginals(found: Tensor, exact: Tensor) -> None:
    """All pairs of the wiring and the four layers, where total variation over 59,040 cells has little power."""
    for keep in [(a, b) for b in range(5) for a in range(b)]:
        others = [axis for axis in range(5) if axis not in keep]
        count, p = found.sum(others).flatten(), exact.sum(others).flatten()
        seen = p * DRAWS > 20
        z = (count[seen] - DRAWS * p[seen]) / (DRAWS * p[seen] * (1 - p[seen])).clamp(min=1e-9).sqrt()
        assert z.abs().max() < 5.5, (keep, z.abs().max())


@pytest.mark.parametrize("layer", [1, 2, 3, 4])
def test_three_pinned_skips_leave_any_other_operation(layer: int) -> None:
    rng = torch.Generator().manual_seed(1)
    node, edge = torch.randn(4000, 6, 1, 11, generator=rng), torch.randn(4000, 6, 6, generator=rng)
    node[:] = node[0]
    for other in {1, 2, 3, 4} - {layer}:
        node[:, other, 0, SKIP] += BIG
    codes = SPACE.decoder()(node, edge, rng).codes[..., 0]
    assert all((codes[:, other] == SKIP).all() for other in {1, 2, 3, 4} - {layer})
    count = torch.bincount(codes[:, layer], minlength=11)[1:9]
    p = node[0, layer, 0, 1:9].double().softmax(0)
    assert count.sum() == 4000
    assert float(((count - 4000 * p).square() / (4000 * p)).sum()) < 41  # chi-square of 7 degrees: 1 in a million


def test_an_excluded_choice_is_never_drawn() -> None:
    rng = torch.Generator().manual_seed(2)
    node, edge = torch.randn(2000, 6, 1, 11, generator=rng), torch.randn(2000, 6, 6, generator=rng)
    node[:, :, 0, SKIP] -= BIG
    node[:, 2, 0, 1:8] -= BIG
    codes = SPACE.decoder()(node, edge, rng).codes[..., 0]
    assert not (codes == SKIP).any()
    assert (codes[:, 2] == 8).all()


def test_listed_and_product_decoders_agree() -> None:
    space, draws = NasBench201(), 3000
    rng = torch.Generator().manual_seed(3)
    node, edge = torch.randn(1, 8, 1, 7, generator=rng), torch.randn(1, 8, 8, generator=rng)
    listed, frequencies = ListedDecoder(space), []
    for decoder in (listed, space.decoder()):
        codes = torch.cat(
            [decoder(node.expand(100, -1, -1, -1), edge.expand(100, -1, -1), rng).codes for _ in range(30)]
        )
        frequencies.append(torch.nn.functional.one_hot(codes[:, 1:-1, 0], 7).double().mean(0))
    p = node[0, 1:-1, 0, 1:6].double().softmax(-1)
    for found in frequencies:
        z = (found[:, 1:6] - p) / (p * (1 - p) / draws).sqrt()
        assert z.abs().max() < 5


def test_gumbel_noise_has_its_mean_and_variance() -> None:
    noise = gumbel(torch.zeros(200_000), torch.Generator().manual_seed(4))
    assert noise.dtype == torch.float64
    assert noise.isfinite().all()
    assert abs(float(noise.mean()) - np.euler_gamma) < 5 * math.pi / math.sqrt(6 * 200_000)
    assert abs(float(noise.var()) - math.pi**2 / 6) < 0.05
