"""Tells by values, and by the other columns, what columns are whose names do not say it, or say it in two ways.

`Vg` is the voltage of a sweep where it is swept and no other voltage is there; `WL` and `BL` with whole numbers are row and
column; `LRS` and `HRS` in thousands are resistances.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mho.analysis.imports import shapes
from mho.analysis.imports.headers import KINDS, STATE_WORDS, Header, read_headers
from mho.analysis.imports.series import named, without_header
from mho.analysis.imports.text_tables import Line, TextTable

Floats = NDArray[np.float64]

SAMPLE_LINES = 4000
LARGEST_CONDUCTANCE = 0.1  # S: no cell of an array conducts more
LEAST_RESISTANCE = 10.0  # ohm

ROW_NAMES = {"wl", "wordline", "word line", "word_line", "x", "line"}
COLUMN_NAMES = {"bl", "bitline", "bit line", "bit_line", "y"}
VALUE_NAMES = {"value", "values", "val", "read", "mean", "data", "z"}
GENERIC = re.compile(r"(?:var|column|col|field|data|x)[_ ]?\d+|unnamed: ?\d+", re.IGNORECASE)
"""What programs call columns that have no names: MATLAB's Var1, pandas' Unnamed: 0."""


def headers_of(
    table: TextTable,
    columns: Mapping[str, str],
    units: Mapping[str, str],
    first: Sequence[Line] | None = None,
) -> tuple[Header, ...]:
    """Return what the columns of a table are: by what was said, by their names, then by their values.

    Parameters
    ----------
    columns, units : mapping
        What was said: see `mho.analysis.imports.series.named`.
    first : sequence of Line, optional
        The first lines, where they were read already.
    """
    form = table.form
    plain = read_headers(form.header, form.units) if form.header else without_header(form.width)
    told = named(plain, columns, units, str(table.path))
    if not form.header:
        return told
    lines = table.head(SAMPLE_LINES) if first is None else first
    return resolved(_worded(told, lines, columns), _values(table, lines), columns)


def is_nameless(headers: Sequence[Header]) -> bool:
    """Return whether the names are such as programs give to columns without one."""
    return all(GENERIC.fullmatch(one.text.strip()) for one in headers)


def resolved(
    headers: Sequence[Header], values: Sequence[Floats], said: Mapping[str, str]
) -> tuple[Header, ...]:
    """Return headers with the meanings that values tell; those that were said stay.

    Parameters
    ----------
    values : sequence of arrays
        The first values of each column; NaN for texts.
    said : mapping
        Headers by meaning that were said.
    """
    found = [_numbered_pulse(one, some) for one, some in zip(headers, values, strict=True)]
    for step in (_places, _cycles, _lone_voltage, _wide_values, _error_rates, _mapped_value):
        found = step(found, values)
    kept = set(said.values())
    return tuple(old if old.text in kept else new for old, new in zip(headers, found, strict=True))


def _values(table: TextTable, lines: Sequence[Line]) -> list[Floats]:
    def number(text: str) -> float:
        value = table.form.number(text)
        return float("nan") if value is None else value

    return [
        np.array([number(line.fields[index]) for line in lines if index < len(line.fields)], dtype=float)
        for index in range(len(table.form.header))
    ]


def _worded(headers: Sequence[Header], lines: Sequence[Line], said: Mapping[str, str]) -> tuple[Header, ...]:
    """Take a column of words for pulses, or for states, for what it is, whatever its name."""
    found = list(headers)
    for meaning, words in (("kind", KINDS), ("state", STATE_WORDS)):
        if meaning in said or any(one.meaning == meaning for one in found):
            continue
        for place, one in enumerate(found):
            texts = {line.fields[one.index].lower() for line in lines if one.index < len(line.fields)}
            wordy = texts <= set(words) and not any(text.replace(".", "").isdigit() for text in texts)
            if not one.meaning and texts and wordy:
                found[place] = replace(one, meaning=meaning)
                break
    return tuple(found)


def _plain(header: Header) -> str:
    return re.sub(r"[^a-z_ ]+", "", header.name.lower()).strip()


def _numbered_pulse(one: Header, values: Floats) -> Header:
    """Return `pulse` as the number of a pulse, where it holds numbers beyond those of kinds."""
    numbers = values.size and np.isfinite(values).all() and values.max() > 2.0
    named_so = one.meaning == "kind" and _plain(one) == "pulse"
    return replace(one, meaning="pulse") if named_so and numbers else one


def _places(headers: list[Header], values: Sequence[Floats]) -> list[Header]:
    """Take whole numbers of word line and bit line for row and column, where both are there."""
    row, column = (
        next(
            (one for one, some in zip(headers, values, strict=True)
             if _plain(one) in names and not one.unit and shapes.is_whole(some) and np.isfinite(some).all()),
            None,
        )
        for names in (ROW_NAMES, COLUMN_NAMES)
    )  # fmt: skip
    if row is None or column is None or {"row", "column"} & {one.meaning for one in headers}:
        return headers
    places = {row.index: "row", column.index: "column"}
    return [replace(one, meaning=places.get(one.index, one.meaning)) for one in headers]


def _cycles(headers: list[Header], values: Sequence[Floats]) -> list[Header]:
    """Take whole numbers that grow beside columns of both states for the cycles."""
    meanings = {one.meaning for one in headers}
    if {one.state for one in headers} < {0, 1} or {"cycle", "time", "pulse"} & meanings:
        return headers
    for place, (one, some) in enumerate(zip(headers, values, strict=True)):
        grows = (
            len(some) > 1 and shapes.is_whole(some) and bool(np.all(np.diff(some) >= 0.0) and np.ptp(some))
        )
        if not one.meaning and not one.unit and one.state is None and grows:
            return [*headers[:place], replace(one, meaning="cycle"), *headers[place + 1 :]]
    return headers


def _lone_voltage(headers: list[Header], values: Sequence[Floats]) -> list[Header]:
    """Take the only voltage for that of the sweep, where it is swept to and fro beside a current."""
    meanings = [one.meaning for one in headers]
    alone = meanings.count("gate") == 1 and meanings.count("current") >= 1 and "voltage" not in meanings
    if not alone or {"conductance", "resistance"} & set(meanings):
        return headers
    place = meanings.index("gate")
    volts = values[place]
    if not (shapes.is_sweep(volts) and shapes.turns(volts)):
        return headers
    return [replace(one, meaning="voltage") if one.index == place else one for one in headers]


def _wide_values(headers: list[Header], values: Sequence[Floats]) -> list[Header]:
    """Take columns of states, or of several cells, that no unit tells for resistances or conductances, by their size."""
    cells = [one for one in headers if one.meaning == "cell" and one.number is not None and not one.unit]
    unknown = [one for one in headers if not one.meaning and not one.unit and one.state is not None]
    wide = [*(cells if len(cells) > 1 else []), *unknown]
    if not wide:
        return headers
    sizes = np.abs(np.concatenate([values[one.index] for one in wide]))
    middle = float(np.median(sizes[np.isfinite(sizes)])) if np.isfinite(sizes).any() else 1.0
    meaning = (
        "resistance" if middle >= LEAST_RESISTANCE else "conductance" if middle <= LARGEST_CONDUCTANCE else ""
    )
    if not meaning:
        return headers
    places = {one.index for one in wide}
    return [
        replace(one, meaning=meaning, counts="cell" if one in cells else one.counts)
        if one.index in places
        else one
        for one in headers
    ]


def _error_rates(headers: list[Header], values: Sequence[Floats]) -> list[Header]:
    """Take shares beside a signal-to-noise ratio for bit error rates, a curve a column."""
    meanings = {one.meaning for one in headers}
    if "snr" not in meanings or {"ber", "errors"} & meanings:
        return headers
    found, number = [], 0
    for one, some in zip(headers, values, strict=True):
        known = some[np.isfinite(some)]
        if not one.meaning and known.size and known.min() >= 0.0 and known.max() <= 1.0:
            one, number = replace(one, meaning="ber", counts="sweep", number=number), number + 1
        found.append(one)
    return found


def _mapped_value(headers: list[Header], values: Sequence[Floats]) -> list[Header]:
    """Take `value` beside a row and a column for the conductance."""
    meanings = {one.meaning for one in headers}
    quantities = {"conductance", "resistance", "current", "kind", "before", "time"}
    if not {"row", "column"} <= meanings or quantities & meanings:
        return headers
    some = [one for one in headers if not one.meaning and _plain(one) in VALUE_NAMES]
    if len(some) != 1:
        return headers
    return [replace(one, meaning="conductance") if one is some[0] else one for one in headers]
