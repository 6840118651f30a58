"""The live display of a search on standard error: progress, best so far, front and failures, what is being drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from archgen.cli.inspect import compare
from archgen.cli.standing import readable, standing_lines
from bo.campaign import Campaign
from bo.records import Trial
from graphs.archgraph import ArchGraph

BLOCKS = "▁▂▃▄▅▆▇█"
SHOWN = 5
PLAIN_EVERY = 10


class LiveView:
    """Redrawn in place on a terminal; a line now and then elsewhere."""

    def __init__(self, budget: int) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description:<22}"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn()
        )
        self._budget = budget
        self._training: TaskID | None = None
        self._searching: TaskID | None = None
        self._campaign: Campaign | None = None
        self._proposals: list[str] = []
        self._standing: list[str] = []
        self._live = Live(console=self._console, get_renderable=self._render, refresh_per_second=4, transient=True)

    def __enter__(self) -> LiveView:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def begin(self, campaign: Campaign) -> None:
        self._campaign = campaign
        self._searching = self._progress.add_task("queries", total=self._budget, completed=campaign.spent)
        if campaign.spent:
            self.note(f"going on after {campaign.spent} queries")

    def note(self, text: str) -> None:
        """A remark that stays."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def training(self, step: int, steps: int, loss: float) -> None:
        """The generator has been trained for `step` of `steps`; `loss` in nats a slot."""
        if self._training is None:
            self._training = self._progress.add_task("training the generator", total=steps)
            if not self._console.is_terminal:
                self.note("training the generator on the unlabelled space")
        self._progress.update(self._training, completed=step, description=f"generator, loss {loss:.2f}")

    def drawing(self, graphs: Sequence[ArchGraph]) -> None:
        """What the generator has in mind at one of its steps."""
        assert self._campaign is not None
        self._proposals = [self._campaign.space.format(graph) for graph in graphs[:SHOWN]]

    def trial(self, campaign: Campaign, trial: Trial) -> None:
        """A query has ended."""
        assert self._searching is not None
        self._progress.update(self._searching, completed=campaign.spent)
        if self._console.is_terminal:
            self._standing = standing_lines(campaign)
        elif campaign.spent % PLAIN_EVERY == 0:
            self.note(
                "; ".join([f"query {campaign.spent}/{self._budget}: {_best(campaign)}", *standing_lines(campaign)])
            )

    def _render(self) -> Group:
        parts: list[RenderableType] = [self._progress, *([] if self._campaign is None else self._state(self._campaign))]
        return Group(*parts)

    def _state(self, campaign: Campaign) -> list[Panel]:
        best, metric = campaign.best(), campaign.objective.metric
        lines = list(self._standing)
        if best is not None:
            regret = compare(campaign, best).get("regret")
            head = readable(metric, best.metrics[metric]) + ("" if regret is None else f"   regret {regret:.2f}")
            lines = [head, best.arch, sparkline(campaign.history.best_so_far()), *lines]
        if not lines:
            return []
        panels = [Panel(Text("\n".join(lines)), title=f"best {metric}", title_align="left", width=76)]
        if self._proposals:
            text = Text("\n".join(self._proposals))
            panels.append(Panel(text, title="the generator has in mind", title_align="left", width=76))
        return panels


def _best(campaign: Campaign) -> str:
    best, metric = campaign.best(), campaign.objective.metric
    if best is None:
        return "nothing that keeps the constraints yet" if campaign.history.done else "nothing evaluated yet"
    return f"best {metric} {readable(metric, best.metrics[metric])}, {best.arch}"


def sparkline(values: Sequence[float], width: int = 70) -> str:
    """Block characters for a curve, resampled to at most `width`."""
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return ""
    step = max(1, math.ceil(len(known) / width))
    low, high = min(known), max(known)
    scale = (len(BLOCKS) - 1) / ((high - low) or 1.0)
    return "".join(BLOCKS[round((value - low) * scale)] for value in known[::step])
