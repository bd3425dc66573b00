"""Guesses what a foreign table holds: each kind of measurement gets a score, by names, units and shapes of its columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.imports import shapes
from mho.extensions.imports.headers import GATES, UNITS, ColumnHeader, read_headers
from mho.extensions.imports.measurements import MEASUREMENTS, Measurement
from mho.extensions.imports.resolving import (
    LARGEST_CONDUCTANCE,
    SAMPLE_LINES,
    constants_of,
    headers_of,
    is_nameless,
)
from mho.extensions.imports.rows import Rows
from mho.extensions.imports.series import ColumnAssignment, assign, line_meaning
from mho.extensions.imports.table_import import TableReading, table_of
from mho.extensions.imports.tables import TextLine, TextTable
from mho.extensions.imports.tables.numbers import POINT
from mho.extensions.imports.tables.units import plain_unit

Sample = Mapping[str, Floats]

# Score from which a guess is taken unasked, and by how much it must lead the next one
SURE, AHEAD = 0.6, 0.15
MOST_GROUNDS = 12  # grounds of a kind that are named; the others are counted
# Of columns without a unit: what tells their size, the largest of a cell, the unit they are taken to be in, and one that
# may be meant
DOUBTFUL: Mapping[str, tuple[Callable[[Floats], float], float, str, str]] = {
    "conductance": (np.median, LARGEST_CONDUCTANCE, "S", "uS"),
    "current": (np.max, 0.1, "A", "uA"),  # no cell survives more
}
SLOW = 30.0  # s: reads at longer intervals are no noise
BASE = 0.4  # of a table that has all columns that are needed, by name or unit
LACKING = 0.05  # of one that lacks a column, for each that it has
NAMELESS = 0.25  # the same by shape only

# Parts of file names and preambles that speak for a kind
WORDS = {
    "iv": ("iv", "i-v", "sweep", "loop", "dcsweep"), "endurance": ("endur", "cycling"),
    "retention": ("reten", "bake", "drift"),
    "form": ("form",), "response": ("pulse", "response", "ltp", "ltd", "potentiation", "depression", "synap", "update"),
    "noise": ("noise", "rtn", "telegraph", "psd"), "reads": ("map", "readmap", "array", "matrix", "read"),
    "program": ("program", "write", "verify", "ispp", "wv"), "ber": ("ber", "biterror"),
    "switching": ("vset", "vreset", "switching"), "levels": ("level", "multilevel", "mlc"),
}  # fmt: skip
# Meanings of the columns of tables without a header
NAMELESS_ORDERS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "iv": (("voltage", "current"),), "retention": (("time", "conductance"),), "noise": (("time", "current"),),
    "reads": (("row", "column", "conductance"),),
}  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A kind of measurement that a table may hold."""

    measurement: Measurement
    score: float  # 0 to 1
    reasons: tuple[str, ...]  # what speaks for it, and what against
    assignment: ColumnAssignment | None  # what the columns mean then; None where a needed one is missing
    reading: TableReading  # how to read the table so


@dataclass(frozen=True)
class Grounds:
    """Why a table is read as it is, in words."""

    # What the user, or a recipe, says of it; what was told of tables with the same header, too
    told: tuple[str, ...]
    proved: tuple[str, ...]  # what its names, units and numbers say
    guessed: tuple[str, ...]  # what nothing says: it may be otherwise in the next table

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it, a line a ground."""
        return tuple(
            f"{name}: {'; '.join(some[:MOST_GROUNDS])}"
            + (f"; and {len(some) - MOST_GROUNDS} more" if len(some) > MOST_GROUNDS else "")
            for name, some in (("told", self.told), ("proved", self.proved), ("guessed", self.guessed))
            if some
        )


# What `Guess.columns_in_words` says of a column
COLUMN_WORDS = ("column", "is", "unit", "in the run file", "first values")


@dataclass(frozen=True)
class Guess:
    """What a table seems to hold, the best candidate first."""

    table: TextTable
    headers: tuple[ColumnHeader, ...]  # of all columns
    first: tuple[TextLine, ...]  # the first lines of values
    candidates: tuple[Candidate, ...]
    # What is doubtful about the best one, such as a unit that can hardly be meant
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what is left out, such as lines of statistics below the values
    asked: TableReading = field(default_factory=TableReading)  # what was told of it
    type_told: bool = False  # whether the kind of measurement was

    @property
    def grounds(self) -> Grounds:
        """What of the best candidate was told, what the table proves, and what is guessed."""
        form, best, asked = self.table.form, self.best, self.asked
        lines = [f"type {best.measurement.name}"] if self.type_told else []
        lines += [f"{meaning} is column {text!r}" for meaning, text in asked.columns.items()]
        lines += [f"{name} in {unit}" for name, unit in asked.units.items()]
        lines += [f"{name} {value:g} {UNITS[name]}".rstrip() for name, value in asked.constants.items()]
        lines += [f"decimal {asked.decimal}"] if asked.decimal else []
        proved = [f"decimal {form.decimal or POINT}, by {form.proof}"] if form.proof else []
        guessed = [] if self.type_told else [f"type {best.measurement.name} ({'; '.join(best.reasons)})"]
        named = [*read_headers(form.header, form.units)] if form.header else []
        series = best.assignment.series if best.assignment is not None else ()
        columns = {one.index: (meaning, one) for some in series for meaning, one in some.columns.items()}
        for index, (meaning, one) in sorted(columns.items()):
            if meaning in asked.columns:
                continue
            unit = plain_unit(one.unit)
            by_name = (
                index < len(named) and bool(named[index].meaning) and named[index].meaning == one.meaning
            )
            what = f"{one.text!r} is {meaning}" + (f" in {unit}" if unit else "")
            (proved if by_name else guessed).append(what)
            if UNITS[meaning] and not unit and meaning not in asked.units:
                guessed.append(f"{one.text!r} is in {UNITS[meaning]}, as no unit stands there")
        if form.doubtful:
            guessed.append(f"decimal {form.decimal}, of {form.doubtful}")
        return Grounds(tuple(lines), tuple(proved), tuple(guessed))

    def columns_in_words(self) -> list[tuple[str, str, str, str, str]]:
        """Return of each column what `COLUMN_WORDS` names; the second is "" of one that is kept as it is."""
        best, rows = self.best, []
        for header in self.headers:
            meaning, state = "", ""
            series = best.assignment.series if best.assignment is not None else ()
            for some in series:
                for name, one in some.columns.items():
                    if one.index == header.index:
                        fixed = some.fixed.items() if len(series) > 1 else ()
                        meaning, state = name, ", ".join(f"{key} {value:g}" for key, value in fixed)
            values = [line.fields[header.index] for line in self.first[:3] if header.index < len(line.fields)]
            own = UNITS[meaning] if meaning else ""
            rows.append((
                header.text or "(no name)",
                f"{meaning} ({state})" if state and meaning not in ("time", "voltage") else meaning,
                header.unit or (f"none, taken as {own}" if own else ""), own, ", ".join(values),
            ))  # fmt: skip
        return rows

    @property
    def best(self) -> Candidate:
        """The candidate with the highest score."""
        return self.candidates[0]

    @property
    def sure(self) -> bool:
        """Whether nobody needs to be asked."""
        lead = self.best.score - (self.candidates[1].score if len(self.candidates) > 1 else 0.0)
        doubtful = (self.remarks and not self.table.form.header) or self.table.form.doubtful
        return self.best.assignment is not None and self.best.score >= SURE and lead >= AHEAD and not doubtful


def guess(path: Path, asked: TableReading | None = None, kinds: Sequence[str] = ()) -> Guess:
    """Return what a table seems to hold.

    Parameters
    ----------
    asked : TableReading, optional
        Columns, units and constants that were said; its type counts for nothing.
    kinds : sequence of str, optional
        Kinds of measurement to choose from; all unless given.

    Raises
    ------
    InputError
        The file holds no table, or what was said of its columns does not fit.
    """
    asked = asked or TableReading()
    table = table_of(path, asked)
    first = table.head(SAMPLE_LINES)
    if not first:
        raise InputError(f"{path} has a header and no line of values below it")
    form = table.form
    headers = headers_of(table, asked.columns, asked.units, first)
    has_names = bool(form.header) and not is_nameless(headers)
    words = " ".join([path.stem, *table.preamble()]).lower()
    candidates = []
    for name in kinds or MEASUREMENTS:
        candidates.append(_candidate(table, headers, MEASUREMENTS[name], first, asked, words, has_names))
    # A map, if nothing tells
    ranked = sorted(candidates, key=lambda one: (-one.score, one.measurement.name != "reads"))
    return Guess(
        table, headers, tuple(first), tuple(ranked), _remarks(ranked[0], first, table), table.left_out(), asked,
        len(kinds) == 1,
    )  # fmt: skip


def _candidate(
    table: TextTable, headers: Sequence[ColumnHeader], measurement: Measurement, first: Sequence[TextLine],
    asked: TableReading, words: str, has_header: bool,
) -> Candidate:  # fmt: skip
    reading = replace(asked, type=measurement.name)
    attempts: list[tuple[Sequence[ColumnHeader], TableReading]] = [(headers, reading)]
    if not has_header and not asked.columns:
        attempts = [
            (
                [replace(one, meaning=meaning) for one, meaning in zip(headers, order, strict=True)],
                replace(reading,
                        columns={meaning: one.text for one, meaning in zip(headers, order, strict=True)}),
            )
            for order in NAMELESS_ORDERS.get(measurement.name, ()) if len(order) == len(headers)
        ]  # fmt: skip
        if measurement.name == "reads" and len(headers) > 3:
            attempts.append((headers, reading))
    why = "its columns have no names"
    for given, how in attempts:
        try:
            constants = constants_of(table, given, asked.constants)
            assignment = assign(given, measurement, str(table.path), constants, line_meaning(asked.columns))
            sample = Rows(table, measurement, assignment, len(first)).sample(first)
        except InputError as error:
            why = str(error)
            continue
        if not len(sample["part"]):
            why = f"{table.path}: none of its first {len(first)} lines has all values"
            continue
        score, reasons = _score(measurement.name, Look(sample, assignment))
        if any(word in words for word in WORDS[measurement.name]):
            score, reasons = score + 0.15, [*reasons, "the file's name or preamble says so"]
        if "read_voltage" in assignment.meanings:
            volts = assignment.series[0].fixed["read_voltage"]
            where = "the lines above the table say" if "read_voltage" in constants else "its column says"
            where = "was said" if "read_voltage" in asked.constants else where
            reasons = [*reasons, f"read at {volts:g} V, as {where}"]
        score += BASE if has_header or asked.columns else NAMELESS
        if has_header:
            reasons = ["has the columns that it needs", *reasons]
        return Candidate(measurement, min(score, 1.0), tuple(reasons), assignment, how)
    there = {one.meaning for one in headers} | set(asked.constants)
    filled = len(measurement.needed) - len(measurement.missing(there))
    named_so = any(word in words for word in WORDS[measurement.name])
    return Candidate(
        measurement, LACKING * max(filled, 0) + (0.05 if named_so else 0.0), (why,), None, reading
    )


def _remarks(best: Candidate, first: Sequence[TextLine], table: TextTable) -> tuple[str, ...]:
    remarks = []
    if text := table.form.doubtful:
        mark = "a decimal mark" if table.form.comma else "what parts thousands"
        remarks.append(
            f"the comma in {text} may be a decimal mark or part thousands, and no number tells; it is taken for {mark}: "
            "say --decimal comma or --decimal point"
        )
    if best.assignment is None:
        return tuple(remarks)
    columns = {
        one.index: (name, one) for some in best.assignment.series for name, one in some.columns.items()
    }
    for meaning, one in columns.values():
        if meaning not in DOUBTFUL or one.unit:
            continue
        measure, most, base, unit = DOUBTFUL[meaning]
        fields = [line.fields[one.index] for line in first if one.index < len(line.fields)]
        sizes = np.abs([np.nan if (value := table.form.number(text)) is None else value for text in fields])
        known = sizes[np.isfinite(sizes)]
        size = float(measure(known)) if known.size else 0.0
        if size > most:
            remarks.append(
                f"column {one.text!r} has no unit and is taken to be in {base}: {size:.3g} {base} is no cell's; say --unit "
                f"{meaning}={unit}"
            )
            break
    return tuple(remarks)


@dataclass(frozen=True)
class Look:
    """A sample of a table, as one kind of measurement would read it."""

    sample: Sample
    assignment: ColumnAssignment

    def __getitem__(self, meaning: str) -> Floats:
        """Return a column, empty where there is none."""
        return np.asarray(self.sample.get(meaning, np.empty(0)), dtype=float)

    def has(self, *marks: str) -> bool:
        """Return whether one of these columns is there, whether the kind of measurement takes it or not."""
        return bool(set(marks) & ({*self.sample} | {one.meaning for one in self.assignment.others}))

    def first(self, meaning: str) -> Floats:
        """Return a column's rows of the first cell, in the first of several tables."""
        names = [name for name in ("part", "row", "column") if name in self.sample]
        return self[meaning][np.all([self.sample[name] == self.sample[name][0] for name in names], axis=0)]

    @property
    def states(self) -> set[float | None]:
        """The states that series are of."""
        return {one.fixed.get("state") for one in self.assignment.series}

    @property
    def is_repeated(self) -> bool:
        """Whether each cell of a grid was read many times."""
        cells = np.unique(np.stack([self["row"], self["column"]]), axis=1).shape[1]
        return len(np.unique(self["time"])) > 4 and len(self["row"]) >= 4 * cells

    @property
    def has_few_times(self) -> bool:
        """Whether many rows share few times."""
        return 1 < len(np.unique(self["time"])) <= max(len(self["time"]) // 4, 1)


def _interval(times: Floats) -> float:
    """Return the usual time between reads, s."""
    return float(np.median(np.diff(times)))


def _iv(look: Look) -> tuple[float, list[str]]:
    volts = look.first("voltage")
    if look.has("kind", "width"):
        return -0.2, ["has pulses"]
    once = volts[: shapes.period(volts)]
    if not shapes.is_sweep(once):
        return -0.3, ["its voltage is no sweep"]
    if not (shapes.turns(once) or len(once) < len(volts) or len(look.assignment.series) > 1):
        return 0.25, ["the voltage sweeps one way"]
    swept = look.assignment.series[0].columns.get("voltage")
    lone = swept is not None and GATES.fullmatch(swept.name.strip()) is not None
    alone = [f"{swept.text!r} is the only voltage"] if lone and swept is not None else []
    return 0.4, ["the voltage sweeps up and down", *alone]


def _program(look: Look) -> tuple[float, list[str]]:
    known = {"voltage", "width", "gate", "target"} & set(look.sample)
    return 0.25 + 0.05 * len(known), [f"pulses with {', '.join(['their kinds', *sorted(known)])}"]


Rule = tuple[Callable[[Look], object], float, str]
_ELSE: Callable[[Look], object] = bool  # any look
_SWEPT: Rule = (lambda look: shapes.is_sweep(look["voltage"]), -0.3, "its voltage is swept")
_PULSED: Rule = (lambda look: look.has("kind", "width", "before", "pulse"), -0.3, "has pulses")

# What speaks for a kind, or against it, and by how much: the first that holds, the last one of all tables
RULES: Mapping[str, tuple[Rule, ...]] = {
    "form": (
        (lambda look: shapes.ends_in_jump(
            look.first("voltage"), look.first("current" if "current" in look.sample else "conductance")
         ), 0.42, "the voltage rises until the current jumps"),
        (_ELSE, -0.3, "no jump at the end of a rising voltage"),
    ),
    "endurance": (
        (lambda look: look.has("before", "kind"), -0.2, "has pulses"),
        (lambda look: look.has("v_set", "v_reset"), 0.1, "states of loops, whose voltages are there"),
        (lambda look: not shapes.is_whole(look["cycle"]), -0.3, "its cycles are no whole numbers"),
        _SWEPT,
        (lambda look: look.states == {0.0, 1.0} or "state" in look.sample, 0.45,
         "both states by a number of cycles that grows"),
        (lambda look: shapes.two_states(look["conductance"]), 0.35, "two states in turn by cycle"),
        (_ELSE, 0.0, "one state only"),
    ),
    "retention": (
        _PULSED, _SWEPT,
        (lambda look: shapes.grows_by_decades(look["time"]), 0.4, "the time grows by decades"),
        (lambda look: look.has_few_times, 0.25, "many cells at a few times"),
        (lambda look: not shapes.is_even(look["time"]), 0.15, "a conductance over time"),
        (lambda look: _interval(look["time"]) > SLOW, 0.3, "a read now and then"),
        (_ELSE, 0.0, "even times"),
    ),
    "noise": (
        _PULSED, _SWEPT,
        (lambda look: not shapes.is_even(look.first("time")), -0.2, "its times are not even"),
        (lambda look: _interval(look.first("time")) > SLOW, 0.0, "a read now and then"),
        (_ELSE, 0.35, "samples at even times"),
    ),
    "response": (
        (lambda look: "kind" in look.sample and not {"pulse", "before"} & set(look.sample), -0.1,
         "pulses of given kinds, not a series of them"),
        (lambda look: {"target", "target_resistance"} & {one.meaning for one in look.assignment.others}, -0.3,
         "has targets, as a write-verify has"),
        (lambda look: "before" in look.sample, 0.4, "a conductance before and one after each pulse"),
        (lambda look: not shapes.is_whole(look["pulse"]), 0.0, "pulses without a number"),
        (lambda look: shapes.rises_and_falls(look["conductance"]), 0.4, "rises and falls with the number of pulses"),
        (_ELSE, 0.25, "by number of pulses"),
    ),
    "reads": (
        (lambda look: look.has("kind", "before"), -0.1, "has pulses"),
        (lambda look: len(look.assignment.series) > 1, 0.4, "a matrix of numbers"),
        (lambda look: not shapes.fills_a_grid(look["row"], look["column"]), 0.25, "a value by row and column"),
        (lambda look: look.is_repeated, 0.1, "each cell many times"),
        (_ELSE, 0.4, "a value for each row and column"),
    ),
    "ber": (
        (lambda look: shapes.are_shares(look["ber"]), 0.45, "shares of wrong bits by signal-to-noise ratio"),
        (_ELSE, -0.2, "its rates are no shares"),
    ),
    "switching": ((_ELSE, 0.45, "SET and RESET voltages, extracted already"),),
    "levels": ((_ELSE, 0.45, "a mean and a standard deviation of each level"),),
}  # fmt: skip


def _score(name: str, look: Look) -> tuple[float, list[str]]:
    """Return how much speaks for a kind of measurement, and what."""
    if name in ("iv", "program"):
        return (_iv if name == "iv" else _program)(look)
    return next((score, [reason]) for fits, score, reason in RULES[name] if fits(look))
