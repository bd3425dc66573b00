"""A campaign on the terminal: a bar, how many failed, where to watch, and what came out."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mho.cli.terminal.terminal import Terminal
from mho.running.campaign import Campaign
from mho.running.plan import Plan
from mho.runs.paths import runs_folder
from mho.workers import dask_workers

REASONS = 5  # number of different reasons of failure that are printed


def carry_out_campaign(plan: Plan, workers: int, scheduler: str, output: Path | None, tries: int) -> bool:
    """Carry out `plan` and say how it went; return whether every run finished.

    Parameters
    ----------
    output : Path, optional
        The campaign's folder; ``campaigns/<plan>`` in the runs' folder if not given.
    """
    console = Terminal(stderr=True)
    name = re.sub(r"[^\w.-]+", "-", plan.name).strip("-.") or "plan"
    campaign = Campaign(plan, output or runs_folder() / "campaigns" / name, tries=tries)
    with ExitStack() as stack:
        started = stack.enter_context(dask_workers(workers, scheduler))
        console.print(f"dashboard   {started.dashboard}", highlight=False)
        bar = stack.enter_context(
            Progress(
                TextColumn(plan.name, markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("runs  {task.fields[failed]} failed", markup=False),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=console,
            )
        )
        task = bar.add_task("", total=len(plan.runs), failed=0)
        failed = 0

        def observe(row: dict[str, Any]) -> None:
            nonlocal failed
            failed += row["status"] != "finished"
            bar.update(task, advance=1, failed=failed)

        rows = campaign.carry_out(started, observe)
    reasons: dict[str, list[int]] = {}
    for row in rows:
        if row["status"] != "finished":
            reasons.setdefault(row["reason"], []).append(row["number"])
    for reason, numbers in list(reasons.items())[:REASONS]:
        more = "" if len(numbers) == 1 else f" and {len(numbers) - 1} more"
        console.print(f"run {numbers[0]}{more}: {reason}", style="red", markup=False, highlight=False)
    before = sum(row["attempts"] == 0 for row in rows)
    kept = f", {before} of them before" if before else ""
    console.print(f"{len(rows) - failed} of {len(rows)} runs finished{kept}", highlight=False)
    console.print(f"table       {campaign.table}", highlight=False)
    return not failed
