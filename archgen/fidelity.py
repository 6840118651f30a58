"""How close a generator's samples are to data: laws of slots and of pairs of slots, graphs as a whole, repeats.

Two samples of one law differ by chance: where k values are equally likely, the total variation between b and m draws
is about 0.4 sqrt((k - 1) (1/b + 1/m)). Nothing of this is subtracted, so a figure of `compare` says little alone:
report beside it `between_halves`, the same figure between two sets of data of the same sizes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from torch import Tensor

from graphs.archgraph import ArchGraph
from graphs.errors import InvalidOption
from graphs.layout import Layout
from predictors.features import View, wl_labels

MOST_PAIRS = 2_000
"""Pairs of slots looked at; where there are more, these are drawn once for each number of slots, with seed 0."""
MOST_GRAPHS = 2_000
"""Graphs a side in `wl_mmd`; where there are more, these are drawn with seed 0."""
WIDTH = 0.5
"""Of the Gaussian kernel in `wl_mmd`; unit histograms are at most sqrt(2) apart."""
SPLITS = 10
LEVELS = tuple(wl_labels(level) for level in range(3))
CELLS = 1 << 21
"""Values counted at once, which bounds memory."""
ROWS = 2_048
"""Rows written or checked at once, which bounds memory."""


@dataclass(frozen=True)
class Fidelity:
    """Figures of one set of samples; NaN where there is nothing to measure.

    `validity`, `uniqueness` and `novelty` are those of DiffusionNAG (arXiv 2305.16943) as its public code computes
    them, except that it compares strings, so that two descriptions of one network are two: what it calls uniqueness is
    `unique_rows` here. Where every combination of values is valid they prove nothing: uniform draws without any model
    are all valid, repeat as seldom as independent draws can, and are as novel as the training set is small.

    Args:
        marginals: total variation between the laws of a slot, the mean over slots.
        worst_marginal: the largest of these.
        pairs: total variation between the joint laws of two slots, the mean over at most `MOST_PAIRS` pairs.
        worst_pair: the largest of these.
        wl_mmd: squared maximum mean discrepancy between networks, unbiased and so sometimes below zero (Gretton et al.
            2012, equation 3; for graphs You et al. 2018), over at most `MOST_GRAPHS` valid rows a side. The kernel is
            exp(-|x - y|^2 / (2 WIDTH^2)), which is positive definite as O'Bray et al. 2022 demand; x counts the
            Weisfeiler-Lehman labels after 0, 1 and 2 refinements, over successors and over predecessors, and is scaled
            to length 1.
        validity: valid rows, a share of the samples.
        distinct: distinct networks among the valid rows, a share of the samples.
        unique_rows: distinct rows among the valid ones, a share of the valid ones.
        uniqueness: distinct networks among the valid rows, a share of the valid ones.
        novelty: distinct networks that are not in the training set, a share of the distinct ones.
    """

    marginals: float
    worst_marginal: float
    pairs: float
    worst_pair: float
    wl_mmd: float
    validity: float
    distinct: float
    unique_rows: float
    uniqueness: float
    novelty: float


@dataclass(frozen=True)
class Floor:
    """What `compare` gives for two sets of `rows` rows of one law: each figure's mean and deviation over `splits`."""

    mean: Fidelity
    deviation: Fidelity
    rows: int
    splits: int


def compare(
    layout: Layout,
    samples: Int[Tensor, "b s"],
    reference: Int[Tensor, "m s"],
    training: Collection[str] | None = None,
    *,
    most_pairs: int = MOST_PAIRS,
    most_graphs: int = MOST_GRAPHS,
) -> Fidelity:
    """The figures of `samples` against `reference`; the same arguments give the same figures.

    Args:
        samples: complete rows, of which some may not be valid: they count in the laws of slots and pairs.
        reference: complete valid rows, drawn as the data are.
        training: canonical ids of the training graphs, for `novelty`; see `SearchSpace.canonical`.
        most_pairs: pairs of slots looked at.
        most_graphs: graphs a side in `wl_mmd`.

    Raises:
        InvalidOption: no rows, rows of another layout or with hidden slots, or a limit below 1.
        InvalidArchitecture: a row of `reference` that is looked at is not valid.
    """
    known = None if training is None else frozenset(training)
    return _figures(_Written(layout), samples, reference, known, most_pairs, most_graphs)


def between_halves(
    layout: Layout,
    data: Int[Tensor, "m s"],
    *,
    splits: int = SPLITS,
    rows: int | None = None,
    seed: int = 0,
    most_pairs: int = MOST_PAIRS,
    most_graphs: int = MOST_GRAPHS,
) -> Floor:
    """The floor: `compare` of two random halves of `data`, several times.

    It is the floor of as many samples as references, `rows` of each. Two parts of a list that holds everything once
    differ as much as two independent draws from it; only `distinct` and the like are then those of the list.

    Args:
        data: complete valid rows.
        splits: how often; at least 2.
        rows: of each part, to be as many as there are samples; half of `data` unless given.
        seed: where chance comes from.

    Raises:
        InvalidOption: as `compare`, too few splits, or `data` too small for two parts.
        InvalidArchitecture: as `compare`.
    """
    rows = len(data) // 2 if rows is None else rows
    if not 1 <= rows <= len(data) // 2 or splits < 2:
        raise InvalidOption(
            f"cannot split {len(data)} rows {splits} times into two parts of {rows}; expected at least 2 splits, and "
            f"1 to {len(data) // 2} rows a part"
        )
    written, rng = _Written(layout), torch.Generator().manual_seed(seed)
    found = []
    for _ in range(splits):
        order = torch.randperm(len(data), generator=rng)
        one, other = data[order[:rows]], data[order[rows : 2 * rows]]
        found.append(_figures(written, one, other, None, most_pairs, most_graphs))
    table = np.array([astuple(one) for one in found])
    return Floor(Fidelity(*table.mean(0).tolist()), Fidelity(*table.std(0, ddof=1).tolist()), rows, splits)


def _figures(
    written: _Written,
    samples: Int[Tensor, "b s"],
    reference: Int[Tensor, "m s"],
    training: frozenset[str] | None,
    most_pairs: int,
    most_graphs: int,
) -> Fidelity:
    if min(most_pairs, most_graphs) < 1:
        raise InvalidOption(f"{most_pairs} pairs and {most_graphs} graphs: expected at least 1 of both")
    layout = written.layout
    samples, reference = (_complete(layout, rows) for rows in (samples, reference))
    slots = torch.arange(len(layout))
    marginals = _variations(samples, reference, layout.hidden, slots, slots)
    pairs = _variations(samples, reference, layout.hidden, *_pairs(len(layout), most_pairs))
    valid = samples[torch.cat([layout.valid(rows) for rows in _chunks(samples)])]
    ids = set(map(layout.space.canonical, written.graphs(valid)))
    some, others = (written.graphs(_some(rows, most_graphs)) for rows in (valid, reference))
    return Fidelity(
        marginals=float(marginals.mean()),
        worst_marginal=float(marginals.max()),
        pairs=float(pairs.mean()) if len(pairs) else math.nan,
        worst_pair=float(pairs.max()) if len(pairs) else math.nan,
        wl_mmd=_discrepancy(written, some, others),
        validity=len(valid) / len(samples),
        distinct=len(ids) / len(samples),
        unique_rows=_share(len(set(_keys(valid))), len(valid)),
        uniqueness=_share(len(ids), len(valid)),
        novelty=_share(len(ids - (training or set())), len(ids)) if training is not None else math.nan,
    )


def _chunks(rows: Tensor, most: int = ROWS) -> tuple[Tensor, ...]:
    return rows.split(most) if len(rows) else ()  # type: ignore[no-untyped-call]


def _keys(rows: Int[Tensor, "b s"]) -> list[bytes]:
    return [row.tobytes() for row in rows.to(torch.int32).numpy()]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def _complete(layout: Layout, rows: Int[Tensor, "b s"]) -> Int[Tensor, "b s"]:
    """The rows as they are looked at, all values known."""
    rows = rows.cpu().long()
    if rows.shape[1] != len(layout) or not len(rows):
        raise InvalidOption(f"expected at least 1 row of {len(layout)} slots, got {len(rows)} of {rows.shape[1]}")
    wrong = ((rows < 0) | (rows >= layout.hidden)).nonzero()
    if len(wrong):
        row, slot = wrong[0].tolist()
        raise InvalidOption(
            f"row {row} holds {int(rows[row, slot])} in slot {slot}, expected 0 to {layout.sizes[slot] - 1}; "
            "only complete rows can be compared"
        )
    return rows


def _pairs(slots: int, most: int) -> tuple[Int[Tensor, " p"], Int[Tensor, " p"]]:
    """Both slots of each pair that is looked at, the smaller one first."""
    total = slots * (slots - 1) // 2
    chosen = np.random.default_rng(0).choice(total, most, replace=False) if total > most else np.arange(total)
    second = (1 + np.sqrt(1 + 8 * chosen).astype(np.int64)) // 2  # pairs are numbered (0, 1), (0, 2), (1, 2), (0, 3)
    return torch.from_numpy(chosen - second * (second - 1) // 2), torch.from_numpy(second)


def _variations(
    samples: Int[Tensor, "b s"],
    reference: Int[Tensor, "m s"],
    sizes: Int[Tensor, " s"],
    first: Int[Tensor, " p"],
    second: Int[Tensor, " p"],
) -> Float[Tensor, " p"]:
    """Total variation between the joint laws of each pair of slots; of a slot with itself: between its marginals."""
    sides = [rows.T.contiguous() for rows in (samples, reference)]
    chunk = max(1, CELLS // max(len(samples), len(reference)))
    parts = []
    for i, j in zip(_chunks(first, chunk), _chunks(second, chunk), strict=True):
        width = int((sizes[i] * sizes[j]).max())
        shift = torch.arange(len(i))[:, None] * width
        laws = [
            torch.bincount((side[i] * sizes[j, None] + side[j] + shift).flatten(), minlength=len(i) * width).double()
            / side.shape[1]
            for side in sides
        ]
        parts.append((laws[0] - laws[1]).abs().view(len(i), width).sum(1) / 2)
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.float64)


def _some(rows: Int[Tensor, "b s"], most: int) -> Int[Tensor, "c s"]:
    """All rows, or `most` of them by chance, since rows may be sorted."""
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:most]]


def _discrepancy(written: _Written, samples: Sequence[ArchGraph], reference: Sequence[ArchGraph]) -> float:
    """The unbiased squared maximum mean discrepancy; networks that repeat are compared once."""
    b, m = len(samples), len(reference)
    if min(b, m) < 2:
        return math.nan
    left, right = (Counter(map(written.layout.space.network, graphs)) for graphs in (samples, reference))
    histograms = written.histograms([*left, *right])
    x, y = histograms[: len(left)], histograms[len(left) :]
    p, q = (np.array(list(counts.values()), dtype=np.float64) for counts in (left, right))
    within = (p @ _kernel(x, x) @ p - b) / (b * (b - 1)) + (q @ _kernel(y, y) @ q - m) / (m * (m - 1))
    return float(within - 2 * (p @ _kernel(x, y) @ q) / (b * m))


def _kernel(left: sp.csr_array, right: sp.csr_array) -> Float[np.ndarray, "b m"]:
    squares = [np.asarray((rows * rows).sum(1)) for rows in (left, right)]
    distance = squares[0][:, None] + squares[1] - 2 * (left @ right.T).toarray()
    kernel: np.ndarray = np.exp(distance / (-2 * WIDTH**2))
    return kernel


class _Written:
    """The graphs of valid rows and the histograms of their networks, each worked out once."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._graphs: dict[bytes, ArchGraph] = {}
        self._columns: dict[int, int] = {}  # by the label's hash: labels of large graphs are long
        self._counts: dict[ArchGraph, tuple[np.ndarray, np.ndarray]] = {}

    def graphs(self, rows: Int[Tensor, "b s"]) -> list[ArchGraph]:
        """The graph of each row."""
        keys = _keys(rows)
        new = {key: at for at, key in enumerate(keys) if key not in self._graphs}
        for part in _chunks(torch.tensor(list(new.values()), dtype=torch.int64)):
            for at, graph in zip(part.tolist(), self.layout.write(rows[part]), strict=True):
                self._graphs[keys[at]] = graph
        return [self._graphs[key] for key in keys]

    def histograms(self, networks: Sequence[ArchGraph]) -> sp.csr_array:
        """Counts of labels scaled to length 1, a row each; zero where a network has no inner nodes."""
        for network in networks:
            if network not in self._counts:
                self._counts[network] = self._count(network)
        found = [self._counts[network] for network in networks]
        columns = np.concatenate([np.zeros(0, dtype=np.int32), *(columns for columns, _ in found)])
        values = np.concatenate([np.zeros(0), *(values for _, values in found)])
        ends = np.cumsum([0, *(len(columns) for columns, _ in found)])
        return sp.csr_array((values, columns, ends), shape=(len(networks), max(1, len(self._columns))))

    def _count(self, network: ArchGraph) -> tuple[np.ndarray, np.ndarray]:
        """The columns of a network's labels and their entries."""
        n = len(network)
        turned = ArchGraph(network.ops[::-1], tuple((n - 1 - j, n - 1 - i) for i, j in network.edges))
        labels = {
            hash((back, level, label)): count
            for back, graph in enumerate((network, turned))
            for level, group in enumerate(LEVELS)
            if level or not back
            for label, count in group.features(View(graph, graph)).items()
        }
        columns = [self._columns.setdefault(label, len(self._columns)) for label in labels]
        counts = np.array(list(labels.values()), dtype=np.float64)
        return np.array(columns, dtype=np.int32), counts / max(float(np.linalg.norm(counts)), 1.0)
