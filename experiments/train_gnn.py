"""Train an architecture of the space `gnn` on a data set with a plain Lightning trainer, on the whole graph at once.

    python experiments/train_gnn.py --data cora --hand-made GCN
    python experiments/train_gnn.py --data cora --arch "input(...);fc(activation=relu,hidden=64);output(...)|0>1,1>2"

The weights are those of the best epoch by validation, and the test part is looked at once, at the end.
"""

import argparse
import tempfile
import warnings
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from torch import Tensor

from gnn_search.data_sets import load_task
from gnn_search.evaluator import network
from gnn_search.hand_made import HAND_MADE
from gnn_search.task import GnnTask
from gnn_search.training import PreparedTask, evaluate, training_loss
from graphs.archgraph import ArchGraph
from graphs.errors import ArchgenError, unknown_name
from graphs.spaces.catalogue import get_space
from graphs.spaces.gnn import recipe_of

warnings.filterwarnings("ignore", ".*does not have many workers.*")  # the only batch is the whole graph
PATIENCE = 60


class GnnModule(pl.LightningModule):
    """An architecture on a task; a step is an epoch."""

    def __init__(self, graph: ArchGraph, task: GnnTask) -> None:
        super().__init__()
        self.prepared, self.recipe = PreparedTask(task), recipe_of(graph)
        self.model = network(graph, task)

    def training_step(self, batch: Tensor) -> Tensor:
        return training_loss(self.model, self.prepared, self.recipe)

    def validation_step(self, batch: Tensor) -> None:
        metric, loss = evaluate(self.model, self.prepared, self.prepared.task.valid)
        self.log("valid", metric - 1e-3 * loss, prog_bar=True)  # of epochs that score the same the one with less loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam; weights that read raw features decay, the others do not."""
        features = self.prepared.task.train.graph.features
        groups: dict[bool, list[Tensor]] = {True: [], False: []}
        for one in self.model.parameters():
            groups[one.dim() == 2 and features in one.shape].append(one)
        decays = {True: self.recipe.weight_decay, False: 0.0}
        given = [{"params": groups[first], "weight_decay": decays[first]} for first in groups if groups[first]]
        return torch.optim.Adam(given, lr=self.recipe.learning_rate)


def main(args: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    graph = chosen(args)
    task = load_task(args.data, kind=args.kind)
    pl.seed_everything(args.seed, verbose=False)
    module = GnnModule(graph, task)
    loader = torch.utils.data.DataLoader(torch.zeros(1))
    with tempfile.TemporaryDirectory() as folder:
        best = ModelCheckpoint(args.dir or Path(folder), "best", monitor="valid", mode="max")
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=args.epochs,
            callbacks=[best, EarlyStopping("valid", mode="max", patience=PATIENCE)],
            logger=False,
            num_sanity_val_steps=0,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, loader, loader)
        kept = torch.load(best.best_model_path, weights_only=True)
    module.load_state_dict(kept["state_dict"])
    print(f"{task.name}: {trainer.current_epoch} epochs, the best {kept['epoch'] + 1}, seed {args.seed}")
    for name, part in (("validation", task.valid), ("test", task.test)):
        print(f"  {name} {task.metric} {evaluate(module.model, module.prepared, part)[0]:.2f} %")


def chosen(args: argparse.Namespace) -> ArchGraph:
    """The architecture that the arguments name."""
    if args.arch is not None:
        return get_space(args.space).parse(args.arch)
    if args.hand_made not in HAND_MADE:
        raise unknown_name("network", args.hand_made, HAND_MADE)
    return HAND_MADE[args.hand_made]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    option = parser.add_argument
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--arch", help="the architecture's string, as archgen search prints it")
    which.add_argument("--hand-made", default="GCN", help=f"in its place one of {', '.join(HAND_MADE)}")
    option("--space", choices=["gnn", "auto-gnn"], default="gnn", help="of the string")
    option("--data", required=True, help="a data set, such as cora, or a saved Data file (.pt)")
    option("--kind", choices=["node", "graph", "link"], help="what of it is labelled")
    option("--epochs", type=int, default=300, help="at most")
    option("--seed", type=int, default=0)
    option("--dir", type=Path, help="where the best checkpoint is kept; nowhere unless given")
    try:
        main(parser.parse_args())
    except ArchgenError as error:
        parser.error(str(error))
