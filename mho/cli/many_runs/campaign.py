"""``mho campaign``, with a bar, or a line a minute where there is no terminal, and what came out."""

from __future__ import annotations

import re
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated, Any, Self

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mho.analysis import reports
from mho.cli.exit_codes import UNFINISHED
from mho.cli.options import Cluster, LabelOptions, OutputFolder, PlanFile, grouped
from mho.cli.terminal.terminal import Terminal
from mho.errors import Aborted
from mho.lazy_names import late_imports
from mho.runs.paths import runs_folder
from mho.workers import Workers, dask_workers

with late_imports():
    from mho.cli.experiments import plan as plans
    from mho.running import campaign as campaigns
    from mho.running import plan as planning

REASONS = 5  # number of different reasons of failure that are printed
PERIOD = 60.0  # s between two lines where no terminal shows a bar


@dataclass(frozen=True)
class InPlan:
    """What a plan says itself; it is understood here so that it can be refused."""

    bench: Annotated[str | None, typer.Option(hidden=True)] = None
    preset: Annotated[str | None, typer.Option(hidden=True)] = None
    seed: Annotated[int | None, typer.Option(hidden=True)] = None


@grouped
def campaign(
    context: typer.Context,
    plan: PlanFile,
    *,
    workers: Annotated[int, typer.Option(min=1, help="processes on this machine")] = 2,
    cluster: Cluster,
    output: OutputFolder = None,
    tries: Annotated[int, typer.Option(min=1, help="how often a run that fails is tried")] = 2,
    share: Annotated[
        str,
        typer.Option(
            metavar="K/N",
            help="only every N-th run, from the K-th on: a job array runs all shares",
            show_default=False,
        ),
    ] = "",
    labels: LabelOptions,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only list what would happen")] = False,
    unfit: InPlan,
) -> None:
    """Carry out a plan's runs on simulated benches, several at once; what is finished is not repeated."""
    plans.check_beside_plan(context, str(plan), *(context.params.keys() - vars(unfit).keys()))
    part = campaigns.parse_share(share)
    planned = planning.load_plan(plan)
    if dry_run:
        raise typer.Exit(UNFINISHED if plans.print_plan(planned, Terminal()) else 0)
    name = re.sub(r"[^\w.-]+", "-", planned.name).strip("-.") or "plan"
    folder = output or runs_folder() / "campaigns" / name
    todo = campaigns.Campaign(planned, folder, tries=tries, share=part, labels=labels.labels())
    if not _all_finished(todo, workers, cluster):
        raise typer.Exit(UNFINISHED)


class CampaignProgress:
    """How far `total` runs are: a bar on a terminal, and a line every `period` s into a file; a context manager."""

    def __init__(
        self, name: str, total: int, workers: Workers, console: Terminal, period: float = PERIOD
    ) -> None:
        self._total, self._workers, self._console, self._period = total, workers, console, period
        self._done = self._before = self.failed = 0
        self._began = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="campaign progress", daemon=True)
        self._bar = Progress(
            TextColumn(name, markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("runs  {task.fields[failed]} failed", markup=False),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task("", total=total, failed=0)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        else:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        else:
            self._bar.stop()

    def observe(self, row: dict[str, Any]) -> None:
        """Count one run that has ended."""
        self._done += 1
        self._before += row["attempts"] == 0
        self.failed += row["status"] != "finished"
        self._bar.update(self._task, advance=1, failed=self.failed)

    @property
    def finished(self) -> int:
        """How many runs have finished."""
        return self._done - self.failed

    def line(self) -> str:
        """Return how far it is, in one line."""
        took, here = time.monotonic() - self._began, self._done - self._before
        left = (
            f", about {reports.duration_text(took / here * (self._total - self._done))} left" if here else ""
        )
        at_work = self._workers.count()
        workers = f"{at_work} worker{'' if at_work == 1 else 's'}"
        return f"{self._done} of {self._total} runs, {self.failed} failed, {workers}, {reports.duration_text(took)}{left}"

    def _tell(self) -> None:
        while not self._over.wait(self._period):
            try:
                self._console.print(self.line())
            except OSError:  # nobody reads any more, or the scheduler is being lost, which is said elsewhere
                continue


def _all_finished(campaign: campaigns.Campaign, workers: int, cluster: Cluster) -> bool:
    """Carry a campaign out and say how it went; return whether every run finished."""
    console = Terminal(stderr=True, soft_wrap=True)
    before = len(campaign.finished_before)
    if before == len(campaign):
        rows = campaign.gather()
    else:
        if before:
            console.print(f"{before} of {len(campaign)} runs are finished already")
        rows = _carried_out(campaign, workers, cluster, console)
    _say_reasons(rows, console)
    finished = [row["status"] for row in rows].count("finished")
    earlier = f", {before} of them before" if before else ""
    share = campaign.share
    of = f" of share {share.number}/{share.of}" if share.of > 1 else ""
    console.print(f"{finished} of {len(campaign)} runs{of} finished{earlier}")
    console.print(f"table       {campaign.table}")
    return finished == len(campaign)


def _carried_out(
    campaign: campaigns.Campaign, workers: int, cluster: Cluster, console: Terminal
) -> list[dict[str, Any]]:
    with ExitStack() as stack:
        started = stack.enter_context(dask_workers(workers, cluster.scheduler, cluster.certificates()))
        console.print(f"dashboard   {started.dashboard}")
        progress = CampaignProgress(campaign.plan.name, len(campaign), started, console)
        try:
            with progress:
                return campaign.carry_out(started, progress.observe)
        except KeyboardInterrupt:
            raise Aborted(
                f"interrupted: {progress.finished} of {len(campaign)} runs are finished, and the same command goes on with "
                "the others"
            ) from None


def _say_reasons(rows: list[dict[str, Any]], console: Terminal) -> None:
    """Print why runs failed, each reason once."""
    reasons: dict[str, list[int]] = {}
    for row in rows:
        if row["status"] != "finished":
            reasons.setdefault(row["reason"], []).append(row["number"])
    for reason, numbers in list(reasons.items())[:REASONS]:
        more = "" if len(numbers) == 1 else f" and {len(numbers) - 1} more"
        console.print(f"run {numbers[0]}{more}: {reason}", style="red", markup=False)
