"""Training: repeatable, resumable, quiet, without traces, and down to the entropy of a law that is known."""

import logging
import math
import os
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from archgen.diffusion import training
from archgen.diffusion.denoiser import DenoiserConfig
from archgen.diffusion.training import (
    DiffusionModule,
    GraphDataModule,
    TrainingConfig,
    finished_generator,
    train_generator,
    training_callbacks,
    training_graphs,
    usual_config,
    usual_size,
)
from graphs.archgraph import ArchGraph
from graphs.errors import InvalidArchitecture, InvalidOption
from graphs.layout import layout_of
from graphs.space import SearchSpace
from graphs.spaces.catalogue import get_space

SIZE = DenoiserConfig(width=16, layers=1, heads=2)
SHORT = TrainingConfig(steps=8, batch=32, seed=3)
ENOUGH = TrainingConfig(steps=80, batch=64, learning_rate=2e-2, decay=0.9)
"""In which a network of `LARGER` size learns a toy space."""
LARGER = DenoiserConfig(width=32, layers=1, heads=2)
Weights = dict[str, torch.Tensor]


EPOCH = 10


@pytest.fixture(autouse=True)
def _short_epochs_and_few_judged(monkeypatch) -> None:
    monkeypatch.setattr(training, "EPOCH", EPOCH)
    monkeypatch.setattr(training, "JUDGED", 500)


def weights(space, config=SHORT, **options) -> Weights:
    return train_generator(space, config, SIZE, **options).denoiser.state_dict()


LONG = TrainingConfig(steps=3 * EPOCH + 5, batch=16, seed=5)


@pytest.fixture(scope="module")
def uninterrupted(tree_space) -> Weights:
    """What a run of `LONG` ends with; its batches do not depend on how long an epoch is."""
    return weights(tree_space, LONG)


def same(first: Weights, second: Weights) -> bool:
    """To the bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_the_same_seed_gives_the_same_weights_bit_for_bit(toy) -> None:
    first = weights(toy)
    torch.rand(5)
    np.random.rand(5)
    again, other = weights(toy), weights(toy, TrainingConfig(steps=8, batch=32, seed=4))
    assert same(first, again)
    assert not any(torch.equal(first[name], other[name]) for name in first if "weight" in name and "norm" not in name)


def test_global_random_states_are_left_as_they_were(tree_space) -> None:
    """Python's own is left out: beartype, which checks types while tests run, draws from it."""
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()
    weights(tree_space)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert str(np.random.get_state()) == str(numpy_state)


def test_global_settings_are_left_as_they_were(tree_space) -> None:
    logger = logging.getLogger("pytorch_lightning")
    logger.setLevel(logging.INFO)
    before = logger.level, torch.get_num_threads(), torch.is_grad_enabled(), torch.get_default_dtype()
    weights(tree_space)
    assert (logger.level, torch.get_num_threads(), torch.is_grad_enabled(), torch.get_default_dtype()) == before


def test_nothing_is_written_and_nothing_is_said(tree_space, tmp_path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights(tree_space)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_fresh_process_trains_without_a_word_or_a_file(tmp_path) -> None:
    """What a user's first run sees; Lightning speaks most when it is first imported."""
    script = (
        "from archgen.diffusion.training import TrainingConfig, train_generator\n"
        "from graphs.spaces.nasbench201 import NasBench201\n"
        "train_generator(NasBench201(), TrainingConfig(steps=2, batch=8))\n"
    )
    root = str(Path(__file__).resolve().parents[3])
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_the_bound_falls_to_the_entropy_of_the_listed_law(tree_space) -> None:
    """All 81 graphs are equally likely, so no network has a bound below log 81; the trained one is within 3 %."""
    losses: list[tuple[int, int, float]] = []
    generator = train_generator(tree_space, ENOUGH, LARGER, watch=lambda *news: losses.append(news))
    assert losses[-1][:2] == (80, 80)
    assert losses[-1][2] * len(generator.layout) == pytest.approx(math.log(81), rel=0.1)
    data = GraphDataModule(tree_space, tree_space.listed * 40, ENOUGH)
    module = DiffusionModule(data.layout, LARGER, ENOUGH)
    module.denoiser = generator.denoiser.eval()
    with torch.no_grad():
        bound = module.bound(data.rows.long(), torch.Generator().manual_seed(9))
    error = 5 * float(bound.std()) / math.sqrt(len(bound))  # exceeded by chance once in 3 million
    assert float(bound.mean()) < 1.03 * math.log(81) + error
    assert float(bound.mean()) > math.log(81) - error, "below the entropy: the loss does not bound -log p"
    assert generator.provenance["bound"] == pytest.approx(float(bound.mean()), abs=3 * error), "measured on 500 graphs"


def test_a_trained_generator_draws_its_skewed_law_also_of_different_sizes(growing_space) -> None:
    """A third of the training graphs have two layers that are `b`; the draws must show it, far from uniform."""
    favourites = [graph for graph in growing_space.listed if [op.name for op in graph.ops[1:-1]] == ["b", "b"]]
    assert len(favourites) == 4
    graphs = [*growing_space.listed, *favourites * 10]
    generator = train_generator(growing_space, ENOUGH, LARGER, graphs)
    assert generator.provenance["law"] == "given"
    drawn = generator.sample(3_000, 12)
    for graph in set(drawn):
        growing_space.check(graph)
    share = Counter(graph in favourites for graph in drawn)[True] / 3_000
    assert share == pytest.approx(44 / 124, abs=0.05)  # uniform draws give 0.05
    sizes = Counter(map(len, drawn))
    for nodes, expected in ((3, 4 / 124), (4, 56 / 124), (5, 64 / 124)):  # drawn with the starts, so exact
        assert abs(sizes[nodes] / 3_000 - expected) < 6 * math.sqrt(expected * (1 - expected) / 3_000)
    assert len(set(drawn)) == 84


def test_a_listed_space_of_different_sizes_is_learned_and_drawn(growing_space) -> None:
    """Where no start gives the number of nodes it must be learned too: 4, 16 and 64 of 84 graphs."""
    space = type("Listed", (type(growing_space),), {"layout": SearchSpace.layout})()
    generator = train_generator(space, ENOUGH, LARGER)
    assert torch.equal(generator.starts, generator.layout.hidden[None])
    graphs = generator.sample(2_000, 1)
    for graph in set(graphs):
        space.check(graph)
    for nodes, expected in ((3, 4 / 84), (4, 16 / 84), (5, 64 / 84)):
        assert sum(len(graph) == nodes for graph in graphs) / 2_000 == pytest.approx(expected, abs=0.05)
    assert len(set(graphs)) == 84
    steps = len(generator.layout)
    (rows,) = generator.stream(1_000, 2, constrained=False, steps=steps)
    assert generator.layout.valid(rows).double().mean() > 0.75, "it has learned the rules by itself"


def trainer(folder: Path, config: TrainingConfig, *callbacks: pl.Callback, **options) -> pl.Trainer:
    """As in a user's script."""
    settings = {"max_steps": config.steps, "logger": False, "enable_checkpointing": False, **options}
    return pl.Trainer(
        accelerator="cpu",
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        gradient_clip_val=1.0,
        callbacks=[*training_callbacks(config), *callbacks],
        **settings,
    )


@pytest.fixture
def _patient() -> object:
    """Lightning's advice on loaders and loggers is not what is tested."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Stop(pl.Callback):
    """A crash after so many steps."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        if trainer.global_step == self.step:
            raise ConnectionError("the machine is gone")


@pytest.mark.usefixtures("_patient")
@pytest.mark.parametrize(
    ("every", "stop", "kept"),
    [(None, 2 * EPOCH + 6, 2 * EPOCH), (7, EPOCH + 5, EPOCH + 4), (4, EPOCH - 1, EPOCH - 2), (5, 16, 15)],
    ids=["end of the second epoch", "middle of the second epoch", "middle of the first epoch", "after the first epoch"],
)
def test_a_run_that_goes_on_from_a_checkpoint_ends_with_the_same_weights(
    tree_space, tmp_path, uninterrupted: Weights, every: int | None, stop: int, kept: int
) -> None:
    """Bit for bit those of a run that was never interrupted, the moving average included."""
    data = GraphDataModule(tree_space, tree_space.listed, LONG)

    def keep() -> ModelCheckpoint:
        return ModelCheckpoint(tmp_path, save_last=True, every_n_train_steps=every)

    run = trainer(tmp_path, LONG, keep(), Stop(stop), enable_checkpointing=True)
    with pytest.raises(ConnectionError):
        run.fit(DiffusionModule(data.layout, SIZE, LONG), data)
    assert torch.load(tmp_path / "last.ckpt", weights_only=False)["global_step"] == kept

    module = DiffusionModule(data.layout, SIZE, LONG)
    data = GraphDataModule(tree_space, tree_space.listed, LONG)
    resumed = trainer(tmp_path, LONG, keep(), enable_checkpointing=True)
    resumed.fit(module, data, ckpt_path="last")
    assert resumed.global_step == LONG.steps
    assert same(module.denoiser.state_dict(), uninterrupted)


@pytest.mark.usefixtures("_patient")
def test_a_finished_run_that_is_gone_on_with_keeps_its_weights(tree_space, tmp_path, uninterrupted: Weights) -> None:
    """Nothing is left to train, and the average must still be what is kept."""
    for _ in range(2):
        data = GraphDataModule(tree_space, tree_space.listed, LONG)
        module = DiffusionModule(data.layout, SIZE, LONG)
        run = trainer(tmp_path, LONG, ModelCheckpoint(tmp_path, save_last=True), enable_checkpointing=True)
        run.fit(module, data, ckpt_path="last")  # starts anew where there is none
        assert run.global_step == LONG.steps
        assert same(module.denoiser.state_dict(), uninterrupted)


@pytest.mark.usefixtures("_patient")
def test_a_users_own_trainer_fits_the_module(tree_space, tmp_path) -> None:
    """A data module, a module and a plain Trainer; its result is that of `train_generator`."""
    data = GraphDataModule(tree_space, tree_space.listed, SHORT)
    module = DiffusionModule(data.layout, SIZE, SHORT)
    run = trainer(tmp_path, SHORT)
    run.fit(module, data)
    assert run.global_step == SHORT.steps
    assert math.isfinite(float(run.callback_metrics["train_loss"]))
    expected = train_generator(tree_space, SHORT, SIZE)
    made = finished_generator(module, data, "description", 1.0)
    assert same(made.denoiser.state_dict(), expected.denoiser.state_dict())
    assert made.sample(30, 1) == expected.sample(30, 1)
    assert {**made.provenance, "seconds": 0} == {**expected.provenance, "seconds": 0}


@pytest.mark.usefixtures("_patient")
def test_the_average_of_the_weights_is_what_is_kept(tree_space, tmp_path) -> None:
    """Without the callback the last weights stay; the average lags behind them."""
    ends = []
    for decay in (0.0, 0.9):
        config = TrainingConfig(steps=8, batch=32, seed=3, decay=decay)
        ends.append(weights(tree_space, config))
    data = GraphDataModule(tree_space, tree_space.listed, SHORT)
    module = DiffusionModule(data.layout, SIZE, SHORT)
    run = pl.Trainer(
        max_steps=SHORT.steps,
        accelerator="cpu",
        default_root_dir=tmp_path,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        gradient_clip_val=1.0,
    )
    run.fit(module, data)
    last, averaged = ends
    assert same(module.denoiser.state_dict(), last), "a decay of 0 keeps the last weights"
    assert not same(last, averaged)


@pytest.mark.usefixtures("_patient")
def test_a_users_trainer_may_count_epochs(tree_space, tmp_path) -> None:
    config = TrainingConfig(steps=EPOCH, batch=8)
    data = GraphDataModule(tree_space, tree_space.listed, config)
    run = trainer(tmp_path, config, max_steps=-1, max_epochs=1)
    run.fit(DiffusionModule(data.layout, SIZE, config), data)
    assert run.global_step == EPOCH


@pytest.mark.parametrize("batch", [1, 20, 81, 200])
def test_batches_are_full_and_every_graph_comes_once_a_pass(tree_space, batch: int) -> None:
    data = GraphDataModule(tree_space, tree_space.listed, TrainingConfig(batch=batch))
    loader = data.train_dataloader()
    batches = [rows for _ in range(2) for rows in loader]  # two epochs
    assert [len(rows) for rows in batches] == [batch] * EPOCH * 2
    stream = torch.cat(batches)
    passes = [part for part in torch.split(stream, 81) if len(part) == 81]
    assert len(passes) == 2 * EPOCH * batch // 81
    every = torch.unique(data.rows, dim=0)
    for part in passes:
        assert torch.equal(torch.unique(part, dim=0), every)
    assert len({tuple(part.flatten().tolist()) for part in passes}) == len(passes), "each pass has its own order"
    again = GraphDataModule(tree_space, tree_space.listed, TrainingConfig(batch=batch)).train_dataloader()
    assert torch.equal(torch.cat(list(again)), stream[: batch * EPOCH])
    other = GraphDataModule(tree_space, tree_space.listed, TrainingConfig(batch=batch, seed=1)).train_dataloader()
    assert not torch.equal(torch.cat(list(other)), stream[: batch * EPOCH])


def test_a_data_module_keeps_the_rows_of_its_graphs(toy) -> None:
    data = GraphDataModule(toy, toy.listed, SHORT)
    assert data.layout.write(data.rows.long()) == list(toy.listed)


def test_a_data_module_without_graphs_or_with_foreign_ones_is_refused(tree_space, product_space) -> None:
    with pytest.raises(InvalidOption, match="no graph to train on"):
        GraphDataModule(tree_space, [], SHORT)
    with pytest.raises(InvalidOption, match="no graph to train on"):
        train_generator(tree_space, SHORT, SIZE, [])
    for foreign in (product_space.listed[0], ArchGraph((), ())):
        with pytest.raises(InvalidArchitecture):
            GraphDataModule(tree_space, [*tree_space.listed, foreign], SHORT)


@pytest.mark.parametrize("options", [{"steps": 0}, {"steps": -1}, {"batch": 0}])
def test_impossible_configs_are_refused(options) -> None:
    with pytest.raises(InvalidOption, match="at least 1"):
        TrainingConfig(**options)


def test_watch_sees_the_last_step(tree_space) -> None:
    seen: list[tuple[int, int, float]] = []
    weights(tree_space, TrainingConfig(steps=45, batch=8), watch=lambda *news: seen.append(news))
    assert [news[:2] for news in seen] == [(20, 45), (40, 45), (45, 45)]


def test_an_interrupt_reaches_the_caller(tree_space) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights(tree_space, TrainingConfig(steps=40, batch=8), watch=interrupt)


def test_provenance_and_starts(growing_space) -> None:
    generator = train_generator(growing_space, SHORT, SIZE)
    assert {name: generator.provenance[name] for name in ("seed", "steps", "graphs", "law")} == {
        "seed": 3,
        "steps": 8,
        "graphs": 84,
        "law": "description",
    }
    assert generator.provenance["bound"] > 0
    assert generator.config == SIZE
    rows = generator.layout.read(growing_space.listed)
    assert torch.equal(torch.unique(generator.layout.start(rows), dim=0), generator.starts)
    assert float(generator.weights.sum()) == pytest.approx(1)


class Twins(SearchSpace):
    """Mixed into a space, all graphs of the same operations build one network."""

    def simplify(self, graph: ArchGraph) -> ArchGraph:
        return next(other for other in self.enumerate() if other.ops == graph.ops)


def test_a_space_that_can_be_listed_trains_on_all_of_its_descriptions_or_networks(tree_space) -> None:
    space = type("Twins", (Twins, type(tree_space)), {})()
    assert training_graphs(space, 0) == tree_space.listed
    assert training_graphs(space, 0, "network") == space.networks == tree_space.listed[:27]
    for distinct, count in (("description", 81), ("network", 27)):
        provenance = train_generator(space, SHORT, SIZE, distinct=distinct).provenance
        assert (provenance["law"], provenance["graphs"]) == (distinct, count)


def test_a_space_that_cannot_be_listed_trains_on_a_sample_that_the_seed_decides(tree_space, monkeypatch) -> None:
    monkeypatch.setattr(training, "MOST_GRAPHS", 15)  # 81 graphs are then too many to be listed
    graphs = training_graphs(tree_space, 1)
    assert len(graphs) == 15
    assert set(graphs) <= set(tree_space.listed)
    assert training_graphs(tree_space, 1) == graphs != training_graphs(tree_space, 2)


def test_usual_sizes_and_lengths_are_used_where_none_is_given(tree_space) -> None:
    layout = layout_of(tree_space)
    assert usual_config(layout, 7, 3) == TrainingConfig(steps=3, seed=7)
    assert usual_config(layout) == TrainingConfig()
    generator = train_generator(tree_space, usual_config(layout, 7, 3))
    assert generator.config == usual_size(layout)


def test_a_space_of_attributes_trains_for_a_minute() -> None:
    layout = layout_of(get_space("gnn"))
    assert usual_config(layout) == TrainingConfig(steps=2_000, batch=128)
    assert usual_size(layout).layers == 2
    edges = layout_of(get_space("free-dag"))
    assert (usual_config(edges).steps, usual_size(edges).layers) == (7_000, 4)
