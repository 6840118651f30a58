"""What a data set's name stands for: a class of `torch_geometric.datasets`, and the name which that class takes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from graphs.errors import UnknownName


@dataclass(frozen=True)
class DataSource:
    """Where PyG has a data set.

    Args:
        family: the class in `torch_geometric.datasets`.
        member: the `name` which the class takes, or None where it has no such argument.
        words: whether features are bags of words, which are sparse and divided by their sums.
    """

    family: str
    member: str | None = None
    words: bool = False

    @property
    def label(self) -> str:
        return self.family if self.member is None else f"{self.family}:{self.member}"


def _family(family: str, *members: str, words: bool = False) -> dict[str, DataSource]:
    return {plain(member): DataSource(family, member, words) for member in members}


def plain(name: str) -> str:
    """The name in lower case with hyphens, as data sets are looked up."""
    return name.lower().replace("_", "-")


SOURCES: Mapping[str, DataSource] = MappingProxyType(
    _family("Planetoid", "Cora", "CiteSeer", "PubMed", words=True)
    | _family("Coauthor", "CS", "Physics", words=True)
    | _family("Amazon", "Photo", "Computers", words=True)
    | _family("CitationFull", "cora_ml", "dblp", words=True)
    | {"cora-full": DataSource("CitationFull", "cora", words=True)}
    | _family("HeterophilousGraphDataset", "roman_empire", "amazon_ratings", "minesweeper", "tolokers", "questions")
    | _family("WebKB", "Cornell", "Texas", "Wisconsin", words=True)
    | _family("WikipediaNetwork", "chameleon", "squirrel", words=True)
    | {"actor": DataSource("Actor", words=True), "wiki-cs": DataSource("WikiCS")}
    | {"reddit": DataSource("Reddit"), "flickr": DataSource("Flickr"), "karate-club": DataSource("KarateClub")}
    | _family("TUDataset", "ENZYMES", "PROTEINS", "MUTAG", "DD", "NCI1", "IMDB-BINARY", "IMDB-MULTI", "REDDIT-BINARY")
    | _family("TUDataset", "COLLAB")
)
"""Names in short, as `plain` writes them; `proteins` is TUDataset's, not the one of OGB that NAS-Bench-Graph used."""

OGB = ("arxiv", "ogbn-arxiv", "ogbn-proteins", "ogbn-products")
OTHER_FORMS = (
    "Or name a class of torch_geometric.datasets, as 'KarateClub' or, where it has several data sets, 'TUDataset:AIDS'"
    "; 'synthetic-sbm-20000' draws a graph of 20,000 nodes; a path that ends in .pt reads a saved Data object."
)


def find_source(name: str) -> DataSource:
    """What `name` stands for: one of `SOURCES` in any case, or "Class" or "Class:name" of PyG.

    Raises:
        UnknownName: neither; with the nearest name and all that are offered.
    """
    if plain(name) in SOURCES:
        return SOURCES[plain(name)]
    if plain(name) in OGB:
        raise UnknownName(
            f"data set {name!r} comes with the package ogb, which is not used here; save its graph with "
            f"torch.save(Data(x=..., edge_index=..., y=..., train_mask=..., val_mask=..., test_mask=...), 'data.pt') "
            "and name that file"
        )
    family, _, member = name.partition(":")
    classes = {known.lower(): known for known in _classes()}
    if family.lower() not in classes:
        raise _unknown(name, list(classes.values()))
    family = classes[family.lower()]
    if member and not re.fullmatch(r"\w[\w.+-]*", member):
        raise UnknownName(f"{name!r} is not the name of a data set: after the colon come letters, digits, '-' and '_'")
    for source in SOURCES.values():
        if source.family == family and member and plain(member) == plain(source.member or ""):
            return source
    words = any(source.words for source in SOURCES.values() if source.family == family)
    return DataSource(family, member or None, words)


def _classes() -> list[str]:
    """PyG's classes of graphs with one type of node that are data, not drawn at random."""
    from torch_geometric.datasets import homo_datasets  # Loads a hundred modules.

    return list(homo_datasets)


def _unknown(name: str, classes: list[str]) -> UnknownName:
    known = {plain(choice): choice for choice in (*classes, "synthetic-sbm", *SOURCES)}
    close = difflib.get_close_matches(plain(name), list(known), n=1, cutoff=0.5)
    hint = f" Did you mean {known[close[0]]!r}?" if close else ""
    choices = ", ".join(sorted([*SOURCES, "synthetic-sbm"]))
    return UnknownName(f"unknown data set {name!r}.{hint} Choose one of: {choices}. {OTHER_FORMS}")
