"""The training script as users run it, in processes of its own: killed, gone on with, repeated, refused, logged."""

import csv
import json
import os
import random
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from archgen.diffusion.checkpoint import load_generator
from archgen.diffusion.generator import DiffusionGenerator
from archgen.diffusion.training import (
    DiffusionModule,
    GraphDataModule,
    TrainingConfig,
    train_generator,
    usual_config,
    usual_size,
)
from graphs.layout import layout_of
from graphs.spaces.catalogue import get_space

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "experiments" / "train_generator.py"
SPACE = get_space("nas-bench-graph")
GRAPHS = [SPACE.sample(np.random.default_rng(seed)) for seed in range(12)]
STEPS, EVERY, BATCH, SEED = 80, 10, 24, 3
OPTIONS = ["--steps", str(STEPS), "--checkpoint-every", str(EVERY), "--batch", str(BATCH), "--seed", str(SEED)]


def start(folder: Path, *words: str, module: str | None = None) -> subprocess.Popen[str]:
    """The script, or a module, in `folder`, which is also its home; nothing of the user's W&B settings reaches it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    return subprocess.Popen(
        [sys.executable, *(["-m", module] if module else [str(SCRIPT)]), *words],
        cwd=folder,
        env=clean | {"HOME": str(folder), "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out, err


def small(folder: Path, out: str, *more: str) -> list[str]:
    """Arguments of a short training on few graphs, with `folder`/run as its folder."""
    lines = folder / "graphs.txt"
    lines.write_text("\n".join(map(SPACE.format, GRAPHS)))
    return [SPACE.name, "--out", out, "--dir", "run", "--graphs", str(lines), *OPTIONS, *more]


def same(first: DiffusionGenerator, second: DiffusionGenerator) -> bool:
    """Weights to the bit, and all that is known of the training except its seconds."""
    ours, theirs = first.denoiser.state_dict(), second.denoiser.state_dict()
    assert first.provenance | {"seconds": 0} == second.provenance | {"seconds": 0}
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def start_and_kill(folder: Path, *words: str, wait: float = 0.0, how: int = signal.SIGKILL) -> int:
    """Kill a training `wait` seconds after its first checkpoint; the step of the last checkpoint that it leaves."""
    last = folder / "run" / "last.ckpt"
    before = written(last)
    process = start(folder, *words)
    deadline = time.monotonic() + 300
    while written(last) == before:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(wait)
    process.send_signal(how)
    process.communicate()
    assert process.returncode == {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 128 + signal.SIGTERM}[how]
    return int(torch.load(last, weights_only=False)["global_step"])


def written(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a training ran without interruption, with W&B."""
    folder = tmp_path_factory.mktemp("whole")
    out, _ = finish(start(folder, *small(folder, "gen.ckpt", "--wandb", "offline")))
    (folder / "said.txt").write_text(out)
    return folder


@pytest.fixture
def run_here(whole: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Runs the script beside what `whole` left, in this process, whose settings come back afterwards."""
    monkeypatch.chdir(whole)
    monkeypatch.setattr(tempfile, "tempdir", tempfile.tempdir)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")

    def run(*words: str) -> None:
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *words])
        runpy.run_path(str(SCRIPT), run_name="__main__")

    ended = signal.getsignal(signal.SIGTERM)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield run
    signal.signal(signal.SIGTERM, ended)
    torch.use_deterministic_algorithms(False)


def test_the_result_is_that_of_train_generator_bit_for_bit(whole: Path) -> None:
    """`archgen train` is `train_generator` with the same arguments."""
    config = replace(usual_config(layout_of(SPACE), SEED, STEPS), batch=BATCH)
    expected, found = train_generator(SPACE, config, graphs=GRAPHS), load_generator(whole / "gen.ckpt")
    assert same(found, expected)
    said, bound = (whole / "said.txt").read_text(), expected.provenance["bound"]
    for line in (
        f"nas-bench-graph: 12 graphs, {STEPS} steps in {found.provenance['seconds']:.0f} s",
        f"  parameters   {sum(part.numel() for part in expected.denoiser.parameters()):,}",
        f"  bound        {bound:.3f} nats a graph",
        "generator: gen.ckpt",
    ):
        assert line in said.splitlines()


def test_a_killed_training_goes_on_to_the_weights_of_one_that_was_not(whole: Path, tmp_path: Path) -> None:
    words, run = small(tmp_path, "gen.ckpt"), tmp_path / "run"
    kept = start_and_kill(tmp_path, *words)
    assert 0 < kept < STEPS
    assert not (tmp_path / "gen.ckpt").exists()
    _, err = finish(start(tmp_path, *words))
    assert "Restored all states" in err
    assert same(load_generator(tmp_path / "gen.ckpt"), load_generator(whole / "gen.ckpt"))
    with (run / "csv" / "version_1" / "metrics.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == list(range(kept + 9, STEPS, 10)), "not from 0"
    assert {path.name for path in run.iterdir()} == {"csv", "last.ckpt", "run.json"}


def test_a_finished_training_asked_for_again_gives_the_same(whole: Path, run_here: Callable[..., None]) -> None:
    """Its last checkpoint is of the last step, after which Lightning has nothing to do."""
    kept = torch.load(whole / "run" / "last.ckpt", weights_only=False)
    assert kept["global_step"] == STEPS
    run_here(*small(whole, "again.ckpt"))
    assert same(load_generator(whole / "again.ckpt"), load_generator(whole / "gen.ckpt"))
    raw = {name.removeprefix("denoiser."): value for name, value in kept["current_model_state"].items()}
    averaged = load_generator(whole / "again.ckpt").denoiser.state_dict()
    assert any(not torch.equal(raw[name], averaged[name]) for name in averaged), "else nothing was shown"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--batch", "25"], "batch 24, not 25"),
        (["--steps", "81", "--seed", "4"], "steps 80, not 81; seed 3, not 4"),
    ],
)
def test_a_folder_of_other_arguments_is_refused(
    whole: Path, run_here: Callable[..., None], capsys: pytest.CaptureFixture[str], more: list[str], told: str
) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*") if path.is_file()}
    with pytest.raises(SystemExit) as left:
        run_here(*small(whole, "other.ckpt", *more))
    assert left.value.code == 2
    assert f"run is a run of {told}: give its arguments, or another --dir" in capsys.readouterr().err
    del before[whole / "graphs.txt"]
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())
    assert not (whole / "other.ckpt").exists()


def test_a_folder_of_other_graphs_is_refused(
    whole: Path, run_here: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """One edge of one graph is enough."""
    words = small(whole, "other.ckpt")
    other = next(SPACE.neighbours(GRAPHS[-1]))
    (whole / "graphs.txt").write_text("\n".join(map(SPACE.format, [*GRAPHS[:-1], other])))
    with pytest.raises(SystemExit):
        run_here(*words)
    assert "run is a run of rows " in capsys.readouterr().err


def test_the_csv_log_shows_a_falling_loss(whole: Path) -> None:
    """Twelve graphs are learned well beyond what a network knows at first."""
    with (whole / "run" / "csv" / "version_0" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(9, STEPS, 10))
    losses = [float(row["train_loss"]) for row in rows]
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])


def test_wandb_offline_keeps_the_loss_and_the_arguments_in_the_folder(whole: Path) -> None:
    (run,) = (whole / "run" / "wandb").glob("offline-run-*")
    (log,) = run.glob("*.wandb")
    kept = log.read_bytes()
    for word in ("train_loss", "trainer/global_step", "learning_rate", SPACE.name):
        assert word.encode() in kept
    arguments = json.loads((whole / "run" / "run.json").read_text())
    assert (arguments["space"], arguments["steps"], arguments["law"]) == (SPACE.name, STEPS, "given")


def elsewhere(module: DiffusionModule, mode: FakeTensorMode, left: str = "") -> None:
    """Move weights and buffers, except those called `left`, to another device than the CPU, where nothing is computed
    and an operation on tensors of two devices fails as it does on a GPU."""
    for part in module.modules():
        for name, weight in part.named_parameters(recurse=False):
            part.register_parameter(name, torch.nn.Parameter(moved(weight, mode)))
        for name, buffer in part.named_buffers(recurse=False):
            if name != left:
                part.register_buffer(name, moved(buffer, mode), persistent=False)


def moved(tensor: torch.Tensor, mode: FakeTensorMode) -> FakeTensor:
    return FakeTensor(mode, tensor.detach().to("meta"), torch.device("meta"))


@pytest.mark.parametrize("name", ["nas-bench-graph", "ofa-mobilenetv3", "free-dag"])
def test_a_training_step_stays_on_its_device(name: str) -> None:
    """For want of a GPU by shapes and devices alone; a buffer that was left behind is noticed."""
    space, rng = get_space(name), np.random.default_rng(0)
    data = GraphDataModule(space, [space.sample(rng) for _ in range(5)], TrainingConfig(steps=2, batch=5))
    for left in ("", "impossible"):
        module = DiffusionModule(data.layout, usual_size(data.layout), data.config)
        mode = FakeTensorMode(allow_non_fake_inputs=True)
        mode.allow_meta = True
        elsewhere(module, mode, left)
        with mode:
            if left:
                with pytest.raises(RuntimeError, match="meta and cpu"):
                    module.bound(moved(data.rows, mode).long(), torch.Generator())
                continue
            bound = module.bound(moved(data.rows, mode).long(), torch.Generator())
            bound.mean().backward()
        assert bound.device.type == "meta"
        gradients = [part.grad for part in module.parameters()]
        assert all(gradient is not None and gradient.device.type == "meta" for gradient in gradients)


@pytest.mark.slow
def test_a_training_on_a_whole_space_killed_often_ends_as_archgen_train_does(tmp_path: Path) -> None:
    """At moments of chance, also while a checkpoint is written, which is after every second step."""
    words = ["nasbench201", "--seed", "1", "--steps", "150", "--out"]
    finish(start(tmp_path, "train", *words, "expected.ckpt", module="archgen"))
    words += ["gen.ckpt", "--dir", "run", "--checkpoint-every", "2"]
    chance = random.Random(0)
    signals = [signal.SIGKILL, signal.SIGTERM] * 2
    kept = [start_and_kill(tmp_path, *words, wait=chance.uniform(0, 0.3), how=how) for how in signals]
    assert kept == sorted(set(kept))
    assert kept[-1] < 150
    finish(start(tmp_path, *words))
    assert same(load_generator(tmp_path / "gen.ckpt"), load_generator(tmp_path / "expected.ckpt"))
