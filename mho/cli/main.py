"""The command line: which verbs there are, and how what goes wrong is answered."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from mho.cli.analysis import budget, calibrate, importing, projection, reports
from mho.cli.exit_codes import ABORTED, REFUSED
from mho.cli.experiments import characterise as characterising
from mho.cli.experiments import experiments, forecast
from mho.cli.experiments import optimise as optimising
from mho.cli.experiments import published as publishing
from mho.cli.experiments import reach as reaching
from mho.cli.experiments.procedure_command import Verb
from mho.cli.lazy_verbs import LazyVerbs
from mho.cli.many_runs import many_runs
from mho.cli.run_files import run_files
from mho.cli.terminal.sentences import complain
from mho.errors import Aborted, MhoError
from mho.processes import leave, left_threads

COMPLETING = "_MHO_COMPLETE"
"""The environment variable by which a shell asks what could be typed next."""

UsageError: type[Exception] = typer.BadParameter.__base__  # type: ignore[assignment]  # Typer does not export it

EXPERIMENTS, MANY, RUNS, BENCHES = "Experiments", "Many runs", "Run files", "Benches"  # the help's groups


class MhoVerbs(TyperGroup):
    """All verbs; those of a group of their own are imported when one of them is typed."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, panel, place, text in (
            ("queue", MANY, "mho.cli.many_runs.queue:queue_app", "Line up runs, and watch and command the runner."),
            (
                "runs", RUNS, "mho.cli.run_files.runs:runs_app",
                "List, search, tag and link runs. Without a further word: list them, newest first.",
            ),
            ("chip", BENCHES, "mho.cli.benches.chip:chip_app", "Keep the list of a chip's defects."),
            ("bench", BENCHES, "mho.cli.benches.bench:bench_app", "Check benches, make them safe, show and serve them."),
        ):  # fmt: skip
            self.add_command(LazyVerbs(place, name=name, help=text, rich_help_panel=panel))


app = typer.Typer(
    cls=MhoVerbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    help="Analogue matrix computing on RRAM chips: program, invert, refine, record, analyse, simulate.",
    epilog="Nothing needs hardware: without --bench a verb works on the simulated bench. "
    "`mho VERB --help` says more about one.",
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # takes longer than all verbs together

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


def _offer(
    panel: str, *verbs: Callable[..., None], name: str | None = None, cls: type[TyperCommand] = Verb
) -> None:
    for verb in verbs:
        app.command(name, cls=cls, rich_help_panel=panel)(verb)


_offer(EXPERIMENTS, experiments.solve, cls=experiments.SolveCommand)
_offer(EXPERIMENTS, forecast.forecast, cls=forecast.ForecastCommand)
_offer(EXPERIMENTS, optimising.optimise)
_offer(EXPERIMENTS, characterising.characterise, publishing.published, reaching.reach)
_offer(EXPERIMENTS, experiments.run, cls=experiments.RunCommand)
_offer(EXPERIMENTS, experiments.resume)
_offer(EXPERIMENTS, experiments.rehearse, cls=experiments.RehearseCommand)
_offer(EXPERIMENTS, experiments.procedures, experiments.gui)
_offer(MANY, many_runs.campaign, many_runs.runner, many_runs.watch)
_offer(RUNS, run_files.show, run_files.plot, reports.report, run_files.table, run_files.export)
_offer(RUNS, reports.compare, cls=reports.CompareCommand)
_offer(RUNS, importing.import_, name="import")
_offer(RUNS, calibrate.calibrate, budget.budget)
_offer(RUNS, projection.projection)
_offer(RUNS, run_files.rerun, run_files.verify, run_files.recover)


def _print_errors_only() -> None:
    """Log to standard error what is an error; warnings are not printed, but still reach the file of a run."""
    printer = logging.StreamHandler(sys.stderr)
    printer.setLevel(logging.ERROR)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", handlers=[printer])


def main(*, supervised: bool = True) -> NoReturn:
    """Run the command line; what a user did wrong is answered in one line, without a traceback.

    Parameters
    ----------
    supervised : bool
        Whether runs are carried out by a process of their own, which this one looks after.
    """
    _print_errors_only()
    threads = threading.enumerate()
    try:
        code = app(prog_name="mho", standalone_mode=False, obj=supervised)
    except (UsageError, MhoError, OSError, KeyboardInterrupt) as error:
        if COMPLETING in os.environ:  # unreadable in the middle of a line
            sys.exit(REFUSED)
        complain(_in_words(error))
        code = ABORTED if isinstance(error, Aborted | KeyboardInterrupt) else REFUSED
    if supervised and left_threads(threads):  # of a procedure; Python would wait for them
        leave(code or 0)
    sys.exit(code or 0)


def _in_words(error: Any) -> str:
    """Print an error in one line."""
    match error:
        case UsageError():
            return _usage_in_words(error)
        case OSError():  # a full disk, a folder without permission: nothing that a traceback explains
            return f"{error.filename or 'the output'}: {error.strerror or error}"
        case _:
            return str(error) or "interrupted"


def _usage_in_words(error: Any) -> str:
    """Print an error of Typer in the same form as others."""
    if possible := getattr(error, "possibilities", None):  # the nearest comes first
        return f"no such option: {error.option_name}; did you mean {possible[0]!r}?"
    message: str = error.format_message().rstrip(".").replace(". Did", "; did")
    if not message:  # without a verb; the help has been shown
        sys.exit(REFUSED)
    message = message[0].lower() + message[1:]
    verb = error.ctx.command_path if error.ctx else "mho"
    return message if message.endswith("?") else f"{message}; `{verb} --help` says more"


if __name__ == "__main__":
    main()
