"""A run in the terminal: one bar for programming, one live table of cycles, a short summary at the end."""

from __future__ import annotations

import math
import sys
from functools import cache
from typing import Any, Self

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from mho.cli.terminal.terminal import Terminal, plain_table
from mho.escaping import visible
from mho.procedures import Solution, stream
from mho.running.results import stored_result
from mho.running.trust import Code, Trust, allow_all, deny_all
from mho.runs import outcome_line
from mho.runs.index import plain_results

CYCLE = {"cycle", "residual", "true_residual", "relative_error", "bits"}
"""Columns of a solve's table of cycles; a user's own procedure may have another table of that name."""


class RunDisplay:
    """Draws the events of a run on standard error, so that standard output stays for results; `quiet`, warnings only.

    `ended` is the end of the run, once it was observed.
    """

    def __init__(self, quiet: bool = False, console: Console | None = None) -> None:
        self._console = console or Terminal(stderr=True)
        self._quiet = quiet
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._cycles: Table | None = None
        self.ended: stream.Ended | None = None
        self._live = Live(console=self._console, refresh_per_second=8, transient=False)

    def __enter__(self) -> Self:
        if not self._quiet:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._live.is_started:
            return
        self._live.stop()
        if self._tasks and not self._console.is_terminal:
            self._console.print()  # into a file, the last frame comes without the end of its line

    def observe(self, event: stream.Event) -> None:
        """Display one event of the run."""
        if isinstance(event, stream.Ended):
            self.ended = event
        elif isinstance(event, stream.Message):
            if not self._quiet or event.level != "INFO":
                style = "" if event.level == "INFO" else "yellow" if event.level == "WARNING" else "bold red"
                self._console.print(event.text, style=style)
        elif self._quiet:
            return
        elif isinstance(event, stream.Started):
            self._console.print(Text.assemble((event.title, "bold"), f"  ->  {event.path}"))
        elif isinstance(event, stream.Progress):
            self._advance(event)
        elif isinstance(event, stream.Row) and event.table == "cycles" and event.values.keys() >= CYCLE:
            self._add_cycle(event)

    def _advance(self, event: stream.Progress) -> None:
        if event.stage not in self._tasks:
            self._tasks[event.stage] = self._bar.add_task(event.stage, total=event.total, detail="")
        self._bar.update(
            self._tasks[event.stage],
            completed=event.done,
            total=event.total,
            detail="  ".join(f"{value:g} {name}" for name, value in event.detail.items()),
        )
        self._draw()

    def _add_cycle(self, event: stream.Row) -> None:
        values = event.values
        if self._cycles is None or values["cycle"] == 1:  # the table of the present right-hand side
            column = values.get("rhs", 0)
            names = ("cycle", "residual", "recomputed", "relative error", "bits")
            title = f"right-hand side {column}" if column else None
            self._cycles = plain_table(*names, right=names, title=title)
        self._cycles.add_row(
            str(values["cycle"]),
            f"{values['residual']:.3e}",
            _known(values["true_residual"], ".3e"),
            _known(values["relative_error"], ".3e"),
            _known(values["bits"], ".1f"),
        )
        self._draw()

    def _draw(self) -> None:
        parts = [self._bar] if self._cycles is None else [self._bar, self._cycles]
        self._live.update(Group(*parts))


def _known(value: float, form: str) -> str:
    """Return a number in words; nothing for one that is not known."""
    return "" if math.isnan(value) else format(value, form)


def asking(trusted: bool) -> Trust:
    """Return how to decide whether code from a run file may run: ``--trust``, a question at a terminal, or never."""
    if trusted:
        return allow_all
    return _ask if sys.stdin.isatty() and sys.stderr.isatty() else deny_all


@cache
def _ask(code: Code) -> bool:
    question = f"{code.run} names {code.name}, which is none of mho's own. It would run {code.place}"
    return typer.confirm(f"{visible(question)}\nRun it?", default=False, err=True)


def print_result(result: Any, ended: stream.Ended | None = None) -> None:
    """Print how a run `ended`, and what it found: a solution in words, any other by the plain values of its summary."""
    out = Terminal(soft_wrap=True)
    if ended is not None:
        print_outcome(ended, out)
    if isinstance(result, Solution):
        print_solution(result, out)
        return
    record = stored_result(result)
    for name, value in plain_results(record.values).items():
        if name != "run_file":
            shown = f"{value:.6g}" if isinstance(value, float) else str(value)
            unit = "" if value is None else record.units.get(name, "")
            out.print(f"{name.replace('_', ' '):<23} {shown} {unit}".rstrip())
    if path := getattr(result, "path", None):
        out.print(str(path))


def print_outcome(ended: stream.Ended, out: Console) -> None:
    """Print how a run ended, in one line."""
    conclusion = ended.conclusion
    doubtful = bool(conclusion.unsafe or conclusion.warnings) or not conclusion.measured
    line = outcome_line(ended.status, ended.reason, conclusion)
    out.print(line, style="bold yellow" if doubtful else "bold green", markup=False)


def print_solution(result: Solution, console: Console | None = None) -> None:
    """Print the short summary and the run file's path."""
    from mho.analysis.reports import worth_rows

    s = result.summary
    out = console or Terminal(soft_wrap=True)
    count = len(result.cycles)
    cycles = f"{count} cycle{'' if count == 1 else 's'}"
    if result.solution.ndim > 1:
        cycles += f" for {result.solution.shape[1]} right-hand sides"
    if result.converged:
        proof = result.certificate
        residual = f"residual {proof.relative_residual:.2e}"
        bounded = math.isfinite(proof.error_bound)
        proved = f"{proof.bits:.1f} bits are proved" if bounded else "residual only: no error bound is proved"
        met = (
            f"{residual}, {s['tolerance']:g} was asked for; {proved}"
            if s["bits_asked"] is None
            else f"{proved}, {s['bits_asked']} were asked for; {residual}"
        )
        out.print(
            f"converged in {cycles}: {met}" + (f", error below {proof.error_bound:.2e}" if bounded else ""),
            style="bold green",
        )
    else:
        out.print(f"NOT converged in {cycles}: {s['reason']}", style="bold red")
    if (enclosure := s.get("enclosure")) is not None:
        from mho.analysis.reports import enclosure_sentence  # which few solves need

        out.print(enclosure_sentence(enclosure), style="" if enclosure["certified"] else "yellow")
    if (least := s.get("least_squares")) is not None:
        out.print(f"least squares by the {least['system']}: {least['why']}")
    if (off := s.get("inverse_residual")) is not None:
        out.print(f"inverse: the largest magnitude in I - A X is {off:.2e}")
    if s["relative_error"] is not None:
        out.print(f"error {s['relative_error']:.2e} against a float64 solve")
    if s["forecast_rho"] is not None:
        out.print(f"INV {s['encoding']}, forecast rho {s['forecast_rho']:.3f}")
    out.print(
        f"{s['cells']} cells, {s['pulses']} pulses, {s['cells_failed']} cells outside their window; "
        f"{s['mvm_outputs']} MVM integers, {s['mvm_wrong']} wrong"
    )
    for name, text in worth_rows(s):
        out.print(f"{name}: {text}")
    out.print(f"{s['wall_seconds']:.1f} s here, {s['virtual_seconds']:.1f} s on the bench's clock")
    out.print(str(result.path))
