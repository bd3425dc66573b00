"""The verb that reads foreign tables into run files: it shows what a table seems to hold, asks, and remembers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from mho.cli import Output, Terminal, grouped, print_warning, say
from mho.errors import Aborted, InputError
from mho.extensions.imports import (
    COLUMN_WORDS,
    DECIMAL_MARKS,
    MEASUREMENTS,
    Candidate,
    Guess,
    NamedRecipe,
    RecipeMemory,
    TableReading,
    constants_in_si,
    decimal_of,
    find_recipe,
    guess,
    measurement_named,
    packaged_recipes,
    recipe_of,
)
from mho.extensions.imports.extraction import import_measurement

MOST_COLUMNS = 24
RIVALS, LEAST = 2, 0.3  # other kinds that are shown, and their least score
GROUP = "Run files"  # of the verb, in the list of all


def print_guess(proposal: Guess, console: Terminal | None = None) -> None:
    """Print the columns with what they mean, and the kind of measurement with why; on standard error unless given."""
    out = console or Terminal(stderr=True, soft_wrap=True)
    best = proposal.best
    form = proposal.table.form
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for name in COLUMN_WORDS:
        table.add_column(Text(name, style="dim"))
    for text, meaning, unit, own, values in proposal.columns_in_words()[:MOST_COLUMNS]:
        shown = Text(meaning or "kept as it is", style="" if meaning else "dim")
        table.add_row(Text(text), shown, Text(unit), Text(own), Text(values, style="dim"))
    out.print(table)
    if len(proposal.headers) > MOST_COLUMNS:
        out.print(f"and {len(proposal.headers) - MOST_COLUMNS} columns more")
    mark = {"\t": "tabs", ";": "semicolons", ",": "commas", " ": "blanks"}[form.mark]
    comma = ", decimal commas" if form.comma else ""
    comma += f", thousands apart by {'points' if form.grouping == '.' else 'commas'}" if form.grouping else ""
    out.print(f"fields apart by {mark}{comma}; values from line {proposal.first[0].number} on")
    if best.assignment is None:
        out.print(
            Text.assemble(("no kind of measurement fits", "bold"),
                          f"; nearest is {best.measurement.name}: {best.reasons[0]}"),
        )  # fmt: skip
    else:
        out.print(_candidate_text(best, proposal.sure))
    for rival in proposal.candidates[1 : 1 + RIVALS]:
        if rival.assignment is not None and rival.score >= LEAST:
            out.print(Text.assemble("or ", _candidate_text(rival, True)))
    for line in proposal.grounds.lines if best.assignment is not None else ():
        out.print(Text(line, style="dim"))
    for remark in (*proposal.remarks, *proposal.notes):
        out.print(Text(remark, style="yellow"))


def _candidate_text(one: Candidate, sure: bool) -> Text:
    doubt = "" if sure else " (not sure)"
    return Text.assemble(
        (one.measurement.name, "bold"), f", {one.measurement.title}{doubt}: {'; '.join(one.reasons)}"
    )


def print_recipes(console: Terminal | None = None) -> None:
    """Print the packaged recipes: what each is for, and where its data are published."""
    out = console or Terminal(soft_wrap=True)
    for one in packaged_recipes():
        out.print(Text.assemble((one.name, "bold"), f"  {one.recipe.type}: {one.recipe.title}"))
        out.print(Text(f"    {one.recipe.source}; {one.recipe.files}", style="dim"))


def measurements() -> list[tuple[str, str]]:
    """Return the kinds of measurement that foreign tables may hold, each with what it is."""
    return [(one.name, one.title) for one in MEASUREMENTS.values()]


def decimal_marks() -> tuple[str, ...]:
    """Return what can be said of a table's decimal mark."""
    return DECIMAL_MARKS


def recipes() -> list[tuple[str, str]]:
    """Return the packaged recipes of foreign tables, each with what it is for."""
    return [(one.name, one.recipe.title) for one in packaged_recipes()]


@dataclass(frozen=True)
class ReadingOptions:
    """What is said of a table."""

    kind: Annotated[
        str,
        typer.Option(
            "--type",
            help="what was measured: iv, endurance, …",
            show_default=False,
            autocompletion=measurements,
        ),
    ] = ""
    column: Annotated[
        list[str] | None, typer.Option(help="which column is which: row=WL, conductance='G mean'")
    ] = None
    unit: Annotated[
        list[str] | None, typer.Option(help="where the header has none: conductance=uS, current=nA")
    ] = None
    constant: Annotated[
        list[str] | None, typer.Option(help="what no column has: voltage=0.2V, read_voltage=0.1V")
    ] = None
    decimal: Annotated[
        str,
        typer.Option(
            help="what a comma such as that of 5,001 is: comma, a decimal mark, or point",
            show_default=False, autocompletion=decimal_marks,
        ),
    ] = ""  # fmt: skip
    dataset: Annotated[
        str,
        typer.Option(
            help="the sheet of a spreadsheet; the arrays of a file with several", show_default=False
        ),
    ] = ""
    axes: Annotated[
        str,
        typer.Option(
            help="what the dimensions of an array count: cycle,pulse,column,row", show_default=False
        ),
    ] = ""

    @property
    def says(self) -> bool:
        """Whether it says how the columns are read."""
        return bool(self.kind or self.column or self.unit or self.constant or self.decimal)

    def answers(self, table: Path) -> _Answers:
        """Return it, checked."""
        constants = _pairs("constant", self.constant)
        asked = TableReading(
            "", _pairs("column", self.column), _pairs("unit", self.unit), constants_in_si(constants, str(table)),
            decimal=decimal_of(self.decimal, "--decimal"), dataset=self.dataset,
            axes=tuple(self.axes.split(",")) if self.axes else (),
        )  # fmt: skip
        return _Answers(asked, self.kind, constants)


@dataclass(frozen=True)
class GuessOptions:
    """What is asked of the user, and what is remembered."""

    yes: Annotated[bool, typer.Option("--yes", "-y", help="take the best guess without asking")] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the guess only")] = False
    forget: Annotated[
        bool, typer.Option("--forget", help="forget what was told of tables with this header, and guess")
    ] = False


@grouped
def import_(
    table: Annotated[Path | None,
        typer.Argument(help="a table: .csv, .tsv, .txt, also .gz; .xlsx, .mat, .npz, .npy, .json, .h5",
                       show_default=False)
    ] = None,
    *, output: Output = None, reading: ReadingOptions,
    recipe: Annotated[str, typer.Option(help="a packaged recipe, or a file, that says all this",
                                        show_default=False, autocompletion=recipes)] = "",
    array: Annotated[str, typer.Option(help="the array on the chip that the cells belong to")] = "",
    chip: Annotated[str, typer.Option(help="a packaged chip map or a file, to be kept with the data")] = "",
    asking: GuessOptions,
    list_recipes: Annotated[bool, typer.Option("--recipes", help="list the packaged recipes")] = False,
) -> None:  # fmt: skip
    """Read a foreign table of measurements into a run file."""
    if list_recipes:
        print_recipes()
        return
    if table is None:
        raise InputError("name a table to import (.csv, .tsv, .txt), or list recipes with --recipes")
    answers = reading.answers(table)
    write = partial(import_measurement, table, output=output, array=array, chip=chip)
    if not recipe:
        _import_as_answered(table, answers, write, reading.says, asking)
        return
    over = _over(find_recipe(recipe).reading, answers)
    proposal = guess(table, over, [over.type])
    if asking.dry_run:
        print_guess(proposal)
    else:
        say(write(reading=over, grounds=proposal.grounds.lines))


def _import_as_answered(
    table: Path, answers: _Answers, write: Callable[..., Path], said: bool, asking: GuessOptions
) -> None:
    """Guess what a table holds from what was said of it, now or before; show it, or ask and import it."""
    memory = RecipeMemory()
    proposal = answers.guess(table)
    if asking.forget:
        gone = memory.forget(proposal.table.form.header, proposal.table.form.units)
        say(
            f"{'forgot' if gone else 'nothing was known of'} tables with the header of {table.name}", err=True
        )
    known = None if said or asking.forget else _known(memory, proposal)
    before = answers
    if known is not None:
        answers = before = _as_before(known, answers, proposal)
        proposal = answers.guess(table)
    if asking.dry_run:
        print_guess(proposal)
        return
    if known is not None:
        how = f"read as {known.recipe.type}" if known.recipe.type else "read"
        say(f"{table.name} is {how}, as told before; --forget guesses anew", err=True)
    proposal, answers = _decided(proposal, answers, asking.yes, known is not None)
    for remark in (*proposal.remarks, *proposal.notes):
        print_warning(remark)
    grounds = proposal.grounds
    if grounds.guessed and (asking.yes or known is not None):
        for line in grounds.lines:
            say(line, err=True)
    say(write(reading=proposal.best.reading, grounds=grounds.lines))
    if (said or asking.yes or _at_terminal()) if known is None else answers != before:
        _remember(memory, proposal, answers)


@dataclass(frozen=True)
class _Answers:
    """What was told of a table: columns, units, constants and the decimal mark; the kind; constants as written."""

    asked: TableReading
    kind: str
    told: dict[str, str]

    def guess(self, table: Path) -> Guess:
        """Return what the table seems to hold by them."""
        return guess(table, self.asked, [measurement_named(self.kind).name] if self.kind else ())


def _known(memory: RecipeMemory, proposal: Guess) -> NamedRecipe | None:
    """Return what was told of tables with this header, or a packaged recipe for it."""
    header = proposal.table.form.header
    remembered = memory.find(header, proposal.table.form.units)
    if remembered is not None or not header:
        return remembered
    return next((one for one in packaged_recipes() if one.recipe.header == header), None)


def _as_before(known: NamedRecipe, answers: _Answers, proposal: Guess) -> _Answers:
    """Return what was told of tables with this header; of the comma only where this table's numbers leave it open."""
    recipe, where, form = known.recipe, f"recipe {known.name}", proposal.table.form
    if recipe.decimal and form.proof and form.decimal != recipe.decimal:
        print_warning(
            f"{form.proof} in {proposal.table.path.name} shows a decimal {form.decimal or 'point'}, where the table before "
            f"was read with a decimal {recipe.decimal}: check that one"
        )
    asked = replace(
        answers.asked, columns=recipe.columns, units=recipe.units,
        constants=constants_in_si(recipe.constants, where), recipe=known.text,
        decimal=decimal_of(recipe.decimal, where) if form.doubtful else "",
    )  # fmt: skip
    return _Answers(asked, recipe.type, dict(recipe.constants))


def _over(given: TableReading, typed: _Answers) -> TableReading:
    """Return a recipe's reading with what was typed over it."""
    asked = typed.asked
    return replace(
        given, type=typed.kind or given.type, columns={**given.columns, **asked.columns},
        units={**given.units, **asked.units}, constants={**given.constants, **asked.constants},
        decimal=asked.decimal or given.decimal, dataset=asked.dataset or given.dataset,
        axes=asked.axes or given.axes,
    )  # fmt: skip


def _decided(proposal: Guess, answers: _Answers, yes: bool, before: bool) -> tuple[Guess, _Answers]:
    """Return how to read the table, and what was told of it: as guessed, as said (`before`, too), or at the terminal."""
    best, kind = proposal.best, answers.kind
    if _at_terminal() and not yes:
        if (before and proposal.grounds.guessed) or not kind or best.assignment is None:
            proposal, answers = _asked_for(proposal, answers)
        if proposal.table.form.doubtful:
            proposal, answers = _asked_for_comma(proposal, answers)
        return proposal, answers
    doubtful = proposal.table.form.doubtful and not yes
    if best.assignment is None or doubtful or not (proposal.sure or kind or yes):
        raise InputError(_unsure(proposal, kind))
    return proposal, answers


def _unsure(proposal: Guess, kind: str) -> str:
    """Return the sentence that says what is missing, and which options tell it."""
    best = proposal.best
    texts = [one.text for one in proposal.headers]
    if best.assignment is None and not kind and sum(bool(one.meaning) for one in proposal.headers) < 2:
        return (
            f"{proposal.table.path}: its columns {', '.join(texts)[:120]} tell no kind of measurement; say what it is and "
            "which column is which, such as --type iv --column voltage='…' --column current='…'"
        )
    if best.assignment is None:
        return best.reasons[0] + (
            "" if kind else f"; taken for {best.measurement.name}, say --type for another kind"
        )
    if proposal.table.form.doubtful:
        return f"{proposal.table.path}: {proposal.remarks[0]}"
    remarks = "".join(f"; {remark}" for remark in proposal.remarks)
    names = " or ".join(one.measurement.name for one in proposal.candidates[:2] if one.assignment is not None)
    return (
        f"{proposal.table.path} may be {names}, which is not sure: say --type {best.measurement.name}, with --column and "
        f"--unit where names are not understood (--column voltage={texts[0]} --unit current=uA), or --yes for the best "
        f"guess; --dry-run shows it{remarks}"
    )


def _asked_for(proposal: Guess, answers: _Answers) -> tuple[Guess, _Answers]:
    """Show the guess, and ask until an answer can be read; the kind of measurement is told then."""
    path = proposal.table.path
    while True:
        print_guess(proposal)
        possible = proposal.best.assignment is not None
        options = "[Y/n/edit]" if possible else "[n/edit]"
        answer = _prompt(f"Import it so? {options}", "y" if possible else "edit").lower()
        if answer in ("y", "yes") and possible:
            return proposal, replace(answers, kind=proposal.best.measurement.name)
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
            proposal = edited.guess(path)
        except InputError as error:
            print_warning(error)
            continue
        answers = edited


def _asked_for_comma(proposal: Guess, answers: _Answers) -> tuple[Guess, _Answers]:
    """Ask what the comma is, which no number of the table tells."""
    path, number = proposal.table.path, proposal.table.form.doubtful
    question = f"Is the comma in {number} a decimal mark, or a point's, which parts thousands? [{'/'.join(DECIMAL_MARKS)}]"
    while (answer := _prompt(question, "").lower()) not in DECIMAL_MARKS:
        say(f"answer {' or '.join(DECIMAL_MARKS)}", err=True)
    answers = replace(answers, asked=replace(answers.asked, decimal=answer))
    return answers.guess(path), answers


def _edited(line: str, answers: _Answers, path: Path) -> _Answers:
    """Return what was said, with a line such as ``column voltage=Vg`` over it."""
    asked, constants = answers.asked, answers.told
    word, _, pair = line.partition(" ")
    name, _, value = word.partition("=")
    if word.startswith("type="):
        return replace(answers, kind=measurement_named(value).name)
    if word.startswith("decimal="):
        return replace(answers, asked=replace(asked, decimal=decimal_of(value, name)))
    if word in ("column", "unit"):
        some = getattr(asked, f"{word}s") | _pairs(word, [pair])
        return replace(answers, asked=replace(asked, **{f"{word}s": some}))
    if word == "constant":
        constants = constants | _pairs(word, [pair])
        return replace(
            answers, asked=replace(asked, constants=constants_in_si(constants, str(path))), told=constants
        )
    if line:
        raise InputError(f"{line!r} is not understood; begin with type=, column, unit, constant or decimal=")
    return answers


def _prompt(question: str, default: str) -> str:
    return str(typer.prompt(question, default=default, show_default=False, err=True)).strip()


def _remember(memory: RecipeMemory, proposal: Guess, answers: _Answers) -> None:
    """Remember what was told of the table, and what its numbers prove of the comma; no guess."""
    form = proposal.table.form
    proved = form.decimal if form.proof else ""
    request = replace(answers.asked, type=answers.kind, decimal=answers.asked.decimal or proved)
    if memory.keep(form.header, form.units, recipe_of(request, form.header, answers.told)) and _at_terminal():
        say(f"tables with this header are read so from now on ({memory.path}; --forget)", err=True)


def _at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    pairs = [one.partition("=") for one in given or []]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise InputError(f"--{option} {name}{equals}{value}: write NAME=VALUE")
    return {name.strip(): value.strip() for name, _, value in pairs}
