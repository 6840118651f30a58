"""DatasetNetwork: an ensemble of networks on an architecture and a data set, the data set through a set encoder."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from graphs.errors import InvalidOption
from predictors.conditioned.datasets import DataSets, Pairs, check_targets
from predictors.conditioned.graph_vectors import GraphVectors
from predictors.conditioned.set_encoder import encoder_of
from predictors.mixture import spread_factor
from predictors.prediction import Prediction
from predictors.scale import Scale
from predictors.slot_predictor import Warp

CHUNK = 4096


@dataclass(frozen=True)
class NetworkConfig:
    """How networks are built and trained.

    Args:
        width: of hidden layers and of data sets' vectors.
        members: networks; each leaves out its share of the data sets to know when to stop.
        epochs: at most.
        patience: epochs without a better prediction of the left-out data sets after which training stops.
        batch: labels a step.
        rate: the learning rate at the start; it falls to 0 along a half cosine.
        decay: of the weights (AdamW).
        dropout: of the architecture's hidden layer.
    """

    width: int = 32
    members: int = 5
    epochs: int = 60
    patience: int = 10
    batch: int = 128
    rate: float = 5e-3
    decay: float = 0.1
    dropout: float = 0.1


@final
class ConditionedNetwork(nn.Module):
    """y = a(x) + b(d) + u(x)^T v(d), with noise of a learned deviation.

    Args:
        vector: length of an architecture's vector.
        datasets: some, to make an encoder for.
        config: how wide.
    """

    def __init__(self, vector: int, datasets: DataSets, config: NetworkConfig) -> None:
        super().__init__()
        width = config.width
        self.graph = nn.Sequential(
            nn.Linear(vector, width), nn.GELU(), nn.Dropout(config.dropout), nn.Linear(width, width), nn.GELU()
        )
        self.dataset = encoder_of(datasets, width)
        self.worth, self.offset = nn.Linear(width, 1), nn.Linear(width, 1)
        self.left, self.right = nn.Linear(width, width), nn.Linear(width, width)
        self.log_noise = nn.Parameter(torch.zeros(()))

    def forward(self, vectors: Float[Tensor, "n v"], tensors: tuple[Tensor, ...]) -> Float[Tensor, " n"]:
        """The standardised label of each pair, in the mean; an entry of each tensor a pair."""
        x, d = self.graph(vectors), self.dataset(tensors)
        together = (self.left(x) * self.right(d)).sum(1) / x.shape[1] ** 0.5
        found: Tensor = self.worth(x)[:, 0] + self.offset(d)[:, 0] + together
        return found


@final
@dataclass(frozen=True, eq=False)
class DatasetNetwork:
    """A fitted ensemble (Lakshminarayanan et al. 2017); made by `fit_dataset_network`.

    Args:
        vectors: of architectures.
        members: trained networks.
        scale: from labels to standardised ones.
        widening: the factor of all deviations, from the errors on data sets that members left out.
    """

    vectors: GraphVectors
    members: Sequence[ConditionedNetwork]
    scale: Scale
    widening: float

    @torch.no_grad()
    def predict(self, pairs: Pairs) -> Prediction:
        """Of new measurements, noise included; data sets may be new, as may their classes."""
        x = self.vectors(pairs.graphs)
        found = torch.stack([_run(member, x, pairs).double() for member in self.members])
        noise = torch.stack([(2 * member.log_noise).exp() for member in self.members]).double().mean()
        variance = found.var(0, correction=0) + noise
        return Prediction(self.scale, found.mean(0), self.widening**2 * variance)


def fit_dataset_network(
    vectors: GraphVectors,
    pairs: Pairs,
    labels: Float[Tensor, " n"],
    config: NetworkConfig | None = None,
    *,
    seed: int = 0,
) -> DatasetNetwork:
    """Train from scratch; the same labels and seed give the same networks.

    Args:
        vectors: of architectures.
        pairs: what was measured.
        labels: what it gave, in units that all data sets share.
        config: the default unless given.
        seed: where chance comes from.

    Raises:
        InvalidOption: fewer than 2 labels or 2 data sets, not one label a pair, or one that is not finite.
    """
    check_targets(pairs, labels)
    config = config or NetworkConfig()
    used, place = torch.unique(pairs.place, return_inverse=True)
    if len(used) < 2:
        raise InvalidOption("labels of one data set; expected at least 2, as each network leaves some out")
    scale, x = Scale(1, Warp.fit(labels.double())), vectors(pairs.graphs)
    y = scale(labels.double()).float()
    fold = torch.randperm(len(used), generator=torch.Generator().manual_seed(seed))[place] % min(
        config.members, len(used)
    )
    members, errors = [], []
    for number in range(config.members):
        held = fold == number % (int(fold.max()) + 1)
        with torch.random.fork_rng():
            torch.manual_seed(1_000 * seed + number)
            network = ConditionedNetwork(x.shape[1], pairs.datasets, config)
            _train(network, (x, pairs, y), held, config)
        members.append(network)
        with torch.no_grad():
            rows = held.nonzero()[:, 0]
            left_out = y[rows] - _run(network, x[rows], pairs.take(rows))
            errors.append(left_out / network.log_noise.exp())
    return DatasetNetwork(vectors, members, scale, spread_factor(torch.cat(errors).double()))


def _train(
    network: ConditionedNetwork, data: tuple[Tensor, Pairs, Tensor], held: Tensor, config: NetworkConfig
) -> None:
    """Until the labels that are `held` back are no longer predicted better; the best weights are kept."""
    x, pairs, y = data
    rows, left_out = (~held).nonzero()[:, 0], held.nonzero()[:, 0]
    tensors = pairs.datasets.tensors()
    optimiser = torch.optim.AdamW(network.parameters(), lr=config.rate, weight_decay=config.decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.epochs)
    kept = pairs.take(left_out)
    best, since, state = float("inf"), 0, copy.deepcopy(network.state_dict())
    for _ in range(config.epochs):
        network.train()
        for batch in rows[torch.randperm(len(rows))].split(config.batch):  # type: ignore[no-untyped-call]
            found = network(x[batch], _entries(tensors, pairs.place[batch]))
            loss = _surprise(y[batch] - found, network.log_noise)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        schedule.step()
        with torch.no_grad():
            error = float((y[left_out] - _run(network, x[left_out], kept)).square().mean())
        if error < best:
            best, since, state = error, 0, copy.deepcopy(network.state_dict())
        else:
            since += 1
        if since == config.patience:
            break
    network.load_state_dict(state)
    network.eval()


def _surprise(errors: Float[Tensor, " n"], log_noise: Float[Tensor, ""]) -> Float[Tensor, ""]:
    loss: Tensor = errors.square().mean() * (-2 * log_noise).exp() / 2 + log_noise
    return loss


def _run(network: ConditionedNetwork, x: Float[Tensor, "n v"], pairs: Pairs) -> Float[Tensor, " n"]:
    """The network's means, in evaluation; in chunks."""
    network.eval()
    tensors = pairs.datasets.tensors()
    rows = torch.arange(len(x)).split(CHUNK)  # type: ignore[no-untyped-call]
    return torch.cat([network(x[part], _entries(tensors, pairs.place[part])) for part in rows])


def _entries(tensors: tuple[Tensor, ...], place: Int[Tensor, " n"]) -> tuple[Tensor, ...]:
    return tuple(tensor[place] for tensor in tensors)
