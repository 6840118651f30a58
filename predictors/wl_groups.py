"""The feature groups that experiments across data sets read: Weisfeiler-Lehman labels, ends, paths and shape."""

from __future__ import annotations

from collections.abc import Mapping

from graphs.space import SearchSpace
from predictors.feature_table import FeatureTable
from predictors.features import FIRST_OPS, LAST_OPS, PATHS, SHAPE, SLOTS, FeatureGroup, wl_labels

GROUPS: Mapping[str, FeatureGroup] = {
    "slots": SLOTS,
    "wl0": wl_labels(0),
    "wl1": wl_labels(1),
    "wl2": wl_labels(2),
    "first": FIRST_OPS,
    "last": LAST_OPS,
    "paths": PATHS,
    "shape": SHAPE,
}
TERMS = (("slots",), ("wl0", "wl1", "wl2", "first", "last", "paths", "shape"))


def wl_table(space: SearchSpace) -> FeatureTable:
    """An empty table of these groups."""
    return FeatureTable(space, GROUPS)
