"""A characterisation in the terminal: its plan with the expected time, each step's end, and where the report is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from rich.text import Text

from mho.cli import RunDisplay, Terminal, plain_table, print_warning, say
from mho.errors import MhoError
from mho.extensions.characterise import Characterisation, Planned, StepEnd, expected_steps, rehearsed
from mho.procedures import Control, Observer
from mho.running import PlannedRun, Report, observed_safety
from mho.running.queue import duration, expected_together

COLOURS = {"failed": "red", "skipped": "yellow", "kept": "dim", "finished": "green"}


def print_planned(planned: Planned, path: Path) -> None:
    """Print where a new plan is, which cells it takes, and what the bench refuses of the protocol."""
    out = Terminal(stderr=True, soft_wrap=True)
    rows, columns = planned.cells.shape
    out.print(f"plan of {planned.cells.count} cells ({rows} rows x {columns} columns)  ->  {path}")
    for name, reason in planned.left_out:
        out.print(f"left out: {name}: {reason}", style="yellow")


def print_expected(todo: Characterisation) -> None:
    """Print the steps that remain, with what they are expected to take on a real bench."""
    out = Terminal(stderr=True)
    steps = expected_steps(todo)
    table = plain_table("step", "procedure", "pulses", "on a bench", "", right=("step", "pulses"))
    for step in steps:
        pulses = "" if not step.pulses else f"{step.pulses:.2g}" if step.pulses > 99_999 else str(step.pulses)
        reason = Text(step.reason, style="red") if step.reason else Text("")
        table.add_row(
            str(step.planned.number), step.planned.procedure, pulses, duration(step.seconds), reason
        )
    before = len(todo.plan.runs) - len(steps)
    if steps:
        out.print(table)
    progress = f"{before} of {len(todo.plan.runs)} steps are finished; " if before else ""
    out.print(f"{progress}bench time: {expected_together([step.seconds for step in steps])}")


@contextmanager
def _shown(
    planned: PlannedRun, count: int, report: Report
) -> Iterator[tuple[Sequence[Observer], Control | None]]:
    Terminal(stderr=True).print(f"step {planned.number} of {count}  {planned.procedure}")
    named = planned.procedure, planned.parameters
    with RunDisplay() as display, observed_safety(planned.bench, report, display.observe, *named) as safety:
        yield [display.observe, safety], safety.control


def carry_out(todo: Characterisation, report: Report, reasons: dict[str, str]) -> list[StepEnd]:
    """Carry out what remains of a plan, showing each run; fill `reasons` by step number for the report."""
    out, count = Terminal(stderr=True, soft_wrap=True), len(todo.plan.runs)

    def tell(end: StepEnd) -> None:
        if end.reason:
            reasons[str(end.planned.number)] = f"{end.end}: {end.reason}"
        _print_end(out, end)

    return todo.carry_out(
        lambda planned: _shown(planned, count, report), tell, stopping=lambda: bool(report.bench)
    )


def _print_end(out: Terminal, end: StepEnd) -> None:
    if end.end in ("failed", "skipped"):
        out.print(f"step {end.planned.number} {end.end}: {end.reason}", style=COLOURS[end.end])
    if end.left_out:
        out.print(f"step {end.planned.number}, broken cells: {end.left_out}", style="yellow")


def rehearse(folder: Path) -> bool:
    """Carry a plan out on the twins of its bench, and print how long it took there; return whether all went well."""
    out = Terminal(soft_wrap=True)
    with RunDisplay() as display:

        @contextmanager
        def during(planned: PlannedRun) -> Iterator[tuple[Sequence[Observer], Control | None]]:
            yield [display.observe], None

        rehearsal = rehearsed(folder, during)
    table = plain_table("step", "procedure", "bench time", "")
    for end, seconds in rehearsal.steps:
        outcome = Text(f"{end.end} {end.reason}".strip(), style=COLOURS[end.end])
        table.add_row(str(end.planned.number), end.planned.procedure, duration(seconds), outcome)
    out.print(table)
    out.print(f"messages  {duration(rehearsal.message_seconds)}, as assumed of the buses")
    out.print(f"together  {duration(rehearsal.seconds)}; the computer's work comes on top")
    for incident in rehearsal.incidents:
        out.print(incident, style="red")
    return not rehearsal.incidents and all(end.end != "failed" for end, _ in rehearsal.steps)


def write_report(folder: Path, reasons: dict[str, str]) -> None:
    """Write the page about what there is in a folder, and say where it is."""
    if find_spec("mho.extensions.report_pages") is None:  # has been taken out
        print_warning(f"no page is written, for mho has no reports here; the run files are in {folder}")
        return
    from mho.extensions.report_pages import write_report as write_page

    try:
        say(write_page(folder, reasons=reasons))
    except MhoError as error:  # the end of the steps must not be hidden
        print_warning(error)
