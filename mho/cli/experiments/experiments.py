"""The verbs that do something with a chip: solve, run, resume; and which procedures there are.

What carries a run out is imported when it is called: the help is to be there at once, and `apart` goes before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from mho.cli import completion
from mho.cli.exit_codes import NOT_CONVERGED, UNFINISHED
from mho.cli.experiments.procedure_command import ProcedureCommand, typed_parameters
from mho.cli.experiments.supervision import apart
from mho.cli.options import (
    LABELS,
    Conditions,
    LabelOptions,
    Output,
    ResumeOf,
    Run,
    SummaryAsJson,
    Trusted,
    grouped,
)
from mho.cli.terminal.terminal import Terminal
from mho.errors import InputError
from mho.lazy_names import late_imports
from mho.procedures.manifest import known_entries

with late_imports():
    from mho import own_code
    from mho.cli.experiments import plan as plans
    from mho.cli.terminal import run_display
    from mho.procedures import catalogue, stream
    from mho.running import continuing, execution, results, safety_statement


class RunCommand(ProcedureCommand):
    """A verb that runs the procedure it is given, in a process of its own."""

    plans = True

    def before_loading(self, parent: Any) -> None:
        """Continue in a separate process."""
        apart(parent)


class SolveCommand(ProcedureCommand):
    """A verb that runs one procedure, whatever is given."""

    before_loading = RunCommand.before_loading

    def procedure_of(self, given: Mapping[str, Any]) -> str:
        """Return its name."""
        return "solve"


@grouped
def solve(
    context: typer.Context,
    *,
    conditions: Conditions,
    output: Output = None,
    resume: ResumeOf = None,
    labels: LabelOptions,
    as_json: SummaryAsJson = False,
) -> None:
    """Solve A x = b on the chip: program it, invert, multiply and refine, into one run file."""
    _carry_out(context, as_json, conditions, output=output or True, resume_of=resume, labels=labels.labels())


@grouped
def run(
    context: typer.Context,
    procedure: Annotated[
        str,
        typer.Argument(
            help="as `mho procedures` lists them, module:Class, or a plan (.toml)",
            show_default=False,
            autocompletion=completion.procedures,
        ),
    ] = "",
    *,
    conditions: Conditions,
    after: Annotated[
        Path | None, typer.Option(help="go on with the simulated chip that this run left (a run file)")
    ] = None,
    output: Output = None,
    resume: ResumeOf = None,
    labels: LabelOptions,
    as_json: SummaryAsJson = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="of a plan, only list what would happen")
    ] = False,
    trust: Trusted = False,
) -> None:
    """Run any procedure, its parameters being options with units (`--interval 100ms`), or a plan of many."""
    require(procedure, context)
    checked = labels.labels()
    if procedure.endswith(".toml"):
        report = apart(context)
        plans.check_beside_plan(context, procedure, "procedure", "output", "dry_run", *LABELS)
        raise typer.Exit(
            UNFINISHED if plans.run_plan(Path(procedure), output, dry_run, checked, report) else 0
        )
    _carry_out(
        context, as_json, conditions, after=after, output=output or True, resume_of=resume, labels=checked,
        trust=run_display.asking(trust),
    )  # fmt: skip


def _carry_out(context: typer.Context, as_json: bool, conditions: Conditions, **more: Any) -> None:
    """Run the procedure that was named, show it meanwhile, print its result, and exit as it ended."""
    report = apart(context)
    command = context.command
    assert isinstance(command, ProcedureCommand)
    procedure = catalogue.make_procedure(command.procedure, typed_parameters(context, conditions.seed))
    named = own_code.name_of(type(procedure)), procedure.parameter_values()
    with (
        run_display.RunDisplay(quiet=as_json) as display,
        safety_statement.observed_safety(conditions.bench, report, display.observe, *named) as safety,
    ):
        observers: list[stream.Observer] = [display.observe, safety]
        result = execution.run(
            procedure, observers=observers, control=safety.control, **vars(conditions), **more
        )
    _tell(result, display.ended, as_json)


def _tell(result: Any, ended: stream.Ended | None, as_json: bool) -> None:
    """Print how a run ended, and its result; a solve that has not converged has an exit status of its own."""
    if as_json:
        concluded = {} if ended is None else {"conclusion": vars(ended.conclusion)}
        typer.echo(json.dumps(concluded | results.stored_result(result).values))
    else:
        run_display.print_result(result, ended=ended)
    if getattr(result, "converged", True) is False:
        raise typer.Exit(NOT_CONVERGED)


def resume(run: Run, output: Output = None, as_json: SummaryAsJson = False, trust: Trusted = False) -> None:
    """Go on with a run on a simulated bench that was killed or aborted; what its file holds is taken over."""
    with run_display.RunDisplay(quiet=as_json) as display:
        result = continuing.resume(
            run, output=output, observers=[display.observe], trust=run_display.asking(trust)
        )
    _tell(result, display.ended, as_json)


def require(procedure: str, context: typer.Context) -> None:
    """Raise `InputError` where no procedure was named."""
    if not procedure:
        verb = context.command_path
        raise InputError(f"{verb} needs a procedure; `mho procedures` lists them, `{verb} --help` says more")


def procedures() -> None:
    """List the procedures there are, with their parameters, units and defaults."""
    out = Terminal()
    for name, entry in sorted(known_entries().items()):
        out.print(Text.assemble((name, "bold"), f"  {entry.line}"))
        table = Table(box=None, pad_edge=False, show_header=False)
        for key, parameter in entry.parameters.items():
            option = key if parameter.required else "--" + key.replace("_", "-")
            units, choices = parameter.units or "", parameter.choices
            default = (
                "" if parameter.default in (None, "") else f"default {parameter.default} {units}".rstrip()
            )
            what = parameter.name + (f": {', '.join(map(str, choices))}" if choices else "")
            table.add_row("   ", option, what, default or units)
        out.print(table, markup=False)
