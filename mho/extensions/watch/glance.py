"""Reads the state of everything at one moment: queues, runners, whether benches are safe, and the run in progress."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path

from mho.analysis.figures import LEADING, figures_of, map_figure
from mho.analysis.reports import Convergence, duration_text, parameter_text, read_bench, read_convergence
from mho.errors import MhoError, QueueError, RunFileError
from mho.gui import Safety, SafetyRecord, Use, first_choice, use_of
from mho.procedures import asked_for
from mho.running.queue import ACTIVE, ENDED, Job, Lane, Queue, queue_path
from mho.running.runner import NoRunnerError, RunnerClient, RunnerState, as_it_stands
from mho.runs import GOING_ON, SUFFIX, Conclusion, Figure, LogEntry, RunFile, Status

ANSWER_WITHIN = 2.0
"""Timeout of a runner's answer to a status request, s."""

MOST_ENDED, MOST_WAITING = 15, 50
"""Jobs on the page."""

LAST_ENTRIES = 8
"""Lines of the log on the page."""


@dataclass(frozen=True)
class BenchLine:
    """The queue of one bench, whether it is safe, and its runner: how it stands, why it does not answer, or None."""

    lane: Lane
    runner: RunnerState | str | None
    safety: Safety

    @property
    def warning(self) -> str:
        """Outputs that are not confirmed safe, by the queue or its runner; empty when all are."""
        return self.lane.warning or (self.runner.warning if isinstance(self.runner, RunnerState) else "")


@dataclass(frozen=True)
class DrawnFigure:
    """A figure of a run, what it is called, and of how many rows or images it is drawn."""

    figure: Figure
    title: str
    size: int


@dataclass(frozen=True)
class RunGlance:
    """The state of a run, read from its file.

    Attributes
    ----------
    pictures : mapping of DrawnFigure
        As ``figure-1`` and so on the leading figures, as far as they show something; as ``map`` the last image of the map
        that is shown first, where none of those is of a map.
    asked, facts : tuples of pairs of str
        What differs from the defaults; what was run on what, and when: names and values.
    trouble : str
        Why no more is known; then all else but `path` is empty.
    """

    path: Path
    title: str = ""
    status: Status | None = None
    reason: str = ""
    simulated: bool = False
    convergence: Convergence | None = None
    pictures: Mapping[str, DrawnFigure] = field(default_factory=dict)
    log: tuple[LogEntry, ...] = ()
    trouble: str = ""
    conclusion: Conclusion | None = None
    asked: tuple[tuple[str, str], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Glance:
    """The state of everything at one moment; `left_out` counts the jobs that are not among `jobs`."""

    when: float
    lines: tuple[BenchLine, ...] = ()
    jobs: tuple[Job, ...] = ()
    left_out: int = 0
    run: RunGlance | None = None
    trouble: str = ""


def look(folder: Path) -> Glance:
    """Read the queue, the runners and the current run of a runs folder."""
    jobs: Sequence[Job] = ()
    lines: tuple[BenchLine, ...] = ()
    trouble, count = "", 0
    if (place := queue_path(folder)).exists():  # opening a queue would make it
        try:
            with Queue(place) as queue:
                known = queue.shown(ended=MOST_ENDED, waiting=MOST_WAITING)
                jobs = [as_it_stands(job) for job in known]
                count = sum(total.count for total in queue.totals())
                lines = tuple(_bench_line(place, lane, known) for lane in queue.lanes())
        except QueueError as error:
            trouble = str(error)
    ended = [job for job in jobs if job.status in ENDED]
    shown = (*jobs[len(ended) :], *reversed(ended))
    path = _current(folder, jobs)
    run = None if path is None else look_at_run(path)
    return Glance(time.time(), lines, shown, max(count - len(shown), 0), run, trouble)


def look_at_run(path: Path) -> RunGlance:
    """Read a run file, whatever its state."""
    try:
        with RunFile(path) as run:
            return RunGlance(
                path,
                run.title,
                run.status,
                run.reason,
                read_bench(run).preset is not None,
                read_convergence(run),
                dict(_pictures(run)),
                tuple(run.log()[-LAST_ENTRIES:]),
                conclusion=run.conclusion,
                asked=tuple(
                    (one.label or name, parameter_text(one))
                    for name, one in asked_for(run.procedure, run.parameters).items()
                ),
                facts=tuple(_facts(run)),
            )
    except RunFileError as error:
        return RunGlance(path, trouble=str(error))


def _pictures(run: RunFile) -> Iterator[tuple[str, DrawnFigure]]:
    mapped = False
    for number, figure in enumerate(figures_of(run)[:LEADING], 1):
        if size := _size(run, figure):
            mapped |= figure.is_image
            yield f"figure-{number}", DrawnFigure(figure, figure.heading, size)
    name = first_choice(run)
    if name and not mapped and (images := len(run.map_times(name))):
        yield "map", DrawnFigure(map_figure(name), f"{name}, image {images}", images)


def _size(run: RunFile, figure: Figure) -> int:
    """Return of how many rows or images a figure is drawn: it is drawn anew when there are more."""
    if figure.table:
        return run.length(figure.table)
    return min(len(run.map_times(name)) for name in figure.maps) if figure.maps else 1


def _facts(run: RunFile) -> Iterator[tuple[str, str]]:
    bench, seed = read_bench(run), run.seed
    preset = "" if bench.preset is None else f" - SIMULATED, preset {bench.preset or 'by default'}"
    yield "procedure", f"{run.procedure}, version {run.version}"
    yield "bench", f"{bench.name or 'unknown'}{preset}"
    yield "cells", run.cells
    yield "seed", "none" if seed is None else str(seed)
    seconds = max(run.last_sign - run.start_time.timestamp(), 0.0)
    verb = "for" if run.status in GOING_ON else "took"
    yield "started", f"{run.start_time:%Y-%m-%d %H:%M:%S %z}, {verb} {duration_text(seconds)}"


def version(glance: RunGlance) -> str:
    """Return a text that changes whenever the pictures of the run do."""
    forecast = None if glance.convergence is None else glance.convergence.rho
    drawn = [(kind, one.figure.name, one.size) for kind, one in glance.pictures.items()]
    text = f"{glance.path} {drawn} {forecast}"
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _bench_line(queue: Path, lane: Lane, jobs: Sequence[Job]) -> BenchLine:
    """Return how a bench stands; its safety is what the window's light would say of it now."""
    runner, record, now = _ask(queue, lane.bench), SafetyRecord(), datetime.now()
    own = [job for job in jobs if job.order.bench == lane.bench]
    record.take_lane(lane)
    record.take_runner(runner if isinstance(runner, RunnerState) else None, now)
    begun = {job.id: job for job in own if job.status in ACTIVE}
    # last of all: who has left the bench meanwhile is no more said to have it
    record.take_jobs([as_it_stands(job) for job in own], _uses(lane.bench)(begun))
    return BenchLine(lane, runner, record.safety())


@cache
def _uses(bench: str) -> Callable[[Mapping[int, Job]], Use]:
    return use_of(bench)


def _ask(queue: Path, bench: str) -> RunnerState | str | None:
    try:
        return RunnerClient(queue, bench).status(ANSWER_WITHIN)
    except NoRunnerError:
        return None
    except MhoError as error:
        return str(error)


def _current(folder: Path, jobs: Sequence[Job]) -> Path | None:
    """Return the file of the run in progress; without one, of the last that was begun."""
    for job in jobs:
        if job.status in ACTIVE and job.run is not None and job.run.exists():
            return job.run
    newest: tuple[float, Path | None] = (0.0, None)
    with contextlib.suppress(OSError):
        for path in folder.glob(f"[!.]*{SUFFIX}"):
            with contextlib.suppress(OSError):
                newest = max(newest, (path.stat().st_mtime, path), key=lambda one: one[0])
    return newest[1]
