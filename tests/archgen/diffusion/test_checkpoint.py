"""Checkpoints: whole round trips, and every damaged file answered by one kind of error."""

import json
import os
import pickle
import struct
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from archgen.diffusion import checkpoint
from archgen.diffusion.checkpoint import load_generator, save_generator
from archgen.diffusion.denoiser import DenoiserConfig
from archgen.diffusion.generator import DiffusionGenerator, distinct_starts, new_denoiser
from graphs import tensor_file
from graphs.errors import CheckpointError
from graphs.graph_json import graph_to_json
from graphs.layout import layout_of
from graphs.spaces.nasbench201 import NasBench201

SIZE = DenoiserConfig(width=8, layers=1, heads=2)
Edit = Callable[[dict[str, Any], dict[str, torch.Tensor]], object]


def untrained(space, size: DenoiserConfig = SIZE) -> DiffusionGenerator:
    layout = layout_of(space)
    starts, weights = distinct_starts(layout, layout.read(space.listed))
    return DiffusionGenerator(
        space, size, new_denoiser(layout, size, 3), starts, weights, {"seed": 3, "note": "ü", "bound": 1.5}
    )


@pytest.fixture
def generator(tree_space) -> DiffusionGenerator:
    return untrained(tree_space)


@pytest.fixture
def saved(generator, tmp_path) -> Path:
    path = tmp_path / "generator.safetensors"
    save_generator(generator, path)
    return path


def edited(path: Path, edit: Edit) -> Path:
    """The file with its header and tensors changed by `edit`, otherwise a proper safetensors file."""
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["archgen"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 no mapping
    edit(header, tensors)
    save_file(tensors, path, metadata={"archgen": json.dumps(header)})
    return path


def refuses(path: Path, space, match: str = ".") -> None:
    with pytest.raises(CheckpointError, match=match) as caught:
        load_generator(path, space)
    assert str(path) in str(caught.value), "the message must name the file"


def test_round_trip_gives_the_same_samples(toy, tmp_path) -> None:
    generator, path = untrained(toy), tmp_path / "generator"
    save_generator(generator, path)
    loaded = load_generator(path, toy)
    assert loaded.sample(200, 1) == generator.sample(200, 1)
    assert (loaded.config, loaded.provenance) == (SIZE, generator.provenance)
    assert torch.equal(loaded.starts, generator.starts)
    assert torch.equal(loaded.weights, generator.weights)


def test_a_denoiser_that_takes_a_level_keeps_what_it_learned_of_it(tree_space, tmp_path) -> None:
    generator = untrained(tree_space, DenoiserConfig(8, 1, 2, levels=True))
    assert generator.denoiser.level is not None
    torch.nn.init.normal_(generator.denoiser.level.net[2].weight, generator=torch.Generator().manual_seed(0))
    save_generator(generator, tmp_path / "generator")
    loaded = load_generator(tmp_path / "generator", tree_space)
    values, level = loaded.layout.hidden[None], torch.ones(1)
    assert torch.equal(loaded.denoiser(values, level), generator.denoiser(values, level))
    assert not torch.equal(loaded.denoiser(values, level), loaded.denoiser(values))


def test_saving_what_was_loaded_gives_the_same_file(saved, tree_space, tmp_path) -> None:
    save_generator(load_generator(saved, tree_space), tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == saved.read_bytes()


def test_loading_and_saving_leave_the_random_state(generator, tree_space, tmp_path) -> None:
    state = torch.get_rng_state()
    save_generator(generator, tmp_path / "one")
    load_generator(tmp_path / "one", tree_space)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("step", ["save_file", "replace"])
def test_a_failed_write_leaves_the_old_file_and_no_other(generator, saved, monkeypatch, step: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    old = saved.read_bytes()
    monkeypatch.setattr(tensor_file if step == "save_file" else os, step, fail)
    with pytest.raises(CheckpointError, match="no space left"):
        save_generator(generator, saved)
    assert saved.read_bytes() == old
    assert os.listdir(saved.parent) == [saved.name]


def test_a_place_that_cannot_be_written_is_refused(generator, tmp_path) -> None:
    with pytest.raises(CheckpointError, match="cannot write"):
        save_generator(generator, tmp_path / "no such folder" / "file")


def test_a_write_replaces_the_file_in_one_move(generator, saved, tree_space) -> None:
    """A reader that opened the old file still holds all of it."""
    with saved.open("rb") as reader:
        start = reader.read(10)
        save_generator(generator, saved)
        assert start + reader.read() == saved.read_bytes()
    load_generator(saved, tree_space)


def test_a_file_cut_at_any_length_is_refused(saved, tree_space) -> None:
    whole = saved.read_bytes()
    for length in [*range(0, 64), *range(64, len(whole), len(whole) // 30), len(whole) - 1]:
        saved.write_bytes(whole[:length])
        refuses(saved, tree_space)


def test_appended_bytes_are_refused(saved, tree_space) -> None:
    saved.write_bytes(saved.read_bytes() + b"\0")
    refuses(saved, tree_space)


def test_flipped_header_bytes_never_raise_anything_else(saved, tree_space) -> None:
    """A changed byte in the header gives an error or, where it changes only a comment, a whole generator."""
    whole = saved.read_bytes()
    end = 8 + struct.unpack("<Q", whole[:8])[0]
    refused = 0
    places = [*range(8), *range(8, end, 19)]
    for place in places:
        saved.write_bytes(whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :])
        try:
            load_generator(saved, tree_space).sample(2, 0)
        except CheckpointError:
            refused += 1
    assert refused > 0.6 * len(places)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", "1"),
        ("format", None),
        ("format", 0),
        ("fingerprint", 7),
        ("config", {}),
        ("config", {"width": 8, "layers": 1, "heads": 2, "depth": 1}),
        ("config", {"width": 16, "layers": 1, "heads": 2}),
        ("config", {"width": "8", "layers": 1, "heads": 2}),
        ("config", {"width": 8, "layers": 2, "heads": 2}),
        ("config", {"width": 8, "layers": 0, "heads": 2}),
        ("config", {"width": 8, "layers": 1, "heads": 4}),
        ("config", {"width": 8, "layers": 1, "heads": 0}),
        ("config", {"width": -8, "layers": 1, "heads": 2}),
        ("config", {"width": 10**15, "layers": 1, "heads": 2}),
        ("config", {"width": 8, "layers": 10**9, "heads": 2}),
        ("config", [8, 1, 2]),
        ("config", {"width": 8, "layers": 1, "heads": 2, "levels": True}),
        ("config", {"width": 8, "layers": 1, "heads": 2, "levels": 0.5}),
        ("provenance", 3),
    ],
)
def test_an_edited_header_is_refused(saved, tree_space, key: str, value: object) -> None:
    refuses(edited(saved, lambda header, _: header.update({key: value})), tree_space)


@pytest.mark.parametrize("key", ["format", "space", "fingerprint", "config", "provenance"])
def test_a_header_that_lacks_a_key_is_refused(saved, tree_space, key: str) -> None:
    if key == "space":  # only ever shown
        edited(saved, lambda header, _: header.update(fingerprint="other"))
    refuses(edited(saved, lambda header, _: header.pop(key)), tree_space)


@pytest.mark.parametrize("metadata", [None, {}, {"archgen": "not JSON"}, {"archgen": "[]"}, {"archgen": "3"}])
def test_a_safetensors_file_of_somebody_else_is_refused(tmp_path, tree_space, metadata) -> None:
    save_file({"x": torch.zeros(2)}, tmp_path / "file", metadata=metadata)
    refuses(tmp_path / "file", tree_space, "not a whole generator checkpoint")


def test_a_newer_format_asks_for_an_upgrade(saved, tree_space) -> None:
    refuses(edited(saved, lambda header, _: header.update(format=3)), tree_space, "format 3.*upgrade archgen")


def test_a_file_of_the_first_format_is_refused_with_the_reason(saved, tree_space) -> None:
    """It had a graph and the slots that vary in the place of starts."""

    def as_before(header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
        header.update(format=1, template=graph_to_json(tree_space.listed[0], tree_space.name))
        del tensors["starts.rows"], tensors["starts.weights"]
        tensors["slots.nodes"], tensors["slots.edges"] = torch.ones(5, 2).bool(), torch.ones(5, 5).bool()

    refuses(edited(saved, as_before), tree_space, "format 1, expected 2.*train again")


def test_the_file_names_its_space(saved, tmp_path) -> None:
    space = NasBench201()
    path, layout = tmp_path / "other", layout_of(space)
    starts = layout.hidden[None]
    save_generator(DiffusionGenerator(space, SIZE, new_denoiser(layout, SIZE, 0), starts, torch.ones(1)), str(path))
    assert load_generator(str(path)).space.name == space.name
    with pytest.raises(CheckpointError, match="toy-tree"):
        load_generator(saved)  # no space of archgen's


def test_another_space_is_named(saved) -> None:
    refuses(saved, NasBench201(), "'toy-tree'.*'nasbench201'")


def test_a_changed_space_is_refused(saved, tree_space) -> None:
    class Changed(type(tree_space)):  # type: ignore[misc]
        max_nodes = 6

    refuses(saved, Changed(), "train a generator")


TENSORS = [
    "position.weight",
    "blocks.0.qkv.weight",
    "node_head.bias",
    "wiring_head.weight",
    "starts.rows",
    "starts.weights",
]


@pytest.mark.parametrize("name", TENSORS)
def test_missing_tensors_are_refused(saved, tree_space, name: str) -> None:
    refuses(edited(saved, lambda _, tensors: tensors.pop(name)), tree_space)


def test_surplus_tensors_are_refused(saved, tree_space) -> None:
    refuses(edited(saved, lambda _, tensors: tensors.update(surplus=torch.zeros(1))), tree_space, "surplus")


@pytest.mark.parametrize("name", TENSORS)
@pytest.mark.parametrize("shape", [(3,), (0, 0), (99, 99)])
def test_tensors_of_a_wrong_shape_are_refused(saved, tree_space, name: str, shape: tuple[int, ...]) -> None:
    refuses(edited(saved, lambda _, tensors: tensors.update({name: torch.zeros(shape)})), tree_space)


Tamper = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def _set(rows: torch.Tensor, row: int, slot: int, value: int) -> torch.Tensor:
    rows = rows.clone()
    rows[row, slot] = value
    return rows


TAMPERED: dict[str, tuple[Tamper, str]] = {
    "no starts": (lambda rows, weights: (rows[:0], weights[:0]), "have shape"),
    "a start without a weight": (lambda rows, weights: (rows, weights[:-1] / weights[:-1].sum()), "have shape"),
    "a weight without a start": (lambda rows, weights: (rows[:-1], weights), "have shape"),
    "a slot too few": (lambda rows, weights: (rows[:, :-1], weights), "have shape"),
    "floating rows": (lambda rows, weights: (rows.float(), weights), "float32"),
    "short integers": (lambda rows, weights: (rows.to(torch.int16), weights), "int16"),
    "a negative value": (lambda rows, weights: (_set(rows, 0, 1, -1), weights), "slots do not have"),
    "a value past the hidden one": (lambda rows, weights: (_set(rows, 0, 1, 9), weights), "slots do not have"),
    "an edge that is not given": (lambda rows, weights: (_set(rows, 0, 5, 1), weights), "give other slots"),
    "an operation that is not given": (lambda rows, weights: (_set(rows, 2, 0, 1), weights), "give other slots"),
    "two outputs": (lambda rows, weights: (_set(rows, 0, 2, 2), weights), "no architecture agrees"),
    "a weight of zero": (lambda rows, weights: (rows, weights * torch.tensor([0.0, 1, 1])), "no probabilities"),
    "a negative weight": (lambda rows, _: (rows, torch.tensor([-0.5, 0.5, 1])), "no probabilities"),
    "weights of two": (lambda rows, weights: (rows, weights * 2), "no probabilities"),
    "no number": (lambda rows, weights: (rows, weights * torch.tensor([1, 1, float("nan")])), "no probabilities"),
    "an infinite weight": (lambda rows, _: (rows, torch.tensor([0.5, 0.5, float("inf")])), "no probabilities"),
    "weights in a column": (lambda rows, weights: (rows, weights[:, None]), "of shape"),
    "weights in two columns": (lambda rows, weights: (rows, weights[:, None].repeat(1, 2) / 2), "of shape"),
    "a weight without a shape": (lambda rows, _: (rows[:1], torch.tensor(1.0)), "."),
    "whole weights": (lambda rows, _: (rows[:1], torch.tensor([1])), "int64"),
}


@pytest.mark.parametrize(("tamper", "reason"), TAMPERED.values(), ids=TAMPERED)
def test_tampered_starts_are_refused(growing_space, tmp_path, tamper: Tamper, reason: str) -> None:
    """The growing space has three starts: the output is the third, the fourth or the last node."""
    path = tmp_path / "generator"
    save_generator(untrained(growing_space), path)

    def edit(_: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
        rows, weights = tamper(tensors["starts.rows"], tensors["starts.weights"])
        tensors.update({"starts.rows": rows.contiguous(), "starts.weights": weights.contiguous()})

    load_generator(path, growing_space)
    refuses(edited(path, edit), growing_space, f"not a whole generator checkpoint.*{reason}")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(saved, tree_space, value: float) -> None:
    refuses(edited(saved, lambda _, tensors: tensors["node_head.weight"].fill_(value)), tree_space)


class _Bomb:
    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_no_code_of_a_file_runs(tmp_path, tree_space, monkeypatch, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "file.pt"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(_Bomb()))
    else:
        torch.save({"x": _Bomb()}, path)
    refuses(path, tree_space)
    assert not (tmp_path / "exploded").exists()
    pickle.loads(pickle.dumps(_Bomb()))
    assert (tmp_path / "exploded").exists(), "the bomb must be live for this test to mean anything"


def test_no_file_a_directory_and_a_text_are_refused(tmp_path, tree_space) -> None:
    refuses(tmp_path / "missing", tree_space)
    refuses(tmp_path, tree_space)
    (tmp_path / "text").write_text("a generator, honestly")
    refuses(tmp_path / "text", tree_space)


def test_config_in_the_file_is_the_generators(saved) -> None:
    with safe_open(saved, framework="pt") as file:
        header = json.loads(file.metadata()["archgen"])
    assert header["config"] == asdict(SIZE)
    assert header["format"] == checkpoint.FORMAT
