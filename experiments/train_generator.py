"""Train archgen's graph generator with a plain Lightning trainer.

    python experiments/train_generator.py nasbench201 --out gen.ckpt

After an interruption the same command goes on from the last checkpoint, and ends with the weights of a run that was
never interrupted. On a CPU they are those of `archgen train nasbench201 --out gen.ckpt`, bit for bit.
"""

import argparse
import hashlib
import json
import signal
import sys
import tempfile
import warnings
from dataclasses import asdict, replace
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint, Timer
from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger

from archgen.diffusion import training
from archgen.diffusion.checkpoint import save_generator
from archgen.graph_file import read_graphs
from graphs.errors import ArchgenError, InvalidOption
from graphs.layout import layout_of
from graphs.spaces.catalogue import get_space

warnings.filterwarnings("ignore", ".*does not have many workers.*")  # whole batches are cut from memory


def main(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    space = get_space(args.space)
    layout = layout_of(space)
    config = training.usual_config(layout, args.seed, args.steps)
    config = replace(config, batch=config.batch if args.batch is None else args.batch)
    law = "given" if args.graphs else args.distinct
    given = read_graphs(args.graphs, space) if args.graphs else None
    graphs = given or training.training_graphs(space, args.seed, args.distinct)
    data = training.GraphDataModule(space, graphs, config)
    module = training.DiffusionModule(layout, training.usual_size(layout), config)

    rows = hashlib.sha256(data.rows.numpy().tobytes()).hexdigest()
    run = {"space": space.name, **asdict(config), **asdict(module.denoiser.config), "law": law, "rows": rows}
    folder = args.dir or Path("runs") / f"train-{space.name}-s{args.seed}"
    claim(folder, run)
    args.out.parent.mkdir(parents=True, exist_ok=True)

    loggers: list[Logger] = [CSVLogger(folder, name="csv", flush_logs_every_n_steps=10)]
    if args.wandb != "disabled":
        offline = args.wandb == "offline"
        loggers.append(WandbLogger(folder.name, save_dir=folder, offline=offline, project="archgen", group=folder.name))
    for logger in loggers:
        logger.log_hyperparams(run)
    tempfile.tempdir = str(folder)  # where Lightning first writes a checkpoint; a move is atomic on one disk only
    checkpoints = ModelCheckpoint(
        folder, save_last=True, save_top_k=0, every_n_train_steps=args.checkpoint_every, enable_version_counter=False
    )
    timer = Timer()  # goes on where the checkpoint was
    trainer = pl.Trainer(
        accelerator=args.accelerator,
        devices=1,
        max_steps=config.steps,
        gradient_clip_val=1.0,
        deterministic=True,
        callbacks=[*training.training_callbacks(config), checkpoints, timer],
        logger=loggers,
        log_every_n_steps=10,
        enable_model_summary=False,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # Lightning alone would end with 0, as if it were done
    trainer.fit(module, data, ckpt_path="last")

    generator = training.finished_generator(module, data, law, timer.time_elapsed())
    save_generator(generator, args.out)
    told, size = generator.provenance, sum(part.numel() for part in module.parameters())
    print(f"{space.name}: {told['graphs']:,} graphs, {told['steps']} steps in {told['seconds']:.0f} s")
    print(f"  parameters   {size:,}")
    print(f"  bound        {told['bound']:.3f} nats a graph")
    print(f"generator: {args.out}")


def claim(folder: Path, run: dict[str, object]) -> None:
    """Note in `folder` what it is a run of; raises `InvalidOption` where it is already one of something else."""
    kept = folder / "run.json"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part")
        part.write_text(json.dumps(run, indent=2))
        part.replace(kept)
    found = json.loads(kept.read_text())
    if other := [f"{name} {found.get(name)}, not {run[name]}" for name in run if found.get(name) != run[name]]:
        raise InvalidOption(f"{folder} is a run of {'; '.join(other)}: give its arguments, or another --dir")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    option = parser.add_argument
    option("space", help="what archgen spaces lists")
    option("--out", type=Path, required=True, help="the generator, one safetensors file")
    option("--dir", type=Path, help="checkpoints and logs; runs/train-SPACE-sSEED unless given")
    option("--seed", type=int, default=0)
    option("--steps", type=int, help="the space's usual number unless given")
    option("--batch", type=int, help="graphs a step; the space's usual number unless given")
    option("--distinct", choices=["network", "description"], default="description", help="what counts once")
    option("--graphs", type=Path, help="train on these, one a line, in the place of the whole space")
    option("--accelerator", default="auto", help="what Lightning knows: auto, cpu, gpu, ...")
    option("--threads", type=int, default=1, help="of the CPU")
    option("--checkpoint-every", type=int, default=100, metavar="STEPS")
    option("--wandb", choices=["disabled", "offline", "online"], default="disabled", help="beside the CSV log")
    try:
        main(parser.parse_args())
    except ArchgenError as error:
        parser.error(str(error))
