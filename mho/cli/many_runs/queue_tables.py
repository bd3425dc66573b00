"""The queue for people and for machines: tables on a terminal, JSON for everything else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.cli.terminal.terminal import ListColumn, Terminal, plain_table
from mho.running.queue import (
    ACTIVE,
    ENDED,
    Job,
    JobStatus,
    Lane,
    Total,
    duration,
    expected_sum,
    expected_text,
)
from mho.running.runner import RunnerState

COLOURS = {
    JobStatus.RUNNING: "bold green",
    JobStatus.PAUSED: "bold yellow",
    JobStatus.FAILED: "red",
    JobStatus.INTERRUPTED: "red",
    JobStatus.ABORTED: "yellow",
    JobStatus.SKIPPED: "dim",
    JobStatus.FINISHED: "dim",
}


def print_jobs(
    jobs: Sequence[Job],
    lanes: Sequence[Lane],
    runners: Mapping[str, RunnerState | str | None],
    console: Terminal,
    totals: Sequence[Total],
) -> None:
    """Print unsafe benches, the jobs as a table, the remaining work, and held queues with the reason.

    `runners` has how the runner of each bench stands whose jobs are not through: a text says why one does not answer, None
    that there is none. `totals` are of the whole queue, as far as it is looked at.
    """
    _print_warnings(lanes, console)
    if not jobs:
        console.print("the queue is empty")
    else:
        console.print_list(_columns(jobs, runners))
    left_out = sum(total.count for total in totals) - len(jobs)
    if left_out > 0:
        console.print(f"and {left_out} more: --all shows them")
    waiting = {total.bench: total for total in totals if total.status is JobStatus.QUEUED}
    for name, runner in runners.items():
        if name in waiting:
            total = waiting[name]
            number = (
                f"{total.count} job{'' if total.count == 1 else 's'} wait{'s' if total.count == 1 else ''}"
            )
            expected = expected_sum(total.seconds, total.known, total.count - total.known)
            console.print(f"{number} for {name}: {expected}")
        if not isinstance(runner, RunnerState):
            said = runner or f"no runner serves {name}; begin with `mho runner --bench {name}`"
            console.print(said, style="bold yellow")
    for lane in lanes:
        if lane.held:
            console.print(f"the queue of {lane.bench} is held: {lane.reason}", style="bold yellow")
    if jobs:
        _print_warnings(lanes, console)  # a long table has scrolled it away


def _print_warnings(lanes: Iterable[Lane], console: Console) -> None:
    for lane in lanes:
        if lane.unsafe:
            console.print(
                f"{lane.warning}; `mho bench safe {lane.bench}` makes it safe", style="bold red",
                markup=False,
            )  # fmt: skip
        elif lane.on_word:
            console.print(lane.on_word, style="bold yellow", markup=False)


def _columns(jobs: Sequence[Job], runners: Mapping[str, RunnerState | str | None]) -> list[ListColumn]:
    benches = [Path(job.order.bench).stem for job in jobs]
    outcomes = [
        _so_far(job, runners) or job.outcome or ("" if job.run is None else job.run.name) for job in jobs
    ]
    several = len({job.order.bench for job in jobs}) > 1
    return [
        ListColumn("job", [str(job.id) for job in jobs], right=True),
        ListColumn("status", [Text(job.status, status_colour(job)) for job in jobs]),
        ListColumn("procedure", [job.order.in_words() for job in jobs], 1, least=14),
        *([ListColumn("bench", benches, 2, least=10)] if several else []),
        ListColumn("expected", [expected_text(job.estimate) for job in jobs], 4, right=True),
        ListColumn("took", [duration(took(job)) for job in jobs], 5, right=True),
        ListColumn("what", outcomes, 3, least=26),
    ]


def status_colour(job: Job) -> str:
    """Return the style of a job's status: one that finished and measured nothing does not look like the others."""
    nothing = job.conclusion is not None and not job.conclusion.measured
    return "bold yellow" if nothing and job.status is JobStatus.FINISHED else COLOURS.get(job.status, "")


def _so_far(job: Job, runners: Mapping[str, RunnerState | str | None]) -> str:
    """Return the progress of a running job; "" for any other."""
    if job.status not in ACTIVE:
        return ""
    runner = runners.get(job.order.bench)
    if runner is None:
        return "left by a runner that is gone"
    if not isinstance(runner, RunnerState):
        return "its runner does not answer"
    if runner.job != job.id or not runner.total:
        return ""
    left = "" if runner.seconds_left is None else f", {duration(runner.seconds_left)} left"
    return f"{runner.stage} {runner.done} of {runner.total}{left}"


def print_job(job: Job, lane: Lane, console: Console) -> None:
    """Print everything about one job, after what is not safe of its bench."""
    _print_warnings([lane], console)
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in _plain(job).items():
        if name == "conclusion":
            value = job.outcome if job.status in ENDED and job.conclusion is not None else None
        if isinstance(value, dict):
            value = ", ".join(f"{key} = {one}" for key, one in value.items())
        if value not in (None, "") and value is not False:
            table.add_row(name, str(value))
    for warning in () if job.conclusion is None else job.conclusion.warnings:
        table.add_row("warning", warning)
    console.print(table)
    if lane.held:
        console.print(f"the queue of {lane.bench} is held: {lane.reason}", style="bold yellow")


def print_lanes(lanes: Sequence[Lane], console: Console) -> None:
    """Print what is not safe, how the queue of each bench stands, and its policy."""
    _print_warnings(lanes, console)
    table = plain_table("bench", "held", "on failure", "on interruption", "retries")
    for lane in lanes:
        policy = lane.policy
        hold = lane.reason if lane.held else "no"
        table.add_row(lane.bench, hold, policy.on_failure, policy.on_interruption, str(policy.retries))
    console.print(table)


def as_json(thing: Any) -> str:
    """Return jobs or lanes, or a mapping of lists of them, as JSON; times as ISO 8601."""
    return json.dumps(_jsonable(thing))


def _jsonable(thing: Any) -> Any:
    if isinstance(thing, list):
        return [_plain(one) for one in thing]
    if isinstance(thing, dict):
        return {name: _jsonable(one) for name, one in thing.items()}
    return _plain(thing)


def took(job: Job) -> float | None:
    """Return how long a job took, its worker's start and all, s; None before its end."""
    return None if job.started is None or job.ended is None else job.ended - job.started


def _plain(thing: Job | Lane) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for one in fields(thing):
        value = getattr(thing, one.name)
        if one.name in ("order", "policy"):
            content |= _plain(value)
        elif one.name == "labels":
            content |= value.given()
        elif one.name == "conclusion" and value is not None:
            content[one.name] = vars(value)
        elif one.name in ("added", "started", "ended", "confirmed", "acknowledged") and value is not None:
            content[one.name] = datetime.fromtimestamp(value).astimezone().isoformat(timespec="milliseconds")
        elif isinstance(value, bool | int | float | str | dict | tuple | None):
            content[one.name] = value
        else:
            content[one.name] = str(value)
    return content
