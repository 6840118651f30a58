"""All zero-cost metrics by name."""

from collections.abc import Mapping
from types import MappingProxyType

from graphs.errors import unknown_name
from predictors.zero_cost.activations import fisher, naswot
from predictors.zero_cost.jacobian import jacob_cov
from predictors.zero_cost.minibatch import ZeroCostMetric
from predictors.zero_cost.size import macs, params
from predictors.zero_cost.weights import grad_norm, grasp, snip, synflow

METRICS: Mapping[str, ZeroCostMetric] = MappingProxyType(
    {
        "grad_norm": grad_norm,
        "snip": snip,
        "grasp": grasp,
        "synflow": synflow,
        "fisher": fisher,
        "jacob_cov": jacob_cov,
        "naswot": naswot,
        "params": params,
        "macs": macs,
    }
)


def get_metric(name: str) -> ZeroCostMetric:
    """The metric of that name; raises `UnknownName`."""
    if name not in METRICS:
        raise unknown_name("zero-cost metric", name, METRICS)
    return METRICS[name]
