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

from procedures.queue.expectation import duration, expected_text, expected_together
from procedures.queue.job import ACTIVE, Job, JobStatus, Lane
from procedures.queue.messages import RunnerState

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
    jobs: Sequence[Job], lanes: Iterable[Lane], runners: Mapping[str, RunnerState | None], console: Console
) -> None:
    """Print the jobs as a table, and below it what is still to come, and which queue stands still and why.

    Parameters
    ----------
    runners : mapping
        How the runner of each bench stands whose jobs are not through; None where there is none.
    """
    if not jobs:
        console.print("the queue is empty")
    else:
        several = len({job.order.bench for job in jobs}) > 1
        table = Table(box=None, pad_edge=False)
        for name in (
            "job",
            "status",
            "procedure",
            *(["bench"] if several else []),
            "expected",
            "took",
            "what",
        ):
            table.add_column(
                name,
                justify="right" if name in ("job", "expected", "took") else "left",
                no_wrap=name not in ("procedure", "bench", "what"),
                overflow="fold",
            )
        for job in jobs:
            bench = [Path(job.order.bench).stem] if several else []
            outcome = _so_far(job, runners) or job.reason or ("" if job.run is None else job.run.name)
            status = Text(job.status, COLOURS.get(job.status, ""))
            table.add_row(
                str(job.id),
                status,
                what(job),
                *bench,
                expected_text(job.estimate),
                duration(took(job)),
                outcome,
            )
        console.print(table)
    for name, runner in runners.items():
        waiting = [job for job in jobs if job.order.bench == name and job.status is JobStatus.QUEUED]
        if waiting:
            number = (
                f"{len(waiting)} job{'' if len(waiting) == 1 else 's'} wait{'s' if len(waiting) == 1 else ''}"
            )
            expected = expected_together([job.estimate for job in waiting])
            console.print(f"{number} for {name}: {expected}", highlight=False)
        if runner is None:
            console.print(
                f"no runner serves {name}; begin with `mho runner --bench {name}`",
                style="bold yellow",
                highlight=False,
            )
    for lane in lanes:
        if lane.held:
            console.print(
                f"the queue of {lane.bench} is held: {lane.reason}", style="bold yellow", highlight=False
            )


def _so_far(job: Job, runners: Mapping[str, RunnerState | None]) -> str:
    """Say how far a job is that is being run; "" for any other."""
    if job.status not in ACTIVE:
        return ""
    runner = runners.get(job.order.bench)
    if runner is None or runner.job != job.id or not runner.total:
        return ""
    left = "" if runner.seconds_left is None else f", {duration(runner.seconds_left)} left"
    return f"{runner.stage} {runner.done} of {runner.total}{left}"


def print_job(job: Job, console: Console) -> None:
    """Print everything about one job."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in _plain(job).items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} = {one}" for key, one in value.items())
        if value not in (None, ""):
            table.add_row(name, str(value))
    console.print(table, highlight=False)


def print_lanes(lanes: Sequence[Lane], console: Console) -> None:
    """Print how the queue of each bench stands, and its policy."""
    table = Table(box=None, pad_edge=False)
    for name in ("bench", "held", "on failure", "on interruption", "retries"):
        table.add_column(name)
    for lane in lanes:
        policy = lane.policy
        held = lane.reason if lane.held else "no"
        table.add_row(lane.bench, held, policy.on_failure, policy.on_interruption, str(policy.retries))
    console.print(table)


def as_json(thing: Any) -> str:
    """Return jobs or lanes as JSON; times as ISO 8601."""
    return json.dumps([_plain(one) for one in thing] if isinstance(thing, list) else _plain(thing))


def what(job: Job) -> str:
    """Name procedure and parameters in short."""
    values = " ".join(f"{key}={value}" for key, value in job.order.parameters.items())
    return f"{job.order.procedure} {values}".strip()


def took(job: Job) -> float | None:
    """Return how long a job took, its worker's start and all, s; None before its end."""
    return None if job.started is None or job.ended is None else job.ended - job.started


def _plain(thing: Job | Lane) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for one in fields(thing):
        value = getattr(thing, one.name)
        if one.name in ("order", "policy"):
            content |= _plain(value)
        elif one.name in ("added", "started", "ended") and value is not None:
            content[one.name] = datetime.fromtimestamp(value).astimezone().isoformat(timespec="milliseconds")
        elif isinstance(value, bool | int | float | str | dict | None):
            content[one.name] = value
        else:
            content[one.name] = str(value)
    return content
