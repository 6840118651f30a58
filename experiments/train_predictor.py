"""Train a graph neural network on labelled architectures with a plain Lightning trainer.

    python experiments/train_predictor.py nas-bench-graph --task arxiv --labels 200

After an interruption the same command goes on from the last checkpoint. Ranks of architectures that were not learned
from are printed at the end.
"""

import argparse
import json
import warnings
from pathlib import Path

import pytorch_lightning as pl
import torch
from predictor_data import labelled, split
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger

from graphs.errors import ArchgenError, InvalidOption
from predictors.encodings import Encodings
from predictors.kinds import KINDS
from predictors.member_training import Schedule
from predictors.prediction import Prediction
from predictors.scores import score
from predictors.training import GnnModule, LabelledGraphs

warnings.filterwarnings("ignore", ".*does not have many workers.*")  # whole batches are cut from memory
SMALLEST = 1e-6
MEMBERS = 4


def main(args: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    space, graphs, labels = labelled(args.space, args.task, args.target)
    kept, left = split(len(graphs), args.labels, args.tested, args.seed)
    known, asked = [graphs[row] for row in kept], [graphs[row] for row in left]
    encodings = Encodings(space)
    scale = KINDS["wl-gp"].fit(encodings, (known, labels[kept]), None, args.seed).scale
    schedule = Schedule(steps=args.steps)
    data = LabelledGraphs(encodings.graph_inputs, known, labels[kept], scale, schedule, args.seed)
    module = GnnModule(encodings.graph_inputs.width, MEMBERS, schedule, args.seed)

    run = {name: getattr(args, name) for name in ("space", "task", "target", "labels", "seed", "steps")}
    folder = args.dir or Path("runs") / f"predictor-{space.name}-s{args.seed}"
    claim(folder, run)
    loggers: list[Logger] = [CSVLogger(folder, name="csv", flush_logs_every_n_steps=10)]
    if args.wandb != "disabled":
        loggers.append(WandbLogger(folder.name, save_dir=folder, offline=args.wandb == "offline", project="archgen"))
    for logger in loggers:
        logger.log_hyperparams(run)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=schedule.steps,
        callbacks=[
            ModelCheckpoint(
                folder,
                save_last=True,
                save_top_k=0,
                every_n_train_steps=args.checkpoint_every,
                enable_version_counter=False,
            )
        ],
        logger=loggers,
        log_every_n_steps=10,
        enable_model_summary=False,
    )
    trainer.fit(module, data, ckpt_path="last")

    mean, variance = module.moments(encodings.graph_inputs(asked))
    found = score(Prediction(scale, mean, variance + SMALLEST), labels[left])
    print(f"{space.name}: {len(known)} labels, {trainer.global_step} steps, {len(asked):,} architectures predicted")
    for name in ("kendall", "spearman", "regret", "rmse"):
        print(f"  {name:<9}{getattr(found, name):.4f}")


def claim(folder: Path, run: dict[str, object]) -> None:
    """Note in `folder` what it is a run of; raises `InvalidOption` where it is already one of something else."""
    kept = folder / "run.json"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(run))
    if json.loads(kept.read_text()) != run:
        raise InvalidOption(f"{folder} is a run of {kept.read_text()}: give its arguments, or another --dir")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    option = parser.add_argument
    option("space", help="nas-bench-graph, nasbench201 or ofa-mobilenetv3")
    option("--task", help="of the space's table")
    option("--target", help="the metric; the table's objective unless given")
    option("--labels", type=int, default=200, help="to learn from")
    option("--tested", type=int, default=5000, help="architectures that are predicted at most")
    option("--seed", type=int, default=0)
    option("--steps", type=int, default=Schedule.steps)
    option("--dir", type=Path, help="checkpoints and logs; runs/predictor-SPACE-sSEED unless given")
    option("--checkpoint-every", type=int, default=100, metavar="STEPS")
    option("--wandb", choices=["disabled", "offline", "online"], default="disabled", help="beside the CSV log")
    try:
        main(parser.parse_args())
    except ArchgenError as error:
        parser.error(str(error))
