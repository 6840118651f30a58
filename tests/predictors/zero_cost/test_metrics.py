"""Zero-cost metrics against direct computations on a tiny network: differences, Jacobians, Hessians, loops."""

import copy
import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from gnn_search.network import GraphNetwork
from graphs.errors import ArchgenError, EvaluationError, UnknownName
from graphs.spaces.nas_bench_graph import NasBenchGraph
from predictors.zero_cost.activations import fisher, naswot
from predictors.zero_cost.catalogue import METRICS, get_metric
from predictors.zero_cost.jacobian import jacob_cov
from predictors.zero_cost.minibatch import Minibatch
from predictors.zero_cost.size import macs, params
from predictors.zero_cost.weights import grad_norm, grasp, snip, synflow

EXAMPLES, STEP = 5, 1e-6
WEIGHTS = ("0.weight", "3.weight", "6.weight")


def tiny(norm: bool = True, inplace: bool = False) -> nn.Sequential:
    """Two convolutions, batch norm between them, and a linear layer; in double precision."""
    torch.manual_seed(0)
    middle = nn.BatchNorm2d(3) if norm else nn.Identity()
    parts = (nn.Conv2d(2, 3, 3), middle, nn.ReLU(inplace), nn.Conv2d(3, 2, 2), nn.ReLU(inplace), nn.Flatten())
    return nn.Sequential(*parts, nn.Linear(8, 3)).double()


def some_batch() -> Minibatch:
    rng = torch.Generator().manual_seed(1)
    images = torch.randn(EXAMPLES, 2, 5, 5, generator=rng, dtype=torch.float64)
    return Minibatch((images,), torch.arange(EXAMPLES) % 3)


def differences(of: Callable[[], Tensor], weights: list[Tensor]) -> list[np.ndarray]:
    """The slope at each weight by central differences."""
    found = []
    for weight in weights:
        flat, slopes = weight.data.view(-1), []
        for place in range(len(flat)):
            values = []
            for step in (STEP, -2 * STEP, STEP):
                flat[place] += step
                values.append(float(of().detach()))
            slopes.append((values[0] - values[1]) / (2 * STEP))
        found.append(np.array(slopes))
    return found


def loss_slopes(network: nn.Module, batch: Minibatch) -> tuple[list[np.ndarray], list[np.ndarray]]:
    weights = [network.get_parameter(name) for name in WEIGHTS]
    values = [weight.detach().numpy().ravel().copy() for weight in weights]
    return values, differences(lambda: cross_entropy(network(*batch.inputs), batch.targets), weights)


def test_grad_norm_by_differences() -> None:
    _, slopes = loss_slopes(tiny(), some_batch())
    expected = sum(math.sqrt(sum(slope**2)) for slope in slopes)
    assert grad_norm(tiny(), some_batch()) == pytest.approx(expected, rel=1e-6)


def test_snip_by_differences() -> None:
    expected = sum(
        np.abs(weight * slope).sum() for weight, slope in zip(*loss_slopes(tiny(), some_batch()), strict=True)
    )
    assert snip(tiny(), some_batch()) == pytest.approx(expected, rel=1e-6)


def test_grasp_by_the_whole_hessian() -> None:
    network, batch = tiny(), some_batch()
    weights = [network.get_parameter(name).detach() for name in WEIGHTS]
    sizes = [weight.numel() for weight in weights]

    def loss(flat: Tensor) -> Tensor:
        named = {
            name: part.reshape(weight.shape)
            for name, part, weight in zip(WEIGHTS, flat.split(sizes), weights, strict=True)
        }
        return cross_entropy(functional_call(network, named, batch.inputs), batch.targets)

    flat = torch.cat([weight.flatten() for weight in weights])
    hessian = torch.autograd.functional.hessian(loss, flat)
    slope = torch.autograd.functional.jacobian(loss, flat)
    assert grasp(tiny(), batch) == pytest.approx(float(-flat @ hessian @ slope), rel=1e-8)


def test_synflow_by_differences_without_batch_norm() -> None:
    network = tiny(norm=False)
    for parameter in network.parameters():
        parameter.data.abs_()
    ones = torch.ones(1, 2, 5, 5, dtype=torch.float64)
    weights = [network.get_parameter(name) for name in WEIGHTS]
    slopes = differences(lambda: network(ones).sum(), weights)
    expected = sum(float(weight.detach().flatten() @ slope) for weight, slope in zip(weights, slopes, strict=True))
    with_norm = tiny()
    with_norm[1].running_mean += 3.0  # what batch norm knows has no part in it
    assert synflow(with_norm, some_batch()) == pytest.approx(expected, rel=1e-6)
    assert synflow(with_norm.float(), some_batch()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("inplace", [False, True])
def test_fisher_by_jacobians_of_what_follows_each_layer(inplace: bool) -> None:
    network, batch = tiny(), some_batch()
    expected, value = 0.0, batch.inputs[0]
    for place, layer in enumerate(network):
        value = layer(value).detach()
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        rest = network[place + 1 :]
        slope = torch.autograd.functional.jacobian(
            lambda out, rest=rest: cross_entropy(rest(out), batch.targets), value
        )
        for channel in range(value.shape[1]):
            each = [float((value[n, channel] * slope[n, channel]).sum()) ** 2 for n in range(EXAMPLES)]
            expected += sum(each) / (2 * EXAMPLES)
    assert fisher(tiny(inplace=inplace), batch) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("inplace", [False, True])
def test_naswot_by_counting_agreements(inplace: bool) -> None:
    network, batch = tiny(), some_batch()
    first = network[:3](*batch.inputs)
    codes = torch.cat([(first > 0).flatten(1), (network[3:5](first) > 0).flatten(1)], 1).tolist()
    kernel = [[sum(p == q for p, q in zip(one, other, strict=True)) for other in codes] for one in codes]
    expected = math.log(abs(np.linalg.det(np.array(kernel, dtype=float))))
    assert naswot(tiny(inplace=inplace), batch) == pytest.approx(expected, rel=1e-9)


def test_jacob_cov_by_the_whole_jacobian() -> None:
    batch = some_batch()
    jacobian = torch.autograd.functional.jacobian(tiny(), batch.inputs[0])  # examples, classes, then the input's shape
    rows = jacobian.sum((0, 1)).reshape(EXAMPLES, -1).numpy()
    values = np.linalg.eigvals(np.corrcoef(rows)).real + 1e-5
    expected = -sum(math.log(value) + 1 / value for value in values)
    assert jacob_cov(tiny(), batch) == pytest.approx(expected, rel=1e-8)


def test_params_and_macs_by_hand() -> None:
    assert params(tiny(), some_batch()) == (3 * 2 * 9 + 3) + 6 + (2 * 3 * 4 + 2) + (3 * 8 + 3)
    assert macs(tiny(), some_batch()) == 9 * (3 * 2 * 9) + 4 * (2 * 3 * 4) + 3 * 8 + 3


def test_the_loss_that_is_given_is_used() -> None:
    def double(outputs: Tensor, targets: Tensor) -> Tensor:
        return 2 * cross_entropy(outputs, targets)

    for metric, factor in ((grad_norm, 2), (snip, 2), (grasp, 4), (fisher, 4)):
        assert metric(tiny(), some_batch(), double) == pytest.approx(factor * metric(tiny(), some_batch()), rel=1e-9)


@pytest.mark.parametrize("name", METRICS)
def test_the_network_stays_as_it_was(name: str) -> None:
    network, batch = tiny().train(), some_batch()
    before = copy.deepcopy(network.state_dict())
    first = METRICS[name](network, batch, cross_entropy)
    assert METRICS[name](network, batch, cross_entropy) == first
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert network.training
    assert network[1].training
    assert not batch.inputs[0].requires_grad


@pytest.mark.parametrize("name", METRICS)
def test_a_graph_neural_network_has_every_metric(name: str) -> None:
    network, batch, loss = graph_network()
    value = METRICS[name](network, batch, loss)
    assert math.isfinite(value)
    assert METRICS[name](network, batch, loss) == value  # dropout is off


def test_metrics_of_a_graph_neural_network_by_its_own_gradients() -> None:
    network, batch, loss = graph_network()
    (x, edges), expected = batch.inputs, dict.fromkeys(("grad_norm", "snip"), 0.0)
    for dropout in (module for module in network.modules() if isinstance(module, nn.Dropout)):
        dropout.p = 0.0
    loss(network.train()(x, edges), batch.targets).backward()
    for parameter in network.parameters():
        if parameter.ndim > 1 and parameter.grad is not None:
            expected["grad_norm"] += float(parameter.grad.norm())
            expected["snip"] += float((parameter * parameter.grad).abs().sum())
    for name, value in expected.items():
        assert METRICS[name](network, batch, loss) == pytest.approx(value, rel=1e-5)


def graph_network() -> tuple[nn.Module, Minibatch, Callable[[Tensor, Tensor], Tensor]]:
    """A node classifier whose loss looks at the first half of the nodes."""
    torch.manual_seed(0)
    network = GraphNetwork(NasBenchGraph().parse("0012|gcn|sage|fc|gat"), 6, 8, 3, 0.5, pre_layer=True)
    ring = [(node, (node + step) % 12) for node, step in itertools.product(range(12), (1, 3))]
    edges = torch.tensor(ring + [(j, i) for i, j in ring]).T
    batch = Minibatch((torch.randn(12, 6), edges), torch.arange(12) % 3)
    return network, batch, lambda outputs, targets: cross_entropy(outputs[:6], targets[:6])


@pytest.mark.parametrize("name", [name for name in METRICS if name not in ("params", "macs", "naswot")])
def test_no_number_in_place_of_a_failure(name: str) -> None:
    network = tiny()
    network[6].weight.data[0, 0] = math.inf
    with pytest.raises(EvaluationError, match=f"{name} of this network is (nan|inf|-inf)") as caught:
        METRICS[name](network, some_batch(), cross_entropy)
    assert isinstance(caught.value, ArchgenError)


def test_naswot_of_equal_examples_and_without_a_relu() -> None:
    (images,) = some_batch().inputs
    twice = Minibatch((images[[0, 0]],), torch.tensor([0, 1]))
    with pytest.raises(EvaluationError, match="naswot of this network is -inf"):
        naswot(tiny(), twice)
    with pytest.raises(EvaluationError, match="the network has none"):
        naswot(nn.Sequential(nn.Flatten(), nn.Linear(50, 3)).double(), some_batch())


def test_what_does_not_depend_on_the_weights() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unused = nn.Linear(3, 3)
            self.bias = nn.Parameter(torch.zeros(3))

        def forward(self, x: Tensor) -> Tensor:
            return self.bias.expand(len(x), 3)

    for metric in (grad_norm, snip, grasp, synflow):
        assert metric(Constant(), some_batch()) == 0.0
    with pytest.raises(EvaluationError, match="jacob_cov"):
        jacob_cov(Constant(), some_batch())


def test_a_mistyped_metric_gets_a_suggestion() -> None:
    assert get_metric("snip") is snip
    with pytest.raises(UnknownName, match="Did you mean 'synflow'"):
        get_metric("sinflow")
