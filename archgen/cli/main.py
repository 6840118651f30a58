"""The `archgen` command: its options and help. What a command does is loaded when it runs, so that help is instant."""

from __future__ import annotations

import errno
import json
import math
import os
import sys
import traceback
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(
    name="archgen",
    help="Design neural architectures: generate graphs, search benchmarks, watch campaigns.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


class WandbMode(StrEnum):
    """Where W&B keeps its runs."""

    online = "online"
    offline = "offline"
    disabled = "disabled"


class Distinct(StrEnum):
    """What is evaluated at most once."""

    network = "network"
    description = "description"


class By(StrEnum):
    """What of a predicted property is made large."""

    MEAN = "mean"
    UPPER = "upper"
    LOWER = "lower"
    THOMPSON = "thompson"


Space = Annotated[str, typer.Argument(help="A space, see: archgen spaces.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The campaign's directory.")]
Json = Annotated[bool, typer.Option("--json", help="The last line on standard output is one JSON object.")]
Task = Annotated[str, typer.Option(help="What the space was measured on, see: archgen spaces.")]
Seed = Annotated[int, typer.Option(min=0, help="Where all chance comes from.")]
Budget = Annotated[int, typer.Option(help="Queries in all.")]
Maximize = Annotated[
    list[str] | None,
    typer.Option(metavar="METRIC", help="What to make large; the task's own objective unless given. May be repeated."),
]
Minimize = Annotated[list[str] | None, typer.Option(metavar="METRIC", help="What to make small. May be repeated.")]
SubjectTo = Annotated[
    list[str] | None, typer.Option(metavar="BOUND", help='What to keep, e.g. "latency<=5ms". May be repeated.')
]
Threads = Annotated[int, typer.Option(help="Threads of the numeric libraries; small tensors are fastest on one.")]
Unique = Annotated[Distinct, typer.Option(help="Evaluate each network once, or each description once.")]


@app.command()
def spaces(as_json: Json = False) -> None:
    """List the search spaces, their sizes and what they were measured on."""
    from archgen.cli.inspect import list_spaces

    list_spaces(as_json)


@app.command()
def sample(
    space: Space,
    count: Annotated[int, typer.Option("-n", "--count", help="How many.")] = 3,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Draw random valid architectures of a space."""
    from archgen.cli.inspect import draw_samples

    draw_samples(space, count, seed, as_json)


@app.command()
def search(
    space: Space,
    task: Annotated[
        str | None,
        typer.Option(help="What the space was measured on, see: archgen spaces; with --evaluate any words."),
    ] = None,
    budget: Budget = 100,
    seed: Seed = 0,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where the campaign is kept and gone on with.")] = None,
    strategy: Annotated[str, typer.Option(help="What proposes the candidates.")] = "archgen",
    maximize: Maximize = None,
    minimize: Minimize = None,
    subject_to: SubjectTo = None,
    acquisition: Annotated[
        str | None, typer.Option(help="How model-based strategies choose: log-ei, log-nei, ucb, thompson, log-nehvi.")
    ] = None,
    warm_start: Annotated[
        Path | None, typer.Option(help="Labels to begin with: a CSV file, JSON lines, or a campaign's directory.")
    ] = None,
    fidelities: Annotated[
        str | None,
        typer.Option(metavar="LOW,...,FULL", help="Measure at each in turn, such as 12,200 epochs, while promising."),
    ] = None,
    keep: Annotated[float | None, typer.Option(help="The share that goes on to the next fidelity; a third.")] = None,
    cost: Annotated[
        float | None, typer.Option(help="Stop when the queries have cost so much, in the unit of the evaluator.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Candidates a step.")] = 1,
    threads: Threads = 1,
    distinct: Unique = Distinct.network,
    generator_steps: Annotated[
        int | None, typer.Option(help="Training steps of archgen's generator; more draw better and take longer.")
    ] = None,
    evaluate: Annotated[
        str | None,
        typer.Option(help='Your own evaluator: "python train.py {graph}", which prints metrics, or module:function.'),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Train GNNs on it: a PyG data set such as Cora, or a saved Data file (.pt)."),
    ] = None,
    kind: Annotated[str | None, typer.Option(help="What of the data is labelled: node, graph or link.")] = None,
    inductive: Annotated[
        bool, typer.Option("--inductive", help="Train without the nodes that are to be told.")
    ] = False,
    retrain_seeds: Annotated[int, typer.Option(help="Seeds with which the best GNNs are trained at the end.")] = 10,
    workers: Annotated[
        int | None, typer.Option(help="Evaluations at once, each in a process of its own; 1, with --data 2.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds that an evaluation may take.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory that an evaluation may take, such as 4G.")] = None,
    executor: Annotated[str, typer.Option(help="Where evaluations run: local, or ray.")] = "local",
    ray_address: Annotated[str | None, typer.Option(help="The Ray cluster; this machine's unless given.")] = None,
    share: Annotated[
        bool, typer.Option("--share", help="Work on the campaign with other processes that say so, too.")
    ] = False,
    store: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Keep the campaign in PostgreSQL: postgresql://user@host/database."),
    ] = None,
    wandb: Annotated[WandbMode, typer.Option(help="Log to W&B.")] = WandbMode.offline,
    as_json: Json = False,
) -> None:
    """Search a benchmark, or with an evaluator of your own. The same command goes on with what was interrupted."""
    from archgen.cli.search import Search, run_search
    from archgen.evaluation import Evaluation, read_fidelities

    order = Search(
        space=space,
        task=task,
        folder=folder or Path("runs") / f"{space}-{task or data or 'own'}-{strategy}-s{seed}".replace("/", "_"),
        budget=budget,
        seed=seed,
        strategy=strategy,
        maximize=tuple(maximize or ()),
        minimize=tuple(minimize or ()),
        subject_to=tuple(subject_to or ()),
        acquisition=acquisition,
        warm_start=warm_start,
        fidelities=read_fidelities(fidelities or ""),
        keep=keep,
        cost=math.inf if cost is None else cost,
        batch=batch,
        threads=threads,
        distinct=distinct.value,
        generator_steps=generator_steps,
        wandb_mode=wandb.value,
        evaluation=Evaluation(evaluate, workers or 1, timeout, memory, executor, ray_address, share),
        store=store,
    )
    if data is not None:
        from archgen.cli.gnn_data import with_data

        order = with_data(order, data, kind, inductive, retrain_seeds, workers)
    elif kind is not None or inductive:
        from graphs.errors import InvalidOption

        raise InvalidOption("--kind and --inductive are about --data; add it or leave them out")
    run_search(order, as_json)


@app.command()
def train(
    space: Space,
    out: Annotated[Path, typer.Option(help="The checkpoint, one safetensors file.")],
    seed: Seed = 0,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps; the space's usual number unless given.")] = None,
    graphs: Annotated[
        Path | None, typer.Option(help="Train on these graphs, one a line, in the place of the whole space.")
    ] = None,
    distinct: Annotated[
        Distinct, typer.Option(help="Whether each description counts once, or each network.")
    ] = Distinct.description,
    threads: Threads = 1,
    as_json: Json = False,
) -> None:
    """Train a generator on unlabelled graphs of a space."""
    from archgen.cli.train import run_training

    run_training(space, out, seed, steps, graphs, distinct.value, threads, as_json)


@app.command()
def generate(
    checkpoint: Annotated[Path, typer.Argument(help="A generator that archgen train wrote.")],
    out: Annotated[Path, typer.Option(help="The file of JSON lines; - is standard output.")],
    count: Annotated[int, typer.Option("-n", "--count", help="How many.")] = 1000,
    seed: Seed = 0,
    maximize: Annotated[str | None, typer.Option(metavar="PROPERTY", help="Make this property large.")] = None,
    given: Annotated[
        list[str] | None, typer.Option(help='A bound that all keep, e.g. "params<=1.0"; may be given several times.')
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="A CSV file with a column arch, or a campaign's directory, to learn from.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="What the costs of nas-bench-graph are for.")] = None,
    strength: Annotated[
        float | None, typer.Option(help="Of guidance, per unit of the property; set from the space unless given.")
    ] = None,
    by: Annotated[By, typer.Option(help="What of a predicted property is made large.")] = By.MEAN,
    unique: Annotated[bool, typer.Option("--unique", help="Draw each network at most once.")] = False,
    threads: Threads = 1,
    as_json: Json = False,
) -> None:
    """Draw architectures from a trained generator, freely or as wished for."""
    from archgen.cli.generate import Order, run_generation

    bounds = tuple(given or ())
    order = Order(checkpoint, out, count, seed, maximize, bounds, labels, task, strength, by.value, unique, threads)
    run_generation(order, as_json)


@app.command()
def fit(
    space: Space,
    labels: Annotated[Path, typer.Option(help="What was measured: a CSV file, JSON lines, or a campaign's directory.")],
    out: Annotated[Path, typer.Option(help="The predictor, one safetensors file.")],
    target: Annotated[list[str] | None, typer.Option(help="The column to learn; may be given several times.")] = None,
    kind: Annotated[str, typer.Option(help="The kind of predictor; auto mixes those that fit in seconds.")] = "auto",
    seed: Seed = 0,
    threads: Threads = 1,
    as_json: Json = False,
) -> None:
    """Learn to predict a property from labelled architectures."""
    from archgen.cli.predict import run_fit

    run_fit(space, labels, target or [], out, kind, seed, threads, as_json)


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="A predictor that archgen fit wrote.")],
    graphs: Annotated[Path, typer.Argument(help="Architectures: JSON lines, one string a line, or a CSV file.")],
    out: Annotated[Path, typer.Option(help="The CSV file; - is standard output.")],
    threads: Threads = 1,
    as_json: Json = False,
) -> None:
    """Predict architectures: mean, deviation and 80 % interval of each."""
    from archgen.cli.predict import run_predict

    run_predict(model, graphs, out, threads, as_json)


@app.command()
def bench_predictors(
    space: Space,
    target: Annotated[str, typer.Option(help="The column to predict.")],
    labels: Annotated[str, typer.Option(help="Numbers of labels to learn from, separated by commas.")] = (
        "20,50,100,200,500"
    ),
    seeds: Annotated[int, typer.Option(help="Random choices of the labels, with seeds 0, 1, ...")] = 10,
    kinds: Annotated[
        str | None, typer.Option(help="Kinds of predictors, separated by commas; all unless given.")
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="The labelled table; the space's own under ARCHGEN_DATA unless given.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="The task of the space's own table, such as arxiv.")] = None,
    tested: Annotated[int, typer.Option(help="Rows not learned from that are predicted at most; 0 is all.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes of one thread each.")] = 2,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where results are kept.")] = None,
    first_seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    as_json: Json = False,
) -> None:
    """Compare predictors on a labelled table: ranks, errors and calibration; a table, a CSV and a plot."""
    from archgen.cli.bench_predictors import PredictorBench, run_predictor_bench

    folder = folder or Path("runs") / f"predictors-{space}-{target}"
    every = range(first_seed, first_seed + seeds)
    bench = PredictorBench(space, target, labels, every, kinds, table, task, tested, folder)
    run_predictor_bench(bench, workers, as_json)


@app.command()
def status(folder: Folder, as_json: Json = False) -> None:
    """Show how far a campaign is and what it found, also while it runs."""
    from archgen.cli.inspect import show_status

    show_status(folder, as_json)


@app.command()
def pareto(
    folder: Folder,
    minimize: Annotated[list[str] | None, typer.Option(help="Cost metrics; params and latency where known.")] = None,
    as_json: Json = False,
) -> None:
    """List the architectures that no other one beats in the objective and in the costs."""
    from archgen.cli.inspect import show_pareto

    show_pareto(folder, minimize, as_json)


@app.command()
def report(
    folder: Folder,
    out: Annotated[Path | None, typer.Option(help="The HTML file; DIR/report.html unless given.")] = None,
    as_json: Json = False,
) -> None:
    """Write the campaign's report, one self-contained HTML file."""
    from archgen.cli.views import make_report

    make_report(folder, out, as_json)


@app.command()
def wandb(
    folder: Folder,
    mode: Annotated[WandbMode, typer.Option(help="Where W&B keeps the run.")] = WandbMode.offline,
    as_json: Json = False,
) -> None:
    """Rebuild the campaign's W&B run from its store."""
    from archgen.cli.views import rebuild_wandb

    rebuild_wandb(folder, mode.value, as_json)


@app.command()
def export(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="The file of Python, whose weights lie beside it; or of ONNX (.onnx).")],
    best: Annotated[bool, typer.Option("--best", help="The best by validation, as without this.")] = False,
    query: Annotated[int | None, typer.Option(help="The architecture of this query.")] = None,
    arch: Annotated[str | None, typer.Option(help="This architecture of the campaign's space.")] = None,
    onnx: Annotated[Path | None, typer.Option(help="The network as ONNX, too, for graphs of any size.")] = None,
    data: Annotated[
        str | None, typer.Option(metavar="NAME", help="Train on this; the campaign's own data else.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="What of the data is labelled: node, graph or link.")] = None,
    inductive: Annotated[
        bool, typer.Option("--inductive", help="Train without the nodes that are to be told.")
    ] = False,
    seeds: Annotated[int, typer.Option(help="Trainings, of which the best by validation is written.")] = 1,
    as_json: Json = False,
) -> None:
    """Write a campaign's best GNN as plain PyTorch Geometric with its weights, and as ONNX."""
    from archgen.cli.export import Order, run_export

    order = Order(folder, out, onnx, best, query, arch, data, kind, inductive, seeds)
    run_export(order, as_json)


@app.command()
def bench(
    space: Space,
    task: Annotated[str, typer.Option(help="What the space was measured on; several separated by commas.")],
    budget: Budget = 100,
    seeds: Annotated[int, typer.Option(help="Campaigns a strategy, with seeds 0, 1, ...")] = 10,
    strategies: Annotated[
        str, typer.Option(help="Strategies to compare, separated by commas.")
    ] = "random,evolution,local-search,wl-gp,archgen-mutation,archgen",
    maximize: Maximize = None,
    minimize: Minimize = None,
    subject_to: SubjectTo = None,
    distinct: Unique = Distinct.network,
    workers: Annotated[int, typer.Option(help="Processes of one thread each.")] = 2,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where campaigns and results are kept.")] = None,
    first_seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    as_json: Json = False,
) -> None:
    """Compare strategies over seeds: a table, a CSV and a plot with confidence bands."""
    from archgen.cli.bench import Bench, run_bench

    tasks, names = (tuple(dict.fromkeys(filter(None, map(str.strip, text.split(","))))) for text in (task, strategies))
    folder = folder or Path("runs") / f"bench-{space}"
    every = range(first_seed, first_seed + seeds)
    goals = (tuple(maximize or ()), tuple(minimize or ()), tuple(subject_to or ()))
    run_bench(Bench(space, tasks, names, every, budget, *goals, distinct.value, folder), workers, as_json)


_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG)
"""What a full, read-only or forbidden disk answers."""


def run(arguments: list[str] | None = None) -> None:
    """Entry point. Exit code 0 done, 2 the user's mistake, 1 ours, 130 interrupted."""
    arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    as_json = "--json" in arguments
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
        sys.exit(code)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted; run the same command to go on", 130, as_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        _fail(*_judge(error), as_json)


def _invoke(arguments: list[str]) -> int:
    """Without Typer's own `main`, which answers Ctrl-C and closed pipes in silence and with codes of its own."""
    command = typer.main.get_command(app)
    try:
        with command.make_context("archgen", list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as left:
        return left.exit_code
    return 0


def _judge(error: Exception) -> tuple[str, int]:
    """The one line to show for `error`, and the exit code."""
    from graphs.errors import ArchgenError

    if isinstance(error, ArchgenError):
        return " ".join(str(error).split()), 2
    if (close := getattr(error, "possibilities", None)) and hasattr(error, "option_name"):
        return f"No such option: {error.option_name}. Did you mean {' or '.join(close)}? See: archgen --help.", 2
    if hasattr(error, "format_message"):  # the command line parser's own errors
        return " ".join(error.format_message().split()).rstrip(".") + ". See: archgen --help.", 2
    if isinstance(error, OSError) and error.errno in _DISK:
        told = f"{error.filename or 'the disk'}: cannot write ({error.strerror})"
        return f"{told}; make room or permit it, then run the same command again", 2
    if os.environ.get("ARCHGEN_TRACEBACK"):
        traceback.print_exc()
    told = " ".join(f"{type(error).__name__}: {error}".split())
    return f"internal error, {told}; set ARCHGEN_TRACEBACK=1 to see where, and report it", 1


def _fail(message: str, code: int, as_json: bool) -> NoReturn:
    print(f"archgen: {message}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": message, "exit_code": code}))
    sys.exit(code)
