"""Training: repeatable, quiet, without traces, and down to the entropy of a law that is known."""

import logging
import math
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from archgen.diffusion import training
from archgen.diffusion.denoiser import DenoiserConfig
from archgen.diffusion.training import (
    DiffusionModule,
    GraphDataModule,
    TrainingConfig,
    train_generator,
    training_graphs,
)
from graphs.errors import InvalidOption

SIZE = DenoiserConfig(width=32, layers=2, heads=2)
SHORT = TrainingConfig(steps=12, batch=32, seed=3)


def weights(space, config=SHORT, **options) -> dict[str, torch.Tensor]:
    return train_generator(space, config, SIZE, **options).denoiser.state_dict()


def test_the_same_seed_gives_the_same_weights_bit_for_bit(tree_space) -> None:
    first = weights(tree_space)
    torch.rand(5)
    np.random.rand(5)
    again, other = weights(tree_space), weights(tree_space, TrainingConfig(steps=12, batch=32, seed=4))
    assert all(torch.equal(first[name], again[name]) for name in first)
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
    """All 81 graphs are equally likely, so no network has a bound below log 81; the trained one is within 10 %."""
    losses: list[tuple[int, float]] = []
    config = TrainingConfig(steps=250, batch=96)
    generator = train_generator(tree_space, config, SIZE, watch=lambda step, loss: losses.append((step, loss)))
    assert losses[-1][0] == 250
    assert np.mean([loss for _, loss in losses[-5:]]) < 0.6 * losses[0][1]
    module = DiffusionModule(tree_space, GraphDataModule(tree_space, tree_space.listed, config).graphs, SIZE, config)
    module.denoiser = generator.denoiser.eval()
    clean = GraphDataModule(tree_space, tree_space.listed * 80, config).graphs
    with torch.no_grad():
        bound = module.bound(clean, torch.Generator().manual_seed(9))
    error = 5 * float(bound.std()) / math.sqrt(len(bound))  # exceeded by chance once in 3 million
    assert float(bound.mean()) < 1.1 * math.log(81) + error
    assert float(bound.mean()) > math.log(81) - error, "below the entropy: the loss does not bound -log p"


def test_a_users_own_trainer_fits_the_module(tree_space, tmp_path) -> None:
    """As in a script: a data module, a module and a plain Trainer; its result is that of `train_generator`."""
    data = GraphDataModule(tree_space, tree_space.listed, SHORT)
    module = DiffusionModule(tree_space, data.graphs, SIZE, SHORT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(
            max_steps=SHORT.steps,
            accelerator="cpu",
            default_root_dir=tmp_path,
            enable_progress_bar=False,
            gradient_clip_val=1.0,
            logger=False,
        )
        trainer.fit(module, data)
    assert trainer.global_step == SHORT.steps
    assert math.isfinite(float(trainer.callback_metrics["train_loss"]))
    trained, expected = module.denoiser.state_dict(), weights(tree_space)
    assert all(torch.equal(trained[name], expected[name]) for name in expected)


def test_a_users_trainer_may_count_epochs(tree_space, tmp_path) -> None:
    data = GraphDataModule(tree_space, tree_space.listed, SHORT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(
            max_epochs=1, accelerator="cpu", default_root_dir=tmp_path, enable_progress_bar=False, logger=False
        )
        trainer.fit(DiffusionModule(tree_space, data.graphs, SIZE, SHORT), data)
    assert trainer.global_step == SHORT.steps


def test_every_batch_is_full_and_every_graph_comes_once_an_epoch(tree_space) -> None:
    data = GraphDataModule(tree_space, tree_space.listed, TrainingConfig(steps=81, batch=20))
    batches = [codes.flatten(1) for codes, _, _ in data.train_dataloader()]
    assert [len(codes) for codes in batches] == [20] * 81
    layers = torch.cat(batches).tolist()
    counts = [layers.count(row) for row in data.graphs.codes.flatten(1).unique(dim=0).tolist()]
    assert counts == [60] * 27, "81 batches of 20 are 20 epochs of 81 graphs, three wirings for each list of layers"


def test_watch_sees_the_last_step(tree_space) -> None:
    seen: list[int] = []
    weights(tree_space, TrainingConfig(steps=45, batch=8), watch=lambda step, _: seen.append(step))
    assert seen == [20, 40, 45]


def test_an_interrupt_reaches_the_caller(tree_space) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights(tree_space, TrainingConfig(steps=40, batch=8), watch=interrupt)


def test_provenance_and_template(tree_space) -> None:
    generator = train_generator(tree_space, SHORT, SIZE)
    assert generator.provenance["seed"] == 3
    assert generator.provenance["steps"] == 12
    assert generator.provenance["graphs"] == 81
    assert generator.template == tree_space.listed[0]


def test_a_space_that_can_be_listed_trains_on_all_of_its_networks(tree_space) -> None:
    assert training_graphs(tree_space, 0) == tree_space.networks


def test_a_space_that_cannot_be_listed_trains_on_a_sample_that_the_seed_decides(tree_space, monkeypatch) -> None:
    monkeypatch.setattr(training, "MOST_GRAPHS", 15)  # 81 graphs are then too many to be listed
    graphs = training_graphs(tree_space, 1)
    assert len(graphs) == 15
    assert set(graphs) <= set(tree_space.listed)
    assert training_graphs(tree_space, 1) == graphs != training_graphs(tree_space, 2)


def test_graphs_of_different_sizes_are_refused(tree_space, monkeypatch) -> None:
    monkeypatch.setattr(type(tree_space), "max_nodes", 6)
    with pytest.raises(InvalidOption, match="max_nodes = 6"):
        GraphDataModule(tree_space, tree_space.listed, SHORT)
