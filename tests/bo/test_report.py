"""The report is read back with an HTML parser; its numbers are computed again from the trials."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bo.calibration import calibration
from bo.campaign import Campaign, Evaluator
from bo.records import CampaignConfig, History, Objective, Proposal, Trial
from bo.report import write_report
from bo.report_data import ReportData, lineage, read_campaign
from bo.report_html import column, element, escape, number, signed
from bo.store import Store
from graphs.archgraph import INPUT, OUTPUT, ArchGraph, Op
from graphs.errors import InvalidArchitecture, StoreError
from graphs.space import Field, SearchSpace
from graphs.spaces.nas_bench_graph import NasBenchGraph

SPACE = NasBenchGraph()
VOID = {"meta", "wbr"}
EVIL = "<script>alert('$x_{$')</script>\"&]]><!-- \x00"


@dataclass
class Page(HTMLParser):
    """Tags with their attributes and the visible text; complains about tags that do not close."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(self.source)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} stands twice: {attrs}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data + " " * (self.open[-1] not in ("code", "pre"))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)

    def section(self, name: str) -> bool:
        return any(attrs.get("id") == name for _, attrs in self.tags)


class Scripted:
    """Random proposals, then children of the best with invented predictions."""

    def __init__(self, space: SearchSpace, origins: tuple[str, ...] = ("mutation", "generator")) -> None:
        self.space, self.origins = space, origins

    def propose(self, history: History, count: int, rng: np.random.Generator) -> tuple[list[Proposal], dict[str, Any]]:
        proposals: list[Proposal] = []
        seen = set(history.seen)
        while len(proposals) < count:
            best = history.best
            graph = self.space.sample(rng) if best is None else self.space.mutate(best.graph, rng)
            if self.space.canonical(graph) in seen:
                graph = self.space.sample(rng)
            if (identity := self.space.canonical(graph)) in seen:
                continue
            seen.add(identity)
            if best is None:
                proposals.append(Proposal(graph, "initial"))
            else:
                origin = self.origins[int(rng.integers(len(self.origins)))]
                mean, std = 70 + 3 * rng.normal(), rng.uniform(0.5, 4)
                proposals.append(Proposal(graph, origin, best.number, float(mean), float(std)))
        return proposals, {"valid": 0.5}


def measure(graph: ArchGraph) -> dict[str, float]:
    digits = int(SPACE.canonical(graph)[2:12], 16)
    return {"valid_accuracy": 60 + digits % 997 / 50, "params": 0.1 + digits % 7 / 10, "latency": 1.0 + digits % 89}


def run(
    folder: Path,
    evaluate: Evaluator = measure,
    budget: int = 16,
    objective: Objective = Objective("valid_accuracy"),  # noqa: B008
    reference: Mapping[str, float] | None = None,
    space: SearchSpace = SPACE,
    **config: Any,
) -> Campaign:
    folder.mkdir(parents=True, exist_ok=True)
    given = {"task": "arxiv", "strategy": "scripted", "seed": 5, "batch": 4, **config}
    store = Store(folder / "campaign.sqlite", create=True)
    strategy = Scripted(space, given.pop("origins", ("mutation", "generator")))
    campaign = Campaign(space, CampaignConfig(space.name, objective=objective, **given), store, strategy, reference)
    campaign.run(evaluate, budget)
    return campaign


def report(campaign: Campaign) -> Page:
    return Page(write_report(campaign.space, campaign.store, campaign.store.path.with_name("report.html")))


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    def sometimes(graph: ArchGraph) -> dict[str, float]:
        if SPACE.canonical(graph)[-1] in "0123":
            raise RuntimeError("out of memory")
        return measure(graph)

    made = run(tmp_path_factory.mktemp("campaign"), sometimes, 30, reference={"best": 81.25, "mean": 68.0})
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def page(campaign: Campaign) -> Page:
    return report(campaign)


def done(campaign: Campaign) -> list[Trial]:
    return [trial for trial in campaign.store.trials() if trial.status == "done"]


def test_the_winner_with_its_regret_and_improvement(campaign: Campaign, page: Page) -> None:
    winner = max(done(campaign), key=lambda trial: trial.metrics["valid_accuracy"])
    value = winner.metrics["valid_accuracy"]
    assert winner.arch in page.text
    assert f"{value:g} %" in page.text
    assert f"{81.25 - value:.2f}".rstrip("0") + " points" in page.text
    assert f"+{100 * (value - 68) / 68:.2f}".rstrip("0") + " %" in page.text


def test_all_sections_and_all_trials_are_there(campaign: Campaign, page: Page) -> None:
    for name in ("winner", "curve", "best", "surrogate", "origins", "lineage", "pareto", "failures", "steps", "trials"):
        assert page.section(name), name
    for trial in campaign.store.trials():
        assert trial.arch in page.text
        if trial.status == "done":
            assert f"{trial.metrics['valid_accuracy']:.3f}" in page.text
    failed = [trial for trial in campaign.store.trials() if trial.status == "failed"]
    assert failed
    assert page.text.count("RuntimeError: out of memory") == len(failed)
    assert page.count("svg") == 1 + 2 + 10 + 1 + 2


def test_nothing_outside_the_file_is_needed(page: Page) -> None:
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", page.source)
    assert not {"script", "link", "img", "iframe", "image"} & {tag for tag, _ in page.tags}
    for _, attrs in page.tags:
        assert (attrs.get("href") or "#").startswith("#")


def test_accessible(page: Page) -> None:
    ids = Counter(attrs["id"] for _, attrs in page.tags if "id" in attrs)
    assert max(ids.values()) == 1
    assert all(attrs.get("aria-label") and attrs["role"] == "img" for tag, attrs in page.tags if tag == "svg")
    assert all(attrs.get("scope") == "col" for tag, attrs in page.tags if tag == "th")
    assert page.count("caption") == page.count("table") > 4
    for _, attrs in page.tags:
        assert attrs.get("aria-labelledby", next(iter(ids))) in ids
    for reference in re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', page.source):
        assert "".join(reference) in ids
    assert "prefers-color-scheme:dark" in page.source
    assert 'lang="en"' in page.source


def test_figures_take_their_colours_from_the_page(page: Page) -> None:
    names = set(re.findall(r"var\((--[a-z]+)\)", page.source))
    for scheme in re.findall(r":root\{(.*?)\}", page.source):
        assert names <= set(re.findall(r"(--[a-z]+):", scheme))


def test_small(page: Page) -> None:
    assert len(page.source) < 700_000


def test_calibration_against_its_definition(campaign: Campaign, page: Page) -> None:
    trials = [trial for trial in done(campaign) if trial.proposal.mean is not None]
    mean, std = (np.array([getattr(trial.proposal, name) for trial in trials]) for name in ("mean", "std"))
    truth = np.array([trial.metrics["valid_accuracy"] for trial in trials])
    found = calibration(read_campaign(SPACE, campaign.store).history)
    assert found.trials == tuple(trials)
    for percent in (50, 80, 95):
        low, high = stats.norm.interval(percent / 100, mean, std)
        inside = int(((low <= truth) & (truth <= high)).sum())
        assert found.inside(percent) == inside
        assert f"{inside} of {len(trials)}" in page.text
    for statistic in (stats.spearmanr(mean, truth).statistic, stats.kendalltau(mean, truth).statistic):
        assert number(float(statistic)) in page.text


def test_improvements_and_lineage(campaign: Campaign) -> None:
    data = read_campaign(SPACE, campaign.store)
    best, improved = -np.inf, set()
    for place, trial in enumerate(done(campaign)):
        value = trial.metrics["valid_accuracy"]
        if value > best and place:
            improved.add(trial.number)
        best = max(best, value)
    assert data.improvements == improved
    line = lineage(data, data.ranked[0])
    assert line[0].proposal.parent is None
    assert [trial.number for trial in line[:-1]] == [trial.proposal.parent for trial in line[1:]]
    assert len(line) > 1


def test_a_circle_of_parents_ends() -> None:
    graph = SPACE.parse("0012|gat|gcn|skip|fc")
    trials = [Trial(k, 0, Proposal(graph, "mutation", 1 - k), "a", str(k)) for k in range(2)]

    class Read:
        history = History(tuple(trials), Objective("x"))

    data = object.__new__(ReportData)
    object.__setattr__(data, "campaign", Read())
    assert lineage(data, trials[0]) == trials[::-1]


def test_the_same_store_gives_the_same_figures(campaign: Campaign, page: Page) -> None:
    again = report(campaign)
    assert re.findall(r"<svg.*?</svg>", again.source, re.DOTALL) == re.findall(r"<svg.*?</svg>", page.source, re.DOTALL)


def test_without_a_reference(tmp_path: Path) -> None:
    page = report(run(tmp_path, budget=5))
    assert "regret" not in page.text.lower()
    assert "random one" not in page.text
    assert page.section("curve")


def test_the_band_of_random_search(tmp_path: Path) -> None:
    campaign = run(tmp_path, budget=12, reference={"best": 81.25, "mean": 68.0})
    columns = {"valid_accuracy": np.linspace(60.0, 81.25, 5_000)}
    path = write_report(SPACE, campaign.store, tmp_path / "report.html", columns=columns)
    assert "from the 5,000 rows of the task's table, none twice." in Page(path).text
    assert "random search, central 80 %" in Page(path).text
    columns = {"other": columns["valid_accuracy"]}
    assert "random search" not in Page(write_report(SPACE, campaign.store, path, columns=columns)).text


def test_minimising(tmp_path: Path) -> None:
    campaign = run(
        tmp_path, budget=8, objective=Objective("latency", maximize=False), reference={"best": 0.5, "mean": 50.0}
    )
    winner = min(done(campaign), key=lambda trial: (trial.metrics["latency"], trial.number))
    page = report(campaign)
    value = winner.metrics["latency"]
    assert winner.arch in page.text
    assert f"{number(value - 0.5, 4)} ms" in page.text
    assert f"{signed(100 * (50 - value) / 50, 3)} %" in page.text
    assert "The front over params" in page.text
    assert "The front over latency" not in page.text


def test_before_the_first_evaluation(tmp_path: Path) -> None:
    campaign = run(tmp_path, budget=0)
    assert "No query has been evaluated yet" in report(campaign).text
    campaign.ask()
    page = report(campaign)
    assert "No query has been evaluated yet" in page.text
    assert "4 more pending" in page.text
    assert page.section("trials")


def test_where_every_query_failed(tmp_path: Path) -> None:
    def fail(_: ArchGraph) -> dict[str, float]:
        raise ValueError("no data set")

    page = report(run(tmp_path, fail, 4))
    assert "None of the 4 queries could be evaluated" in page.text
    assert page.text.count("ValueError: no data set") == 4


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [0.0, 70.0, -1e-12, 1e12])
def test_all_values_equal(tmp_path: Path, value: float) -> None:
    campaign = run(
        tmp_path, lambda _: {"loss": value, "params": 1.0}, 2, Objective("loss"), {"best": value, "mean": value}
    )
    page = report(campaign)
    assert "no regret to draw" in page.text
    assert campaign.store.trials()[0].arch in page.text


@pytest.mark.filterwarnings("error")
def test_a_single_trial(tmp_path: Path) -> None:
    page = report(run(tmp_path, budget=1, reference={"best": 90.0, "mean": 60.0}))
    assert "The only evaluated architecture" in page.text
    assert "no recorded parent" in page.text
    assert not page.section("surrogate")


def test_costs_that_some_trials_lack(tmp_path: Path) -> None:
    def partly(graph: ArchGraph) -> dict[str, float]:
        metrics = measure(graph)
        if int(metrics["latency"]) % 2:
            del metrics["params"]
        return {**metrics, "latency": float("nan") if "params" in metrics else metrics["latency"]}

    page = report(run(tmp_path, partly, 6))
    assert "No front over params" in page.text
    assert "No front over latency" in page.text


class Hostile(SearchSpace):
    """Strings that are markup, wherever a space may put strings."""

    name = f"space {EVIL}"
    summary = f"summary {EVIL}"
    fields = (Field("op", ("input", *(f"{k} {EVIL}" for k in range(40)), "output")), Field("a<b", (None, EVIL)))
    max_nodes = 3
    log10_size = 1.6

    def check(self, graph: ArchGraph) -> None:
        self.require_fields(graph)

    def sample(self, rng: np.random.Generator) -> ArchGraph:
        op = Op(f"{int(rng.integers(40))} {EVIL}", **{"a<b": EVIL})
        return ArchGraph((INPUT, op, OUTPUT), ((0, 1), (1, 2)))

    def neighbours(self, graph: ArchGraph) -> Iterator[ArchGraph]:
        yield from (self.sample(np.random.default_rng(k)) for k in range(20))

    def parse(self, text: str) -> ArchGraph:
        raise InvalidArchitecture(text)

    def format(self, graph: ArchGraph) -> str:
        return graph.ops[1].name

    def simplify(self, graph: ArchGraph) -> ArchGraph:
        return graph


def test_hostile_strings_are_escaped(tmp_path: Path) -> None:
    space, calls = Hostile(), iter(range(100))

    def evaluate(_: ArchGraph) -> dict[str, float]:
        if (call := next(calls)) % 4 == 3:
            raise RuntimeError(f"error {EVIL}")
        return {f"metric {EVIL}": call / 7, "params": 1.0 + call, f"other {EVIL}": 1.0}

    strange = {"task": f"task {EVIL}", "strategy": f"strategy {EVIL}", "origins": (f"origin {EVIL}", "listed")}
    page = report(
        run(tmp_path, evaluate, 12, Objective(f"metric {EVIL}"), {"best": 9.0, "mean": 1.0}, space, **strange)
    )
    assert page.count("script") == 0
    assert "<!--" not in page.source
    assert "\x00" not in page.source
    shown = EVIL.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    for kind in ("space", "summary", "task", "strategy", "origin", "metric", "other", "error"):
        assert f"{kind} {shown}" in page.text or f"{kind} {shown}" in page.text.replace("RuntimeError: ", ""), kind


def test_a_failing_write_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign, folder = run(tmp_path, budget=0), tmp_path / "reports"
    folder.mkdir()
    path = folder / "report.html"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for broken in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(f"os.{broken}", full)
            with pytest.raises(StoreError, match=r"No space left on device.*free the disk") as caught:
                write_report(SPACE, campaign.store, path)
        assert "\n" not in str(caught.value)
        assert path.read_text() == "old"
        assert [one.name for one in folder.iterdir()] == ["report.html"]
    assert write_report(SPACE, campaign.store, path) == path
    assert path.read_text().startswith("<!DOCTYPE html>")


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    campaign, folder = run(tmp_path / "campaign", budget=0), tmp_path / "folder"
    folder.mkdir()
    for path in (tmp_path / "no such folder" / "report.html", folder):
        with pytest.raises(StoreError, match="cannot write the report"):
            write_report(SPACE, campaign.store, path)
    assert {one.name for one in tmp_path.iterdir()} == {"campaign", "folder"}


def test_a_store_of_something_else(campaign: Campaign, tmp_path: Path) -> None:
    empty = Store(tmp_path / "campaign.sqlite", create=True)
    with pytest.raises(StoreError, match="no campaign has begun"):
        write_report(SPACE, empty, tmp_path / "report.html")
    with pytest.raises(StoreError, match="in the space 'nas-bench-graph', got the space"):
        write_report(Hostile(), campaign.store, tmp_path / "report.html")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (73.46667, "73.467"), (0.1, "0.1"), (0.0, "0"), (-2.5, "\N{MINUS SIGN}2.5"), (1234567.0, "1,234,567"),
        (1e-9, "1e-09"), (3e20, "3e+20"), (float("nan"), "\N{EN DASH}"), (None, "\N{EN DASH}"), (float("inf"), "inf"),
        (99999.7, "100,000"), (float("-inf"), "\N{MINUS SIGN}inf"),
    ],
)  # fmt: skip
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text


def test_column_gives_all_the_same_decimals() -> None:
    assert column([72.1, 9.0, -10.05, None]) == ["72.100", "9.000", "\N{MINUS SIGN}10.050", "\N{EN DASH}"]
    assert column([1e-5, 2e3]) == ["0.00001", "2,000"]
    assert column([1.0, 20.0]) == ["1", "20"]
    assert column([]) == []


def test_element_escapes_all_but_markup() -> None:
    inner = element("b", "<")
    assert element("p", inner, "&", class_='"') == '<p class="&quot;"><b>&lt;</b>&amp;</p>'
    assert escape(escape("<")) == "&lt;"


def test_regret_is_zero_within_rounding(campaign: Campaign) -> None:
    data = read_campaign(SPACE, campaign.store)
    assert data.regret(81.25 * (1 - 1e-12)) == 0.0
    assert data.regret(81.0) == pytest.approx(0.25)
    flipped = replace(data, campaign=campaign)
    assert flipped.improvement(68.0) == 0.0
