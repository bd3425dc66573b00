"""Finds how a table in lines of text is written: what parts its fields, its header and units, where its values begin."""

from __future__ import annotations

import csv
import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mho.errors import InputError
from mho.extensions.imports.tables.numbers import (
    COMMA,
    LONGEST,
    MISSING,
    POINT,
    DecimalMark,
    decimal_mark,
    is_grouped,
    plain_number,
)
from mho.extensions.imports.tables.units import looks_like_units

HEADER_LINES = 4  # lines of a header at most: short and long names, units, comments
MARKS = ("\t", ";", ",", " ")
COMMENT = ("#", "%", "!")
NAME_TAG, VALUE_TAG = "dataname", "datavalue"
_NUMBER_LIKE = re.compile(r"[+-]?[.,]*\d[\d.,]*(?:[eE][+-]?\d+)?")
# What pandas calls names that are not there
_UNNAMED = re.compile(r"unnamed: ?\d+(?:_level_\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class TextForm:
    """How a table is written."""

    mark: str  # what stands between fields; a blank stands for any white space
    comma: bool  # whether the decimal mark is a comma
    # header, units: names of the columns and their units; empty where there is no such line
    header: tuple[str, ...]
    units: tuple[str, ...]
    first: int  # number of the line after the header, from 1
    width: int  # fields of a line
    tagged: bool = False  # whether lines begin with ``DataName`` and ``DataValue``
    grouping: str = ""  # what parts thousands; empty for nothing
    # A number of which nothing tells whether its comma is a decimal mark; empty where it is clear
    doubtful: str = ""
    proof: str = ""  # a number that tells it

    def split(self, line: str) -> list[str]:
        """Return the fields of a line, without blanks around them."""
        if '"' not in line:  # several times as fast as a reader of CSV
            return line.split() if self.mark == " " else [*map(str.strip, line.split(self.mark))]
        (fields,) = csv.reader([line.strip("\r\n")], delimiter=self.mark, skipinitialspace=True) or [[]]
        return [field.strip() for field in fields]

    def number(self, text: str) -> float | None:
        """Return a number as it stands there, NaN for a missing one; None for what is none, or has no end."""
        if len(text) > LONGEST:
            return None
        if text.lower() in MISSING:
            return math.nan
        if self.grouping and self.grouping in text:
            if not is_grouped(text, self.grouping):
                return None  # 1,5 is no 15
            text = text.replace(self.grouping, "")
        return plain_number(text.replace(",", ".") if self.comma else text)

    def with_mark(self, mark: DecimalMark) -> TextForm:
        """Return the form with its numbers written so."""
        return replace(
            self, comma=mark.comma, grouping=mark.grouping, doubtful=mark.doubtful, proof=mark.proof
        )

    @property
    def decimal(self) -> str:
        """What the comma is, as it can be said of a table; empty where no number has one."""
        return COMMA if self.comma else POINT if self.grouping == "," else ""


def find_form(
    head: Sequence[tuple[int, str]], names: Sequence[str] | None, decimal: str, path: Path
) -> TextForm:
    """Return how a table is written, of its first lines.

    `head`: numbers and texts of the lines; `names`: for a table without a header: see
    `mho.extensions.imports.table_import.TableReading`; `decimal`: the decimal mark, where it was said: see `decimal_mark`.
    Raises `InputError`: there is no table, or `names` are for another.
    """
    if not any(text.strip() for _, text in head):
        raise InputError(f"table {path} is empty; it begins with a line of column names")
    tagged = next(((n, t) for n, t in head if t.strip().lower().startswith(NAME_TAG)), None)
    if tagged:
        number, text = tagged
        fields = _trimmed(TextForm(",", False, (), (), 1, 0).split(text)[1:])
        return TextForm(",", False, tuple(fields), (), number + 1, len(fields), tagged=True)
    whole = [(n, t) for n, t in head if t.strip() and not t.strip().startswith(COMMENT)]
    if not whole:
        raise InputError(f"table {path} is empty; it begins with a line of column names")
    forms = [_as_marked(mark, whole, head, decimal) for mark in MARKS]
    _, form = max(enumerate(forms), key=lambda one: (one[1][0], -one[0]))
    return _renamed(form[1], names, path) if names is not None else form[1]


def _as_marked(
    mark: str, whole: Sequence[tuple[int, str]], head: Sequence[tuple[int, str]], decimal: str
) -> tuple[int, TextForm]:
    """Return the form with fields marked off by `mark`, and how much speaks for it."""
    plain = TextForm(mark, False, (), (), 1, 0)
    try:
        split = [(number, _trimmed(plain.split(text))) for number, text in whole]
    except (csv.Error, ValueError):
        return -1, TextForm(mark, False, (), (), whole[0][0], 0)
    plain = plain.with_mark(decimal_mark(_numerals(split), mark == ",", decimal))
    counts = [(sum(bool(f) and plain.number(f) is not None for f in some), len(some)) for _, some in split]
    body = [index for index, (numbers, width) in enumerate(counts) if numbers and 2 * numbers >= width]
    if not body:
        number, names = split[0]
        several = len(names) > 1
        form = replace(plain, header=tuple(names), first=number + 1, width=len(names))
        return (len(names) if several else 0), form
    widths = Counter(counts[index][1] for index in body)
    named = {len(some) for _, some in split[: body[0]]}  # where lines are ragged, the header's counts
    width = max(widths, key=lambda one: (widths[one], one in named, one))
    begin = next(index for index in body if counts[index][1] == width)
    if body[0] and counts[body[0] - 1][1] == width:  # the first lines below the header are ragged
        begin = body[0]
    begin = _below_numbered_names(counts, begin, width)
    header, units = _names_above(split, begin, width, plain)
    first = split[begin][0]
    own = split[begin][1]
    if not header and (plain.number(own[0]) is None or not own[0]):
        # A name, or none, above row numbers; numbers of columns beside it
        header, first = tuple(own), first + 1
    elif not header:
        header = _commented(head, first, plain, width)
    good = sum(2 * numbers - width for numbers, of in counts[begin:] if of == width)
    speaks = 1000 * max(good, 0) // max(len(counts) - begin, 1) + 10 * min(width, 50)
    form = replace(plain, header=header, units=units, first=first, width=width)
    return speaks if width > 1 else speaks // 100, form


def _numerals(split: Sequence[tuple[int, list[str]]]) -> list[str]:
    """Return the fields of those lines of which at least half may be numbers."""
    texts: list[str] = []
    for _, fields in split:
        numerals = [one for one in fields if len(one) <= LONGEST and _NUMBER_LIKE.fullmatch(one)]
        if 2 * len(numerals) >= len(fields):
            texts += numerals
    return texts


def _below_numbered_names(counts: Sequence[tuple[int, int]], begin: int, width: int) -> int:
    """Return where values begin below names of which an upper line has numbers, such as levels; else `begin`.

    A line of numbers above the first line of words, right below which values go on, belongs to the header.
    """
    if begin and counts[begin - 1] == (0, width):
        return begin
    for place in range(begin + 1, min(begin + HEADER_LINES, len(counts) - 1)):
        if counts[place] == (0, width) and counts[place + 1][1] == width and counts[place + 1][0]:
            return place + 1
    return begin


def _names_above(
    split: Sequence[tuple[int, list[str]]], begin: int, width: int, plain: TextForm
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return header and units that stand above the first line of numbers."""
    above = [_widened(fields, width) for _, fields in split[max(begin - HEADER_LINES, 0) : begin]]
    above = [*reversed([*itertools.takewhile(lambda fields: len(fields) == width, reversed(above))])]
    above = _with_index_names(above)
    if not above:
        return (), ()
    for place in range(len(above) - 1, 0, -1):  # Origin has comments below the units
        if looks_like_units(above[place]):
            names = _unique_names(above[place - 1], above[place + 1 :])
            return _under(above[: place - 1], names), tuple(above[place])
    if all(plain.number(f) is not None for f in above[-1]):
        return (), ()
    return _under(above[:-1], above[-1]), ()


def _widened(fields: list[str], width: int) -> list[str]:
    """Return fields without the name of a last column that no line has values of, as LabVIEW's comment.

    An empty last field, which was cut off as if it were none, is there again.
    """
    if len(fields) == width - 1 and width > 2:
        return [*fields, ""]
    return fields[:width] if len(fields) == width + 1 and width > 1 else fields


def _with_index_names(above: list[list[str]]) -> list[list[str]]:
    """Return lines of names, with the names of pandas' indices, a line of their own, in the empty places above them."""
    if len(above) < 2 or all(above[-1]):
        return above
    last, names = above[-1], above[-2]
    if any(own and name and not _UNNAMED.fullmatch(name) for own, name in zip(last, names, strict=True)):
        return above
    return [*above[:-2], [own or one for own, one in zip(last, names, strict=True)]]


def _under(upper: Sequence[Sequence[str]], names: Sequence[str]) -> tuple[str, ...]:
    """Return names, with those that stand above them where several columns have the same one.

    A name above, such as a spreadsheet's merged cell, holds for the empty cells at its right; above no name it is the name.
    """
    headers = tuple(names)
    for line in reversed(upper):
        known = [one for one in headers if one]
        if len(set(known)) == len(known):
            return headers
        filled, last = [], ""
        for one in line:
            last = "" if _UNNAMED.fullmatch(one) else one or last
            filled.append(last)
        headers = tuple(
            f"{over} {name}" if over and name and headers.count(name) > 1 else name or own
            for own, over, name in zip(line, filled, headers, strict=True)
        )
    return headers


def _unique_names(names: Sequence[str], comments: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return names, with the comments below them where several columns have the same one."""
    alike = {name for name in names if list(names).count(name) > 1}
    return tuple(
        " ".join([name, *(line[place] for line in comments if line[place])]) if name in alike else name
        for place, name in enumerate(names)
    )


def _commented(head: Sequence[tuple[int, str]], first: int, plain: TextForm, width: int) -> tuple[str, ...]:
    """Return the names in the comment right above the numbers, as numpy's savetxt writes them."""
    above = [text.strip() for number, text in head if number < first and text.strip()]
    if not above or not above[-1].startswith(COMMENT):
        return ()
    text = above[-1].lstrip("#%! ")
    fields = plain.split(text)
    if plain.mark == " " and len(fields) != width:  # a unit belongs to the name before it
        fields = re.split(r"\s+(?![(\[])", text)
    return (
        tuple(fields)
        if len(fields) == width and all(not f or plain.number(f) is None for f in fields)
        else ()
    )


def _renamed(form: TextForm, names: Sequence[str], path: Path) -> TextForm:
    """Return the form with names that a recipe gives for columns without a header; those with {n} repeat, n from 1."""
    if form.header:
        raise InputError(
            f"{path} has the header {', '.join(form.header)[:80]}, and the recipe is for a table without one"
        )
    plain = [name for name in names if "{n}" not in name]
    again = [name for name in names if "{n}" in name]
    rest = form.width - len(plain)
    if rest < 0 or (rest and not again) or (again and rest % len(again)):
        raise InputError(f"{path} has {form.width} columns, and the recipe names {', '.join(names)}")
    repeated = [
        name.replace("{n}", str(n))
        for n in range(1, 1 + (rest // len(again) if again else 0))
        for name in again
    ]
    return replace(form, header=(*plain, *repeated), units=())


def _trimmed(fields: list[str]) -> list[str]:
    """Return fields without the empty last one that a separator at the end of a line makes."""
    return fields[:-1] if len(fields) > 2 and not fields[-1] else fields
