"""Which columns of a foreign table belong together: a long table is one series, a wide one has one a cell, cycle, state."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mho.errors import InputError, nearest
from mho.extensions.imports.headers import UNITS, ColumnHeader
from mho.extensions.imports.measurements import CONDUCTANCE, Measurement

# Meanings that a wide table repeats, a column a series
MEASURED = (
    "conductance", "resistance", "current", "voltage", "before", "before_resistance", "time", "ber", "errors",
)  # fmt: skip


# What a kind of measurement calls a quantity of a state
WITHIN: Mapping[str, Mapping[tuple[str, int | None], str]] = {
    "switching": {
        ("conductance", 0): "lrs", ("conductance", 1): "hrs",
        ("resistance", 0): "lrs_resistance", ("resistance", 1): "hrs_resistance",
    },
    "levels": {("conductance", None): "mean", ("resistance", None): "mean_resistance"},
}  # fmt: skip


LINE = "{line}"  # stands for the number of the line where a column is named


@dataclass(frozen=True)
class ImportedSeries:
    """Columns that make a row of the run file's table of each line."""

    columns: Mapping[str, ColumnHeader]  # headers by meaning
    # Numbers by meaning that are the same in all lines, such as the state of an HRS column
    fixed: Mapping[str, float] = field(default_factory=dict)
    line: str = ""  # the meaning that the number of the line, from 0, has; empty for none

    @property
    def meanings(self) -> frozenset[str]:
        """What is known of each row."""
        return frozenset((*self.columns, *self.fixed, *((self.line,) if self.line else ())))


@dataclass(frozen=True)
class ColumnAssignment:
    """The series of a table, and the columns that are kept under their own names."""

    series: tuple[ImportedSeries, ...]
    others: tuple[ColumnHeader, ...] = ()

    @property
    def meanings(self) -> frozenset[str]:
        """What is known of the rows of all series."""
        return frozenset.intersection(*(one.meanings for one in self.series))


def named(
    headers: Sequence[ColumnHeader], called: Mapping[str, str], units: Mapping[str, str], source: str
) -> tuple[ColumnHeader, ...]:
    """Return headers with the meanings and units that were said.

    `called`: header by meaning; a column that is guessed to be the same loses that meaning. One with ``{n}`` stands for
    all columns of such a name, numbered by n; ``{line}`` for the number of the line, from 0. `units`: units by meaning,
    header, or name without its unit, over those in the header. Raises `InputError`: there is no such meaning, or no
    such column.
    """
    texts = [one.text for one in headers]
    shown = ", ".join(texts[:24]) + (", …" if len(texts) > 24 else "")
    counted = line_meaning(called)
    headers, called = _numbered(headers, {k: v for k, v in called.items() if k != counted}, source)
    if counted and counted not in UNITS:
        raise InputError(f"no column is called {counted!r}; {nearest(counted, UNITS)}")
    headers = [replace(one, meaning="") if counted and one.meaning == counted else one for one in headers]
    for meaning, text in called.items():
        if meaning not in UNITS:
            raise InputError(f"no column is called {meaning!r}; {nearest(meaning, UNITS)}")
        if text not in texts:
            raise InputError(f"{source} has no column {text!r} for {meaning}; it has {shown}")
        if list(called.values()).count(text) > 1:
            both = " and ".join(name for name, one in called.items() if one == text)
            raise InputError(f"{source}: column {text!r} is said to be {both}; it is one of them")
    meanings = {text: meaning for meaning, text in called.items()}
    new_headers = []
    for one in headers:
        meaning = meanings.get(one.text, "" if one.meaning in called else one.meaning)
        unit = units.get(meaning, units.get(one.text, units.get(one.name, one.unit)))
        new_headers.append(replace(one, meaning=meaning, unit=unit))
    given = {*texts, *(one.name for one in headers), *(one.meaning for one in new_headers)}
    for name in units:
        if name not in given:
            raise InputError(
                f"{source} has no column {name!r} to be in {units[name]}; {nearest(name, given)}"
            )
    return tuple(new_headers)


def line_meaning(called: Mapping[str, str]) -> str:
    """Return what the number of the line is said to be; empty for nothing."""
    return next((meaning for meaning, text in called.items() if text == LINE), "")


def _numbered(
    headers: Sequence[ColumnHeader], called: Mapping[str, str], source: str
) -> tuple[list[ColumnHeader], dict[str, str]]:
    """Return headers with the meanings of names with ``{n}``, and what else was said."""
    new_headers, left = list(headers), dict(called)
    for meaning, text in called.items():
        if "{n}" not in text:
            continue
        del left[meaning]
        if meaning not in UNITS:
            raise InputError(f"no column is called {meaning!r}; {nearest(meaning, UNITS)}")
        pattern = re.compile(re.escape(text).replace(r"\{n\}", r"(\d{1,6})"))
        numbers = [pattern.fullmatch(one.text) for one in headers]
        if not any(numbers):
            raise InputError(f"{source} has no column such as {text!r} for {meaning}")
        new_headers = [
            replace(one, meaning=meaning, number=int(number[1]), counts="")
            if number
            else replace(one, meaning="" if one.meaning == meaning else one.meaning)
            for one, number in zip(new_headers, numbers, strict=True)
        ]
    return new_headers, left


def assign(
    headers: Sequence[ColumnHeader], measurement: Measurement, source: str, fixed: Mapping[str, float],
    line: str = "",
) -> ColumnAssignment:  # fmt: skip
    """Return the series of a table for one kind of measurement.

    `fixed`: numbers by meaning that were given for all lines; `line`: what the number of the line, from 0, is. Raises
    `InputError`: a column that is needed is not there, or two seem to be the same.
    """
    taken = _taken(headers, measurement)
    if measurement.name == "reads":
        whole = _matrix(headers, taken)
        if whole is not None:
            return whole
    groups: dict[str, list[ColumnHeader]] = {}
    for one in taken:
        groups.setdefault(one.meaning, []).append(one)
    several = {meaning: some for meaning, some in groups.items() if len(some) > 1}
    single = {meaning: some[0] for meaning, some in groups.items() if len(some) == 1}
    if several:
        series = _wide(single, several, measurement, source)
    elif groups.keys() & set(CONDUCTANCE) and (lone := _state_of(single)) is not None:
        series = [ImportedSeries(single, {"state": float(lone)})]
    else:
        series = [ImportedSeries(single)]
    series = [
        replace(one, fixed={**one.fixed, **{k: v for k, v in fixed.items() if k not in one.columns}})
        for one in series
    ]
    series = [_stated(replace(one, line=line) if line else one) for one in series]
    used = {header.index for one in series for header in one.columns.values()}
    others = tuple(one for one in headers if one.index not in used and one.text)
    assignment = ColumnAssignment(tuple(series), others)
    _check_needs(assignment, measurement, headers, source)
    return assignment


def _stated(series: ImportedSeries) -> ImportedSeries:
    """Return a series with the voltage of its reads, where the name of its current states it and nothing else does."""
    current = series.columns.get("current")
    if current is None or current.at is None or {"voltage", "read_voltage"} & series.meanings:
        return series
    return replace(series, fixed={**series.fixed, "read_voltage": current.at})


def _taken(headers: Sequence[ColumnHeader], measurement: Measurement) -> list[ColumnHeader]:
    """Return the headers whose meaning the measurement takes."""
    meanings = set(measurement.meanings)
    if measurement.name == "reads" and all(one.meaning != "kind" for one in headers):
        meanings -= {"kind", "width", "gate"}
    if "cycle" in meanings and "sweep" in meanings and any(one.meaning == "sweep" for one in headers):
        meanings.discard("cycle")
    within = WITHIN.get(measurement.name, {})
    known = [replace(one, meaning=within.get((one.meaning, one.state), one.meaning)) for one in headers]
    return [one for one in known if one.meaning in meanings]


def _state_of(single: Mapping[str, ColumnHeader]) -> int | None:
    states = {one.state for one in single.values() if one.state is not None}
    return states.pop() if len(states) == 1 and "state" not in single else None


def _wide(
    single: Mapping[str, ColumnHeader],
    several: Mapping[str, Sequence[ColumnHeader]],
    measurement: Measurement,
    source: str,
) -> list[ImportedSeries]:
    """Return a series for each state, cycle or cell that a wide table has columns for."""
    for meaning, some in several.items():
        keys = [(one.state, one.counts, one.number) for one in some]
        stateless = not measurement.counts and any(one.state is None for one in some)
        if meaning not in MEASURED or len(set(keys)) < len(keys) or stateless:
            first, second = (some[0], some[1]) if len(set(keys)) == len(keys) else _alike(some)
            raise InputError(
                f"{source}: columns {first.text!r} and {second.text!r} both seem to be {meaning}; say which is it: "
                f"--column {meaning}={second.text}"
            )
    keys = list(
        dict.fromkeys((one.state, one.counts, one.number) for some in several.values() for one in some)
    )
    if "state" not in measurement.meanings and any(state is not None for state, _, _ in keys):
        return [
            ImportedSeries(_of_key(single, several, key, source), {measurement.counts: float(place)})
            for place, key in enumerate(keys)
        ]  # LRS and HRS are two cells, or two curves
    keys.sort(key=lambda key: key[0] or 0)  # LRS first, as our own runs have it
    numbers = [number for _, _, number in keys if number is not None]
    offset = min(numbers, default=0)
    series = []
    for state, counts, number in keys:
        columns = _of_key(single, several, (state, counts, number), source)
        fixed: dict[str, float] = {} if state is None or "state" in single else {"state": float(state)}
        if number is not None:
            what = counts or measurement.counts
            if what == "cycle" and "cycle" not in measurement.meanings:
                what = "sweep"
            fixed[what] = float(number if what in ("cycle", "kind") else number - offset)
        elif numbers and not counts:
            fixed[measurement.counts] = 0.0
        series.append(ImportedSeries({k: v for k, v in columns.items() if k not in fixed}, fixed))
    return series


def _of_key(
    single: Mapping[str, ColumnHeader],
    several: Mapping[str, Sequence[ColumnHeader]],
    key: tuple[int | None, str, int | None],
    source: str,
) -> dict[str, ColumnHeader]:
    """Return the columns of one series of a wide table: those of its state and number, and those of all."""
    columns, number = dict(single), key[2]
    for meaning, some in several.items():
        own = next((one for one in some if (one.state, one.counts, one.number) == key), None)
        own = own or next((one for one in some if one.number == number and one.state is None), None)
        own = own or next((one for one in some if one.number is None and one.state is None), None)
        if own is None:
            raise InputError(
                f"{source}: column {some[0].text!r} has no like of number {number}, which other columns have"
            )
        columns[meaning] = own
    return columns


def _alike(some: Sequence[ColumnHeader]) -> tuple[ColumnHeader, ColumnHeader]:
    for place, one in enumerate(some):
        for other in some[place + 1 :]:
            if (one.state, one.counts, one.number) == (other.state, other.counts, other.number):
                return one, other
    return some[0], some[1]


def _matrix(headers: Sequence[ColumnHeader], taken: Sequence[ColumnHeader]) -> ColumnAssignment | None:
    """Return a series a column of a bare matrix of numbers; None where the table is none."""
    if {one.meaning for one in taken} & {"row", "column"} - (
        {taken[0].meaning} if taken and taken[0].index == 0 else set()
    ):
        return None
    first = headers[0] if headers else None
    marked = first is not None and (first.meaning == "row" or not first.text or _number_of(first) is None)
    cells = list(headers[1:] if marked else headers)
    numbered = [_number_of(one) for one in cells]
    if len(cells) < 2 or any(number is None for number in numbered) or len(set(numbered)) < len(numbered):
        return None
    if not marked and numbered == [*range(1, 1 + len(cells))]:
        numbered = [*range(len(cells))]  # columns without names; rows count from 0, too
    unit = {one.unit for one in cells}
    meaning = cells[0].meaning if cells[0].meaning in ("conductance", "resistance") else "conductance"
    if len(unit) > 1:
        return None
    series = [
        ImportedSeries({meaning: one, **({"row": first} if marked and first is not None else {})},
                       {"column": float(number or 0)}, "" if marked else "row")
        for one, number in zip(cells, numbered, strict=True)
    ]  # fmt: skip
    return ColumnAssignment(tuple(series))


def _number_of(header: ColumnHeader) -> int | None:
    """Return the number of a matrix's column: of 3, c3, col 3 or BL3."""
    digits = header.text.lower().removeprefix("column").removeprefix("col").lstrip("cbl_ ").rstrip(".0")
    if header.text.replace(".", "").replace("0", "") == "":
        return 0
    digits = digits or "0"
    return int(digits) if digits.isdigit() and len(digits) < 7 else None


def _check_needs(
    assignment: ColumnAssignment, measurement: Measurement, headers: Sequence[ColumnHeader], source: str
) -> None:
    there = assignment.meanings
    shown = ", ".join(one.text for one in headers) or f"{len(headers)} columns without names"
    if (
        measurement.name in ("reads", "program")
        and "kind" in there
        and not there & {"conductance", "resistance"}
    ):
        raise InputError(
            f"{source} is a table of pulses, whose voltage is that of the pulse, so that it tells no conductance; give the "
            f"read after each pulse as conductance or resistance: say --column conductance=…, of {shown}"
        )
    for some in measurement.missing(there):
        if some == CONDUCTANCE or (some == ("voltage",) and measurement.name == "reads"):
            raise InputError(
                f"{source} has neither conductance, nor resistance, nor current and voltage; it has {shown}: "
                "say --column conductance=…"
            )
        if some == ("voltage",) and "current" in there:
            raise InputError(
                f"{source} has a current and no voltage, so that it tells no conductance; say --constant voltage=0.1V, or "
                f"--column voltage=…, of {shown}"
            )
        raise InputError(
            f"{source} has no column for {' or '.join(some)}; it has {shown}: say --column {some[0]}=…"
        )


def without_header(width: int) -> tuple[ColumnHeader, ...]:
    """Return headers of columns that have none."""
    return tuple(ColumnHeader(index, f"{index + 1}", f"{index + 1}", "", "") for index in range(width))
