"""The rows of the run file's table, made of the lines of a foreign one: checked line by line, in SI units, by blocks."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.imports import shapes
from mho.extensions.imports.conversion import CLOCK, NAMED, Conversion, Survey, Values, is_told, pairs
from mho.extensions.imports.headers import (
    KINDS,
    STATE_WORDS,
    UNITS,
    WHOLE,
    ColumnHeader,
    beyond,
    ratio_to,
    why_beyond,
)
from mho.extensions.imports.measurements import Measurement
from mho.extensions.imports.series import ColumnAssignment, ImportedSeries
from mho.extensions.imports.tables import TextLine, TextTable
from mho.extensions.imports.tables.numbers import plain_numbers, shown, without_overflows
from mho.extensions.imports.tables.units import CELSIUS, Clock, base_and_ratio, plain_unit
from mho.runs import Column

LARGEST_NUMBER = 2**31
# In a column of which the meaning is not known, as it stands there: in SI units it is still a number
LARGEST_VALUE = 1e290
SAMPLE = 100_000  # values from which it is told after how many a sweep repeats itself
LABEL = re.compile(r"[A-Za-z]+[ _]?(\d{1,9})")  # of a line: a word and a number
ZERO_CELSIUS = 273.15
WORDS_OF_KIND = "say read, set or reset, or 0, 1 or 2"
WORDS_OF_STATE = "say LRS or HRS, or 0 or 1"


class Rows:
    """The rows of one kind of measurement in a table.

    Raises `InputError`: a unit is unknown, or of another kind than the column's.
    """

    def __init__(
        self, table: TextTable, measurement: Measurement, assignment: ColumnAssignment, block: int
    ) -> None:
        self._table, self.measurement, self.assignment, self._block = table, measurement, assignment, block
        source = str(table.path)
        self._ratios: dict[int, tuple[float, float]] = {}
        for series in assignment.series:
            for meaning, one in series.columns.items():
                if plain_unit(one.unit) == CELSIUS and meaning == "temperature":
                    continue
                self._ratios[one.index] = ratio_to(one.unit, meaning, f"column {one.text!r}", source)
        self._meaning = {
            one.index: meaning for series in assignment.series for meaning, one in series.columns.items()
        }

    @property
    def _headers(self) -> list[ColumnHeader]:
        """All columns that are read, as they stand in the table."""
        used = {one.index: one for series in self.assignment.series for one in series.columns.values()}
        used |= {one.index: one for one in self.assignment.others}
        return [used[index] for index in sorted(used)]

    def survey(self) -> Survey:
        """Check every line.

        Raises `InputError`: lines are bad, each named by its number, or there are none, or a column has no number in
        any.
        """
        survey, path = Survey(), self._table.path
        first = self._table.head(1)
        if not first:
            raise InputError(f"{path} has a header and no line of values below it")
        survey.left_out = [one for one in self.assignment.others if self._is_text(one, first[0])]
        survey_rows = Conversion(self.measurement, self.assignment, survey)
        sample: dict[str, list[Floats]] = {"voltage": [], "cycle": [], "conductance": [], "time": []}
        sampled = 0
        finite = {one.index: 0 for one in self._headers}
        place = None
        for lines in self._line_blocks():
            survey.lines += len(lines)
            good, values = self._read(lines, survey)
            for index, column in values.items():
                finite[index] += int(np.isfinite(column).sum())
            if survey.bad_count:
                continue
            for number, series in enumerate(self.assignment.series):
                meant, parts = survey_rows.meant(series, values, good, survey.kept)
                self._check(series, meant, [*itertools.compress(good, survey_rows.chosen)], survey)
                count = len(parts)
                survey.kept += count
                if not count:
                    continue
                survey.rows |= {int(one) for one in np.unique(meant["row"])}
                survey.columns |= {int(one) for one in np.unique(meant["column"])}
                here = np.stack([parts, meant["row"], meant["column"]])
                survey.parted |= bool((np.diff(here, axis=1) != 0).any())
                survey.parted |= place is not None and number == 0 and bool((here[:, 0] != place).any())
                if number == 0:
                    place = here[:, -1]
                if number == 0 and sampled < SAMPLE:
                    sampled += count
                    for name, some in sample.items():
                        some.append(meant.get(name, np.full(count, np.nan)))
        self._refuse(survey)
        self._refuse_empty(finite, survey)
        self._conclude(survey, finite, {name: np.concatenate(some) for name, some in sample.items() if some})
        return survey

    def _conclude(self, survey: Survey, finite: Mapping[int, int], sample: Mapping[str, Floats]) -> None:
        """Add what follows of all lines: missing numbers, start, period and order; refuse what holds nothing."""
        path = self._table.path
        survey.missing = {
            one.text: survey.lines - finite[one.index]
            for one in self._headers
            if one not in survey.left_out and finite[one.index] < survey.lines
        }
        if not survey.kept:
            raise InputError(
                f"{path} has {survey.lines} lines, and none with all values; nothing was imported"
            )
        if self.measurement.signal == "conductance" and not survey.conductances:
            raise InputError(
                f"{path}: none of {survey.lines} lines tells a conductance: they were read at 0 V, or 0 ohm were written "
                "down; nothing was imported"
            )
        if sample:
            times = sample["time"]
            if times.size and np.nanmin(times, initial=np.inf) > CLOCK:
                survey.start = float(np.nanmin(times)) if np.isfinite(times).any() else 0.0
            survey.period = shapes.period(sample["voltage"])
            survey.lrs_first = pairs(sample["cycle"], sample["conductance"])
        if (
            self.measurement.name == "endurance"
            and "state" not in self.assignment.meanings
            and survey.lrs_first is None
        ):
            raise InputError(
                f"{path} has no column for state, and its lines are no pairs of LRS and HRS with one cycle; say "
                "--column state=…, or --constant state=0 where all are reads of LRS"
            )

    def _check(
        self, series: ImportedSeries, meant: Values, lines: Sequence[TextLine], survey: Survey
    ) -> None:
        """Count the lines with values that no cell, bench or laboratory has."""
        for meaning, values in meant.items():
            if meaning == "conductance" and self.measurement.name == "iv":
                continue  # close to 0 V an offset makes any of a current; the file has the current
            largest = self._largest(meaning)
            bad = beyond(meaning, values) | (values > largest)
            for place in np.flatnonzero(bad).tolist():
                column = series.columns.get(meaning)
                of = f"column {column.text!r}" if column else "the values"
                what = why_beyond(meaning, float(values[place]))
                if values[place] > largest:
                    what = f"a {meaning} of {values[place]:.10g}, where {largest} is the largest"
                survey.note_fault(lines[place].number, f"{of} {'has' if column else 'make'} {what}")
            if meaning == "conductance":
                survey.offsets += int(((values < 0.0) & ~bad).sum())
                survey.conductances += int(np.isfinite(values).sum())

    def _largest(self, meaning: str) -> float:
        """Return the largest whole number that the run file's column for a meaning holds."""
        name = {"cycle": "cycles", "sweep": "number" if self.measurement.name == "noise" else "sweep"}.get(
            meaning, meaning
        )
        kinds = [np.dtype(one.dtype) for one in self.measurement.columns if one.name == name]
        return float(np.iinfo(kinds[0]).max) if kinds and kinds[0].kind == "u" else math.inf

    def _refuse(self, survey: Survey) -> None:
        if survey.bad_count:
            more = f"; and {survey.bad_count - NAMED} more" if survey.bad_count > NAMED else ""
            count = f"{survey.bad_count} bad line{'s' if survey.bad_count > 1 else ''}"
            raise InputError(
                f"{self._table.path} has {count}: {'; '.join(survey.bad)}{more}; nothing was imported"
            )

    def _refuse_empty(self, finite: Mapping[int, int], survey: Survey) -> None:
        """Raise an `InputError` for a meaning whose columns have no number in any line."""
        by_meaning: dict[tuple[str, int | None], list[ColumnHeader]] = {}
        for one in self._headers:
            by_meaning.setdefault((self._meaning.get(one.index, ""), one.state), []).append(one)
        for (meaning, _), some in by_meaning.items():
            if meaning and not any(finite[one.index] for one in some):
                raise InputError(
                    f"{self._table.path}: column {some[0].text!r} has no number in any of {survey.lines} lines; nothing "
                    "was imported"
                )

    def sample(self, lines: Sequence[TextLine]) -> Values:
        """Return the values by meaning of some lines, of the first series; with the number of the table, ``part``."""
        survey = Survey(left_out=list(self.assignment.others))
        good, values = self._read(lines, survey)
        conversion = Conversion(self.measurement, self.assignment, survey)
        meant, parts = conversion.meant(self.assignment.series[0], values, good, 0)
        return {**meant, "part": parts}

    def columns(self, survey: Survey) -> tuple[Column, ...]:
        """Return the columns of the run file's table: those of the measurement that are told, and others."""
        there = self.assignment.meanings
        if self.measurement.name == "reads":
            known_columns = [
                replace(one, description=self._how()) if one.name == "conductance" else one
                for one in self.measurement.columns
            ]
            used = self.assignment.series[0].columns
            own = {
                one.index: name
                for name, one in used.items()
                if name not in ("row", "column", "cell", "conductance")
            }
        else:
            known_columns, own = (
                [one for one in self.measurement.columns if is_told(one.name, self.measurement, there)],
                {},
            )
        others = [
            Column(own[one.index], UNITS[own[one.index]], description=f"column {one.text!r} of the table")
            if one.index in own
            else Column(
                self._name(one), base_and_ratio(one.unit)[0], description=f"column {one.text!r} of the table"
            )
            for one in self._headers
            if one.index in own or (one in self.assignment.others and one not in survey.left_out)
        ]
        return (*known_columns, *others)

    def _how(self) -> str:
        there = self.assignment.meanings
        if "conductance" in there:
            return "as in the table"
        return "1 / resistance" if "resistance" in there else "current / voltage"

    def _name(self, header: ColumnHeader) -> str:
        """Return what a column that the measurement does not take is called, unlike all others."""
        taken = {one.name for one in self.measurement.columns} | set(self.assignment.meanings)
        before = [one.identifier for one in self.assignment.others if one.index < header.index]
        name = header.identifier
        return f"{name}_{header.index + 1}" if name in taken or name in before else name

    def blocks(self, survey: Survey) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield the rows, block by block, after a survey that found nothing bad."""
        columns = self.columns(survey)
        conversion = Conversion(self.measurement, self.assignment, survey)
        begun = 0
        for lines in self._line_blocks():
            good, values = self._read(lines, survey)
            for number, series in enumerate(self.assignment.series):
                meant, parts = conversion.meant(series, values, good, begun)
                if not len(parts):
                    continue
                for one in self.assignment.others:
                    if one not in survey.left_out:
                        numerator, denominator = base_and_ratio(one.unit)[1]
                        meant[self._name(one)] = (
                            values[one.index][conversion.chosen] * numerator / denominator
                        )
                full = conversion.completed(meant, parts, number, begun)
                begun += len(parts)
                yield {one.name: full[one.name].astype(one.dtype) for one in columns}

    def _line_blocks(self) -> Iterator[list[TextLine]]:
        lines, count = self._table.lines(), self._table.fitting(self._block)
        while block := list(itertools.islice(lines, count)):
            yield block

    def _is_text(self, header: ColumnHeader, first: TextLine) -> bool:
        text = first.fields[header.index] if header.index < len(first.fields) else ""
        return self._table.form.number(text) is None

    def _read(self, lines: Sequence[TextLine], survey: Survey) -> tuple[list[TextLine], dict[int, Floats]]:
        """Return the good lines, and their values by column: in SI where the column is known, as they stand there else."""
        width = self._table.form.width
        complaints: dict[int, str] = {
            place: f"{len(line.fields)} values where the header has {width}"
            for place, line in enumerate(lines)
            if len(line.fields) != width
        }
        whole = [line for place, line in enumerate(lines) if place not in complaints]
        places = [place for place in range(len(lines)) if place not in complaints]
        values: dict[int, Floats] = {}
        for header in self._headers:
            if header in survey.left_out:
                continue
            meaning = self._meaning.get(header.index, "")
            texts = [line.fields[header.index] for line in whole]
            if header.clock is not None and header.clock.date is not None:
                texts = [
                    f"{line.fields[header.clock.date]} {text}"
                    for line, text in zip(whole, texts, strict=True)
                ]
            numbers, said = self._numbers(texts, header, meaning, survey)
            for place, what in said.items():
                complaints.setdefault(places[place], what)
            values[header.index] = numbers
        for place in sorted(complaints):
            survey.note_fault(lines[place].number, complaints[place])
        return whole, values

    def _numbers(
        self, texts: list[str], header: ColumnHeader, meaning: str, survey: Survey
    ) -> tuple[Floats, dict[int, str]]:
        """Return the values of a column, and what is wrong with those that cannot be."""
        said: dict[int, str] = {}
        column = f"in column {header.text!r}"
        form = self._table.form
        if meaning in ("kind", "state"):
            words, hint = (KINDS, WORDS_OF_KIND) if meaning == "kind" else (STATE_WORDS, WORDS_OF_STATE)
            read = [words.get(text.lower(), form.number(text)) for text in texts]
            known = set(words.values())
            what = "kind of pulse" if meaning == "kind" else "state"
            for place, one in enumerate(read):
                if one not in known:
                    said[place] = f"{shown(texts[place])} {column} is no {what}; {hint}"
            return np.array([math.nan if one is None else one for one in read], dtype=float), said
        quick = None if form.grouping else plain_numbers(texts)  # 1.234,5 is no 1.234
        if quick is not None:
            values = quick
        else:
            numbers = [form.number(text) for text in texts]
            if meaning in ("row", "column", "level"):  # WL3, BL 12
                labels = [LABEL.fullmatch(text) for text in texts]
                numbers = [
                    float(label[1]) if one is None and label else one
                    for one, label in zip(numbers, labels, strict=True)
                ]
            if meaning == "time":
                clock = header.clock or Clock()
                numbers = [
                    clock.seconds(text) if one is None else one
                    for one, text in zip(numbers, texts, strict=True)
                ]
            if meaning == "cell" and any(one is None for one in numbers):
                numbers = [float(survey.cells.setdefault(text, len(survey.cells))) for text in texts]
            said = {
                n: f"{shown(texts[n])} {column} is no number" for n, one in enumerate(numbers) if one is None
            }
            values = np.array([math.nan if one is None else one for one in numbers], dtype=float)
        values = without_overflows(values)
        if not meaning:
            large = np.flatnonzero(np.abs(values) > LARGEST_VALUE).tolist()
            said |= {n: f"{shown(texts[n])} {column} is larger than any quantity" for n in large}
        if meaning in WHOLE:
            with np.errstate(invalid="ignore"):
                bad = ~((values >= 0.0) & (values < LARGEST_NUMBER) & (values == np.floor(values)))
            what = "number of a row, from 0" if meaning == "row" else f"number of a {meaning}, from 0"
            said |= {
                n: f"{shown(texts[n])} {column} is no {what}"
                for n in np.flatnonzero(bad).tolist()
                if n not in said
            }
        if meaning == "temperature" and plain_unit(header.unit) == CELSIUS:
            return values + ZERO_CELSIUS, said
        numerator, denominator = self._ratios.get(header.index, (1.0, 1.0))
        with np.errstate(over="ignore"):  # what is beyond all numbers is named
            return values * numerator / denominator, said
