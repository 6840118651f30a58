"""ExactGP: what is believed without a label is what a fit without it believes; covariances agree; states come back."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from graphs.space import SearchSpace
from predictors.encodings import Encodings
from predictors.exact_gp import ExactGP, fit_exact_gp, restore_exact_gp
from predictors.kernel import GraphKernel
from predictors.slot_kernel import SlotKernel


@pytest.fixture(scope="module")
def encodings(any_space: SearchSpace) -> Encodings:
    return Encodings(any_space)


@pytest.fixture(scope="module", params=["features", "slots"])
def parts(request: pytest.FixtureRequest, encodings: Encodings):
    """A kernel's maker and its inputs."""
    if request.param == "features":
        return lambda: GraphKernel(encodings.table, encodings.terms, smooth=True), encodings.numbers
    assert encodings.slots is not None
    none = torch.zeros(0, len(encodings.slots.sizes), dtype=torch.int64)
    return lambda: SlotKernel(encodings.slots, None, none), encodings.rows


def _data(space: SearchSpace, count: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    graphs = [space.sample(rng) for _ in range(count)]
    labels = torch.tensor([len(space.network(graph)) + rng.normal(0, 0.1) for graph in graphs], dtype=torch.float64)
    return graphs, labels


@pytest.fixture(scope="module")
def fitted(parts: tuple[Callable, Callable], any_space: SearchSpace) -> tuple[ExactGP, list, torch.Tensor]:
    graphs, labels = _data(any_space, 24)
    graphs, labels = [*graphs, graphs[0]], torch.cat([labels, labels[:1] + 0.5])
    return fit_exact_gp(*parts, graphs, labels, 600), graphs, labels


def test_left_out_is_what_the_others_alone_believe(fitted) -> None:
    """With the hyper-parameters as they are; the last graph is the first once more, so both are left out."""
    model, graphs, _ = fitted
    mean, variance = model.left_out()
    for row in (0, 7, 24):
        kept = [at for at in range(25) if graphs[at] != graphs[row]]
        others = ExactGP(
            model.kernel,
            model.inputs,
            model.scale,
            model.noise,
            1.0,
            model.seen[kept],
            model.targets[kept],
            torch.arange(len(kept)),
        )
        found = others.moments([graphs[row]])
        torch.testing.assert_close(found[0][0], mean[row], rtol=1e-5, atol=1e-6)
        expected = model.noise + model.inflation * found[1][0]
        torch.testing.assert_close(expected, variance[row], rtol=1e-3, atol=1e-5)


def test_moments_are_the_diagonal_of_the_joint(fitted, any_space: SearchSpace) -> None:
    model = fitted[0]
    graphs, _ = _data(any_space, 9, seed=1)
    (mean, variance), (joint_mean, covariance) = model.moments(graphs), model.joint(graphs)
    torch.testing.assert_close(mean, joint_mean)
    torch.testing.assert_close(variance, covariance.diagonal(), rtol=1e-6, atol=1e-9)
    assert float(torch.linalg.eigvalsh(covariance).min()) > -1e-8


def test_a_state_restores_the_model(fitted, parts, any_space: SearchSpace) -> None:
    model, graphs, labels = fitted
    again = restore_exact_gp(parts[0](), parts[1], graphs, labels, model.state())
    asked, _ = _data(any_space, 9, seed=2)
    for was, now in zip(model.moments(asked), again.moments(asked), strict=True):
        torch.testing.assert_close(was, now, rtol=0, atol=0)
    state = dict(model.state())
    state["parameters"] = state["parameters"][1:]
    with pytest.raises(ValueError, match="hyper-parameters, expected"):
        restore_exact_gp(parts[0](), parts[1], graphs, labels, state)


def test_the_sign_is_that_of_the_end_that_saturates(any_space: SearchSpace, encodings: Encodings) -> None:
    graphs, values = _data(any_space, 60, seed=3)
    crowded = torch.exp(-values)  # most labels near 0, a long tail above
    kernel = lambda: GraphKernel(encodings.table, encodings.terms, smooth=True)  # noqa: E731
    assert fit_exact_gp(kernel, encodings.numbers, graphs, crowded, 600).scale.sign == -1
    assert fit_exact_gp(kernel, encodings.numbers, graphs, -crowded, 600).scale.sign == 1
