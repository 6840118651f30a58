"""Work in fresh processes of one thread each."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any, TypeVar

from rich.console import Console

T = TypeVar("T")


def in_parallel(work: Callable[[Any], T], jobs: Sequence[Any], workers: int, tell: Callable[[T], str]) -> list[T]:
    """All results in the order of `jobs`, from `workers` fresh processes of one thread each."""
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    console = Console(stderr=True)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_end_with_parent) as pool:
        futures = [pool.submit(work, job) for job in jobs]
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                console.print(f"{done}/{len(jobs)} {tell(future.result())}", highlight=False)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


def _end_with_parent() -> None:
    """A worker whose parent was killed would go on and keep its campaign locked."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()
