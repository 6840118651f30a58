"""REINFORCE (Williams 1992): rewards against a moving average, and the loss whose gradient follows them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

LARGEST = 3.0
"""The largest advantage, in deviations, so that one bad architecture does not undo what was learned."""


@dataclass(frozen=True)
class Baseline:
    """The moving average of rewards, and their mean squared distance from it; None before the first.

    Args:
        mean: of the rewards, the later the more.
        square: of the distances, likewise.
        decay: what is left of a mean after one more reward.
    """

    mean: float | None = None
    square: float = 0.0
    decay: float = 0.95

    def advantage(self, reward: float) -> float:
        """By how much a reward exceeds the mean, in deviations, so that the metric's unit does not matter."""
        if self.mean is None or reward == self.mean:
            return 0.0
        gap = reward - self.mean
        return max(-LARGEST, min(LARGEST, gap / math.sqrt(self._square(gap))))

    def after(self, reward: float) -> Baseline:
        """The baseline that counts `reward`, too."""
        if self.mean is None:
            return Baseline(reward, 0.0, self.decay)
        gap = reward - self.mean
        return Baseline(self.mean + (1 - self.decay) * gap, self._square(gap), self.decay)

    def _square(self, gap: float) -> float:
        return gap**2 if self.square == 0 else self.decay * self.square + (1 - self.decay) * gap**2


def reinforce_loss(
    log_probs: Float[Tensor, " s"], entropies: Float[Tensor, " s"], advantage: float, bonus: float
) -> Float[Tensor, ""]:
    """Minus the advantage times the log-probability of the decisions, less `bonus` times their entropies.

    Its gradient is minus that of equation 2 of Zoph and Le (2017) for one sample; one step down makes decisions with a
    positive advantage more probable.
    """
    return -advantage * log_probs.sum() - bonus * entropies.sum()
