"""NAS-Bench-201 cells trained on small tasks, read from `metad2a_tasks/tasks.csv` under ARCHGEN_DATA's folder.

Each task is 20 classes of ImageNet-32. The file was put together from two sources that measured differently: its first
rows are accuracies on 500 images, multiples of 0.2 %, 73 % in the mean; the others are finer and 17 points lower, also
where cell and task are the same.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from graphs.archgraph import ArchGraph
from graphs.errors import InvalidArchitecture, TableError
from graphs.spaces.nasbench201 import NasBench201
from graphs.tables.table_path import table_path

CLASSES = 20
"""Classes of a task."""
GRAIN = 0.2
"""What one of the 500 images of the first source is worth, in percent."""


@dataclass(frozen=True, eq=False)
class TaskLabels:
    """Rows in the order of the file.

    Args:
        task: the task's number.
        graphs: the cell.
        accuracy: on images of the task that were not trained on, in percent.
        classes: the numbers of the task's classes, ascending, from 1 on.
        coarse: whether the row is of the first source: before the first accuracy that is no multiple of `GRAIN`.
    """

    task: Int[np.ndarray, " n"]
    graphs: tuple[ArchGraph, ...]
    accuracy: Float[np.ndarray, " n"]
    classes: Int[np.ndarray, "n c"]
    coarse: Bool[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.graphs)

    def take(self, rows: Iterable[int], task: Int[np.ndarray, " m"] | None = None) -> TaskLabels:
        """The rows with these numbers, in this order, repetitions allowed.

        Args:
            task: new numbers of the tasks, e.g. where a task was drawn twice and counts as two.
        """
        chosen = np.fromiter(rows, dtype=np.int64)
        graphs = tuple(self.graphs[row] for row in chosen)
        numbers = self.task[chosen] if task is None else task
        return TaskLabels(numbers, graphs, self.accuracy[chosen], self.classes[chosen], self.coarse[chosen])


def load_task_labels(folder: Path | None = None) -> TaskLabels:
    """All rows of the file, 4,630 on 3,031 tasks as published.

    Args:
        folder: what ARCHGEN_DATA names unless given.

    Raises:
        TableError: the folder is not named, or the file is missing, empty, has a row that is no label of a task, or
            gives a task two lists of classes.
    """
    path = table_path("the task labels need their table", "metad2a_tasks/tasks.csv", folder)
    try:
        with path.open(newline="") as file:
            table = list(csv.DictReader(file))
    except OSError as error:
        raise TableError(
            f"{path}: cannot read the table ({error.strerror}); set ARCHGEN_DATA to the folder that holds "
            "metad2a_tasks/"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path}: not a CSV file ({error}); fetch the file again") from error
    if not table:
        raise TableError(f"{path}: expected a row a label, got none; fetch the file again")
    space, known = NasBench201(), dict[int, list[int]]()
    rows = []
    for line, row in enumerate(table, start=2):
        try:
            task, graph, accuracy, classes = _read_row(space, row)
            if known.setdefault(task, classes) != classes:
                raise ValueError(f"other classes of task {task} than before")
        except (KeyError, TypeError, ValueError, InvalidArchitecture) as error:
            raise TableError(f"{path}, line {line}: no label of a task ({error}); fetch the file again") from error
        rows.append((task, graph, accuracy, classes))
    task_column, graphs, accuracies, class_lists = zip(*rows, strict=True)
    accuracy_column = np.array(accuracies)
    steps = accuracy_column / GRAIN
    coarse = np.logical_and.accumulate(np.abs(steps - steps.round()) < 1e-3)
    return TaskLabels(np.array(task_column), graphs, accuracy_column, np.array(class_lists), coarse)


def _read_row(space: NasBench201, row: Mapping[str, str]) -> tuple[int, ArchGraph, float, list[int]]:
    """A row's values; raises KeyError, TypeError, ValueError or InvalidArchitecture where one is missing or wrong."""
    task, accuracy = int(row["task"]), float(row["acc"])
    classes = sorted({int(number) for number in (row["classes"] or "").split()})
    if task < 0 or not 0 <= accuracy <= 100:
        raise ValueError(f"{accuracy} % correct on task {task} cannot be")
    if len(classes) != CLASSES or classes[0] < 1:
        raise ValueError(f"expected {CLASSES} different classes from 1 on, got {row['classes']!r}")
    return task, space.parse(row["arch"]), accuracy, classes
