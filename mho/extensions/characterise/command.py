"""``mho characterise``: the standard protocol over a sample of cells, as one plan with one report.

What carries it out is imported when it is used: the help is to be there at once, and `apart` goes before it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mho.cli import UNFINISHED, Bench, OutputFolder, Preset, Seed, apart, grouped, is_typed
from mho.errors import InputError
from mho.lazy_names import late_imports
from mho.runs import runs_folder

with late_imports():
    from mho.extensions.characterise import carrying_out, plan_files
    from mho.extensions.characterise import terminal as shown

if TYPE_CHECKING:
    from mho.running import Report

GROUP = "Experiments"  # of the verb, in the list of all


@dataclass(frozen=True)
class NewPlan:
    """What a new plan is like; a plan that is there says it itself."""

    bench: Bench = "simulated"
    cells: Annotated[
        int | None, typer.Option(help="size of the sample, default 64 (16 with --quick)", show_default=False)
    ] = None
    array: Annotated[
        str, typer.Option(help="of the chip; the first that multiplies unless given", show_default=False)
    ] = ""
    rows: Annotated[str, typer.Option(help="lines instead of a sample, such as 0:8", show_default=False)] = ""
    columns: Annotated[str, typer.Option(help="likewise", show_default=False)] = ""
    quick: Annotated[bool, typer.Option("--quick", help="minutes of bench time, not an hour")] = False
    preset: Preset = None
    seed: Seed = None


NEW = (*(one.name for one in fields(NewPlan)), "output")
"""Options that say what a new plan is like."""


@grouped
def characterise(
    context: typer.Context,
    place: Annotated[
        Path | None,
        typer.Argument(help="a plan, or the folder of one, to be gone on with", show_default=False),
    ] = None,
    *,
    new: NewPlan,
    output: OutputFolder = None,
    plan_only: Annotated[
        bool, typer.Option("--plan-only", help="only write the plan, to look at and edit")
    ] = False,
    rehearse: Annotated[
        bool,
        typer.Option("--rehearse", help="only carry the plan out on the bench's twins, and keep nothing"),
    ] = False,
) -> None:
    """Carry out the standard protocol over a sample of cells: contact to endurance, one plan, one report."""
    report = apart(context)

    folder = _new_plan(new, output) if place is None else _known_plan(context, place)
    todo = carrying_out.Characterisation(folder)
    shown.print_expected(todo)
    if plan_only:
        return
    if rehearse:
        if not shown.rehearse(folder):
            raise typer.Exit(UNFINISHED)
        return
    raise typer.Exit(_carry_out(todo, report))


def _new_plan(new: NewPlan, output: Path | None) -> Path:
    """Write a new plan into its folder; return the folder."""
    planned = plan_files.plan_protocol(plan_files.CharacterisationRequest(**vars(new)))
    folder = output or runs_folder() / f"{datetime.now():%Y%m%d-%H%M%S}-characterise"
    shown.print_planned(planned, plan_files.write_plan(planned, folder))
    return folder


def _known_plan(context: typer.Context, place: Path) -> Path:
    """Return the folder of a plan that was named; what else was typed would count for nothing."""
    for option in context.command.params:
        if option.name in NEW and is_typed(context, option.name):
            raise InputError(
                f"{place} says itself what is done; leave out {option.opts[0]}, or write it into the plan there"
            )
    if place.is_file() and place.name != "plan.toml":
        raise InputError(f"{place} is no plan.toml; give the folder of a characterisation, or its plan.toml")
    return place.parent if place.is_file() else place


def _carry_out(todo: carrying_out.Characterisation, report: Report) -> int:
    """Carry out what remains, and write the report, also of what was done before it was stopped."""
    reasons: dict[str, str] = {}
    try:
        ends = shown.carry_out(todo, report, reasons)
    finally:
        if (
            not report.bench
        ):  # which may be live: it is made safe when this process is gone, and drawing takes a while
            shown.write_report(todo.folder, reasons)
    return UNFINISHED if any(end.end == "failed" for end in ends) else 0
