"""measure: seconds of a network's forward pass on this machine, with what they depend on beside them.

Each runtime and each number of threads is a device of its own. Runs before the first timed one warm caches and lazy
initialisation; the median of the timed ones ignores what other processes steal. On a shared machine repeat the whole
measurement later, networks interleaved, since slow spells outlast one network's runs.
"""

from __future__ import annotations

import platform
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from graphs.errors import InvalidOption, unknown_name

RUNTIMES = ("eager", "onnx")
LIBRARIES = {"eager": ("torch",), "onnx": ("torch", "onnx", "onnxruntime")}
"""Distributions whose versions a measurement depends on."""
INSTALL = "install it: pip install 'archgen[onnx]'"
Run = Callable[[], object]
"""One forward pass."""


@dataclass(frozen=True)
class Device:
    """What a latency belongs to; latencies of unequal devices cannot be compared.

    Args:
        cpu: the processor's model.
        threads: of one operation; operations run one after another.
        runtime: one of `RUNTIMES`.
        versions: of the runtime's libraries and of Python, as `name==version`.
    """

    cpu: str
    threads: int
    runtime: str
    versions: tuple[str, ...]


@dataclass(frozen=True)
class Measurement:
    """Seconds of one forward pass.

    Args:
        median: of the timed runs.
        lower, upper: their quartiles.
        device: where.
    """

    median: float
    lower: float
    upper: float
    device: Device


def measure(
    network: nn.Module,
    inputs: Sequence[Tensor],
    *,
    runtime: str = "eager",
    threads: int = 1,
    warmup: int = 5,
    repeats: int = 30,
) -> Measurement:
    """Seconds of `network(*inputs)`, without gradients.

    Args:
        network: is set to evaluation mode.
        inputs: what it is called with; the batch and image size belong to the measurement.
        runtime: "eager" PyTorch, or "onnx", ONNX Runtime on the CPU.
        threads: fixed during the measurement.
        warmup: runs before the timed ones.
        repeats: timed runs.

    Raises:
        UnknownName: no such runtime.
        InvalidOption: a number below 1 (warmup: 0), or ONNX Runtime is not installed.
    """
    for name, number, least in (("threads", threads, 1), ("warmup", warmup, 0), ("repeats", repeats, 1)):
        if number < least:
            raise InvalidOption(f"{name} is {number}, expected at least {least}")
    run = prepare(network, inputs, runtime, threads)
    lower, median, upper = np.quantile(timed(run, threads, warmup, repeats), (0.25, 0.5, 0.75)).tolist()
    return Measurement(median, lower, upper, this_device(runtime, threads))


def prepare(network: nn.Module, inputs: Sequence[Tensor], runtime: str = "eager", threads: int = 1) -> Run:
    """A forward pass to be timed by `timed`; for many networks whose runs are to be interleaved.

    Raises:
        UnknownName: no such runtime.
        InvalidOption: ONNX Runtime is not installed.
    """
    if runtime not in RUNTIMES:
        raise unknown_name("runtime", runtime, RUNTIMES)
    network.eval()
    return _onnx(network, inputs, threads) if runtime == "onnx" else lambda: network(*inputs)


@torch.no_grad()
def timed(run: Run, threads: int, warmup: int, repeats: int) -> list[float]:
    """Seconds of each of `repeats` runs after `warmup` others, with PyTorch's threads fixed."""
    with _torch_threads(threads):
        for _ in range(warmup):
            run()
        seconds = []
        for _ in range(repeats):
            started = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - started)
    return seconds


def this_device(runtime: str = "eager", threads: int = 1) -> Device:
    """The fingerprint of this machine as a device.

    Raises:
        UnknownName: no such runtime.
        InvalidOption: it is not installed.
    """
    if runtime not in RUNTIMES:
        raise unknown_name("runtime", runtime, RUNTIMES)
    try:
        versions = [f"{name}=={version(name)}" for name in LIBRARIES[runtime]]
    except PackageNotFoundError as error:
        raise InvalidOption(f"runtime {runtime!r} needs the package {error.name}; {INSTALL}") from error
    return Device(_cpu(), threads, runtime, (*versions, f"python=={platform.python_version()}"))


def _cpu() -> str:
    """The processor's name as Linux tells it, else what Python knows."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _onnx(network: nn.Module, inputs: Sequence[Tensor], threads: int) -> Run:
    """A session of ONNX Runtime; operations one after another, all graph optimisations."""
    runtime = _onnxruntime()
    names = [f"input_{place}" for place in range(len(inputs))]
    with TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter by tracing is older; it is far faster
        file = Path(folder) / "network.onnx"
        torch.onnx.export(network, tuple(inputs), file, input_names=names, dynamo=False)
        content = file.read_bytes()
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    read = {one.name for one in session.get_inputs()}  # without those that change nothing
    feed = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True) if name in read}
    return lambda: session.run(None, feed)


def _onnxruntime() -> ModuleType:
    try:
        import onnxruntime
    except ImportError as error:
        raise InvalidOption(f"runtime 'onnx' needs the package {error.name}; {INSTALL}") from error
    module: ModuleType = onnxruntime
    return module
