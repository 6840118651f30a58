"""The measuring harness: what it runs, with how many threads, and what it says of the device."""

import sys
import time

import pytest
import torch
from torch import Tensor, nn

from graphs.errors import InvalidOption, UnknownName
from graphs.networks.nasbench201 import CellNetwork
from graphs.spaces.nasbench201 import NasBench201
from predictors.latency.measure import LIBRARIES, RUNTIMES, measure, prepare, this_device, timed


class Sleeper(nn.Module):
    """Takes the seconds it is given, one number a call, and notes the threads and modes it ran with."""

    def __init__(self, *seconds: float) -> None:
        super().__init__()
        self.seconds = list(seconds)
        self.threads: list[int] = []
        self.modes: list[bool] = []

    def forward(self, x: Tensor) -> Tensor:
        time.sleep(self.seconds.pop(0))
        self.threads.append(torch.get_num_threads())
        self.modes.append(self.training or torch.is_grad_enabled())
        return x


def test_median_and_quartiles_of_the_timed_runs() -> None:
    network, before = Sleeper(0.2, 0.01, 0.02, 0.03, 0.04, 0.2), torch.get_num_threads()
    found = measure(network, [torch.ones(1)], threads=2, warmup=1, repeats=5)
    assert 0.03 <= found.median < 0.04
    assert 0.02 <= found.lower < 0.03
    assert 0.04 <= found.upper < 0.06
    assert network.threads == [2] * 6
    assert not any(network.modes)
    assert torch.get_num_threads() == before


def test_the_device_is_told() -> None:
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    device = this_device("onnx", 3)
    assert (device.threads, device.runtime) == (3, "onnx")
    assert device.cpu
    assert [name.partition("==")[0] for name in device.versions] == ["torch", "onnx", "onnxruntime", "python"]
    assert device != this_device("eager", 3)
    assert this_device() == measure(Sleeper(0, 0), [torch.ones(1)], warmup=1, repeats=1).device


@pytest.mark.parametrize("cell", ["skip_connect", "nor_conv_3x3", "none"])
def test_runtimes_compute_the_same(cell: str) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    torch.manual_seed(0)
    network = CellNetwork(NasBench201().build((cell,) * 6), channels=4, cells=1)
    images = torch.randn(2, 3, 8, 8)
    eager, onnx = (prepare(network, [images], runtime) for runtime in RUNTIMES)
    expected = eager()
    assert isinstance(expected, Tensor)
    (found,) = onnx()  # type: ignore[misc, has-type]
    torch.testing.assert_close(torch.from_numpy(found), expected.detach(), rtol=1e-3, atol=1e-4)
    assert measure(network, [images], runtime="onnx", warmup=0, repeats=3).median > 0


def test_a_failing_network_leaves_the_threads_as_they_were() -> None:
    before = torch.get_num_threads()
    with pytest.raises(IndexError):
        timed(prepare(Sleeper(), [torch.ones(1)]), threads=before + 1, warmup=0, repeats=1)
    assert torch.get_num_threads() == before


def test_a_runtime_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIBRARIES, "onnx", ("no-such-package",))
    with pytest.raises(
        InvalidOption, match=r"needs the package no-such-package; install it: pip install 'archgen\[onnx"
    ):
        this_device("onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InvalidOption, match="needs the package onnxruntime"):
        prepare(nn.Identity(), [torch.ones(1)], "onnx")


def test_what_is_refused() -> None:
    network, inputs = nn.Identity(), [torch.ones(1)]
    for name, value in (("threads", 0), ("warmup", -1), ("repeats", 0)):
        with pytest.raises(InvalidOption, match=f"{name} is {value}, expected at least"):
            measure(network, inputs, **{name: value})
    with pytest.raises(UnknownName, match="Did you mean 'onnx'"):
        measure(network, inputs, runtime="onxx")
    with pytest.raises(UnknownName, match="runtime"):
        this_device("jit")
