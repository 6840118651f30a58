"""The facade: names resolve, importing is cheap, a shadowing file is named."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import archgen


def test_every_public_name_is_the_object_of_its_module() -> None:
    assert sorted(archgen.__all__) == sorted(archgen._HOME) == sorted(dir(archgen))
    for name, home in archgen._HOME.items():
        assert getattr(archgen, name) is getattr(importlib.import_module(home), name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'optimise'"):
        archgen.optimise  # noqa: B018 the access is the test


def test_importing_loads_no_heavy_library() -> None:
    code = "import archgen, sys; print([m for m in ('torch', 'sqlalchemy', 'wandb', 'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("shadow", ["bo.py", "graphs.py", "predictors/__init__.py"])
def test_a_file_of_the_users_that_hides_a_package_is_named(tmp_path: Path, shadow: str) -> None:
    path = tmp_path / shadow
    path.parent.mkdir(exist_ok=True)
    path.write_text("x = 1\n")
    (tmp_path / "script.py").write_text("import archgen\n")
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert (
        f"{path} hides archgen's own package {path.stem if path.name != '__init__.py' else 'predictors'!r}"
        in done.stderr
    )
