"""Shapes are checked while tests run; one thread a process; where the reference data lies."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # torch reads these when it is first imported

TENSOR_MODULES = ["graphs.batch", "graphs.layout", "graphs.convert", "predictors", "bo", "gnn_search", "archgen"]
"""Where shapes are; the check costs a hundred microseconds a call, which the spaces' small functions cannot bear."""

install_import_hook(TENSOR_MODULES, "beartype.beartype")


def pytest_configure(config: pytest.Config) -> None:
    """Beartype picks the element of a container that it checks by chance, also where Hypothesis draws an example."""
    config.addinivalue_line("filterwarnings", "ignore:Do not use the `random` module inside strategies")


REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The reference data: the folder that ARCHGEN_DATA names, or ../shared/data beside the repository."""
    folder = Path(os.environ.get("ARCHGEN_DATA") or REPOSITORY / ".." / "shared" / "data").resolve()
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder}; set ARCHGEN_DATA to its folder to run this test")
    return folder
