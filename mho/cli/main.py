"""The command line: each verb is a few lines that call a package below."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from mho.errors import Aborted, InputError, MhoError
from mho.escaping import visible
from mho.running.supervisor import Report, supervise

if TYPE_CHECKING:
    from mho.procedures import Solution
    from mho.procedures.stream import Observer
    from mho.processes import Safed

EXIT_USER, EXIT_UNFINISHED, EXIT_NOT_CONVERGED, EXIT_ABORTED = 2, 1, 3, 130
HELP = ["--help", "-h"]
HANDED_ON: dict[str, Any] = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": [],
}
"""For a verb whose words are understood by something that is imported only then."""

UsageError: type[Exception] = typer.BadParameter.__base__  # type: ignore[assignment]  # Typer does not export it

EXPERIMENTS, MANY, RUNS, BENCHES = "Experiments", "Many runs", "Run files", "Benches"  # the help's groups

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": HELP},
    help="Analogue matrix computing on RRAM chips: program, invert, refine, record, analyse, simulate.",
    epilog="Nothing needs hardware: without --bench a verb works on the simulated bench. "
    "`mho VERB --help` says more about one.",
)

Run = Annotated[Path, typer.Argument(help="a run file (.h5)", show_default=False)]
Runs = Annotated[list[Path], typer.Argument(help="run files (.h5)", show_default=False)]
Trusted = Annotated[bool, typer.Option("--trust", help="run code that a run file names, without asking")]
Force = Annotated[bool, typer.Option("--force", help="take limits that can hardly be meant as they are")]
Help = Annotated[bool, typer.Option("--help", "-h", help="of this verb, or of the procedure that is named")]


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"mho {version('mho')}")
        raise typer.Exit


@app.callback()
def before_the_verb(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_tell_version, help="Show the version and exit."),
    ] = False,
) -> None:
    """Understand what goes before a verb."""


@app.command(rich_help_panel=EXPERIMENTS)
def solve(
    context: typer.Context,
    matrix: Annotated[
        Path, typer.Argument(help="A: .npy, .csv or .mtx, real or complex", show_default=False)
    ],
    rhs: Annotated[str, typer.Option(help="b: a file, 'ones', or 'random' (seeded)")] = "random",
    bits: Annotated[int, typer.Option(help="precision of the solution, in bits")] = 24,
    tolerance: Annotated[
        float | None, typer.Option(help="relative residual to stop at, instead of one that gives --bits")
    ] = None,
    max_cycles: Annotated[int, typer.Option(help="give up after so many refinement cycles")] = 50,
    encoding: Annotated[str, typer.Option(help="how INV holds signs: auto, bias, differential")] = "auto",
    bench: Annotated[str, typer.Option(help="a packaged bench or a bench file")] = "simulated",
    preset: Annotated[str | None, typer.Option(help="simulated cells: ideal, quiet, pku, relaxing")] = None,
    seed: Annotated[int | None, typer.Option(help="of everything random; fresh when left out")] = None,
    output: Annotated[Path | None, typer.Option(help="run file (.h5) or folder, default data/runs")] = None,
    force: Force = False,
    as_json: Annotated[bool, typer.Option("--json", help="print a summary for machines instead")] = False,
) -> None:
    """Solve A x = b on the chip: program it, invert, multiply and refine, into one run file."""
    report = _apart(context)
    from mho.cli.run_display import RunDisplay, print_solution
    from mho.procedures import Solve
    from mho.running.execution import run
    from mho.running.safety_statement import witnessed

    procedure = Solve(
        matrix=str(matrix),
        rhs=rhs,
        bits=bits,
        tolerance=tolerance,
        max_cycles=max_cycles,
        encoding=encoding,
        seed=seed or 0,
    )
    with RunDisplay(quiet=as_json) as display, witnessed(bench, report, display.observe) as witness:
        observers: list[Observer] = [display.observe, witness]
        result: Solution = run(
            procedure, bench, seed=seed, preset=preset, force=force, output=output, observers=observers,
            control=witness.control,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(result.summary))
    else:
        print_solution(result)
    if not result.converged:
        raise typer.Exit(EXIT_NOT_CONVERGED)


@app.command(context_settings=HANDED_ON, rich_help_panel=EXPERIMENTS)
def run(
    context: typer.Context,
    procedure: Annotated[
        str, typer.Argument(help="as `mho procedures` lists them, or a plan (.toml)", show_default=False)
    ] = "",
    bench: Annotated[str, typer.Option(help="a packaged bench or a bench file")] = "simulated",
    preset: Annotated[str | None, typer.Option(help="simulated cells: ideal, quiet, pku, relaxing")] = None,
    after: Annotated[
        Path | None, typer.Option(help="go on with the simulated chip that this run left (a run file)")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="of everything random; fresh when left out")] = None,
    output: Annotated[Path | None, typer.Option(help="run file (.h5) or folder, default data/runs")] = None,
    force: Force = False,
    as_json: Annotated[bool, typer.Option("--json", help="print a summary for machines instead")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="of a plan, only list what would happen")
    ] = False,
    trust: Trusted = False,
    help_: Help = False,
) -> None:
    """Run any procedure, its parameters being options with units (`--interval 100ms`), or a plan of many."""
    words, beside = _own_words(context, procedure, help_)
    report = _apart(context)
    from mho.cli.arguments import procedure_from_arguments
    from mho.cli.plan import check_beside_plan, run_plan
    from mho.cli.run_display import RunDisplay, asking, print_result
    from mho.running.execution import run as carry_out
    from mho.running.results import kept_result
    from mho.running.safety_statement import witnessed

    if procedure.endswith(".toml"):
        check_beside_plan(context, procedure, "procedure", "output", "dry_run")
        raise typer.Exit(EXIT_UNFINISHED if run_plan(Path(procedure), output, dry_run, report) else 0)
    made = procedure_from_arguments(procedure, words, seed=seed, program="mho run", beside=beside)
    with RunDisplay(quiet=as_json) as display, witnessed(bench, report, display.observe) as witness:
        observers: list[Observer] = [display.observe, witness]
        result = carry_out(
            made, bench, seed=seed, preset=preset, after=after, force=force, output=output, observers=observers,
            trust=asking(trust), control=witness.control,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(kept_result(result)))
    else:
        print_result(result)
    if getattr(result, "converged", True) is False:
        raise typer.Exit(EXIT_NOT_CONVERGED)


def _apart(context: typer.Context) -> Report:
    """Go on in a process of its own, looked after by this one, before anything large is imported."""
    return supervise(_tell_queue) if context.obj else Report()


def _tell_queue(bench: str, folder: str, found: Safed) -> str:
    """Note in the queue, if there is one, how a bench was left that a run did not leave safe itself."""
    from mho.running.queue.bench_notices import tell_queue  # by the supervisor, which is small until then

    with chdir(folder):
        return tell_queue(bench, found)


def _own_words(context: typer.Context, procedure: str, wants_help: bool) -> tuple[list[str], list[str]]:
    """Return the words that are a procedure's, and the verb's options; without a procedure, help is the verb's."""
    if wants_help and (not procedure or procedure.endswith(".toml")):
        typer.echo(context.get_help(), nl=False)
        raise typer.Exit
    if not procedure:
        verb = context.command_path
        raise InputError(f"{verb} needs a procedure; `mho procedures` lists them, `{verb} --help` says more")
    beside = [name for option in context.command.params for name in option.opts if name.startswith("--")]
    return [*context.args, "--help"] if wants_help else context.args, beside


@app.command(rich_help_panel=EXPERIMENTS)
def procedures() -> None:
    """List the procedures there are, with their parameters, units and defaults."""
    from mho.cli.run_display import print_procedures

    print_procedures()


@app.command(rich_help_panel=RUNS)
def show(run: Run) -> None:
    """Print what a run file holds."""
    from mho.cli.show import show
    from mho.cli.terminal import Terminal

    show(run, Terminal())


@app.command(rich_help_panel=RUNS)
def plot(
    run: Run,
    output: Annotated[
        Path | None, typer.Option(help="figure (.png, .svg, .pdf), default beside the run file")
    ] = None,
) -> None:
    """Draw convergence, level histogram and error map of a run."""
    import mho.analysis as analysis

    _say(analysis.plot(run, output))


@app.command(rich_help_panel=EXPERIMENTS)
def gui(
    run: Annotated[
        Path | None, typer.Argument(help="a run file (.h5) to show alone", show_default=False)
    ] = None,
    bench: Annotated[str, typer.Option(help="a packaged bench or a bench file")] = "simulated",
) -> None:
    """Open the window to run, watch and stop experiments; or a smaller one on a single run file."""
    from mho.gui import show_main_window, show_run
    from mho.runs.paths import runs_folder

    raise typer.Exit(show_main_window(runs_folder(), bench) if run is None else show_run(run))


@app.command(context_settings=HANDED_ON, rich_help_panel=EXPERIMENTS)
def rehearse(
    context: typer.Context,
    bench: Annotated[str, typer.Argument(help="a bench file", show_default=False)] = "",
    procedure: Annotated[str, typer.Argument(help="solve, …, and its arguments", show_default=False)] = "",
    preset: Annotated[str | None, typer.Option(help="simulated cells: ideal, quiet, pku, relaxing")] = None,
    seed: Annotated[int | None, typer.Option(help="of everything random; fresh when left out")] = None,
    output: Annotated[Path | None, typer.Option(help="leave the run file (.h5) here")] = None,
    beyond: Annotated[
        bool, typer.Option("--beyond", help="go on beyond limits, and report them all")
    ] = False,
    force: Force = False,
    help_: Help = False,
) -> None:
    """Run a procedure on the simulated twins of a real bench, and report what it would do there."""
    words, beside = _own_words(context, procedure, help_)
    from mho.cli.arguments import procedure_from_arguments
    from mho.cli.rehearsal import print_rehearsal
    from mho.cli.run_display import RunDisplay
    from mho.running.rehearsal import rehearse as carry_out

    made = procedure_from_arguments(
        procedure, words, seed=seed, program=f"mho rehearse {bench}", beside=beside
    )
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
        raise typer.Exit(EXIT_UNFINISHED)


@app.command(rich_help_panel=MANY)
def campaign(
    plan: Annotated[Path, typer.Argument(help="a plan (.toml)", show_default=False)],
    workers: Annotated[int, typer.Option(min=1, help="processes on this machine")] = 2,
    scheduler: Annotated[str, typer.Option(help="of a dask cluster, tcp://HOST:PORT, instead")] = "",
    output: Annotated[
        Path | None, typer.Option(help="folder, default campaigns/PLAN in the runs' folder")
    ] = None,
    tries: Annotated[int, typer.Option(min=1, help="how often a run that fails is tried")] = 2,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only list what would happen")] = False,
) -> None:
    """Carry out a plan's runs on simulated benches, several at once; what is finished is not repeated."""
    from mho.cli.campaign import carry_out_campaign
    from mho.cli.plan import print_plan
    from mho.cli.terminal import Terminal
    from mho.running.plan import load_plan

    planned = load_plan(plan)
    if dry_run:
        raise typer.Exit(EXIT_UNFINISHED if print_plan(planned, Terminal()) else 0)
    if not carry_out_campaign(planned, workers, scheduler, output, tries):
        raise typer.Exit(EXIT_UNFINISHED)


@app.command(rich_help_panel=RUNS)
def table(
    runs: Annotated[list[Path], typer.Argument(help="run files, or folders of them", show_default=False)],
    output: Annotated[Path, typer.Option(help="the table (.parquet)")] = Path("runs.parquet"),
    workers: Annotated[int, typer.Option(min=0, help="processes that read; 0 reads here")] = 0,
    scheduler: Annotated[str, typer.Option(help="of a dask cluster, tcp://HOST:PORT, instead")] = "",
) -> None:
    """Write one table of many runs: parameters and results, a row a run."""
    from mho.analysis.reports.collection import tabulate

    read, skipped = tabulate(runs, output, workers, scheduler)
    for one in skipped:
        _say(f"skipped: {one.reason}", err=True)
    _say(f"{output}: {read} runs")


@app.command(rich_help_panel=MANY)
def runner(
    bench: Annotated[str, typer.Option(help="a packaged bench or a bench file")] = "simulated",
    once: Annotated[bool, typer.Option("--once", help="end after one job")] = False,
    drain: Annotated[bool, typer.Option("--drain", help="end when no job waits any more")] = False,
    notify: Annotated[
        list[str] | None, typer.Option(help="an apprise address to tell when jobs end; default MHO_NOTIFY")
    ] = None,
) -> None:
    """Carry out the queue's jobs for a bench one by one until Ctrl-C; a second Ctrl-C does not wait."""
    from mho.cli.queue_display import run_queue

    if run_queue(bench, once=once, drain=drain, notify=notify or []):
        raise typer.Exit(EXIT_UNFINISHED)


@app.command(rich_help_panel=MANY)
def watch(
    port: Annotated[int, typer.Option(help="on 127.0.0.1; 0 takes any that is free")] = 8080,
    folder: Annotated[
        Path | None, typer.Option("--runs", help="folder of runs, default MHO_RUNS or data/runs")
    ] = None,
) -> None:
    """Serve a read-only page about queue, progress, map and convergence on loopback, until Ctrl-C."""
    from mho.gui.watch import watch as serve

    serve(port, lambda address: typer.echo(f"{address}   Ctrl-C ends it"), folder)


@app.command(context_settings=HANDED_ON, help="List, search, tag and link runs.", rich_help_panel=RUNS)
def runs(context: typer.Context) -> None:
    """Hand everything to the verbs of the index."""
    from mho.cli.runs import runs_app

    _hand_on(runs_app, context)


@app.command(context_settings=HANDED_ON, rich_help_panel=MANY)
def queue(context: typer.Context) -> None:
    """Line up runs, and watch and command the runner: add, list, pause, resume, abort, stop, move …"""
    from mho.cli.queue import queue_app  # only now: it brings all procedures with it

    _hand_on(queue_app, context)


@app.command(context_settings=HANDED_ON, rich_help_panel=BENCHES)
def bench(context: typer.Context) -> None:
    """Check benches, make them safe, show and serve them."""
    from mho.cli.bench_safe import bench_app

    _hand_on(bench_app, context)


def _hand_on(verbs: typer.Typer, context: typer.Context) -> None:
    """Let other verbs understand the words of this one."""
    code = verbs(context.args, prog_name=context.command_path, standalone_mode=False, help_option_names=HELP)
    raise typer.Exit(code or 0)


@app.command(rich_help_panel=RUNS)
def export(
    run: Run,
    to: Annotated[str, typer.Option(help="csv, mat, netcdf, or folder (to publish)", show_default=False)],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="default beside the run file")] = None,
) -> None:
    """Write a run in another form: CSV tables, .mat, NetCDF, or a folder with everything, to publish."""
    from mho.analysis.exports.export import export as write

    _say(write(run, to, output))


@app.command("import", rich_help_panel=RUNS)
def import_(
    table: Annotated[Path, typer.Argument(help="cell reads: .csv, .tsv", show_default=False)],
    output: Annotated[Path | None, typer.Option(help="run file (.h5) or folder, default data/runs")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="which column is which: row=WL, conductance='G mean'")
    ] = None,
    unit: Annotated[
        list[str] | None, typer.Option(help="where the header has none: conductance=uS, current=nA")
    ] = None,
    array: Annotated[str, typer.Option(help="the array on the chip that the cells belong to")] = "",
    chip: Annotated[str, typer.Option(help="a packaged chip map or a file, to be kept with the data")] = "",
) -> None:
    """Read a foreign table of cell reads into a run file."""
    from mho.analysis.imports.table_import import import_table

    columns, units = (_pairs("column", column), _pairs("unit", unit))
    _say(import_table(table, output, columns=columns, units=units, array=array, chip=chip))


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    pairs = [one.partition("=") for one in given or []]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise InputError(f"--{option} {name}{equals}{value}: write NAME=VALUE")
    return {name: value for name, _, value in pairs}


@app.command(rich_help_panel=RUNS)
def rerun(
    run: Run,
    output: Annotated[Path | None, typer.Option(help="run file (.h5) or folder, default data/runs")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="print the comparison for machines instead")
    ] = False,
    trust: Trusted = False,
) -> None:
    """Repeat a run on a simulated bench, and say whether all is equal bit for bit, and what differs."""
    from mho.cli.rerun import print_rerun, rerun_as_json
    from mho.cli.run_display import RunDisplay, asking
    from mho.cli.terminal import Terminal
    from mho.running.rerun import rerun as repeat

    with RunDisplay(quiet=as_json) as display:
        result = repeat(run, output=output, observers=[display.observe], trust=asking(trust))
    if as_json:
        typer.echo(json.dumps(rerun_as_json(result)))
    else:
        print_rerun(result, Terminal())
    if not result.equal:
        raise typer.Exit(EXIT_UNFINISHED)


@app.command(rich_help_panel=RUNS)
def verify(
    runs: Runs,
    as_json: Annotated[bool, typer.Option("--json", help="print a list for machines instead")] = False,
) -> None:
    """Say which run files are damaged, interrupted, or changed since they were written."""
    from mho.cli import verification as verification_table
    from mho.cli.terminal import Terminal
    from mho.runs import Verdict
    from mho.runs import verify as look_at

    found = [look_at(run) for run in runs]
    if as_json:
        typer.echo(verification_table.as_json(found))
    else:
        verification_table.print_verifications(found, Terminal())
    if any(one.verdict is not Verdict.SOUND for one in found):
        raise typer.Exit(EXIT_UNFINISHED)


@app.command(rich_help_panel=RUNS)
def recover(runs: Runs) -> None:
    """Make ordinary files of interrupted ones, for every viewer; they stay interrupted runs."""
    from mho.runs import recover as make_whole

    failed = False
    for run in runs:
        try:
            _say(f"{run}  {'recovered' if make_whole(run) else 'needs no recovery'}")
        except MhoError as error:
            _say(f"mho: {error}", err=True)
            failed = True
    if failed:
        raise typer.Exit(EXIT_UNFINISHED)


def main(*, supervised: bool = True) -> NoReturn:
    """Run the command line; what a user did wrong is answered in one line, without a traceback.

    Parameters
    ----------
    supervised : bool
        Whether runs are carried out by a process of their own, which this one looks after.
    """
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s: %(message)s", stream=sys.stderr)
    try:
        code = app(prog_name="mho", standalone_mode=False, obj=supervised)
    except UsageError as error:
        _complain(MhoError(_told(error)), EXIT_USER)
    except Aborted as error:
        _complain(error, EXIT_ABORTED)
    except MhoError as error:
        _complain(error, EXIT_USER)
    except OSError as error:  # a full disk, a folder without permission: nothing that a traceback explains
        _complain(MhoError(f"{error.filename or 'the output'}: {error.strerror or error}"), EXIT_USER)
    except KeyboardInterrupt as error:
        _complain(MhoError(str(error) or "interrupted"), EXIT_ABORTED)
    sys.exit(code or 0)


def _told(error: Any) -> str:
    """Say what Typer found wrong in one line, as everything else is said."""
    message = error.format_message().rstrip(".").replace(". Did", "; did")
    if not message:  # without a verb; the help has been shown
        sys.exit(EXIT_USER)
    message = message[0].lower() + message[1:]
    verb = error.ctx.command_path if error.ctx else "mho"
    return message if message.endswith("?") else f"{message}; `{verb} --help` says more"


def _say(what: object, *, err: bool = False) -> None:
    """Print a path or a sentence on a line of its own."""
    typer.echo(visible(str(what), lines=False), err=err)


def _complain(error: MhoError, code: int) -> NoReturn:
    sys.stderr.write(f"mho: {visible(str(error), lines=False)}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
