"""Tells by values, and by the other columns, what columns are whose names do not say it, or say it in two ways.

`Vg` is the voltage of a sweep where it is swept and no other voltage is there; `WL` and `BL` with whole numbers are row and
column; `LRS` and `HRS` in thousands are resistances.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.imports import shapes
from mho.extensions.imports.headers import (
    KINDS,
    LETTERS,
    STATE_WORDS,
    WHOLE,
    ColumnHeader,
    read_headers,
    with_unit,
)
from mho.extensions.imports.series import named, without_header
from mho.extensions.imports.tables import TextLine, TextTable
from mho.extensions.imports.tables.units import (
    Clock,
    day_of,
    is_day_first,
    kind_of_unit,
    plain_unit,
    time_of_day,
    voltage_above,
)

UNIT_NAMES = {"unit", "units"}
DATE_NAMES = {"date", "datum", "day"}


def with_unit_columns(
    headers: Sequence[ColumnHeader], lines: Sequence[TextLine], path: Path
) -> tuple[ColumnHeader, ...]:
    """Return headers with the units that a column ``Unit`` at their right tells, as KickStart and the 2450 write them.

    Raises `InputError`: a column is in several units by turns.
    """
    result = list(headers)
    for place, one in enumerate(headers):
        left = next((n for n in range(place - 1, -1, -1) if not result[n].unit), None)
        if one.name.strip().lower() not in UNIT_NAMES or left is None:
            continue
        texts = {text for text in texts_of(one, lines) if text}
        if not texts or not all(map(kind_of_unit, texts)):
            continue
        units = sorted({plain_unit(text) for text in texts})
        if len(units) > 1:
            raise InputError(
                f"{path}: column {result[left].text!r} is in {' and '.join(units[:4])} by turns, as column {one.text!r} "
                "says; write its values in one unit"
            )
        result[left] = with_unit(result[left], units[0])
    return tuple(result)


def with_clocks(
    headers: Sequence[ColumnHeader], lines: Sequence[TextLine], table: TextTable
) -> tuple[ColumnHeader, ...]:
    """Return headers of which those of times say how dates and times of a clock are read.

    Where seconds stand beside times of a clock, the seconds are the time.

    Raises `InputError`: nothing tells whether dates begin with the day or the month.
    """
    new_headers = list(headers)
    days = [one for one in headers if one.name.strip().lower() in DATE_NAMES and day_of(_first(one, lines))]
    for place, one in enumerate(headers):
        text = _first(one, lines)
        if one.meaning != "time" or not text or table.form.number(text) is not None:
            continue
        date = days[0] if days and time_of_day(text) is not None else None
        day_first = is_day_first(texts_of(date or one, lines))
        if day_first is None:
            shown = _first(date or one, lines)
            raise InputError(
                f"{table.path}: dates such as {shown} may begin with the day or the month, and none tells; write them as "
                "2026-01-31"
            )
        new_headers[place] = replace(one, clock=Clock(None if date is None else date.index, day_first))
    times = [one for one in new_headers if one.meaning == "time" and not one.counts and one.number is None]
    seconds = [one for one in times if one.clock is None and "fraction" not in one.name.lower()]
    time_columns = seconds or [one for one in times if one.clock is not None]
    beside = {one.index for one in times} - {one.index for one in time_columns} if time_columns else set()
    return tuple(replace(one, meaning="") if one.index in beside else one for one in new_headers)


def texts_of(header: ColumnHeader, lines: Sequence[TextLine]) -> list[str]:
    """Return the fields of a column."""
    return [line.fields[header.index] for line in lines if header.index < len(line.fields)]


def _first(header: ColumnHeader, lines: Sequence[TextLine]) -> str:
    return next((text for text in texts_of(header, lines) if text), "")


SAMPLE_LINES = 4000
LARGEST_CONDUCTANCE = 0.1  # S: no cell of an array conducts more
LEAST_RESISTANCE = 10.0  # ohm
ROW_NAMES = {"wl", "wordline", "word line", "word_line", "x", "line"}
COLUMN_NAMES = {"bl", "bitline", "bit line", "bit_line", "y"}
SET_NAMES = {"vset", "v_set", "v set", "set voltage", "set_voltage"}
RESET_NAMES = {"vreset", "v_reset", "v reset", "vrst", "v_rst", "reset voltage", "reset_voltage"}
MEANS = {"mean", "average", "avg"}
SPREADS = {"std", "stdev", "stddev", "sd", "sigma", "deviation", "spread", "sem"}
EXTREMES = {"min", "max", "minimum", "maximum", "median", "q1", "q3"}
COUNTS = {"n", "count", "samples"}
VALUE_NAMES = {"value", "values", "val", "read", "mean", "data", "z"}
# What programs call columns that have no names: MATLAB's Var1, pandas' Unnamed: 0
GENERIC = re.compile(r"(?:var|column|col|field|data|x)[_ ]?\d+|unnamed: ?\d+", re.IGNORECASE)


def headers_of(
    table: TextTable,
    columns: Mapping[str, str],
    units: Mapping[str, str],
    first: Sequence[TextLine] | None = None,
) -> tuple[ColumnHeader, ...]:
    """Return what the columns of a table are: by what was said, by their names, then by their values.

    `columns`, `units`: what was said: see `mho.extensions.imports.series.named`; `first`: the first lines, where they
    were read already.
    """
    form = table.form
    plain = read_headers(form.header, form.units) if form.header else without_header(form.width)
    if not form.header:
        return named(plain, columns, units, str(table.path))
    lines = table.head(SAMPLE_LINES) if first is None else first
    plain = with_clocks(with_unit_columns(plain, lines, table.path), lines, table)
    headers = named(plain, columns, units, str(table.path))
    filled = [any(text not in ("", "-") for text in texts_of(one, lines)) for one in headers]
    return resolved(_worded(headers, lines, columns), _values(table, lines), columns, filled)


def constants_of(
    table: TextTable, headers: Sequence[ColumnHeader], said: Mapping[str, float]
) -> Mapping[str, float]:
    """Return the constants that were said, and the voltage of the reads where the table states it above a lone current."""
    there = {one.meaning for one in headers} | set(said)
    if "current" not in there or there & {"voltage", "read_voltage", "conductance", "resistance"}:
        return said
    volts = voltage_above(table.preamble())
    return {**said, "read_voltage": volts} if volts else said


def is_nameless(headers: Sequence[ColumnHeader]) -> bool:
    """Return whether the names are such as programs give to columns without one."""
    return all(GENERIC.fullmatch(one.text.strip()) for one in headers)


def resolved(
    headers: Sequence[ColumnHeader],
    values: Sequence[Floats],
    said: Mapping[str, str],
    filled: Sequence[bool] | None = None,
) -> tuple[ColumnHeader, ...]:
    """Return headers with the meanings that values tell; those that were said stay.

    `values`: the first values of each column; NaN for texts. `said`: headers by meaning that were said. `filled`:
    whether each column has anything in it; those that have not number nothing.
    """
    filled = [True] * len(headers) if filled is None else filled
    new_headers = [_numbered_pulse(one, some) for one, some in zip(headers, values, strict=True)]
    new_headers = [
        replace(one, meaning="") if one.meaning in WHOLE and some.size and not known else one
        for one, some, known in zip(new_headers, values, filled, strict=True)
    ]
    steps = (
        _thresholds, _places, _cycles, _lone_voltage, _wide_values, _statistics, _several_voltages, _error_rates,
        _mapped_value,
    )  # fmt: skip
    for step in steps:
        new_headers = step(new_headers, values)
    fixed_texts = set(said.values())
    return tuple(
        old if old.text in fixed_texts else new for old, new in zip(headers, new_headers, strict=True)
    )


def _values(table: TextTable, lines: Sequence[TextLine]) -> list[Floats]:
    def number(text: str) -> float:
        value = table.form.number(text)
        return float("nan") if value is None else value

    return [
        np.array([number(line.fields[index]) for line in lines if index < len(line.fields)], dtype=float)
        for index in range(len(table.form.header))
    ]


def _worded(
    headers: Sequence[ColumnHeader], lines: Sequence[TextLine], said: Mapping[str, str]
) -> tuple[ColumnHeader, ...]:
    """Take a column of words for pulses, or for states, for what it is, whatever its name."""
    new_headers = list(headers)
    for meaning, words in (("kind", KINDS), ("state", STATE_WORDS)):
        if meaning in said or any(one.meaning == meaning for one in new_headers):
            continue
        for place, one in enumerate(new_headers):
            texts = {line.fields[one.index].lower() for line in lines if one.index < len(line.fields)}
            wordy = texts <= set(words) and not any(text.replace(".", "").isdigit() for text in texts)
            if not one.meaning and texts and wordy:
                new_headers[place] = replace(one, meaning=meaning)
                break
    return tuple(new_headers)


def _plain(header: ColumnHeader) -> str:
    return re.sub(r"[^a-z_ ]+", "", header.name.lower()).strip()


def _numbered_pulse(one: ColumnHeader, values: Floats) -> ColumnHeader:
    """Return `pulse` as the number of a pulse, where it holds numbers beyond those of kinds."""
    numbers = values.size and np.isfinite(values).all() and values.max() > 2.0
    named_so = one.meaning == "kind" and _plain(one) == "pulse"
    return replace(one, meaning="pulse") if named_so and numbers else one


def _places(headers: list[ColumnHeader], values: Sequence[Floats]) -> list[ColumnHeader]:
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


def _cycles(headers: list[ColumnHeader], values: Sequence[Floats]) -> list[ColumnHeader]:
    """Take whole numbers that grow beside columns of both states for the cycles."""
    meanings = {one.meaning for one in headers}
    if not {0, 1} <= {one.state for one in headers} or {"cycle", "time", "pulse"} & meanings:
        return headers
    for place, (one, some) in enumerate(zip(headers, values, strict=True)):
        grows = (
            len(some) > 1 and shapes.is_whole(some) and bool(np.all(np.diff(some) >= 0.0) and np.ptp(some))
        )
        if not one.meaning and not one.unit and one.state is None and grows:
            return [*headers[:place], replace(one, meaning="cycle"), *headers[place + 1 :]]
    return headers


def _thresholds(headers: list[ColumnHeader], values: Sequence[Floats]) -> list[ColumnHeader]:
    """Take SET and RESET voltages for those of whole loops, where both are there, or one beside a cycle and no read."""
    thresholds = {
        one.index: meaning
        for meaning, names in (("v_set", SET_NAMES), ("v_reset", RESET_NAMES))
        for one in headers
        if _plain(one) in names
    }
    meanings = {one.meaning for one in headers if one.index not in thresholds}
    alone = "cycle" in meanings and not {"conductance", "resistance", "current", "kind"} & meanings
    if len(set(thresholds.values())) < 2 - alone or len(thresholds) != len(set(thresholds.values())):
        return headers
    return [replace(one, meaning=thresholds.get(one.index, one.meaning)) for one in headers]


def _statistics(headers: list[ColumnHeader], values: Sequence[Floats]) -> list[ColumnHeader]:
    """Take standard deviations beside a mean, or a plain value, for what they are; so extremes, and counts."""
    words = [set(re.findall(r"[a-z]+\d?", one.name.lower())) for one in headers]
    beside = [
        some & MEANS or (one.meaning in ("conductance", "resistance") and not some & (SPREADS | EXTREMES))
        for one, some in zip(headers, words, strict=True)
    ]
    if not any(beside) or not any(some & (SPREADS | EXTREMES) for some in words):
        return headers
    new_headers = []
    for one, some, numbers in zip(headers, words, values, strict=True):
        quantity = one.meaning or next((LETTERS[w] for w in one.name.split("_") if w in LETTERS), "")
        known = np.abs(numbers[np.isfinite(numbers)])
        if not quantity and not one.unit and some & (MEANS | SPREADS) and known.size:
            quantity = "resistance" if float(np.median(known)) >= LEAST_RESISTANCE else "conductance"
        if some & SPREADS:
            one = replace(one, meaning=f"deviation{'_resistance' * (quantity == 'resistance')}")
        elif some & EXTREMES:
            one = replace(one, meaning="")
        elif some & MEANS and quantity in ("conductance", "resistance"):
            one = replace(one, meaning=quantity)
        elif some <= COUNTS and some and shapes.is_whole(numbers):
            one = replace(one, meaning="count")
        elif some & COUNTS or "numsamples" in some:
            one = replace(one, meaning="")
        new_headers.append(one)
    return new_headers


def _several_voltages(headers: list[ColumnHeader], values: Sequence[Floats]) -> list[ColumnHeader]:
    """Number columns that were measured at several voltages, which their names state."""
    stated = [one for one in headers if one.at is not None and one.number is None and one.state is None]
    if len({(one.meaning, one.at) for one in stated}) < len(stated) or len(stated) < 2:
        return headers
    order = {one.index: place for place, one in enumerate(stated)}
    return [replace(one, number=order.get(one.index, one.number)) for one in headers]


def _lone_voltage(headers: list[ColumnHeader], values: Sequence[Floats]) -> list[ColumnHeader]:
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


def _wide_values(headers: list[ColumnHeader], values: Sequence[Floats]) -> list[ColumnHeader]:
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
        replace(one, meaning=meaning, counts="cell" if one in cells else one.counts) if one.index in places else one
        for one in headers
    ]  # fmt: skip


def _error_rates(headers: list[ColumnHeader], values: Sequence[Floats]) -> list[ColumnHeader]:
    """Take shares beside a signal-to-noise ratio for bit error rates, a curve a column."""
    meanings = {one.meaning for one in headers}
    if "snr" not in meanings or {"ber", "errors"} & meanings:
        return headers
    new_headers, number = [], 0
    for one, some in zip(headers, values, strict=True):
        if not one.meaning and shapes.are_shares(some):
            one, number = replace(one, meaning="ber", counts="sweep", number=number), number + 1
        new_headers.append(one)
    return new_headers


def _mapped_value(headers: list[ColumnHeader], values: Sequence[Floats]) -> list[ColumnHeader]:
    """Take `value` beside a row and a column for the conductance."""
    meanings = {one.meaning for one in headers}
    quantities = {"conductance", "resistance", "current", "kind", "before", "time"}
    if not {"row", "column"} <= meanings or quantities & meanings:
        return headers
    some = [one for one in headers if not one.meaning and _plain(one) in VALUE_NAMES]
    if len(some) != 1:
        return headers
    return [replace(one, meaning="conductance") if one is some[0] else one for one in headers]
