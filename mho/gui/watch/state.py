"""Gathers what the page shows from the queue's file, the runners and the run file, and changes none of them."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mho.analysis.figures import figures_of
from mho.analysis.reports import Convergence, read_bench, read_convergence
from mho.errors import MhoError, QueueError, RunFileError
from mho.gui.run_window.pictures import first_choice
from mho.running.queue import ACTIVE, ENDED, Job, Lane, Queue, queue_path
from mho.running.runner import NoRunnerError, RunnerClient, RunnerState, as_it_stands
from mho.runs import Conclusion, Figure, LogEntry, RunFile, Status
from mho.runs.paths import SUFFIX

ANSWER_WITHIN = 2.0
"""Timeout of a runner's answer to a status request, s."""

MOST_ENDED, MOST_WAITING = 15, 50
"""Jobs on the page."""

LAST_ENTRIES = 8
"""Lines of the log on the page."""


@dataclass(frozen=True)
class BenchLine:
    """The queue of one bench, and its runner: how it stands, why it does not answer, or None when there is none."""

    lane: Lane
    runner: RunnerState | str | None

    @property
    def warning(self) -> str:
        """Outputs that are not confirmed safe, by the queue or its runner; empty when all are."""
        return self.lane.warning or (self.runner.warning if isinstance(self.runner, RunnerState) else "")


@dataclass(frozen=True)
class RunGlance:
    """The state of a run, read from its file.

    Attributes
    ----------
    figure, figure_title : str
        The first of its figures that shows something, no map; "" when there is none.
    figure_rows : int
        How many rows or images that figure is drawn from.
    map : str
        The map whose last image is shown; "" when no map has one.
    images : int
        How many images that map has.
    trouble : str
        Why no more is known; then all else but `path` is empty.
    """

    path: Path
    title: str = ""
    status: Status | None = None
    reason: str = ""
    simulated: bool = False
    convergence: Convergence | None = None
    figure: str = ""
    figure_title: str = ""
    figure_rows: int = 0
    map: str = ""
    images: int = 0
    log: tuple[LogEntry, ...] = ()
    trouble: str = ""
    conclusion: Conclusion | None = None


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
                jobs = [as_it_stands(job) for job in queue.shown(ended=MOST_ENDED, waiting=MOST_WAITING)]
                count = sum(total.count for total in queue.totals())
                lines = tuple(BenchLine(lane, _ask(place, lane.bench)) for lane in queue.lanes())
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
            name = first_choice(run)
            images = len(run.map_times(name)) if name else 0
            figure, rows = _first_figure(run)
            return RunGlance(
                path,
                run.title,
                run.status,
                run.reason,
                read_bench(run).preset is not None,
                read_convergence(run),
                "" if figure is None else figure.name,
                "" if figure is None else figure.heading,
                rows,
                name if images else "",
                images,
                tuple(run.log()[-LAST_ENTRIES:]),
                conclusion=run.conclusion,
            )
    except RunFileError as error:
        return RunGlance(path, trouble=str(error))


def _first_figure(run: RunFile) -> tuple[Figure | None, int]:
    """Return the first figure that is no map and has something to show, and how much."""
    for figure in figures_of(run):
        if not (figure.is_image or figure.array):
            size = run.length(figure.table) if figure.table else len(run.map_times(figure.maps[0]))
            if size:
                return figure, size
    return None, 0


def version(glance: RunGlance) -> str:
    """Return a text that changes whenever the pictures of the run do."""
    shown = glance.convergence
    forecast = None if shown is None else shown.rho
    figure = f"{glance.figure} {glance.figure_rows} {forecast}"
    told = f"{glance.path} {glance.map} {glance.images} {figure}"
    return hashlib.sha256(told.encode("utf-8", "backslashreplace")).hexdigest()[:16]


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
                newest = max(newest, (path.stat().st_mtime, path), key=lambda found: found[0])
    return newest[1]
