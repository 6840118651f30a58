"""Architectures as numbers for the page's script."""

import re

import numpy as np
import pytest

from bo.report_drawing import drawing
from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.spaces.catalogue import get_space


@pytest.mark.parametrize("name", ["nas-bench-graph", "nasbench201"])
def test_boxes_lie_inside_apart_and_edges_join_them(name: str) -> None:
    space, rng = get_space(name), np.random.default_rng(0)
    for graph in (space.sample(rng) for _ in range(20)):
        found = drawing(graph)
        width, height = found["size"]
        boxes = [tuple(box[:4]) for box in found["boxes"]]
        for k, (x, y, w, h) in enumerate(boxes):
            assert x >= -0.1
            assert y >= -0.1
            assert x + w <= width
            assert y + h <= height
            for x2, y2, w2, h2 in boxes[:k]:
                assert x >= x2 + w2 or x2 >= x + w or y >= y2 + h2 or y2 >= y + h
        assert [box[5][0] for box in found["boxes"]] == [op.name for op in graph.ops]
        assert len(found["edges"]) == len(graph.edges)
        for (source, target), path in zip(graph.edges, found["edges"], strict=True):
            points = np.array([float(part) for part in re.findall(r"-?[\d.]+", path)]).reshape(-1, 2)
            assert points[0, 1] == pytest.approx(boxes[source][1] + boxes[source][3], abs=0.2)
            assert points[-2, 1] == pytest.approx(boxes[target][1], abs=0.2)


def test_attributes_stand_below_the_name() -> None:
    op = Op("gat", heads=4, w_bits=4, a_bits=8, hidden=128)
    (_, box, _) = drawing(ArchGraph((INPUT, op, OUTPUT), ((0, 1), (1, 2))))["boxes"]
    assert box[5][0] == "gat"
    assert " ".join(box[5][1:]).split() == [f"{name}={value}" for name, value in op.attrs]
    assert len(box[5]) > 2
