"""The generator's benchmark runs, and its own parts are right."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from graphs.layout import layout_of
from graphs.spaces.catalogue import get_space
from graphs.spaces.ofa_mobilenetv3_costs import network_costs

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "generator.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("generator_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize("space", ["nasbench201", "ofa-mobilenetv3"])
def test_it_tells_every_number_of_a_space(script, space: str, monkeypatch, capsys) -> None:
    arguments = ["--quick", "--part", "speed", "--space", space, "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments, "--threads", str(torch.get_num_threads())])
    script.main()
    out = capsys.readouterr().out
    for what in ("parameters", "training, 3 steps", "learned, 6 steps", "exact", "guided by", "DiffusionNAG's network"):
        assert f"\n{what}" in out or f", {what}" in out
    assert (", cold " in out and ", warm " in out) == (space == "nasbench201")
    within = [line for line in out.splitlines() if "share within" in line]
    assert [line.split()[-1] for line in within] == ["yes"] * (space == "ofa-mobilenetv3")


@pytest.mark.slow
def test_nodes_are_measured_in_processes_of_their_own() -> None:
    arguments = ["--quick", "--part", "nodes", "--nodes", "6", "12", "--device", "cpu"]
    done = subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=True)
    sizes = [line.split()[0] for line in done.stdout.splitlines()[-4:]]
    assert sizes == ["6", "12", "exponent,", "from"]


def test_a_size_is_measured(script) -> None:
    found = script.measured(6, 128, torch.get_num_threads(), "cpu")
    assert len(found) == len(script.MEASURES)
    assert min(found) > 0


def test_the_peak_of_memory_is_that_since_the_last_reset(script) -> None:
    before = script.reset_memory("cpu")
    torch.ones(1 << 24).sum()
    assert script.peak_memory("cpu") - before > 0.9 * (1 << 26)
    assert script.reset_memory("cpu") - before < 1 << 25


def test_exponents_of_powers(script) -> None:
    sizes = [8, 16, 24, 64]
    found = [(3.0 * n**2, 5.0 * n, 7.0 * n**2.5) for n in sizes]
    np.testing.assert_allclose(script.exponents(sizes, found), [2, 1, 2.5])


def test_lines_say_whether_they_reached_what_was_asked(script) -> None:
    assert str(script.Line("speed", 999.0, at_least=1000.0)).endswith(">= 1,000     NO")
    assert str(script.Line("speed", 1000.0, at_least=1000.0)).endswith("yes")
    assert str(script.Line("size", 1001.0, at_most=1000.0)).endswith("<= 1,000     NO")
    assert str(script.Line("time", 2.0, "s")).split() == ["time", "2", "s"]


def test_whole_macs_are_those_of_the_graphs(script) -> None:
    space, rng = get_space("ofa-mobilenetv3"), np.random.default_rng(0)
    graphs = [space.sample(rng) for _ in range(200)]
    layout = layout_of(space)
    assert script.whole_macs(layout, layout.read(graphs)).tolist() == [network_costs(graph).macs for graph in graphs]


def test_the_peer_has_the_size_and_the_mask_of_diffusionnag(script) -> None:
    """3.99 M parameters, 3.55 M of them in the head; a node sees those before it alone."""
    torch.manual_seed(0)
    network = script.Peer(8, 7).eval()
    assert round(script.size_of(network) / 1e6, 2) == 3.99
    assert round(script.size_of(network.head) / 1e6, 2) == 3.55
    graphs, times = torch.randn(3, 8, 7), torch.rand(3)
    other = graphs.clone()
    other[:, 5] += 1.0
    with torch.no_grad():
        same = (network(graphs, times) - network(other, times)).abs().amax((0, 2)) < 1e-6
    assert same.tolist() == [True] * 5 + [False] * 3
