"""``mho runner``, and a runner's announcements in a terminal: a line for each event, and one progress bar."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated, Self

import typer
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from mho.cli.exit_codes import UNFINISHED
from mho.cli.many_runs.queue_tables import status_colour, took
from mho.cli.options import Bench
from mho.cli.terminal.terminal import Terminal
from mho.lazy_names import late_imports
from mho.running import queue as job_queue
from mho.running import runner as runners

with late_imports():
    from mho.instruments import bench_file
    from mho.procedures import stream
    from mho.running import notifications


def runner(
    bench: Bench = "simulated",
    once: Annotated[bool, typer.Option("--once", help="end after one job")] = False,
    drain: Annotated[bool, typer.Option("--drain", help="end when no job waits any more")] = False,
    notify: Annotated[
        list[str] | None, typer.Option(help="an apprise address to tell when jobs end; default MHO_NOTIFY")
    ] = None,
) -> None:
    """Carry out the queue's jobs for a bench one by one until Ctrl-C; a second Ctrl-C does not wait."""
    if run_queue(bench, once=once, drain=drain, notify=notify or []):
        raise typer.Exit(UNFINISHED)


class RunnerDisplay:
    """Draws a runner's events; a context manager. Into a file only the lines go."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=console,
        )
        self._task: TaskID = self._bar.add_task("idle", total=None, left="", visible=False)
        self._live = Live(self._bar, console=console, refresh_per_second=8, transient=True)
        self._hold = self._warning = ""
        self._said = ""  # last
        self._greeted = False

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def observe(self, event: runners.Event) -> None:
        """Display one event."""
        if isinstance(event, runners.JobChanged):
            self._line(_sentence(event.job), status_colour(event.job))
        elif isinstance(event, stream.Message):
            if event.level not in ("INFO", "DEBUG"):
                self._line(event.text, "yellow" if event.level == "WARNING" else "bold red")
        elif isinstance(event, runners.RunnerState):
            self._show(event)

    def _show(self, state: runners.RunnerState) -> None:
        if state.warning != self._warning:  # first of all
            said = state.warning or f"bench {state.bench} is confirmed safe"
            self._line(said, "bold red" if state.warning else "bold green")
            self._warning = state.warning
        if not self._greeted and state.state != "making safe":
            self._greeted = True
            at = f" at job {state.job}, {state.stage} {state.done} of {state.total}" if state.job else ""
            self._line(f"the runner of {state.bench} is {state.state}{at}", "")
        reason = state.reason if state.held else ""
        if reason != self._hold:
            self._hold = reason
            if reason and reason not in self._said:  # else the line above says it
                self._line(f"held: {reason}", "bold yellow")
            elif not reason:
                self._line("the queue goes on", "")
        left = "" if state.seconds_left is None else f"{job_queue.duration(state.seconds_left)} left"
        self._bar.update(
            self._task,
            description=" ".join(
                part
                for part in (self._warning, f"job {state.job}" if state.job else "", state.state, state.stage)
                if part
            ),
            completed=state.done,
            total=state.total or None,
            left=left,
            visible=state.job is not None or state.unsafe,
        )

    def _line(self, text: str, style: str) -> None:
        self._said = text
        self._console.print(text, style=style, markup=False, soft_wrap=True)


def run_queue(bench: str, *, once: bool, drain: bool, notify: Sequence[str] = ()) -> str:
    """Serve the queue as `Runner.serve` does, shown on standard error; return why it is held.

    Who is at the addresses `notify`, or those in ``MHO_NOTIFY``, is told of jobs that end, and of trouble.
    """
    bench_file.load_bench_file(bench)  # a missing bench would wait forever for its first job
    logging.getLogger("mho.running.runner.worker_process").setLevel(
        logging.WARNING
    )  # workers' errors, including tracebacks
    logging.getLogger("mho.running.runner.runner").setLevel(logging.CRITICAL + 1)  # the display says it all
    recipients = notifications.addresses(notify)
    notifier = None if recipients is None else notifications.Notifier(recipients)
    with RunnerDisplay(Terminal(stderr=True)) as display:
        listeners = [display.observe] if notifier is None else [display.observe, runners.notifying(notifier)]
        try:
            return runners.Runner(job_queue.queue_path(), bench, listeners=listeners).serve(
                once=once, drain=drain
            )
        finally:
            if notifier is not None:
                notifier.close()


def _sentence(job: job_queue.Job) -> str:
    text = f"job {job.id} {job.status}: {job.order.in_words()}"
    if job.status is job_queue.JobStatus.RUNNING:
        return f"{text}  ->  {job.run}"
    if job.status in job_queue.ENDED:
        text += f", {job_queue.duration(took(job))}"
    return f"{text}: {job.outcome}" if job.outcome else text
