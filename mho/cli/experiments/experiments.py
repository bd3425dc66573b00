"""The verbs that do something with a chip, or with its twin: solve, run, rehearse; and which procedures there are.

What a verb needs is imported when it is called: `mho --help` is to be there at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from mho.cli import completion
from mho.cli.exit_codes import NOT_CONVERGED, UNFINISHED
from mho.cli.experiments.procedure_command import ProcedureCommand, typed_parameters
from mho.cli.experiments.supervision import apart
from mho.cli.options import (
    LABELS,
    Bench,
    Force,
    Operator,
    Output,
    OutputIfKept,
    Preset,
    Project,
    ResumeOf,
    Run,
    Sample,
    Seed,
    SummaryAsJson,
    Trusted,
)
from mho.cli.terminal.terminal import Terminal
from mho.errors import InputError
from mho.procedures.manifest import known_entries

if TYPE_CHECKING:
    from mho.procedures.stream import Ended, Observer


class RunCommand(ProcedureCommand):
    """A verb that runs the procedure it is given, in a process of its own."""

    plans = True

    def before_loading(self, parent: Any) -> None:
        """Continue in a separate process."""
        apart(parent)


class SolveCommand(RunCommand):
    """A verb that runs one procedure, whatever is given."""

    plans = False

    def procedure_of(self, given: Mapping[str, Any]) -> str:
        """Return its name."""
        return "solve"


class RehearseCommand(ProcedureCommand):
    """A verb whose first word is a bench, which may stand behind ``--bench`` as well."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Put the bench that is given by its option first."""
        words = list(args)
        for place, word in enumerate(words):
            name, equals, value = word.partition("=")
            if name == "--bench" and (equals or words[place + 1 :]):
                rest = words[:place] + words[place + (1 if equals else 2) :]
                words = [value if equals else words[place + 1], *rest]
                break
        return super().make_context(info_name, words, parent, **extra)


def solve(
    context: typer.Context,
    bench: Bench = "simulated",
    preset: Preset = None,
    seed: Seed = None,
    output: Output = None,
    resume: ResumeOf = None,
    force: Force = False,
    sample: Sample = None,
    operator: Operator = None,
    project: Project = None,
    as_json: SummaryAsJson = False,
) -> None:
    """Solve A x = b on the chip: program it, invert, multiply and refine, into one run file."""
    from mho.runs import Labels

    _carry_out(
        context, as_json, bench, seed=seed, preset=preset, force=force, output=output, resume_of=resume,
        labels=Labels(sample, operator, project),
    )  # fmt: skip


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
    bench: Bench = "simulated",
    preset: Preset = None,
    after: Annotated[
        Path | None, typer.Option(help="go on with the simulated chip that this run left (a run file)")
    ] = None,
    seed: Seed = None,
    output: Output = None,
    resume: ResumeOf = None,
    force: Force = False,
    sample: Sample = None,
    operator: Operator = None,
    project: Project = None,
    as_json: SummaryAsJson = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="of a plan, only list what would happen")
    ] = False,
    trust: Trusted = False,
) -> None:
    """Run any procedure, its parameters being options with units (`--interval 100ms`), or a plan of many."""
    _require(procedure, context)
    from mho.runs import Labels

    labels = Labels(sample, operator, project)
    if procedure.endswith(".toml"):
        report = apart(context)
        from mho.cli.experiments.plan import check_beside_plan, run_plan

        check_beside_plan(context, procedure, "procedure", "output", "dry_run", *LABELS)
        raise typer.Exit(UNFINISHED if run_plan(Path(procedure), output, dry_run, labels, report) else 0)
    from mho.cli.terminal.run_display import asking

    _carry_out(
        context, as_json, bench, seed=seed, preset=preset, after=after, force=force, output=output,
        resume_of=resume, labels=labels, trust=asking(trust),
    )  # fmt: skip


def _carry_out(
    context: typer.Context, as_json: bool, bench: str, *, seed: int | None, **conditions: Any
) -> None:
    """Run the procedure that was named, show it meanwhile, print its result, and exit as it ended."""
    report = apart(context)
    from mho.cli.terminal.run_display import RunDisplay
    from mho.procedures.catalogue import make_procedure
    from mho.procedures.origin import name_of
    from mho.running.execution import run as carry_out
    from mho.running.safety_statement import observed_safety

    command = context.command
    assert isinstance(command, ProcedureCommand)
    procedure = make_procedure(command.procedure, typed_parameters(context, seed))
    named = name_of(type(procedure)), str(getattr(procedure, "strategy", None) or "")
    with (
        RunDisplay(quiet=as_json) as display,
        observed_safety(bench, report, display.observe, *named) as safety,
    ):
        observers: list[Observer] = [display.observe, safety]
        result = carry_out(
            procedure, bench, seed=seed, observers=observers, control=safety.control, **conditions
        )
    _tell(result, display.ended, as_json)


def _tell(result: Any, ended: Ended | None, as_json: bool) -> None:
    """Print how a run ended, and its result; a solve that has not converged has an exit status of its own."""
    from mho.cli.terminal.run_display import print_result
    from mho.running.results import stored_result

    if as_json:
        concluded = {} if ended is None else {"conclusion": vars(ended.conclusion)}
        typer.echo(json.dumps(concluded | stored_result(result).values))
    else:
        print_result(result, ended=ended)
    if getattr(result, "converged", True) is False:
        raise typer.Exit(NOT_CONVERGED)


def resume(run: Run, output: Output = None, as_json: SummaryAsJson = False, trust: Trusted = False) -> None:
    """Go on with a run on a simulated bench that was killed or aborted; what its file holds is taken over."""
    from mho.cli.terminal.run_display import RunDisplay, asking
    from mho.running.continuing import resume as carry_on

    with RunDisplay(quiet=as_json) as display:
        result = carry_on(run, output=output, observers=[display.observe], trust=asking(trust))
    _tell(result, display.ended, as_json)


def _require(procedure: str, context: typer.Context) -> None:
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
        out.print(table, highlight=False, markup=False)


def rehearse(
    context: typer.Context,
    bench: Annotated[
        str, typer.Argument(help="a bench file", show_default=False, autocompletion=completion.benches)
    ] = "",
    procedure: Annotated[
        str,
        typer.Argument(
            help="solve, …, and its arguments", show_default=False, autocompletion=completion.procedures
        ),
    ] = "",
    preset: Preset = None,
    seed: Seed = None,
    output: OutputIfKept = None,
    bench_: Annotated[
        str | None,
        typer.Option(
            "--bench", help="a bench file, as the first word, too", autocompletion=completion.benches
        ),
    ] = None,
    beyond: Annotated[
        bool, typer.Option("--beyond", help="go on beyond limits, and report them all")
    ] = False,
    force: Force = False,
) -> None:
    """Run a procedure on the simulated twins of a real bench, and report what it would do there."""
    if bench_ is not None:  # the first one stands in front already
        raise InputError(f"the bench is named twice, {bench!r} and {bench_!r}; name it once")
    _require(procedure, context)
    from mho.cli.experiments.rehearsal import print_rehearsal
    from mho.cli.terminal.run_display import RunDisplay
    from mho.procedures.catalogue import make_procedure
    from mho.running.rehearsal import rehearse as carry_out

    made = make_procedure(procedure, typed_parameters(context, seed))
    with RunDisplay() as display:
        result = carry_out(
            made,
            bench,
            seed=seed,
            preset=preset,
            output=output,
            beyond=beyond,
            force=force,
            observers=[display.observe],
        )
    print_rehearsal(result)
    if not result.passed:
        raise typer.Exit(UNFINISHED)


def gui(
    run: Annotated[
        Path | None, typer.Argument(help="a run file (.h5) to show alone", show_default=False)
    ] = None,
    bench: Bench = "simulated",
) -> None:
    """Open the window to run, watch and stop experiments; or a smaller one on a single run file."""
    from mho.gui import show_main_window, show_run
    from mho.runs.paths import runs_folder

    raise typer.Exit(show_main_window(runs_folder(), bench) if run is None else show_run(run))
