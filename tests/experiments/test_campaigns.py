"""The campaign experiments and the benchmark of asking, on little."""

from collections.abc import Callable

Run = Callable[..., list[str]]
Cells = Callable[[list[str]], list[str]]


def test_fidelities_at_equal_cost(run: Run, first_cells: Cells) -> None:
    lines = run("multi_fidelity.py", "--strategies", "random,evolution", "--seeds", "2", "--networks", "8")
    assert first_cells(lines)[2:] == ["random", "random", "evolution", "evolution"]
    measured = [line.split("|")[2].strip() for line in lines if line.startswith("| random")]
    assert measured == ["in full", "12 epochs first"]
    queries = [float(line.split("|")[-2]) for line in lines if line.startswith("| random")]
    assert queries[0] == 8 < queries[1]


def test_a_large_space_under_a_bound(run: Run, first_cells: Cells) -> None:
    words = ["--seeds", "1", "--queries", "12", "--pool", "20", "--generator-steps", "2"]
    strategies = "random,archgen-mutation,random-pool,archgen"
    lines = run("large_space.py", "space", "--strategies", strategies, *words)
    assert first_cells(lines)[2:] == strategies.split(",")
    best = [float(line.split("|")[4].split()[0]) for line in lines if line.startswith(("| random", "| archgen"))]
    assert all(70 < value < 78 for value in best)


def test_asking(run: Run) -> None:
    lines = run("../benchmarks/ask.py", "--observed", "20", "--pool", "40", "--repeats", "1", "--asks", "10")
    assert lines[0].startswith("20 observed, pool ")
    assert [line.split()[1] for line in lines[1:]] == ["1", "5", "10"]


def test_how_much_of_nas_bench_graph_is_luck(run: Run) -> None:
    lines = run("nas_bench_graph_ceiling.py", "--tasks", "cora", "--networks", "400")
    row = next(line for line in lines if line.startswith("| cora"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    regrets = [float(cell) for cell in cells[3:6]]
    assert regrets == sorted(regrets, reverse=True)
    assert regrets[-1] == 0.0  # all 400 are among the first 1,000
    assert 1 <= int(cells[6].replace(",", "")) <= 400
