"""The section of a report that says which parts of the best architecture its surrogate thinks raise or lower it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bo.report_data import ReportData
from bo.report_html import Html, column, element, heading, quantity, table
from bo.report_sections import section

SHOWN = 12


@dataclass(frozen=True)
class MotifEffect:
    """One motif.

    Args:
        kind: what sort of motif, in words.
        label: the motif.
        present: whether the architecture has it.
        effect: on the objective, in its unit.
    """

    kind: str
    label: str
    present: bool
    effect: float


@dataclass(frozen=True)
class MotifEffects:
    """A prediction of the best architecture taken apart.

    Args:
        base: what is predicted of the mean of the evaluated architectures.
        prediction: of the best one; the effects of all motifs are the difference.
        motifs: the largest effects first.
    """

    base: float
    prediction: float
    motifs: Sequence[MotifEffect]


def motifs(data: ReportData, found: MotifEffects) -> Html:
    """A table of the largest effects; empty where there are none."""
    shown = found.motifs[:SHOWN]
    if not shown:
        return Html()
    rest = found.prediction - found.base - sum(motif.effect for motif in shown)
    effects = [f"+{text}" if one > 0 else text for text, one in _texts([*(m.effect for m in shown), rest])]
    rows: list[Sequence[object]] = [
        (effect, motif.kind, element("code", motif.label), "has it" if motif.present else "lacks it")
        for effect, motif in zip(effects, shown, strict=False)
    ]
    if len(found.motifs) > len(shown):
        rows.append((effects[-1], f"{len(found.motifs) - len(shown)} others", "", ""))
    told = (
        f"A model of all evaluated architectures predicts {quantity(data.metric, found.prediction)} for the best one "
        f"and {quantity(data.metric, found.base)} for their mean. The difference, motif by motif:"
    )
    headers = (f"Effect on {heading(data.metric)}", "Kind", "Motif", "The best one")
    return section("motifs", "What matters", element("p", told), table("Effects of motifs", headers, rows, "nttt"))


def _texts(values: Sequence[float]) -> list[tuple[str, float]]:
    return list(zip(column(values), values, strict=True))
