"""Training encoders by the marginal likelihood of Gaussian processes on what they make of graphs, all at once."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from predictors.embedding_kernel import squared_distances
from predictors.member_training import Schedule, batches, optimiser_of
from predictors.members import In, Members

NOISE = -1.2
"""Prior mean of the log of the noise's deviation; that of the other logarithms is 0, all deviations 1."""
RIDGE = 1e-3


class _Heads(nn.Module):
    """A process for each member: the logarithms of its scale, its length and its noise."""

    def __init__(self, members: int) -> None:
        super().__init__()
        self.logs = nn.Parameter(torch.tensor([0.0, 0.0, NOISE]).repeat(members, 1))

    def surprise(
        self, embedded: Float[Tensor, "e b d"], targets: Float[Tensor, " b"], seen: Float[Tensor, "e b"]
    ) -> Float[Tensor, " e"]:
        """Minus the log density of the labels that a member sees, and of its parameters, for each label."""
        scale, length, noise = self.logs.exp().T[..., None, None]
        rows = embedded / (length * embedded.shape[-1] ** 0.5)
        kernel = 1 + scale * torch.exp(-squared_distances(rows, rows) / 2)
        both = seen[:, :, None] * seen[:, None]
        root = torch.linalg.cholesky(kernel * both + torch.diag_embed(noise[..., 0].square() + RIDGE + 0 * seen))
        own = (targets * seen)[..., None]
        solved = torch.cholesky_solve(own, root)
        fit = (own * solved).sum((1, 2)) / 2
        unseen = (1 - seen).sum(1) * (self.logs[:, 2].exp().square() + RIDGE).log() / 2
        size = root.diagonal(dim1=1, dim2=2).log().sum(1) - unseen
        prior = (self.logs - torch.tensor([0.0, 0.0, NOISE])).square().sum(1) / 2
        found: Tensor = (fit + size + prior) / seen.sum(1).clamp(min=1)
        return found


def train_embeddings(
    network: Members[In],
    inputs: In,
    targets: Float[Tensor, " n"],
    weights: Float[Tensor, "e n"],
    schedule: Schedule,
    rng: torch.Generator,
) -> None:
    """Maximise the marginal likelihood of each member's process on batches of the labels that it sees.

    No member depends on another, nor on a row of weight 0, which has no covariance with others.

    Args:
        inputs: n rows.
        targets: standardised labels.
        weights: 1 where a member sees a label, else 0.
        schedule: of the training; larger batches than for squared errors, as labels explain each other.
        rng: where chance comes from; torch's own is as it was afterwards.
    """
    both = nn.ModuleList([network, _Heads(len(weights))])
    heads = both[1]
    assert isinstance(heads, _Heads)
    optimiser, cycle = optimiser_of(both, schedule)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(1 << 62, (), generator=rng)))
        network.train()
        for rows in batches(len(targets), schedule, rng):
            loss = heads.surprise(network(inputs[rows]), targets[rows], weights[:, rows]).sum()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            cycle.step()
