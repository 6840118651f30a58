"""Shapes are checked while tests run; one thread a process; where the reference data lies; a PostgreSQL server."""

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parts[-2].zfill(3))


def find_program(name: str) -> str | None:
    """The path of one of PostgreSQL's programs; Debian keeps them beside the PATH."""
    return shutil.which(name, path=os.pathsep.join([*map(str, reversed(DEBIAN)), os.environ.get("PATH", "")]))


@contextmanager
def running_server() -> Iterator[str]:
    """The URL of an empty database on a Unix socket; the server ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path must be short
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []  # the server refuses to be root
    if user:
        shutil.chown(folder, "postgres")
    control = [*user, str(find_program("pg_ctl")), "-D", f"{folder}/data", "-w", "-l", f"{folder}/log"]
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c max_connections=60"
    initdb = [*user, str(find_program("initdb")), "-D", f"{folder}/data", "-A", "trust", "-U", "tester", "--no-sync"]
    try:
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder)
        subprocess.run([*control, "-o", options, "start"], check=True, stdout=subprocess.DEVNULL, cwd=folder)
        try:
            yield f"postgresql://tester@/postgres?host={folder}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL, cwd=folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server's first database, in the tests' own server."""
    if find_program("initdb") is None:
        pytest.skip("no PostgreSQL here; install the package postgresql to run this test")
    with running_server() as url:
        yield url


@pytest.fixture(scope="session")
def new_database(postgres_server: str) -> Callable[[], str]:
    """Makes an empty PostgreSQL database; its URL."""
    import psycopg

    numbers = itertools.count()

    def make() -> str:
        name = f"test{next(numbers)}"
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return postgres_server.replace("/postgres?", f"/{name}?")

    return make
