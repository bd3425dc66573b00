"""A plan on the terminal: what would happen and in which order, or one run after the other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import typer
from rich.console import Console

from mho.cli.options import is_typed
from mho.cli.terminal.run_display import RunDisplay
from mho.cli.terminal.terminal import Terminal, plain_table
from mho.errors import Aborted, InputError, MhoError
from mho.procedures.chip_in_use import on_chip
from mho.procedures.conditions import load_conditions
from mho.running.execution import run
from mho.running.plan import Plan, PlannedRun, check_plan_needs, load_plan
from mho.running.queue import expected_together, own_seconds
from mho.running.rehearsal import check_on_twins
from mho.running.safety_statement import observed_safety
from mho.running.supervisor import Report
from mho.runs import Labels

SHOWN = 40  # runs listed before the rest is only counted


def check_beside_plan(context: typer.Context, plan: str, *fitting: str) -> None:
    """Raise `InputError` when more was typed beside a plan than the `fitting` parameters: it would count for nothing."""
    typed = [
        option.opts[0]
        for option in context.command.params
        if option.name not in fitting and is_typed(context, option.name or "")
    ]
    for words in [*typed, *context.args]:
        raise InputError(f"a plan says itself what its runs are; leave out {words}, or write it into {plan}")


def check_output(output: Path | None, runs: int) -> None:
    """Raise `InputError` where several runs would have to go into one file."""
    if output is not None and output.suffix == ".h5" and runs > 1:
        raise InputError(f"--output {output} is one file, and the plan has {runs} runs; name a folder")


def run_plan(path: Path, output: Path | None, dry_run: bool, labels: Labels, report: Report) -> int:
    """Carry out a plan here, run after run; return how many runs failed, or would for what is known now.

    A failed run is reported and the next one begins; Ctrl-C ends the plan, and so does a bench that is not known to be
    safe. `report` informs the supervisor of the benches in use.
    """
    plan = load_plan(path)
    check_output(output, len(plan.runs))
    if dry_run:
        return len(print_plan(plan, Terminal()))
    check_plan_needs(plan)
    console, failed = Terminal(stderr=True), 0
    finished: dict[int, Path] = {}
    for planned in plan.runs:
        before = [
            finished[one.number] for one in plan.runs if one.bench == planned.bench and one.number in finished
        ]
        console.print(f"run {planned.number} of {len(plan.runs)}  {_values(planned)}")
        try:
            named = planned.procedure, planned.parameters
            with (
                RunDisplay() as display,
                observed_safety(planned.bench, report, display.observe, *named) as safety,
            ):
                run(
                    planned.make(), planned.bench, seed=planned.seed, preset=planned.preset,
                    after=_run_before(planned, finished), same_chip=before, output=output or True, labels=labels,
                    observers=[display.observe, safety], control=safety.control,
                )  # fmt: skip
            assert display.ended is not None
            finished[planned.number] = display.ended.path
        except Aborted:
            raise
        except MhoError as error:
            if report.bench:  # which may be live: no other run before it is made safe
                raise
            failed += 1
            console.print(f"run {planned.number} failed: {error}", style="red", markup=False)
    console.print(f"{len(plan.runs) - failed} of {len(plan.runs)} runs finished")
    return failed


def _run_before(planned: PlannedRun, finished: Mapping[int, Path]) -> Path | None:
    """Return the run with whose simulated chip a run goes on; None where it takes another, or a real one as it is."""
    if planned.after is None:
        return None
    if planned.after not in finished:
        raise InputError(f"run {planned.after}, with whose chip it goes on, did not finish")
    return None if load_conditions(planned.bench).bench.simulation is None else finished[planned.after]


def print_plan(plan: Plan, console: Console) -> list[PlannedRun]:
    """Print the runs of `plan` with what each varies; return those whose procedure refuses its parameters."""
    refused: dict[int, str] = {}
    seconds: dict[int, float | None] = {}
    for planned in plan.runs:
        try:
            seconds[planned.number] = _expected(planned, seconds)
        except MhoError as error:
            refused[planned.number] = str(error)
    swept = list(dict.fromkeys(key for planned in plan.runs for key in planned.point))
    count = f"{len(plan.runs)} run{'' if len(plan.runs) == 1 else 's'}"
    chained = ["after"] * any(planned.after is not None for planned in plan.runs)
    table = plain_table(
        "run", "procedure", "bench", *chained, *swept, right=("run",), title=f"{plan.name}: {count}", title_justify="left"
    )  # fmt: skip
    for planned in plan.runs[:SHOWN]:
        values = (str(planned.point.get(key, "")) for key in swept)
        after = [f"run {planned.after}" if planned.after else ""] if chained else []
        table.add_row(str(planned.number), planned.procedure, planned.bench, *after, *values)
    console.print(table)
    if len(plan.runs) > SHOWN:
        console.print(f"  and {len(plan.runs) - SHOWN} more")
    total = expected_together(list(seconds.values()))
    console.print(f"one after the other: {total}")
    for number, reason in refused.items():
        console.print(f"run {number} would fail: {reason}", style="red", markup=False)
    return [planned for planned in plan.runs if planned.number in refused]


def _expected(planned: PlannedRun, before: Mapping[int, float | None]) -> float | None:
    """Check what can be checked without opening a bench, on its twins too; return the wall time the run will take, s.

    `before` has that of the runs before it: a run that goes on with a simulated chip repeats the one that left it.
    """
    source = load_conditions(planned.bench, planned.preset, planned.seed)
    procedure = on_chip(planned.make(), source.chip_text)
    given = procedure.check()
    check_on_twins(procedure, given, source, planned.preset)
    seconds = own_seconds(procedure.estimate(given, source), source)
    if planned.after is None or source.bench.simulation is None:
        return seconds
    repeated = before.get(planned.after)
    return None if seconds is None or repeated is None else seconds + repeated


def _values(planned: PlannedRun) -> str:
    return "  ".join([planned.procedure, *(f"{key} {value}" for key, value in planned.point.items())])
