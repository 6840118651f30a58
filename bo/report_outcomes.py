"""The sections of a report on how queries ended: constraints kept, failures, steps, and all trials."""

from __future__ import annotations

from bo.report_data import ReportData
from bo.report_html import NONE, Html, bound, column, element, heading, number, table
from bo.report_sections import section
from bo.standing import UNTYPED, failures, kept

_NOTE_LETTERS = 300
KINDS = {
    "error": "the evaluation raised an error",
    "crash": "its process died",
    "out_of_memory": "it needed more memory than allowed",
    "timeout": "it took longer than allowed",
    "bad_output": "it answered in a form that cannot be read",
    "not_finite": "it answered with numbers that are not finite",
    "worker_lost": "one worker after another vanished with it",
    UNTYPED: "no kind was recorded",
}
"""What each kind of failure means."""


def constraints(data: ReportData) -> Html:
    """How many evaluated trials keep each constraint; empty where there is none."""
    bounds, done = data.history.constraints, len(data.history.done)
    if not bounds or not done:
        return Html()
    counts = kept(data.history)
    rows: list[tuple[object, ...]] = [
        (bound(one), counts[one.text], f"{100 * counts[one.text] / done:.0f} %", _nearest(data, one.name))
        for one in bounds
    ]
    feasible = len(data.history.feasible)
    if len(bounds) > 1:
        rows.append(("all of them", feasible, f"{100 * feasible / done:.0f} %", NONE))
    told = f"{feasible} of {done} evaluated architectures keep every constraint. Only they count as solutions."
    headers = ("Constraint", f"Kept by, of {done}", "Share", "Measured from … to")
    return section("constraints", "Constraints", element("p", told),
                   table("Which constraints are kept", headers, rows, "tnnn"))  # fmt: skip


def _nearest(data: ReportData, name: str) -> str:
    values = [trial.metrics[name] for trial in data.history.done]
    return f"{number(min(values))} … {number(max(values))}"


def failed(data: ReportData) -> Html:
    """Failures by kind, then each with its reason; empty where nothing failed."""
    if not data.failed:
        return Html()
    kinds = [(kind.replace("_", " "), count, KINDS.get(kind, NONE)) for kind, count in failures(data.history).items()]
    rows = [
        (f"#{trial.number}", (trial.failure or UNTYPED).replace("_", " "), trial.proposal.origin,
         element("code", trial.arch), trial.error or "no reason given")
        for trial in data.failed
    ]  # fmt: skip
    count = len(data.failed)
    headers = ("Trial", "Kind", "Origin", "Architecture", "Reason")
    return section(
        "failures",
        f"{count} failed {'query' if count == 1 else 'queries'}",
        table("Failures by kind", ("Kind", "Queries", "Meaning"), kinds, "tnw"),
        table("Why queries failed", headers, rows, "ttttw"),
    )


def steps(data: ReportData) -> Html:
    """What the strategy noted of each step; empty where it noted nothing."""
    if not any(step["notes"] for step in data.steps):
        return Html()
    rows = [(step["step"], number(float(step["seconds"]), 3), _notes(step["notes"])) for step in data.steps]
    listing = table("Steps", ("Step", "Seconds", "Notes of the strategy"), rows, "nnt")
    return section("steps", "Steps", element("details", element("summary", f"{len(rows)} steps"), listing))


def _notes(notes: dict[str, object]) -> str:
    text = ", ".join(f"{key} {number(value) if isinstance(value, float) else value}" for key, value in notes.items())
    return text if len(text) <= _NOTE_LETTERS else text[:_NOTE_LETTERS] + " …"


def all_trials(data: ReportData) -> Html:
    """Every trial with all that is known of it."""
    trials = data.history.trials
    if not trials:
        return Html()
    extra = {
        "Predicted": [trial.proposal.mean for trial in trials],
        "± std": [trial.proposal.std for trial in trials],
        "Cost": [trial.cost for trial in trials],
    }
    columns = {heading(name): column([trial.metrics.get(name) for trial in trials]) for name in data.metrics}
    columns |= {name: column(values) for name, values in extra.items() if any(one is not None for one in values)}
    rows = []
    for row, trial in enumerate(trials):
        parent = NONE if trial.proposal.parent is None else f"#{trial.proposal.parent}"
        status = "breaks a constraint" if trial.number in data.infeasible else trial.status
        cells: list[object] = [f"#{trial.number}", trial.step, trial.proposal.origin, parent, status]
        rows.append([*cells, element("code", trial.arch), *(values[row] for values in columns.values())])
    headers = ["Trial", "Step", "Origin", "Parent", "Status", "Architecture", *columns]
    marks = "nntntt" + "n" * len(columns)
    listing = table(f"All {len(trials)} trials", headers, rows, marks)
    shown = element("details", element("summary", f"Show {len(trials)} trials"), listing)
    return section("trials", "All trials", shown)
