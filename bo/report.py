"""write_report: a campaign as one HTML file that a person reads, on its own and without a network."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path

from bo import report_plots, report_sections
from bo.records import Trial
from bo.report_data import ReportData, read_campaign
from bo.report_html import NONE, Html, column, element, facts, heading, join, number, page, quantity, signed, table
from bo.report_motifs import MotifEffects, motifs
from bo.report_sections import breakable, gap, metric_pairs, section
from bo.store import Store
from graphs.draw_text import draw_text
from graphs.errors import StoreError
from graphs.space import SearchSpace

_NOTE_LETTERS = 300


def write_report(space: SearchSpace, store: Store, path: Path, explanation: MotifEffects | None = None) -> Path:
    """Write the report of the campaign in `store` to `path`, whole or not at all.

    Args:
        space: the campaign's search space.
        store: the campaign, at any point of its life.
        path: an HTML file; one that is there is replaced.
        explanation: of the best architecture, where there is one.

    Returns:
        `path`.

    Raises:
        StoreError: the store holds no campaign or one of another space, or `path` cannot be written.
    """
    data = read_campaign(space, store)
    title = f"{data.config.space} on {data.config.task}"
    sections = _sections(data, explanation)
    written = f"Written {_moment(datetime.now(UTC).timestamp())} from {store.path.name}"
    text = page(f"{title} · archgen report", join([_header(data, title), *sections]), element("p", written))
    _replace(path, text)
    return path


def _sections(data: ReportData, explanation: MotifEffects | None) -> list[Html]:
    winner = data.history.best
    tail = [_failures(data), _steps(data), _all_trials(data)]
    if winner is None:
        told = "No query has been evaluated yet, so there is no best architecture to show."
        if data.ended:
            told = (
                f"None of the {len(data.ended)} queries could be evaluated, so there is no best architecture to show."
            )
        return [section("winner", "Nothing evaluated yet", element("p", told)), *tail]
    return [
        _winner(data, winner),
        report_sections.curves(data),
        report_sections.best_ten(data),
        report_sections.surrogate(data),
        *([motifs(data, explanation)] if explanation is not None else []),
        report_sections.origins(data),
        report_sections.ancestry(data, winner),
        report_sections.pareto(data),
        *tail,
    ]


def _header(data: ReportData, title: str) -> Html:
    config = data.config
    pending = len(data.history.pending)
    size = f"{data.space.size:,}" if data.space.size is not None else f"About 10^{data.space.log10_size:.1f}"
    seconds = float(sum(step["seconds"] for step in data.steps))
    begun = "" if data.created is None else f"Begun {_moment(data.created)}. "
    lead = (
        f"{data.space.summary}. {size} architectures; strategy {config.strategy}, seed {config.seed}, "
        f"{config.batch} a step; {'more' if data.up else 'less'} {heading(config.objective.metric)} is better. "
        f"{begun}Proposing took {number(seconds, 2)} s in {len(data.steps)} steps."
    )
    done, ended = len(data.history.done), len(data.ended)
    tiles = [
        ("Queries spent", str(ended), f"{pending} more pending" if pending else "none pending"),
        ("Valid", f"{100 * done / ended:.0f} %" if ended else NONE, f"{done} evaluated, {ended - done} failed"),
    ]
    winner = data.history.best
    if winner is not None:
        tiles = [*_result_tiles(data, winner), *tiles]
    boxes = (element("div", element("dt", name), element("dd", value, element("small", note)))
             for name, value, note in tiles)  # fmt: skip
    return element("header", element("h1", title), element("p", lead, class_="lead"),
                   element("dl", *boxes, class_="tiles"))  # fmt: skip


def _result_tiles(data: ReportData, winner: Trial) -> list[tuple[str, str, str]]:
    value = data.value(winner)
    regret, improvement = data.regret(value), data.improvement(value)
    place = 1 + data.ended.index(winner)
    tiles = [(f"Best {data.metric}", quantity(data.metric, value), f"found by query {place} of {len(data.ended)}")]
    if regret is not None:
        tiles.append(("Regret", gap(data, regret), f"best known {quantity(data.metric, data.reference('best'))}"))
    if improvement is not None:
        note = f"over the mean of the table, {quantity(data.metric, data.reference('mean'))}"
        tiles.append(("Improvement", f"{signed(improvement, 3)} %", note))
    return tiles


def _winner(data: ReportData, winner: Trial) -> Html:
    value = data.value(winner)
    regret, improvement = data.regret(value), data.improvement(value)
    pairs: list[tuple[str, object]] = [
        ("architecture", element("code", breakable(winner.arch))),
        *metric_pairs(data, winner),
    ]
    if regret is not None:
        pairs.append(("regret", gap(data, regret) + (", the best of the task" if regret == 0 else "")))
    if improvement is not None:
        pairs.append(("over the mean of the table", f"{signed(improvement, 3)} %"))
    proposal = winner.proposal
    if proposal.mean is not None:
        spread = f" ± {number(proposal.std)}" if proposal.std is not None else ""
        pairs.append(("predicted", quantity(data.metric, proposal.mean) + spread))
    origin = proposal.origin if proposal.parent is None else f"{proposal.origin} of #{proposal.parent}"
    pairs += [("trial", f"#{winner.number}, step {winner.step}"), ("origin", origin),
              ("identity", element("code", winner.identity))]  # fmt: skip
    text = element("pre", draw_text(winner.graph), tabindex="0", aria_label="The architecture as text")
    drawn = element(
        "figure", report_plots.architecture(winner.graph, f"The best architecture: {winner.arch}", 430, 360)
    )
    as_text = element("details", element("summary", "As text"), text)
    return section("winner", "The best architecture",
                   element("div", drawn, element("div", facts(pairs), as_text), class_="pair"))  # fmt: skip


def _failures(data: ReportData) -> Html:
    failed = [trial for trial in data.ended if trial.status == "failed"]
    if not failed:
        return Html()
    rows = [(f"#{trial.number}", trial.proposal.origin, element("code", trial.arch), trial.error or "no reason given")
            for trial in failed]  # fmt: skip
    title = f"{len(failed)} failed {'query' if len(failed) == 1 else 'queries'}"
    return section("failures", title, table("Why queries failed", ("Trial", "Origin", "Architecture", "Reason"), rows,
                                            "tttw"))  # fmt: skip


def _steps(data: ReportData) -> Html:
    """What the strategy noted of each step; empty where it noted nothing."""
    if not any(step["notes"] for step in data.steps):
        return Html()
    rows = [(step["step"], number(float(step["seconds"]), 3), _notes(step["notes"])) for step in data.steps]
    listing = table("Steps", ("Step", "Seconds", "Notes of the strategy"), rows, "nnt")
    return section("steps", "Steps", element("details", element("summary", f"{len(rows)} steps"), listing))


def _notes(notes: dict[str, object]) -> str:
    text = ", ".join(f"{key} {number(value) if isinstance(value, float) else value}" for key, value in notes.items())
    return text if len(text) <= _NOTE_LETTERS else text[:_NOTE_LETTERS] + " …"


def _all_trials(data: ReportData) -> Html:
    trials = data.history.trials
    if not trials:
        return Html()
    predicted = any(trial.proposal.mean is not None for trial in trials)
    headers = ["Trial", "Step", "Origin", "Parent", "Status", "Architecture", *map(heading, data.metrics)]
    headers += ["Predicted", "± std"] if predicted else []
    columns = [column([trial.metrics.get(name) for trial in trials]) for name in data.metrics]
    if predicted:
        columns += [column([t.proposal.mean for t in trials]), column([t.proposal.std for t in trials])]
    rows = []
    for row, trial in enumerate(trials):
        proposal = trial.proposal
        parent = NONE if proposal.parent is None else f"#{proposal.parent}"
        cells: list[object] = [f"#{trial.number}", trial.step, proposal.origin, parent, trial.status]
        rows.append([*cells, element("code", trial.arch), *(values[row] for values in columns)])
    marks = "nntntt" + "n" * (len(headers) - 6)
    listing = table(f"All {len(trials)} trials", headers, rows, marks)
    return section(
        "trials", "All trials", element("details", element("summary", f"Show {len(trials)} trials"), listing)
    )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _replace(path: Path, text: str) -> None:
    """Write beside `path`, then rename: whoever opens it finds the old report or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        reason = error.strerror or type(error).__name__
        raise StoreError(
            f"{path}: cannot write the report ({reason}); free the disk, make {path.parent} a writable directory, "
            "or choose another file"
        ) from error
