"""The verbs on run files that show, draw, tabulate, export, verify and recover them.

What reads them is imported when it is called: the help is to be there at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from mho import analysis
from mho import runs as run_files
from mho.analysis import reports
from mho.cli import completion
from mho.cli.exit_codes import UNFINISHED
from mho.cli.options import By, Cluster, Run, Runs, RunsOrFolders, grouped
from mho.cli.terminal.sentences import print_warning, say
from mho.cli.terminal.terminal import Terminal
from mho.errors import InputError, MhoError
from mho.lazy_names import late_imports

with late_imports():
    from mho.analysis import exports
    from mho.cli.run_files import show as shown
    from mho.cli.terminal import stages


def show(
    run: Run,
    figures: Annotated[bool, typer.Option("--figures", help="list the figures that can be drawn")] = False,
    whole: Annotated[bool, typer.Option("--all", help="all parameters, also those as by default")] = False,
) -> None:
    """Print what a run came to, what was asked of it, and where it was."""
    if figures:
        shown.show_figures(run, Terminal())
    else:
        shown.show(run, Terminal(), whole=whole)


@dataclass(frozen=True)
class DrawnValues:
    """What a figure draws over what."""

    x: Annotated[str, typer.Option("--x", help="what it is drawn over: a parameter, a result, a column")] = ""
    y: Annotated[str, typer.Option("--y", help="what is drawn")] = ""
    formula: Annotated[
        list[str] | None, typer.Option(help="a new column, units checked: 'G = I / V'", show_default=False)
    ] = None
    fit: Annotated[
        str,
        typer.Option(
            help="linear, log, exp, power, arrhenius; weibull, lognormal", autocompletion=completion.fits
        ),
    ] = ""


@grouped
def plot(
    runs: RunsOrFolders,
    output: Annotated[
        Path | None, typer.Option(help="picture (.png, .svg, .pdf), default beside the run file")
    ] = None,
    figure: Annotated[
        str, typer.Option(help="one figure, as `mho show --figures` lists them", show_default=False)
    ] = "",
    by: By = "",
    panels: Annotated[bool, typer.Option("--panels", help="one panel a group")] = False,
    ratio: Annotated[
        bool, typer.Option("--ratio", help="below curves, the ratio to the first group")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="all figures, not the leading ones alone")] = False,
    *,
    values: DrawnValues,
    width: Annotated[str, typer.Option(help="for a paper: column, full, or mm")] = "",
) -> None:
    """Draw the leading figures of a run, of several laid over one another, or of many in groups."""

    def skipped(path: str, reason: str) -> None:
        say(f"skipped: {reason}", err=True)

    say(
        analysis.plot(
            runs, output, figure, by=by, panels=panels, ratio=ratio, x=values.x, y=values.y, fit=values.fit,
            formula=values.formula or (), every=every, width=width or None, on_skipped=skipped,
        )
    )  # fmt: skip
    if tries := reports.left_out_tries(*runs):
        say(tries, err=True)


@dataclass(frozen=True)
class PackageOptions:
    """What describes a research package."""

    personal: Annotated[
        bool, typer.Option("--personal", help="keep user, host, command line, paths, uncommitted changes")
    ] = False
    title: Annotated[str, typer.Option(help="of a package")] = ""
    creator: Annotated[
        list[str] | None, typer.Option(help="'Family, Given <ORCID> (Affiliation)'; may be repeated")
    ] = None
    license: Annotated[str, typer.Option(help="CC-BY-4.0, CC0-1.0, another, or an address")] = ""
    description: Annotated[str, typer.Option(help="of a package, default what the runs say")] = ""
    keyword: Annotated[list[str] | None, typer.Option(help="may be repeated")] = None
    publisher: Annotated[str, typer.Option(help="the repository that will have it")] = ""
    doi: Annotated[str, typer.Option(help="reserved for it, or the prefix under which to make one")] = ""
    paper: Annotated[str, typer.Option(help="DOI of the paper that the data belong to")] = ""
    date: Annotated[str, typer.Option(help="on which it is published, default today")] = ""
    figures: Annotated[
        str, typer.Option(help="each, together, none; default each of up to 10 runs", show_default=False)
    ] = ""
    tables: Annotated[
        str, typer.Option(help="as CSV too: all, none; default up to 10 million values", show_default=False)
    ] = ""

    def described(self) -> exports.Description:
        """Return what is said of the package, checked."""
        return exports.Description.of(
            title=self.title, creators=self.creator or [], licence=self.license, description=self.description,
            keywords=self.keyword or [], publisher=self.publisher, doi=self.doi, paper=self.paper, day=self.date,
        )  # fmt: skip


@dataclass(frozen=True)
class NetlistInputs:
    """Which inputs a netlist has."""

    rhs: Annotated[
        int | None, typer.Option(help="of a netlist: right-hand side whose inputs it has, from 0", min=0)
    ] = None
    cycle: Annotated[int | None, typer.Option(help="of a solve's netlist: the same, default 1", min=1)] = None
    matrix: Annotated[int | None, typer.Option(help="of an invert's netlist: from 0", min=0)] = None


@grouped
def export(
    runs: Annotated[
        list[Path], typer.Argument(help="run files (.h5), or folders of them", show_default=False)
    ],
    to: Annotated[
        str,
        typer.Option(
            help="csv, mat, netcdf, folder (a research package), eln (one for lab notebooks), chip-map (of a response), "
            "or spice (of a solve or invert)",
            show_default=False,
            autocompletion=completion.export_forms,
        ),
    ] = "",
    spice: Annotated[
        bool, typer.Option("--spice", help="the programmed INV loop as a netlist, as --to spice")
    ] = False,
    eln: Annotated[
        Path | None, typer.Option(help="one file for electronic lab notebooks, as --to eln --output FILE.eln")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="default beside the run file")] = None,
    *,
    package: PackageOptions,
    inputs: NetlistInputs,
) -> None:
    """Write runs in another form: CSV, .mat, NetCDF, a research package of all of them, a chip map, or a netlist."""
    form = _form(to, spice, eln, output)
    output = eln or output
    wrong = [f"--{name}" for name, value in vars(inputs).items() if value is not None]
    if form != "spice" and wrong:
        raise InputError(f"{', '.join(wrong)} would choose the inputs of a netlist; give --to spice for one")
    if form not in exports.PACKAGES:
        if wrong := [f"--{name}" for name, value in vars(package).items() if value]:
            raise InputError(f"{', '.join(wrong)} would describe a package; give --to folder or eln for one")
        _export_each(runs, form, output, exports.Played(inputs.rhs or 0, inputs.cycle, inputs.matrix))
        return
    described = package.described()
    with stages.Stages(quiet=not sys.stderr.isatty()) as bars:
        made = exports.publish(
            runs, output, described, eln=form == "eln", personal=package.personal, figures=package.figures or None,
            tables=package.tables or None, progress=bars.show,
        )  # fmt: skip
    for one in (*(f"skipped: {one}" for one in made.skipped), *made.missing):
        say(one, err=True)
    say(made.path)


def _form(to: str, spice: bool, eln: Path | None, output: Path | None) -> str:
    """Return the one form that --to, --spice and --eln ask for."""
    asked = {"--spice": "spice" * spice, "--eln": "eln" * (eln is not None), f"--to {to}": to}
    forms = {form for form in asked.values() if form}
    if len(forms) > 1:
        names = " and ".join(name for name, form in asked.items() if form)
        raise InputError(f"{names} ask for {len(forms)} forms; give one of them")
    if eln is not None and output is not None:
        raise InputError(f"--eln {eln} and --output {output} name two files; give one of them")
    if not forms:
        raise InputError(
            "there is no form to export to; give --to csv, mat, netcdf, folder, eln, chip-map or spice"
        )
    return forms.pop()


def _export_each(runs: list[Path], form: str, output: Path | None, played: exports.Played) -> None:
    if len(runs) == 1 and not runs[0].is_dir():
        say(exports.export(runs[0], form, output, played))
        return
    failed = False
    for one in exports.export_all(runs, form, output, played):
        if isinstance(one, MhoError):
            failed = True
            print_warning(one)
        else:
            say(one)
    if failed:
        raise typer.Exit(UNFINISHED)


@grouped
def table(
    runs: RunsOrFolders,
    output: Annotated[Path, typer.Option(help="the table: .csv, .parquet or .json")] = Path("runs.parquet"),
    columns: Annotated[
        str, typer.Option(help="only these, by commas: 'preset,seed,result.bits' [default: all]")
    ] = "",
    workers: Annotated[int, typer.Option(min=0, help="processes that read; 0 reads here")] = 0,
    *,
    cluster: Cluster,
) -> None:
    """Write one table of many runs: parameters and results, a row a run."""
    chosen = [name for name in map(str.strip, columns.split(",")) if name]
    read, skipped = reports.tabulate(runs, output, workers, cluster.scheduler, chosen, cluster.certificates())
    for one in skipped:
        say(f"skipped: {one.reason}", err=True)
    if tries := reports.left_out_tries(*runs):
        say(tries, err=True)
    say(f"{output}: {read} run{'s' * (read != 1)}")


STYLES = {"sound": "green", "running": "cyan", "interrupted": "yellow"}
FINDINGS_SHOWN = 8


def verify(
    runs: Runs,
    as_json: Annotated[bool, typer.Option("--json", help="print a list for machines instead")] = False,
    nexus: Annotated[
        bool, typer.Option("--nexus", help="compare with the NeXus definition NXrram_array instead")
    ] = False,
) -> None:
    """List which run files are damaged, interrupted, or changed since they were written."""
    plain, table, sound = (_conformance if nexus else _verification)(runs)
    if as_json:
        typer.echo(json.dumps(plain, indent=2))
    else:
        Terminal().print(table)
    if not sound:
        raise typer.Exit(UNFINISHED)


def recover(runs: Runs) -> None:
    """Make ordinary files of interrupted ones, for every viewer; they stay interrupted runs."""
    failed = False
    for run in runs:
        try:
            say(f"{run}  {'recovered' if run_files.recover(run) else 'needs no recovery'}")
        except MhoError as error:
            print_warning(error)
            failed = True
    if failed:
        raise typer.Exit(UNFINISHED)


def _verification(runs: Sequence[Path]) -> tuple[list[dict[str, Any]], Table, bool]:
    """Return what verification found, for machines and as a row a file, and whether all files are sound."""
    verifications = [run_files.verify(run) for run in runs]
    table = Table("file", "verdict", "run", "findings", box=None)
    for one in verifications:
        verdict = Text(one.verdict, STYLES.get(one.verdict, "red"))
        table.add_row(Text(str(one.path)), verdict, Text(one.status), _first(one.findings))
    plain = [
        {"path": str(one.path), "verdict": one.verdict, "status": one.status, "findings": list(one.findings)}
        for one in verifications
    ]
    return plain, table, all(one.verdict is run_files.Verdict.SOUND for one in verifications)


def _conformance(runs: Sequence[Path]) -> tuple[list[dict[str, Any]], Table, bool]:
    """Return the same of whether files follow the NeXus definition, and where not."""
    checks = [run_files.check_conformance(run) for run in runs]
    table = Table("file", "NXrram_array", "deviations", box=None)
    for one in checks:
        said = Text("follows it", "green") if one.conforms else Text("deviates", "red")
        table.add_row(Text(str(one.path)), said, _first(one.deviations))
    plain = [
        {"path": str(one.path), "conforms": one.conforms, "deviations": list(one.deviations)}
        for one in checks
    ]
    return plain, table, all(one.conforms for one in checks)


def _first(findings: Sequence[str]) -> Text:
    shown = list(findings[:FINDINGS_SHOWN])
    if len(findings) > FINDINGS_SHOWN:
        shown.append(f"and {len(findings) - FINDINGS_SHOWN} more, see --json")
    return Text("\n".join(shown))
