"""The script that compares Auto-GNN's search with what it is without its parts prints what its page shows."""

from collections.abc import Callable

Run = Callable[..., list[str]]
Cells = Callable[[list[str]], list[str]]


def test_the_table_of_parts(run: Run, first_cells: Cells) -> None:
    lines = run("auto_gnn.py", "--tasks", "cora", "--seeds", "2", "--queries", "4")
    assert lines[0] == "NAS-Bench-Graph, 4 queries, seeds 0 to 1"
    methods = first_cells(lines)
    assert methods[:5] == ["strategy", "---", "random", "evolution", "Auto-GNN"]
    assert {"a random class mutated", "every child accepted", "GraphNAS"} <= set(methods)
    assert lines[-1].endswith(" s of one core")


def test_ways_to_learn_are_compared(run: Run, first_cells: Cells) -> None:
    lines = run("auto_gnn.py", "--choose", "--tasks", "cora", "--seeds", "1", "--queries", "2", "--first-seed", "1000")
    methods = first_cells(lines)
    assert methods[2] == "random"
    assert len(methods) == len(set(methods)) == 2 + 1 + 8 + 1
