"""The command line in this process and in its own, and folders compared before and after."""

import hashlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from archgen.cli.main import run

ARCHGEN = Path(sys.executable).with_name("archgen")


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The last line on standard output."""
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return found


Run = Callable[..., Outcome]


@pytest.fixture
def archgen(capsys: pytest.CaptureFixture[str]) -> Run:
    """`archgen("search", ...)` runs the command in this process."""

    def call(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as left:
            run([str(argument) for argument in arguments])
        code = left.value.code
        return Outcome(code if isinstance(code, int) else 0, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def spawn() -> Run:
    """`spawn("search", ..., env={...}, cwd=...)` runs the installed command as a process of its own."""

    def call(*arguments: object, env: dict[str, str] | None = None, **options: Any) -> Outcome:
        done = subprocess.run(
            [ARCHGEN, *map(str, arguments)],
            capture_output=True,
            text=True,
            env={**os.environ, **(env or {})},
            check=False,
            **options,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="session")
def snapshot() -> Callable[[Path], dict[str, str]]:
    """`snapshot(folder)`: every file below it with a digest of its bytes."""

    def take(folder: Path) -> dict[str, str]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    return take


@pytest.fixture(scope="session")
def rows() -> Callable[[Path], list[dict[str, Any]]]:
    """`rows(folder)`: every row of a campaign's store, trials then steps, without times."""
    import sqlite3

    def read(folder: Path) -> list[dict[str, Any]]:
        db = sqlite3.connect(folder / "campaign.sqlite")
        db.row_factory = sqlite3.Row
        trials = [dict(row) for row in db.execute("SELECT * FROM trials ORDER BY number")]
        steps = [dict(row) for row in db.execute("SELECT * FROM steps ORDER BY step")]
        db.close()
        for row in trials:
            del row["asked_at"], row["told_at"]
        for row in steps:
            del row["seconds"]
            notes = json.loads(row["notes"])
            row["notes"] = {name: value for name, value in notes.items() if not name.endswith("seconds")}
        return trials + steps

    return read


@pytest.fixture
def small_disk(tmp_path: Path) -> Callable[[int], Any]:
    """`with small_disk(bytes) as folder:` a file system of its own; skipped where only root may mount one."""

    @contextmanager
    def mount(size: int) -> Iterator[Path]:
        folder = tmp_path / "disk"
        folder.mkdir()
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, check=False
        )
        if made.returncode:
            pytest.skip("mounting a small disk needs root")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", folder], check=True)

    return mount


@pytest.fixture(scope="session")
def fastest() -> Callable[..., float]:
    """`fastest(call)`: the least processor seconds of the child processes of `call`.

    On an idle machine that is the time it takes, and other programs hardly change it.
    """

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    def measure(call: Callable[[], object], runs: int = 5) -> float:
        seconds = []
        for _ in range(runs):
            before = used()
            call()
            seconds.append(used() - before)
        return min(seconds)

    return measure


@pytest.fixture(scope="session")
def untrained() -> Callable[..., Any]:
    """`untrained(space, law)`: a small generator with random weights, of which exact guidance asks nothing.

    Its provenance says `law`: "description" or "network" where it should pass for one trained on the whole space.
    """
    import numpy as np

    from archgen.diffusion.denoiser import DenoiserConfig
    from archgen.diffusion.generator import DiffusionGenerator, distinct_starts, new_denoiser
    from graphs.layout import layout_of
    from graphs.spaces.catalogue import get_space

    size = DenoiserConfig(width=16, layers=1, heads=2)

    @cache
    def make(name: str, law: str = "description") -> DiffusionGenerator:
        space, rng = get_space(name), np.random.default_rng(0)
        layout = layout_of(space)
        starts, weights = distinct_starts(layout, layout.read([space.sample(rng) for _ in range(50)]))
        return DiffusionGenerator(space, size, new_denoiser(layout, size, 0), starts, weights, {"law": law})

    return make
