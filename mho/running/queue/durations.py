"""The expected duration of a job: its worker's start, the runs it repeats, and its own run, by the last one of its kind."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from mho.errors import MhoError
from mho.instruments.bench_file import BenchSource
from mho.procedures.base import Estimate
from mho.procedures.catalogue import make_procedure
from mho.running.queue.job import WITHIN, Job, JobStatus, Order
from mho.running.queue.store import Queue
from mho.runs import RunFile

START = 3.0
"""From the start of a worker to that of its run before any was measured, s (?): its imports, the opening of the bench."""

RUN = 0.5  # time of any run beside its pulses and reads, s (?): its file, and making the bench safe
SIMULATED_PULSE = 1e-3
HARDWARE_PULSE = 20e-3
"""Wall time of a programming pulse with its verify read and all messages before any was measured, s (?)."""

RECENT = 5  # jobs from which a median is taken
CHAIN = 10_000  # runs on one chip that are followed back


def expected_seconds(
    order: Order,
    own: Estimate,
    queue: Queue,
    source: BenchSource,
    planned: Sequence[float | None] = (),
) -> float | None:
    """Return how long a job is expected to take, the start of its worker included, s; None when not known.

    Parameters
    ----------
    order : Order
        Checked, with the unique name of its bench.
    own : Estimate
        The procedure's estimate for this order.
    queue : Queue
        Provides the durations of earlier such jobs.
    source : BenchSource
        The order's bench.
    planned : sequence of float or None
        Expected durations of the previous orders of a plan, s; ``@2`` is the second of them.
    """
    real = source.bench.simulation is None  # whose chip is as it is: nothing is repeated
    starts = [
        max(job.ended - job.started - job.seconds, 0.0)
        for job in queue.finished(order.bench)
        if (real or job.order.after is None) and job.ended and job.started and job.seconds is not None
    ]
    start = median(starts[:RECENT]) if starts else START
    before = repeated_seconds(None if real else order.after, queue, start, planned)
    run = run_seconds(order, own, queue.finished(order.bench, order), source)
    return None if before is None or run is None else start + before + run


def run_seconds(order: Order, own: Estimate, last: Sequence[Job], source: BenchSource) -> float | None:
    """Return how long the run alone is expected to take, s; None when nothing is known.

    Jobs with the same parameters say it themselves. Of others the last one gives the pace: what it took, over what
    its procedure would have said. A procedure that says nothing may take any time with other parameters.

    `last`: that finished with the same procedure, bench and cells, the newest first.
    """
    measured = [job for job in last if job.seconds is not None]
    same = [job.seconds for job in measured if _alike(job.order, order)]
    if same:
        return median(same[:RECENT])  # type: ignore[type-var]
    guess = own_seconds(own, source)
    if guess is None or not measured:
        return guess
    newest = measured[0]
    if own.seconds is None and newest.pulses:
        before = own_seconds(Estimate(pulses=newest.pulses), source)
    else:
        before = own_seconds(_estimate_of(newest.order, source), source)
    assert newest.seconds is not None
    return guess if before is None else guess * newest.seconds / before


def own_seconds(own: Estimate, source: BenchSource) -> float | None:
    """Return the procedure's own estimate of a run, s; None when it gives none."""
    if own.seconds is not None:
        return RUN + own.seconds
    pulse = HARDWARE_PULSE if source.bench.simulation is None else SIMULATED_PULSE
    return None if own.pulses is None else RUN + own.pulses * pulse


def repeated_seconds(
    after: str | None, queue: Queue, start: float, planned: Sequence[float | None] = ()
) -> float | None:
    """Return how long the runs behind the chip of `after` take to repeat, s; None when not known.

    Parameters
    ----------
    after : str or None
        As in an order; None for a fresh chip.
    start : float
        What a worker's start takes, s: a job that waits has it in its estimate.
    """
    total = 0.0
    try:
        for _ in range(CHAIN):
            if after is None:
                return total
            waiting: float | None
            if after.startswith(WITHIN):
                waiting = planned[int(after.removeprefix(WITHIN)) - 1]
            elif not after.startswith("#"):
                return total + _file_seconds(Path(after))
            else:
                job = queue.job(int(after.removeprefix("#")))
                if job.status is JobStatus.FINISHED and job.seconds is not None:
                    total, after = total + job.seconds, job.order.after
                    continue
                waiting = job.estimate
            return None if waiting is None else total + max(waiting - start, 0.0)
    except (MhoError, LookupError, ValueError):  # errors are reported when it is run
        pass
    return None


def _alike(one: Order, other: Order) -> bool:
    """Return whether two orders of a procedure differ only in their seed."""
    a, b = ({name: v for name, v in each.parameters.items() if name != "seed"} for each in (one, other))
    return a == b


def _file_seconds(path: Path) -> float:
    """Return how long the run in a file, and those before it on its chip, took, s."""
    total, after = 0.0, str(path)
    for _ in range(CHAIN):
        with RunFile(Path(after)) as run:
            if run.end_time is not None:
                total += (run.end_time - run.start_time).total_seconds()
            after = run.provenance.get("after", "")
        if not after:
            break
    return total


def _estimate_of(order: Order, source: BenchSource) -> Estimate:
    """Return the present estimate of an earlier order by its procedure; empty where its input is gone."""
    with contextlib.suppress(Exception), contextlib.chdir(order.folder):
        procedure = make_procedure(order.procedure, order.parameters)
        return procedure.estimate(procedure.check(), source)
    return Estimate()
