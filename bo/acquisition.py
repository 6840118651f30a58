"""Which candidates of a pool to evaluate next, by BoTorch's acquisition functions.

One objective takes the log expected improvement (Ament et al., NeurIPS 2023) unless told otherwise, several take the
log of the noisy expected hypervolume improvement (Daulton et al., NeurIPS 2021).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.analytic import LogExpectedImprovement
from botorch.acquisition.logei import qLogExpectedImprovement, qLogNoisyExpectedImprovement
from botorch.acquisition.monte_carlo import qUpperConfidenceBound
from botorch.acquisition.multi_objective.logei import (
    qLogExpectedHypervolumeImprovement,
    qLogNoisyExpectedHypervolumeImprovement,
)
from botorch.acquisition.multi_objective.objective import MCMultiOutputObjective
from botorch.acquisition.objective import MCAcquisitionObjective
from botorch.generation.sampling import MaxPosteriorSampling
from botorch.optim.optimize import optimize_acqf_discrete
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.utils.multi_objective.box_decompositions.non_dominated import NondominatedPartitioning
from gpytorch.distributions import MultivariateNormal
from jaxtyping import Float
from torch import Tensor

from bo.beliefs import Beliefs
from bo.finite_model import FiniteModel, Given
from bo.pareto import measured, ranked, reference_point
from bo.records import History
from graphs.archgraph import ArchGraph

MOST = 512
"""Candidates whose joint posterior is looked at: those with the best acquisition when each is taken alone."""
BASELINE = 64
"""Evaluated trials whose posterior a noisy acquisition compares with: the most promising ones."""
CHUNK = 256
MC_SAMPLES = 128
BETA = 4.0
"""Of UCB: two standard deviations."""
PENALTY = 1e6
"""What a unit of violation costs a Thompson draw, more than any objective can make up for."""


@torch.no_grad()
def score(beliefs: Beliefs, history: History) -> Callable[[Sequence[ArchGraph]], Float[np.ndarray, " n"]]:
    """A function that values each graph alone.

    The value is the log expected improvement, of the first objective or of the hypervolume, plus the log probability
    that all bounds are kept; that probability alone while nothing feasible is known.
    """
    improvement = _improvement(beliefs, history)

    @torch.no_grad()
    def value(graphs: Sequence[ArchGraph]) -> Float[np.ndarray, " n"]:
        found: Tensor = improvement(graphs) + beliefs.log_feasibility(graphs)
        return found.numpy()

    return value


def _improvement(beliefs: Beliefs, history: History) -> Callable[[Sequence[ArchGraph]], Tensor]:
    if not measured(history):
        return lambda graphs: torch.zeros(len(graphs), dtype=torch.float64)
    if beliefs.objectives == 1:
        best = incumbent(beliefs, history)
        return lambda graphs: log_ei(*beliefs.outputs[0].marginals(graphs), best)
    gains = _gains(history)
    point = _point(history)
    free = Beliefs(beliefs.outputs[: beliefs.objectives], beliefs.objectives, ())

    def hypervolume(graphs: Sequence[ArchGraph]) -> Tensor:
        values = []
        for start in range(0, len(graphs), CHUNK):
            part = graphs[start : start + CHUNK]
            acquisition = qLogExpectedHypervolumeImprovement(
                Given(free.marginals(part)),
                ref_point=point,
                partitioning=NondominatedPartitioning(point, Y=gains),
                sampler=SobolQMCNormalSampler(torch.Size([MC_SAMPLES]), seed=0),
                objective=_Gains(free),
            )
            values.append(acquisition(torch.zeros(len(part), 1, 1, dtype=torch.float64)))
        return torch.cat(values)

    return hypervolume


def log_ei(mean: Float[Tensor, " n"], variance: Float[Tensor, " n"], best: float) -> Float[Tensor, " n"]:
    """The log expected improvement of Gaussian values over `best`."""
    posterior = GPyTorchPosterior(MultivariateNormal(mean[:, None], variance[:, None, None]))
    found: Tensor = LogExpectedImprovement(Given(posterior), best_f=best)(torch.zeros(len(mean), 1, 1))
    return found


def incumbent(beliefs: Beliefs, history: History) -> float:
    """The best first objective of what is feasible, on its output's scale."""
    best = max(measured(history), key=history.gain)
    return beliefs.outputs[0].scale(best.metrics[history.objective.metric])


@torch.no_grad()
def select(
    beliefs: Beliefs,
    history: History,
    graphs: Sequence[ArchGraph],
    values: Float[np.ndarray, " n"],
    count: int,
    acquisition: str,
    seed: int,
) -> list[tuple[int, float]]:
    """Up to `count` places in `graphs` with their acquisition values, chosen one after the other.

    One candidate with nothing pending takes the best log-EI as it stands in `values`; otherwise each choice maximises
    the acquisition given the pending ones and those chosen before, among the `MOST` best by `values`.

    Args:
        values: of each graph alone, see `score`.
        acquisition: one of `ACQUISITIONS`.
    """
    count = min(count, len(graphs))
    order = np.argsort(-values, kind="stable")
    pending = [trial.graph for trial in history.pending]
    if not measured(history) or (acquisition == "log-ei" and count == 1 and not pending):
        return [(int(place), float(values[place])) for place in order[:count]]
    order = np.sort(order[: max(MOST, count)])
    baseline = [trial.graph for trial in ranked(history, BASELINE)]
    model = beliefs.joint([*(graphs[place] for place in order), *pending, *baseline])
    numbers = torch.arange(len(order) + len(pending) + len(baseline), dtype=torch.float64)[:, None]
    choices, waiting, known = numbers.tensor_split([len(order), len(order) + len(pending)])
    if acquisition == "thompson":
        drawn = _thompson(beliefs, model, choices, count, seed)
        return [(int(order[place]), float(values[order[place]])) for place in drawn]
    function = _acquisition(acquisition, beliefs, history, model, known, waiting if len(waiting) else None, seed)
    chosen, found = optimize_acqf_discrete(function, count, choices, max_batch_size=CHUNK)
    return [
        (int(order[int(place)]), float(value)) for place, value in zip(chosen[:, 0], found.reshape(-1), strict=True)
    ]


def _acquisition(
    name: str,
    beliefs: Beliefs,
    history: History,
    model: FiniteModel,
    baseline: Tensor,
    pending: Tensor | None,
    seed: int,
) -> AcquisitionFunction:
    sampler = SobolQMCNormalSampler(torch.Size([MC_SAMPLES]), seed=seed)
    first = _First()
    constraints = beliefs.violations() or None
    if name == "log-nehvi":
        return qLogNoisyExpectedHypervolumeImprovement(
            model,
            _point(history),
            baseline,
            sampler=sampler,
            objective=_Gains(beliefs),
            constraints=constraints,
            X_pending=pending,
            prune_baseline=True,
            cache_root=False,
        )
    if name == "log-nei":
        return qLogNoisyExpectedImprovement(
            model,
            baseline,
            sampler=sampler,
            objective=first,
            constraints=constraints,
            X_pending=pending,
            prune_baseline=False,
            cache_root=False,
        )
    if name == "ucb":
        return qUpperConfidenceBound(
            model,
            BETA,
            sampler,
            _First(beliefs.violations()),
            None,
            pending,
        )
    best = incumbent(beliefs, history)
    return qLogExpectedImprovement(model, best, sampler, first, X_pending=pending, constraints=constraints)


def _thompson(beliefs: Beliefs, model: FiniteModel, choices: Tensor, count: int, seed: int) -> list[int]:
    objective = _First(beliefs.violations())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        drawn = MaxPosteriorSampling(model, objective, replacement=False)(choices, num_samples=count)
    return [int(place) for place in drawn[:, 0]]


class _First(MCAcquisitionObjective):
    """The first objective of samples "... m", less what they break of some bounds."""

    def __init__(self, violations: Sequence[Callable[[Tensor], Tensor]] = ()) -> None:
        super().__init__()
        self._violations = violations

    def forward(self, samples: Tensor, X: Tensor | None = None) -> Tensor:
        broken = [violation(samples).clamp(min=0) for violation in self._violations]
        return samples[..., 0] - PENALTY * sum(broken, torch.zeros(()))


class _Gains(MCMultiOutputObjective):
    """All objectives of samples "... m", in the metrics' units."""

    def __init__(self, beliefs: Beliefs) -> None:
        super().__init__()
        self._beliefs = beliefs

    def forward(self, samples: Tensor, X: Tensor | None = None) -> Tensor:
        return self._beliefs.gains(samples)


def _gains(history: History) -> Float[Tensor, "n k"]:
    """The objectives of what is feasible, larger is better."""
    return torch.tensor([history.gains(trial) for trial in measured(history)], dtype=torch.float64)


def _point(history: History) -> Float[Tensor, " k"]:
    """The reference point of the campaign, or the worst values of the feasible trials before it has one."""
    stated = reference_point(history, history.reference)
    return _gains(history).min(0).values if stated is None else torch.tensor(stated, dtype=torch.float64)
