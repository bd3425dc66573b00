"""Readings of the instruments beside the bench in every run: a table, its figures, and when they are read.

A gauge is read in the run's own thread, at the safe points of the bench, so that nothing else is on the way to an
instrument meanwhile. It is no part of the experiment: whatever it does, the run goes on without it. How long it may keep
the run waiting is its driver's own time out, once an interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any

from mho.errors import BenchError
from mho.procedures.stream import Row, Stream

if TYPE_CHECKING:  # what a run without a file need not wait for
    from mho.instruments import Bench
    from mho.runs import Layout


def with_readings(layout: Layout, bench: Bench) -> Layout:
    """Return a run's layout with a table for each instrument beside the bench that is read, and a figure a unit.

    `BenchError` where a table of the procedure has the name of such an instrument.
    """
    gauges = _read_on(bench)
    if not gauges:
        return layout
    from mho.runs import Column, Figure, Table
    from mho.runs.figures import RUNS

    tables, figures = [], []
    for name, entry in gauges.items():
        if name in {table.name for table in layout.tables}:
            raise BenchError(
                f"the run has a table `{name}` of its own, where the readings of the instrument `{name}` would go: give "
                "the instrument another name in the bench file"
            )
        columns = [Column("time", "s", description="since the run began, on the bench's clock")]
        columns += [Column(reading, unit) for reading, unit in entry.readings.items()]
        tables.append(Table(name, tuple(columns), title=f"readings of {name}"))
        by_unit: dict[str, list[str]] = {}
        for reading, unit in entry.readings.items():
            by_unit.setdefault(unit, []).append(reading)
        for alike in by_unit.values():
            title = f"{name}: {', '.join(alike)}".replace("_", " ")
            figures.append(Figure(f"{name}_{alike[0]}", title, table=name, x="time", y=tuple(alike)))
    # Beside a procedure's own figures: one that declares none has its tables drawn, these among them.
    drawn = any(figure.table != RUNS for figure in layout.figures)
    return replace(
        layout, tables=(*layout.tables, *tables), figures=(*layout.figures, *(figures if drawn else ()))
    )


def own_lengths(lengths: Mapping[str, int], bench: Bench) -> dict[str, int]:
    """Return the lengths of what the procedure recorded: a gauge's readings are no result of it."""
    gauges = _read_on(bench)
    return {name: length for name, length in lengths.items() if name not in gauges}


@contextmanager
def readings_taken(bench: Bench, stream: Stream) -> Iterator[None]:
    """Within the block the instruments beside the bench are read, at its beginning, at safe points, and at its end.

    After an error nothing is read any more: the bench is to be made safe at once.
    """
    for name, entry in bench.file.instruments.beside.items():
        if entry.readings and name not in bench.instruments.beside:
            stream.say(f"{name} has no simulated twin: its readings are left out", "WARNING")
    gauges = [
        _Gauge(name, bench.instruments.beside[name], entry, bench, stream)
        for name, entry in _read_on(bench).items()
    ]
    if not gauges:
        yield
        return
    for gauge in gauges:
        gauge.read()
    before = bench.checkpoint

    def checkpoint() -> None:
        before()
        now = bench.now()
        for gauge in gauges:
            if now >= gauge.due:
                gauge.read()

    bench.checkpoint = checkpoint
    try:
        yield
    finally:
        bench.checkpoint = before
    for gauge in gauges:
        gauge.read()


def _read_on(bench: Bench) -> dict[str, Any]:
    """Return the entries of the opened instruments beside the bench that have readings, by name."""
    opened, beside = bench.instruments.beside, bench.file.instruments.beside
    return {name: entry for name, entry in beside.items() if entry.readings and name in opened}


class _Gauge:
    """Reads one instrument into its table; `due` is when it is read again, s on the bench's clock."""

    def __init__(self, name: str, instrument: Any, entry: Any, bench: Bench, stream: Stream) -> None:
        self._name, self._instrument, self._entry = name, instrument, entry
        self._now, self._stream, self._begun = bench.now, stream, bench.now()
        self._order = list(entry.readings)
        self._said: set[str] = set()
        self.due = self._begun

    def read(self) -> None:
        """Write a row, NaN for what was not read; an error ends it, so that one time out is waited for at most."""
        row = {"time": self._now() - self._begun} | dict.fromkeys(self._entry.readings, math.nan)
        for reading in tuple(self._order):
            try:
                row[reading] = self._ask(reading)
            except Exception as error:  # a driver of the user's own may raise anything
                self._order.remove(reading)
                self._order.append(reading)  # last from now on: it must not hide those that answer
                self._warn(reading, f"was not read ({type(error).__name__}: {error})")
                break
        self.due = self._now() + self._entry.every
        self._stream.record(self._name, **row)
        self._stream.announce(Row(self._name, row))

    def _ask(self, reading: str) -> float:
        answer = getattr(self._instrument, reading)
        answer = answer() if callable(answer) else answer
        if isinstance(answer, Real) and not isinstance(answer, bool) and math.isfinite(answer):
            return float(answer)
        self._warn(reading, f"answered {answer!r:.60}, which is no number")
        return math.nan

    def _warn(self, reading: str, what: str) -> None:
        if reading not in self._said:
            self._said.add(reading)
            self._stream.say(
                f"{self._name}: `{reading}` {what}; it is NaN in the run, and asked for again every "
                f"{self._entry.every:g} s, without a further word",
                "WARNING",
            )
