"""Prints what a foreign table seems to hold, and the recipes for known ones."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from mho.analysis.imports import UNITS, Candidate, ColumnHeader, Guess, packaged_recipes
from mho.cli.terminal.terminal import Terminal

FIRST_VALUES = 3
MOST_COLUMNS = 24
RIVALS, LEAST = 2, 0.3
"""Other kinds that are shown, and their least score."""


def print_guess(found: Guess, console: Terminal | None = None) -> None:
    """Print the columns with what they mean, and the kind of measurement with why; on standard error unless given."""
    out = console or Terminal(stderr=True, soft_wrap=True)
    best = found.best
    form = found.table.form
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for name in ("column", "is", "unit", "in the run file", "first values"):
        table.add_column(Text(name, style="dim"))
    for header in found.headers[:MOST_COLUMNS]:
        table.add_row(*_row(header, best, found))
    out.print(table)
    if len(found.headers) > MOST_COLUMNS:
        out.print(f"and {len(found.headers) - MOST_COLUMNS} columns more")
    mark = {"\t": "tabs", ";": "semicolons", ",": "commas", " ": "blanks"}[form.mark]
    comma = ", decimal commas" if form.comma else ""
    comma += f", thousands apart by {'points' if form.grouping == '.' else 'commas'}" if form.grouping else ""
    out.print(f"fields apart by {mark}{comma}; values from line {found.first[0].number} on")
    if best.assignment is None:
        out.print(
            Text.assemble(
                ("no kind of measurement fits", "bold"),
                f"; nearest is {best.measurement.name}: {best.reasons[0]}",
            )
        )
    else:
        out.print(_told(best, found.sure))
    for rival in found.candidates[1 : 1 + RIVALS]:
        if rival.assignment is not None and rival.score >= LEAST:
            out.print(Text.assemble("or ", _told(rival, True)))
    for line in found.grounds.lines if best.assignment is not None else ():
        out.print(Text(line, style="dim"))
    for remark in (*found.remarks, *found.notes):
        out.print(Text(remark, style="yellow"))


def _told(one: Candidate, sure: bool) -> Text:
    doubt = "" if sure else " (not sure)"
    return Text.assemble(
        (one.measurement.name, "bold"), f", {one.measurement.title}{doubt}: {'; '.join(one.reasons)}"
    )


def _row(header: ColumnHeader, best: Candidate, found: Guess) -> Sequence[Text]:
    meaning, state = "", ""
    if best.assignment is not None:
        for series in best.assignment.series:
            for name, one in series.columns.items():
                if one.index == header.index:
                    fixed = {
                        key: value for key, value in series.fixed.items() if len(best.assignment.series) > 1
                    }
                    meaning, state = name, ", ".join(f"{key} {value:g}" for key, value in fixed.items())
    values = [
        line.fields[header.index] for line in found.first[:FIRST_VALUES] if header.index < len(line.fields)
    ]
    shown = f"{meaning} ({state})" if state and meaning not in ("time", "voltage") else meaning
    unit = header.unit or (f"none, taken as {UNITS[meaning]}" if meaning and UNITS[meaning] else "")
    own = UNITS[meaning] if meaning else ""
    return (
        Text(header.text or "(no name)"),
        Text(shown or "kept as it is", style="" if shown else "dim"),
        Text(unit),
        Text(own),
        Text(", ".join(values), style="dim"),
    )


def print_recipes(console: Terminal | None = None) -> None:
    """Print the packaged recipes: what each is for, and where its data are published."""
    out = console or Terminal(soft_wrap=True)
    for one in packaged_recipes():
        out.print(Text.assemble((one.name, "bold"), f"  {one.recipe.type}: {one.recipe.title}"))
        out.print(Text(f"    {one.recipe.source}; {one.recipe.files}", style="dim"))
