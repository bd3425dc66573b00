"""The verb that reads foreign tables into run files: it shows what a table seems to hold, asks, and remembers."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mho.cli import completion
from mho.cli.options import Output
from mho.cli.terminal.sentences import complain, say
from mho.errors import Aborted, InputError

if TYPE_CHECKING:
    from mho.analysis.imports import Guess, NamedRecipe, Reading, RecipeMemory


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
        Reading,
        RecipeMemory,
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
    asked = Reading(
        "", _pairs("column", column), _pairs("unit", unit), constants_in_si(told, str(table)),
        decimal=decimal_of(decimal, "--decimal"), dataset=dataset, axes=tuple(axes.split(",")) if axes else (),
    )  # fmt: skip
    memory = RecipeMemory()
    if recipe:
        given = find_recipe(recipe)
        reading = _over(given.reading, asked, kind)
        if dry_run:
            _show(guess(table, reading, [reading.type]))
            return
        say(_import(table, reading, output, array, chip))
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
    if known is not None and not dry_run:
        say(f"{table.name} is read as {known.recipe.type}, as told before; --forget guesses anew", err=True)
        say(_import(table, _over(known.reading, asked, ""), output, array, chip))
        return
    if dry_run:
        _show(found)
        return
    reading, told = _decided(found, asked, kind, told, yes)
    for remark in (*found.remarks, *found.notes):
        complain(remark)
    say(_import(table, reading, output, array, chip))
    if said or yes or _at_terminal():
        _remember(memory, found, reading, told)


def _import(table: Path, reading: Reading, output: Path | None, array: str, chip: str) -> Path:
    from mho.running.importing import import_measurement  # brings all procedures: after the questions

    return import_measurement(table, reading, output, array=array, chip=chip)


def _guess(table: Path, asked: Reading, kind: str) -> Guess:
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


def _over(given: Reading, asked: Reading, kind: str) -> Reading:
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


def _decided(
    found: Guess, asked: Reading, kind: str, told: dict[str, str], yes: bool
) -> tuple[Reading, dict[str, str]]:
    """Return how to read the table, and the constants as written: as guessed, as said, or as answered at the terminal."""
    best = found.best
    if _at_terminal() and not yes and not kind:
        return _asked_for(found, asked, told)
    if best.assignment is None or not (found.sure or kind or yes):
        raise InputError(_unsure(found, kind))
    return best.reading, told


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


def _asked_for(found: Guess, asked: Reading, told: dict[str, str]) -> tuple[Reading, dict[str, str]]:
    """Show the guess, and ask until an answer can be read."""

    path, kind = found.table.path, ""
    while True:
        _show(found)
        possible = found.best.assignment is not None
        options = "[Y/n/edit]" if possible else "[n/edit]"
        answer = _prompt(f"Import it so? {options}", "y" if possible else "edit").lower()
        if answer in ("y", "yes") and possible:
            return found.best.reading, told
        if answer in ("n", "no"):
            raise Aborted("nothing was imported")
        if answer not in ("e", "edit"):
            say("answer y, n or edit", err=True)
            continue
        line = _prompt(
            "What differs? (type=iv, column voltage=Vg, unit current=uA, constant voltage=0.2V)", ""
        )
        try:
            new_asked, new_kind, new_told = _edited(line, asked, kind, told, path)
            found = _guess(path, new_asked, new_kind)
        except InputError as error:
            complain(error)
            continue
        asked, kind, told = new_asked, new_kind, new_told


def _edited(
    line: str, asked: Reading, kind: str, told: dict[str, str], path: Path
) -> tuple[Reading, str, dict[str, str]]:
    """Return what was said, with a line such as ``column voltage=Vg`` over it."""
    from mho.analysis.imports import constants_in_si, decimal_of, measurement_named

    word, _, pair = line.partition(" ")
    if word.startswith("type="):
        return asked, measurement_named(word.removeprefix("type=")).name, told
    if word == "column":
        return replace(asked, columns={**asked.columns, **_pairs(word, [pair])}), kind, told
    if word == "unit":
        return replace(asked, units={**asked.units, **_pairs(word, [pair])}), kind, told
    if word == "constant":
        told = told | _pairs(word, [pair])
        return replace(asked, constants=constants_in_si(told, str(path))), kind, told
    if word.startswith("decimal="):
        return replace(asked, decimal=decimal_of(word.removeprefix("decimal="), "decimal")), kind, told
    if line:
        raise InputError(f"{line!r} is not understood; begin with type=, column, unit, constant or decimal=")
    return asked, kind, told


def _prompt(question: str, default: str) -> str:
    return str(typer.prompt(question, default=default, show_default=False, err=True)).strip()


def _remember(memory: RecipeMemory, found: Guess, reading: Reading, told: dict[str, str]) -> None:
    from mho.analysis.imports import recipe_of

    form = found.table.form
    if memory.keep(form.header, form.units, recipe_of(reading, form.header, told)) and _at_terminal():
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
