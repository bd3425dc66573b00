"""A run file in the terminal: what came of it, what was asked of it, where it was; in 100 columns, with colour or not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mho.analysis.figures import figures_of
from mho.analysis.reports import (
    Convergence,
    Summary,
    duration_text,
    enclosure_sentence,
    handy_unit,
    parameter_text,
    summarise,
)
from mho.procedures.manifest import asked_for
from mho.runs import (
    GOING_ON,
    Conclusion,
    Figure,
    RecordedParameter,
    RunFile,
    Status,
    outcome_line,
    status_words,
)
from mho.runs.integrity import OF_THE_MOMENT

STYLES = {
    Status.RUNNING: "bold blue",
    Status.PAUSED: "bold yellow",
    Status.FINISHED: "bold green",
    Status.FAILED: "bold red",
    Status.ABORTED: "bold yellow",
    Status.INTERRUPTED: "bold yellow",
}
NOTHING = "bold yellow"
"""Style of a finished run that measured nothing."""

WIDTH = 100
MOST_RESULTS = 30
HEAD_CYCLES, TAIL_CYCLES = 6, 4  # number of shown cycles of a long refinement


def status_style(status: str, conclusion: Conclusion | None) -> str:
    """Return the style of a status: a finished run that measured nothing, or left its bench in doubt, is not green."""
    if (
        status == Status.FINISHED
        and conclusion is not None
        and (not conclusion.measured or conclusion.unsafe)
    ):
        return NOTHING
    return STYLES.get(Status(status), "") if status in STYLES else ""


def show(path: str | os.PathLike[str], console: Console, *, whole: bool = False) -> None:
    """Print the contents of the run file at `path`, also of one that is being written or was left behind.

    Of its parameters those that are not as by default are printed, and the first numbers of its result; all, where the
    `whole` is wanted. RunFileError is raised for a file that is missing, no run file, or damaged.
    """
    with RunFile(path) as run:
        summary = summarise(run)
    # Whatever is in the file is text, never rich's markup: hence `Text` throughout.
    console.print(_report(summary, whole=whole), width=min(WIDTH, console.width), markup=False)


def show_figures(path: str | os.PathLike[str], console: Console) -> None:
    """Print the figures of the run file at `path`: name, kind, and what is drawn over what; errors as `show`."""
    with RunFile(path) as run:
        figures = figures_of(run)
    table = _columns("name", "kind", "what", named=True)
    for column in table.columns:
        column.justify = "left"
    table.columns[-1].no_wrap = False
    for figure in figures:
        table.add_row(*map(Text, (figure.name, figure.drawn_kind, said_of(figure))))
    report = table if figures else Text("no figures: nothing was declared, and nothing is there to draw")
    console.print(report, width=min(WIDTH, console.width), markup=False)


def said_of(figure: Figure) -> str:
    """Return what a figure draws over what, in words."""
    what = ", ".join(figure.values) or figure.x
    if figure.values:
        what += f" over {figure.x or 'row'}"
    source = figure.source
    what = f"{what} of {source}" if what else source
    if figure.subtrahends:
        what += f" minus {', '.join(figure.subtrahends)}"
    if figure.groups:
        what += f" by {', '.join(figure.groups)}"
    scales = [
        f"{scale} {axis}"
        for axis, scale in (("x", figure.x_scale), ("y", figure.y_scale))
        if scale != "linear"
    ]
    return ", ".join([what, *scales])


def _report(summary: Summary, *, whole: bool) -> RenderableType:
    """Return the verdict and warnings, then results, then what was asked for, and last where and when it was."""
    convergence = summary.convergence
    parameters = summary.parameters if whole else asked_for(summary.procedure, summary.parameters)
    named = "Parameters" if whole else "Asked for" if parameters else "Asked for: all by default"
    sections = {
        "Warnings": _pairs(_warnings(summary)),
        "Refinement": [] if convergence is None else _refinement(summary, convergence),
        "Programming": _programming(summary) if summary.arrays else [],
        "Result": _results(summary, whole=whole),
        "Contents": [] if summary.arrays or convergence is not None else _contents(summary),
        named: _pairs((p.label or name, parameter_text(p)) for name, p in parameters.items()),
        "Run": _pairs(_facts(summary)),
    }
    shown = [
        (Text(title, style="bold"), *parts)
        for title, parts in sections.items()
        if parts or title.endswith("default")
    ]
    return Group(_heading(summary), *(part for parts in shown for part in parts))


def _heading(summary: Summary) -> Text:
    words = status_words(summary.status, summary.conclusion)
    text = Text.assemble(
        (summary.title, "bold"), "  ", (words, status_style(summary.status, summary.conclusion))
    )
    reason = summary.reason
    if summary.status is Status.INTERRUPTED and not reason:
        reason = "its writer is gone; all but its last moment is here"
    text.append(outcome_line(summary.status, reason, summary.conclusion).removeprefix(words))
    return text


def _pairs(rows: Iterable[tuple[str, str]]) -> list[RenderableType]:
    """Names and values, two columns; nothing without any."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name, style="dim"), Text(value))
    return [_indented(table)] if table.row_count else []


def _columns(*names: str, named: bool = False) -> Table:
    """A table of numbers; `named` when its first column is text."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for index, name in enumerate(names):
        table.add_column(
            Text(name, style="dim"), justify="left" if named and not index else "right", no_wrap=True
        )
    return table


def _indented(table: RenderableType) -> RenderableType:
    return Padding(table, (0, 0, 0, 2), expand=False)


def _facts(summary: Summary) -> Iterable[tuple[str, str]]:
    took = "for" if summary.status in GOING_ON else "took"
    took = "" if summary.duration is None else f", {took} {duration_text(summary.duration)}"
    bench = summary.bench.name or "unknown"
    if summary.bench.preset is not None:
        bench += f" - SIMULATED, preset {summary.bench.preset or 'by default'}"
    if summary.bench.circuit:
        bench += f", circuits with {summary.bench.circuit}"
    facts = {
        "file": str(summary.path),
        "started": f"{summary.start:%Y-%m-%d %H:%M:%S %z}{took}",
        "procedure": f"{summary.procedure}, version {summary.version}",
        "bench": bench,
        "chip": (summary.chip or "unknown") + (f", as {summary.after} left it" if summary.after else ""),
        **summary.labels,
        "seed": "none" if summary.seed is None else str(summary.seed),
    }
    if summary.bench_seconds is not None:
        facts["bench time"] = duration_text(summary.bench_seconds)
    return facts.items()


def _programming(summary: Summary) -> list[RenderableType]:
    factor, unit = handy_unit("S")
    names = ("array", "cells", "read", "pulses", "each", "outside", f"error ({unit})", f"sd ({unit})")
    table = _columns(*names, named=True)
    for array in summary.arrays:
        a_cell = array.pulses / array.programmed if array.pulses is not None and array.programmed else None
        table.add_row(
            Text(array.name),
            str(array.cells),
            str(array.programmed),
            _or_dash(array.pulses, "d"),
            _or_dash(a_cell, ".2f"),
            _or_dash(array.outside, "d"),
            _or_dash(array.error_mean, "+.3f", factor),
            _or_dash(array.error_sd, ".3f", factor),
        )
    return [_indented(table)]


def _or_dash(value: float | None, form: str, factor: float = 1) -> str:
    return "-" if value is None else format(value * factor, form)


def _refinement(summary: Summary, convergence: Convergence) -> list[RenderableType]:
    count = len(convergence.cycle)
    verdict = {True: "converged", False: "not converged", None: "no verdict yet"}[summary.converged]
    cycles = f"{count} cycle{'' if count == 1 else 's'}"
    answers = summary.contents.get("answers", 0)
    if answers > 1:
        cycles = (
            f"{summary.contents['cycles']} cycles for {answers} right-hand sides; below, those of the last"
        )
    rows = [("result", f"{verdict} after {cycles}")]
    if summary.proved_bits is not None:
        asked = "" if summary.asked_bits is None else f", {summary.asked_bits:g} were asked for"
        proof = f"{summary.proved_bits:.1f} bits{asked}"
        rows.append(("proved", proof))
    if summary.enclosure:
        rows.append(("enclosure", enclosure_sentence(summary.enclosure)))
    if summary.reason_not_converged:
        rows.append(("why", summary.reason_not_converged))
    if convergence.rho is not None:
        bits = f" ({-np.log2(convergence.rho):.1f} bits a cycle)" if 0.0 < convergence.rho < 1.0 else ""
        rows.append(("forecast", f"rho {convergence.rho:.3f}{bits}"))
    if summary.encoding:
        rows.append(("INV", summary.encoding))
    if summary.mvm_outputs is not None:
        wrong = "unknown" if summary.mvm_wrong is None else summary.mvm_wrong
        rows.append(("MVM", f"{summary.mvm_outputs} integers, {wrong} wrong"))
    rows += summary.worth
    return [*_pairs(rows), *([_indented(_cycles(convergence))] if count else [])]


def _cycles(convergence: Convergence) -> Table:
    true = convergence.true_residual
    table = _columns("cycle", "residual", *([] if true is None else ["recomputed"]), "relative error", "bits")
    count = len(convergence.cycle)
    for index in range(count):
        if HEAD_CYCLES <= index < count - TAIL_CYCLES:
            if index == HEAD_CYCLES:
                table.add_row("...")
            continue
        error = convergence.relative_error[index]
        with np.errstate(divide="ignore", invalid="ignore"):
            bits = -np.log2(error)
        table.add_row(
            f"{convergence.cycle[index]:.0f}",
            f"{convergence.residual[index]:.2e}",
            *([] if true is None else ["" if np.isnan(true[index]) else f"{true[index]:.2e}"]),
            *(("", "") if np.isnan(error) else (f"{error:.2e}", f"{bits:.1f}")),
        )
    return table


def _result(summary: Summary) -> Iterator[tuple[str, str]]:
    for name, value in summary.result.items():
        if name not in OF_THE_MOMENT:
            yield name, parameter_text(RecordedParameter(value, summary.result_units.get(name, "")))


def _results(summary: Summary, *, whole: bool) -> list[RenderableType]:
    """Return the result: of a solve, whose numbers are above in words, and of a long one the rest is left to ``--all``."""
    rows = list(_result(summary))
    most = len(rows) if whole else 0 if summary.convergence is not None else MOST_RESULTS
    left = len(rows) - most
    rest = [_indented(Text(f"{left} {'more ' * (most > 0)}numbers and words by --all"))] if left > 0 else []
    return [*_pairs(rows[:most]), *rest]


def _contents(summary: Summary) -> list[RenderableType]:
    rows = (
        (name, f"{length} {'images' if name.startswith('maps/') else 'rows'}")
        for name, length in summary.contents.items()
    )
    return _pairs(rows) or [_indented(Text("no tables and no maps"))]


def _warnings(summary: Summary) -> Iterator[tuple[str, str]]:
    for entry in summary.warnings:
        yield f"{entry.time:.1f} s", f"{entry.level}: {entry.message}"
    for text in summary.concluding_warnings:
        yield "at the end", text
