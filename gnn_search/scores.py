"""What outputs of a network are worth: the loss of labels, scores of pairs, and the area under the ROC curve."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gnn_search.task import Split


def loss_of(outputs: Float[Tensor, "n k"], split: Split, kind: str) -> Tensor:
    """Cross-entropy of the labels."""
    if kind == "link":
        return nn.functional.binary_cross_entropy_with_logits(pair_scores(outputs, split), split.labels.float())
    return nn.functional.cross_entropy(outputs[split.items], split.labels)


def pair_scores(outputs: Float[Tensor, "n k"], split: Split) -> Float[Tensor, " m"]:
    """The dot product of each pair."""
    return (outputs[split.items[:, 0]] * outputs[split.items[:, 1]]).sum(1)


def area_under_curve(scores: Float[Tensor, " m"], labels: Int[Tensor, " m"]) -> float:
    """Of the ROC: the share of pairs of a 1 and a 0 that are in the right order, equals counting half."""
    low = scores[labels == 0].sort().values
    high = scores[labels == 1]
    below = torch.searchsorted(low, high).sum() + torch.searchsorted(low, high, right=True).sum()
    return float(below) / 2 / (len(low) * len(high))
