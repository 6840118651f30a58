"""Predictors that are told the data set: on tasks and graphs of which they have seen no label.

    python experiments/dataset_conditioned.py tasks
    python experiments/dataset_conditioned.py graphs

`tasks` holds out tasks of 20 ImageNet classes each, `graphs` one data set of NAS-Bench-Graph after the other.
"""

from __future__ import annotations

import argparse
import time

import conditioned_graphs
import conditioned_tasks
import torch
from transfer import World


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("tasks", "graphs"))
    parser.add_argument("--seeds", type=int, help="5 for tasks, 2 for graphs unless given")
    parser.add_argument("--first-seed", type=int, default=0, help="choices were made with seeds from 1000 on")
    parser.add_argument("--labels", type=int, help="of all tasks, or of each graph data set; drawn by chance")
    parser.add_argument("--asked", type=int, default=1500, help="networks of NAS-Bench-Graph that are ranked")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    first = arguments.first_seed
    if arguments.what == "tasks":
        labels = conditioned_tasks.Labels.load(World.load(), arguments.labels)
        conditioned_tasks.report(labels, list(range(first, first + (arguments.seeds or 5))))
    else:
        seeds = list(range(first, first + (arguments.seeds or 2)))
        conditioned_graphs.report(conditioned_graphs.World.load(), seeds, arguments.labels or 300, arguments.asked)
    print(f"\n{time.process_time():.0f} s of one core")


if __name__ == "__main__":
    main()
