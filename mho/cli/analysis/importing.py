"""The verb that reads foreign tables into run files: it shows what a table seems to hold, asks, and remembers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mho.cli import completion
from mho.cli.options import Output
from mho.cli.terminal.sentences import complain, say
from mho.errors import Aborted, InputError

if TYPE_CHECKING:
    from mho.analysis.imports import Guess, NamedRecipe, RecipeMemory, TableReading


def import_(
    table: Annotated[
        Path | None,
        typer.Argument(
            help="a table: .csv, .tsv, .txt, also .gz; .xlsx, .mat, .npz, .npy, .json, .h5",
            show_default=False,
        ),
    ] = None,
    output: Output = None,
    kind: Annotated[
        str,
        typer.Option(
            "--type",
            help="what was measured: iv, endurance, …",
            show_default=False,
            autocompletion=completion.measurements,
        ),
    ] = "",
    column: Annotated[
        list[str] | None, typer.Option(help="which column is which: row=WL, conductance='G mean'")
    ] = None,
    unit: Annotated[
        list[str] | None, typer.Option(help="where the header has none: conductance=uS, current=nA")
    ] = None,
    constant: Annotated[
        list[str] | None, typer.Option(help="what no column has: voltage=0.2V, read_voltage=0.1V")
    ] = None,
    decimal: Annotated[
        str,
        typer.Option(
            help="what a comma such as that of 5,001 is: comma, a decimal mark, or point",
            show_default=False,
            autocompletion=completion.decimal_marks,
        ),
    ] = "",
    dataset: Annotated[
        str,
        typer.Option(
            help="the sheet of a spreadsheet; the arrays of a file with several", show_default=False
        ),
    ] = "",
    axes: Annotated[
        str,
        typer.Option(
            help="what the dimensions of an array count: cycle,pulse,column,row", show_default=False
        ),
    ] = "",
    recipe: Annotated[
        str,
        typer.Option(
            help="a packaged recipe, or a file, that says all this",
            show_default=False,
            autocompletion=completion.recipes,
        ),
    ] = "",
    array: Annotated[str, typer.Option(help="the array on the chip that the cells belong to")] = "",
    chip: Annotated[str, typer.Option(help="a packaged chip map or a file, to be kept with the data")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="take the best guess without asking")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the guess only")] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="forget what was told of tables with this header, and guess")
    ] = False,
    recipes: Annotated[bool, typer.Option("--recipes", help="list the packaged recipes")] = False,
) -> None:
    """Read a foreign table of measurements into a run file."""
    from mho.analysis.imports import (
        RecipeMemory,
        TableReading,
        constants_in_si,
        decimal_of,
        find_recipe,
        guess,
    )

    if recipes:
        from mho.cli.analysis.imported_tables import print_recipes

        print_recipes()
        return
    if table is None:
        raise InputError("name a table to import (.csv, .tsv, .txt), or list recipes with --recipes")
    told = _pairs("constant", constant)
    asked = TableReading(
        "", _pairs("column", column), _pairs("unit", unit), constants_in_si(told, str(table)),
        decimal=decimal_of(decimal, "--decimal"), dataset=dataset, axes=tuple(axes.split(",")) if axes else (),
    )  # fmt: skip
    memory = RecipeMemory()
    if recipe:
        given = find_recipe(recipe)
        reading = _over(given.reading, asked, kind)
        found = guess(table, reading, [reading.type])
        if dry_run:
            _show(found)
            return
        say(_import(table, reading, output, array, chip, found.grounds.lines))
        return
    found = _guess(table, asked, kind)
    header, units = found.table.form.header, found.table.form.units
    if forget:
        gone = memory.forget(header, units)
        say(
            f"{'forgot' if gone else 'nothing was known of'} tables with the header of {table.name}", err=True
        )
    said = bool(kind or column or unit or constant or decimal)
    known = None if said or forget else _known(memory, found)
    answers = before = _Answers(asked, kind, told)
    if known is not None:
        answers = before = _as_before(known, answers, found)
        found = _guess(table, answers.asked, answers.kind)
    if dry_run:
        _show(found)
        return
    if known is not None:
        how = f"read as {known.recipe.type}" if known.recipe.type else "read"
        say(f"{table.name} is {how}, as told before; --forget guesses anew", err=True)
    found, answers = _decided(found, answers, yes, known is not None)
    for remark in (*found.remarks, *found.notes):
        complain(remark)
    grounds = found.grounds
    if grounds.guessed and (yes or known is not None):
        for line in grounds.lines:
            say(line, err=True)
    say(_import(table, found.best.reading, output, array, chip, grounds.lines))
    if (said or yes or _at_terminal()) if known is None else answers != before:
        _remember(memory, found, answers)


@dataclass(frozen=True)
class _Answers:
    """What was told of a table: columns, units, constants and the decimal mark; the kind; constants as written."""

    asked: TableReading
    kind: str
    told: dict[str, str]


def _import(
    table: Path, reading: TableReading, output: Path | None, array: str, chip: str, grounds: Sequence[str]
) -> Path:
    from mho.running.importing import import_measurement  # brings all procedures: after the questions

    return import_measurement(table, reading, output, array=array, chip=chip, grounds=grounds)


def _guess(table: Path, asked: TableReading, kind: str) -> Guess:
    from mho.analysis.imports import guess, measurement_named

    return guess(table, asked, [measurement_named(kind).name] if kind else ())


def _known(memory: RecipeMemory, found: Guess) -> NamedRecipe | None:
    """Return what was told of tables with this header, or a packaged recipe for it."""
    from mho.analysis.imports import packaged_recipes

    header = found.table.form.header
    remembered = memory.find(header, found.table.form.units)
    if remembered is not None or not header:
        return remembered
    return next((one for one in packaged_recipes() if one.recipe.header == header), None)


def _as_before(known: NamedRecipe, answers: _Answers, found: Guess) -> _Answers:
    """Return what was told of tables with this header; of the comma only where this table's numbers leave it open."""
    from mho.analysis.imports import constants_in_si, decimal_of

    recipe, where, form = known.recipe, f"recipe {known.name}", found.table.form
    if recipe.decimal and form.proof and form.decimal != recipe.decimal:
        complain(
            f"{form.proof} in {found.table.path.name} shows a decimal {form.decimal or 'point'}, where the table before "
            f"was read with a decimal {recipe.decimal}: check that one"
        )
    asked = replace(
        answers.asked,
        columns=recipe.columns,
        units=recipe.units,
        constants=constants_in_si(recipe.constants, where),
        recipe=known.text,
        decimal=decimal_of(recipe.decimal, where) if form.doubtful else "",
    )
    return _Answers(asked, recipe.type, dict(recipe.constants))


def _over(given: TableReading, asked: TableReading, kind: str) -> TableReading:
    """Return a recipe's reading with what was typed over it."""
    return replace(
        given,
        type=kind or given.type,
        columns={**given.columns, **asked.columns},
        units={**given.units, **asked.units},
        constants={**given.constants, **asked.constants},
        decimal=asked.decimal or given.decimal,
        dataset=asked.dataset or given.dataset,
        axes=asked.axes or given.axes,
    )


def _decided(found: Guess, answers: _Answers, yes: bool, before: bool) -> tuple[Guess, _Answers]:
    """Return how to read the table, and what was told of it: as guessed, as said (`before`, too), or at the terminal."""
    best, kind = found.best, answers.kind
    if _at_terminal() and not yes:
        if (before and found.grounds.guessed) or not kind or best.assignment is None:
            found, answers = _asked_for(found, answers)
        if found.table.form.doubtful:
            found, answers = _asked_for_comma(found, answers)
        return found, answers
    doubtful = found.table.form.doubtful and not yes
    if best.assignment is None or doubtful or not (found.sure or kind or yes):
        raise InputError(_unsure(found, kind))
    return found, answers


def _unsure(found: Guess, kind: str) -> str:
    """Return the sentence that says what is missing, and which options tell it."""
    best = found.best
    texts = [one.text for one in found.headers]
    if best.assignment is None and not kind and sum(bool(one.meaning) for one in found.headers) < 2:
        return (
            f"{found.table.path}: its columns {', '.join(texts)[:120]} tell no kind of measurement; say what it is and "
            "which column is which, such as --type iv --column voltage='…' --column current='…'"
        )
    if best.assignment is None:
        return best.reasons[0] + (
            "" if kind else f"; taken for {best.measurement.name}, say --type for another kind"
        )
    if found.table.form.doubtful:
        return f"{found.table.path}: {found.remarks[0]}"
    remarks = "".join(f"; {remark}" for remark in found.remarks)
    names = " or ".join(one.measurement.name for one in found.candidates[:2] if one.assignment is not None)
    return (
        f"{found.table.path} may be {names}, which is not sure: say --type {best.measurement.name}, with --column and "
        f"--unit where names are not understood (--column voltage={texts[0]} --unit current=uA), or --yes for the best "
        f"guess; --dry-run shows it{remarks}"
    )


def _asked_for(found: Guess, answers: _Answers) -> tuple[Guess, _Answers]:
    """Show the guess, and ask until an answer can be read; the kind of measurement is told then."""
    path = found.table.path
    while True:
        _show(found)
        possible = found.best.assignment is not None
        options = "[Y/n/edit]" if possible else "[n/edit]"
        answer = _prompt(f"Import it so? {options}", "y" if possible else "edit").lower()
        if answer in ("y", "yes") and possible:
            return found, replace(answers, kind=found.best.measurement.name)
        if answer in ("n", "no"):
            raise Aborted("nothing was imported")
        if answer not in ("e", "edit"):
            say("answer y, n or edit", err=True)
            continue
        line = _prompt(
            "What differs? (type=iv, column voltage=Vg, unit current=uA, constant voltage=0.2V)", ""
        )
        try:
            edited = _edited(line, answers, path)
            found = _guess(path, edited.asked, edited.kind)
        except InputError as error:
            complain(error)
            continue
        answers = edited


def _asked_for_comma(found: Guess, answers: _Answers) -> tuple[Guess, _Answers]:
    """Ask what the comma is, which no number of the table tells."""
    from mho.analysis.imports import DECIMAL_MARKS

    path, number = found.table.path, found.table.form.doubtful
    question = f"Is the comma in {number} a decimal mark, or a point's, which parts thousands? [{'/'.join(DECIMAL_MARKS)}]"
    while (answer := _prompt(question, "").lower()) not in DECIMAL_MARKS:
        say(f"answer {' or '.join(DECIMAL_MARKS)}", err=True)
    answers = replace(answers, asked=replace(answers.asked, decimal=answer))
    return _guess(path, answers.asked, answers.kind), answers


def _edited(line: str, answers: _Answers, path: Path) -> _Answers:
    """Return what was said, with a line such as ``column voltage=Vg`` over it."""
    from mho.analysis.imports import constants_in_si, decimal_of, measurement_named

    asked, told = answers.asked, answers.told
    word, _, pair = line.partition(" ")
    if word.startswith("type="):
        return replace(answers, kind=measurement_named(word.removeprefix("type=")).name)
    if word == "column":
        return replace(answers, asked=replace(asked, columns={**asked.columns, **_pairs(word, [pair])}))
    if word == "unit":
        return replace(answers, asked=replace(asked, units={**asked.units, **_pairs(word, [pair])}))
    if word == "constant":
        told = told | _pairs(word, [pair])
        return replace(answers, asked=replace(asked, constants=constants_in_si(told, str(path))), told=told)
    if word.startswith("decimal="):
        mark = decimal_of(word.removeprefix("decimal="), "decimal")
        return replace(answers, asked=replace(asked, decimal=mark))
    if line:
        raise InputError(f"{line!r} is not understood; begin with type=, column, unit, constant or decimal=")
    return answers


def _prompt(question: str, default: str) -> str:
    return str(typer.prompt(question, default=default, show_default=False, err=True)).strip()


def _remember(memory: RecipeMemory, found: Guess, answers: _Answers) -> None:
    """Remember what was told of the table, and what its numbers prove of the comma; no guess."""
    from mho.analysis.imports import recipe_of

    form = found.table.form
    proved = form.decimal if form.proof else ""
    told = replace(answers.asked, type=answers.kind, decimal=answers.asked.decimal or proved)
    if memory.keep(form.header, form.units, recipe_of(told, form.header, answers.told)) and _at_terminal():
        say(f"tables with this header are read so from now on ({memory.path}; --forget)", err=True)


def _show(found: Guess) -> None:
    from mho.cli.analysis.imported_tables import print_guess

    print_guess(found)


def _at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    pairs = [one.partition("=") for one in given or []]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise InputError(f"--{option} {name}{equals}{value}: write NAME=VALUE")
    return {name.strip(): value.strip() for name, _, value in pairs}
