"""Tables in text: read line by line as often as needed, without what stands above, between and below the values."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mho.analysis.imports.tables.form_finding import NAME_TAG, VALUE_TAG, Form, find_form
from mho.analysis.imports.tables.sources import open_lines
from mho.errors import InputError

HEAD_LINES = 400
"""Lines from which separator and header are told."""

MOST_SHOWN = 6
MOST_FIELDS = 4_000_000
"""In memory at once."""

MOST_HEAD = 1 << 25
"""Characters from which separator and header are told, at most."""

MOST_COLUMNS = 20_000
LONGEST_NAME = 400
"""Characters of a column's name."""

SUMMARIES = {
    "average", "averages", "avg", "mean", "median", "std", "std dev", "std. dev.", "stdev", "stddev", "standard deviation",
    "sigma", "variance", "min", "minimum", "max", "maximum", "sum", "count", "cv", "rsd", "mittelwert", "stabw",
}  # fmt: skip
"""Words with which a spreadsheet's lines of statistics below the values begin."""


class Line(NamedTuple):
    """A line of values: its number in the file, from 1, its fields, and in which of several tables it stands, from 0."""

    number: int
    fields: list[str]
    part: int


class TextTable:
    """A table in a file, read line by line as often as needed.

    Parameters
    ----------
    names : sequence of str, optional
        Of the columns, for a table without a header.
    decimal : str, optional
        The decimal mark, ``comma`` or ``point``; found unless given.
    dataset, axes : str, sequence of str
        Of a file with several sheets or arrays: see `open_lines`.

    Attributes
    ----------
    summaries : dict
        Lines of statistics below the values that were left out, by number: what they begin with.

    Raises
    ------
    InputError
        The file cannot be read, is no text, or holds no table.
    """

    def __init__(
        self, path: Path, names: Sequence[str] | None = None, decimal: str = "", dataset: str = "",
        axes: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.path = path
        self._source = open_lines(path, dataset, axes)
        self.form: Form = find_form(self._head_lines(), names, decimal, path)
        if self.form.width > MOST_COLUMNS:
            raise InputError(
                f"{path} has {self.form.width} columns, and {MOST_COLUMNS} are read at most; save it with lines and "
                "columns exchanged, or a part of it"
            )
        for place, name in enumerate((*self.form.header, *self.form.units)):
            if len(name) > LONGEST_NAME:
                raise InputError(
                    f"{path}: a name or unit in its header ({name[:24]!r}…, field {place + 1}) has {len(name)} characters, "
                    f"and {LONGEST_NAME} are read at most; give it a short one"
                )
        self.summaries: dict[int, str] = {}

    def _head_lines(self) -> list[tuple[int, str]]:
        """Return the first lines, fewer where they are very long."""
        found, size = [], 0
        for number, text in itertools.islice(self._source.numbered(1), HEAD_LINES):
            found.append((number, text))
            size += len(text)
            if size > MOST_HEAD:
                break
        return found

    def lines(self) -> Iterator[Line]:
        """Yield each line of values; blank lines and repeated headers part tables that stand below one another.

        Raises
        ------
        InputError
            A line cannot be read.
        """
        form, part, gap, begun = self.form, 0, False, False
        header = [field.lower() for field in form.header]
        for number, text in self._source.numbered(form.first):
            stripped = text.strip()
            if not stripped or not stripped.strip(form.mark):
                gap = begun
                continue
            if stripped.startswith("#"):
                continue
            fields = self._fields(text, number)
            if form.tagged:
                tag, fields = fields[0].lower() if fields else "", fields[1:]
                if tag == NAME_TAG:
                    gap = begun
                if tag != VALUE_TAG:
                    continue
            while len(fields) > form.width and not fields[-1]:
                fields.pop()
            if (
                header
                and fields
                and fields[0].lower() == header[0]
                and [*map(str.lower, fields[: len(header)])] == header
            ):
                gap = begun
                continue
            if form.units and tuple(fields) == form.units:
                continue
            if begun and (word := _summary(fields)):
                self.summaries[number] = word
                continue
            part += gap
            gap, begun = False, True
            yield Line(number, fields, part)

    def head(self, count: int) -> list[Line]:
        """Return the first lines of values; fewer of a table with very many columns."""
        return list(itertools.islice(self.lines(), self.fitting(count)))

    def fitting(self, count: int) -> int:
        """Return how many lines are kept in memory at once: `count`, or fewer of a table with very many columns."""
        return max(1, min(count, MOST_FIELDS // max(self.form.width, 1)))

    def preamble(self) -> list[str]:
        """Return the lines above the table."""
        return [
            text.strip()
            for _, text in itertools.takewhile(lambda one: one[0] < self.form.first, self._source.numbered(1))
        ]

    def left_out(self) -> tuple[str, ...]:
        """Return what is to be said of the lines of statistics that were left out while lines were read."""
        if not self.summaries:
            return ()
        count = len(self.summaries)
        where = ", ".join(
            f"{word} in line {number}" for number, word in [*self.summaries.items()][:MOST_SHOWN]
        )
        more = f" and {count - MOST_SHOWN} more" if count > MOST_SHOWN else ""
        lines = "1 line" if count == 1 else f"{count} lines"
        return (f"{lines} of statistics below the values left out: {where}{more}",)

    def _fields(self, text: str, number: int) -> list[str]:
        try:
            return self.form.split(text)
        except (csv.Error, ValueError) as error:
            raise InputError(f"{self.path}, line {number}: {error}") from error


def _summary(fields: Sequence[str]) -> str:
    """Return the word with which a line of statistics begins; nothing for a line of values."""
    word = next((one for one in fields if one), "").rstrip(":= ")
    return word if word.lower() in SUMMARIES else ""
