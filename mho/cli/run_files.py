"""The verbs on run files: shown, drawn, exported, repeated, checked; and the index of runs.

What a verb needs is imported when it is called: `mho --help` is to be there at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mho.cli import completion
from mho.cli.display.sentences import complain, say
from mho.cli.exit_codes import UNFINISHED
from mho.cli.options import Output, Run, Runs, Scheduler, Trusted
from mho.errors import InputError, MhoError


def show(
    run: Run,
    figures: Annotated[bool, typer.Option("--figures", help="list the figures that can be drawn")] = False,
) -> None:
    """Print what a run file holds."""
    from mho.cli.display.show import show, show_figures
    from mho.cli.display.terminal import Terminal

    (show_figures if figures else show)(run, Terminal())


def plot(
    runs: Annotated[list[Path], typer.Argument(help="run files, or folders of them", show_default=False)],
    output: Annotated[
        Path | None, typer.Option(help="picture (.png, .svg, .pdf), default beside the run file")
    ] = None,
    figure: Annotated[
        str, typer.Option(help="one figure, as `mho show --figures` lists them", show_default=False)
    ] = "",
    by: Annotated[
        str,
        typer.Option(
            help="group runs: preset, chip, a parameter, a result, or NAME,NAME", show_default=False
        ),
    ] = "",
    panels: Annotated[bool, typer.Option("--panels", help="one panel a group")] = False,
    ratio: Annotated[
        bool, typer.Option("--ratio", help="below curves, the ratio to the first group")
    ] = False,
    x: Annotated[
        str, typer.Option("--x", help="what it is drawn over: a parameter, a result, a column")
    ] = "",
    y: Annotated[str, typer.Option("--y", help="what is drawn")] = "",
    formula: Annotated[
        list[str] | None, typer.Option(help="a new column, units checked: 'G = I / V'", show_default=False)
    ] = None,
    fit: Annotated[
        str,
        typer.Option(
            help="linear, log, exp, power, arrhenius; weibull, lognormal", autocompletion=completion.fits
        ),
    ] = "",
    width: Annotated[str, typer.Option(help="for a paper: column, full, or mm")] = "",
) -> None:
    """Draw the figures of a run, of several laid over one another, or of many in groups."""
    import mho.analysis as analysis

    def skipped(path: str, reason: str) -> None:
        say(f"skipped: {reason}", err=True)

    say(
        analysis.plot(
            runs, output, figure, by=by, panels=panels, ratio=ratio, x=x, y=y, formula=formula or (), fit=fit,
            width=width or None, on_skipped=skipped,
        )
    )  # fmt: skip


def export(
    run: Run,
    to: Annotated[
        str,
        typer.Option(
            help="csv, mat, netcdf, folder (to publish), or chip-map (of a response)",
            show_default=False,
            autocompletion=completion.export_forms,
        ),
    ],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="default beside the run file")] = None,
) -> None:
    """Write a run in another form: CSV, .mat, NetCDF, a folder with everything to publish, or a new chip map."""
    from mho.analysis.exports import export as write

    say(write(run, to, output))


def import_(
    table: Annotated[Path, typer.Argument(help="cell reads: .csv, .tsv", show_default=False)],
    output: Output = None,
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
    from mho.analysis.imports import import_table

    columns, units = (_pairs("column", column), _pairs("unit", unit))
    say(import_table(table, output, columns=columns, units=units, array=array, chip=chip))


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    pairs = [one.partition("=") for one in given or []]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise InputError(f"--{option} {name}{equals}{value}: write NAME=VALUE")
    return {name: value for name, _, value in pairs}


def rerun(
    run: Run,
    output: Output = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="print the comparison for machines instead")
    ] = False,
    trust: Trusted = False,
) -> None:
    """Repeat a run on a simulated bench, and say whether all is equal bit for bit, and what differs."""
    from mho.cli.display.rerun import print_rerun, rerun_as_json
    from mho.cli.display.run_display import RunDisplay, asking
    from mho.cli.display.terminal import Terminal
    from mho.running.rerun import rerun as repeat

    with RunDisplay(quiet=as_json) as display:
        result = repeat(run, output=output, observers=[display.observe], trust=asking(trust))
    if as_json:
        typer.echo(json.dumps(rerun_as_json(result)))
    else:
        print_rerun(result, Terminal())
    if not result.equal:
        raise typer.Exit(UNFINISHED)


def verify(
    runs: Runs,
    as_json: Annotated[bool, typer.Option("--json", help="print a list for machines instead")] = False,
) -> None:
    """List which run files are damaged, interrupted, or changed since they were written."""
    from mho.cli.display import verification as verification_table
    from mho.cli.display.terminal import Terminal
    from mho.runs import Verdict
    from mho.runs import verify as look_at

    found = [look_at(run) for run in runs]
    if as_json:
        typer.echo(verification_table.as_json(found))
    else:
        verification_table.print_verifications(found, Terminal())
    if any(one.verdict is not Verdict.SOUND for one in found):
        raise typer.Exit(UNFINISHED)


def recover(runs: Runs) -> None:
    """Make ordinary files of interrupted ones, for every viewer; they stay interrupted runs."""
    from mho.runs import recover as make_whole

    failed = False
    for run in runs:
        try:
            say(f"{run}  {'recovered' if make_whole(run) else 'needs no recovery'}")
        except MhoError as error:
            complain(error)
            failed = True
    if failed:
        raise typer.Exit(UNFINISHED)


def table(
    runs: Annotated[list[Path], typer.Argument(help="run files, or folders of them", show_default=False)],
    output: Annotated[Path, typer.Option(help="the table (.parquet)")] = Path("runs.parquet"),
    workers: Annotated[int, typer.Option(min=0, help="processes that read; 0 reads here")] = 0,
    scheduler: Scheduler = "",
) -> None:
    """Write one table of many runs: parameters and results, a row a run."""
    from mho.analysis.reports import tabulate

    read, skipped = tabulate(runs, output, workers, scheduler)
    for one in skipped:
        say(f"skipped: {one.reason}", err=True)
    say(f"{output}: {read} runs")
