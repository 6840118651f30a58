"""Tasks of images: networks are trained once, and what is held out has not been seen."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
TABLE = pd.DataFrame({"task": ["012", "345", "678", "129", "579", "046", "238"]})


@pytest.fixture
def script(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("ARCHGEN_DATA", str(data_dir))
    monkeypatch.syspath_prepend(EXPERIMENTS)
    return runpy.run_path(str(EXPERIMENTS / "conditioned_images.py"))


def test_networks_are_trained_once(script: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, images = tmp_path / "labels.csv", script["load"]("train")
    for count, trained in ((1, 1), (2, 1), (2, 0)):
        script["measure"](file, 1, count, *images)
        assert capsys.readouterr().out.startswith(f"{trained} networks trained")
    table = pd.read_csv(file, dtype={"task": str})
    assert table["task"].nunique() == 1
    assert table["accuracy"].between(20, 100).all()  # of three classes
    assert [one.shape for one in script["thumbnails"](*images)] == [(20, 48)] * 10


def test_what_is_asked_was_not_learned_from(script: dict[str, Any]) -> None:
    folds = list(script["new_tasks"](TABLE, 0))
    assert sorted(np.concatenate([asked for _, asked in folds]).tolist()) == list(range(7))
    for train, asked in [*folds, *script["new_classes"](TABLE, 0)]:
        assert sorted([*train, *asked]) == list(range(7))
    for train, asked in script["new_classes"](TABLE, 0):
        known = set("".join(TABLE["task"][train]))
        assert all(set(task) - known for task in TABLE["task"][asked])


def test_a_perfect_method_has_perfect_scores(script: dict[str, Any]) -> None:
    y, place = np.array([1.0, 2.0, 5.0, 4.0]), np.array([0, 0, 1, 1])
    splits = [(np.array([0]), np.array([0, 1, 2, 3]))]
    assert script["score"](lambda _, asked, __: y[asked], iter(splits), y, place, 0) == pytest.approx([1, 1, 0])
