"""explain_best: why a campaign's best architecture is thought to be good, for its report."""

from __future__ import annotations

from bo.campaign import Campaign
from bo.report_motifs import MotifEffect, MotifEffects

FEWEST = 10
"""Evaluated architectures below which there is nothing to explain."""
MOST = 1_000
"""Evaluated architectures from which a model is fitted at most, the last ones."""
KINDS = {
    "slots": "place",
    "wl0": "operation",
    "wl1": "operation and what reads it",
    "reads": "operation and what it reads",
    "first": "reads the input",
    "last": "read by the output",
    "ends": "operation; reads the input; is read by the output",
    "paths": "path",
    "path-sets": "operations of a path",
    "orders": "one after the other",
    "depths": "paths with so many operations that look at neighbours",
    "along": "operations of a path",
    "mixing": "operations of a path that look at neighbours",
    "shape": "shape",
}


def explain_best(campaign: Campaign) -> MotifEffects | None:
    """Effects of motifs on the objective, by a predictor of all evaluated architectures; None for fewer than `FEWEST`.

    Where the objective is minimised, effects are on it as it is measured.
    """
    done, best = campaign.history.done[-MOST:], campaign.best()
    if best is None or len(done) < FEWEST:
        return None
    from predictors.explanation import explain  # torch is loaded only where there is something to explain
    from predictors.predictor import Predictor

    metric = campaign.config.objective.metric
    predictor = Predictor(campaign.space, "wl-gp")
    predictor.fit([trial.graph for trial in done], [trial.metrics[metric] for trial in done])
    found = explain(predictor, best.graph)
    motifs = [MotifEffect(kind_of(one.group), one.label, one.present, one.effect) for one in found.motifs]
    return MotifEffects(found.base, found.prediction, motifs)


def kind_of(group: str) -> str:
    """What a group of features looks at, for people; those of attributes have two words, see
    `predictors.attributed_features`."""
    first, _, rest = group.partition(" ")
    if not rest:
        return KINDS[group]
    words = {"worded": f"{KINDS.get(rest, rest)}, with attributes", "node": "attribute", "mean": f"mean {rest}"}
    return words.get(first, f"{first}'s {rest}")
