"""What foreign columns mean becomes the columns of the run file: conductances, sweeps, repeats and states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.extensions.imports.headers import ColumnHeader
from mho.extensions.imports.measurements import Measurement
from mho.extensions.imports.series import ColumnAssignment, ImportedSeries
from mho.extensions.imports.tables import TextLine

Values = dict[str, Floats]

CLOCK = 1e8  # s: beyond it, times are those of a clock, from 1970 on, and no time since something began
NAMED = 10  # bad lines that are named; the others are counted


@dataclass
class Survey:
    """The findings of the first pass over all lines."""

    # lines, kept: lines of values, and rows that they make
    lines: int = 0
    kept: int = 0
    # rows, columns: of the cells
    rows: set[int] = field(default_factory=set)
    columns: set[int] = field(default_factory=set)
    left_out: list[ColumnHeader] = field(default_factory=list)  # columns of text
    parted: bool = False  # whether tables stand below one another, or lines of several cells
    period: int = 0  # rows after which a sweep repeats itself
    # Of two reads a cycle, whether the first is that of LRS; None where the lines are no such pairs
    lrs_first: bool | None = None
    # Time that is taken off all others, s: of the first read, where times are those of a clock
    start: float = 0.0
    cells: dict[str, int] = field(default_factory=dict)  # numbers of cells that have names, by name
    # offsets, conductances: conductances a little below 0, as a meter's offset leaves them, and all that are
    # known
    offsets: int = 0
    conductances: int = 0
    # Values that are missing, by the column's header; columns without any are left out
    missing: dict[str, int] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)
    bad_count: int = 0

    def note_fault(self, line: int, what: str) -> None:
        """Count a bad line, and keep what is wrong with the first ones."""
        self.bad_count += 1
        if len(self.bad) < NAMED:
            self.bad.append(f"line {line}: {what}")


class Conversion:
    """Turns what columns mean into the columns of the run file, and remembers what goes on from block to block."""

    def __init__(self, measurement: Measurement, assignment: ColumnAssignment, survey: Survey) -> None:
        self._measurement, self._assignment, self._survey = measurement, assignment, survey
        self._seen: dict[tuple[int, int], int] = {}
        self._sweep = 0
        self._place: Floats | None = None
        self._lines = 0
        self._first_line = 0
        self.chosen: NDArray[np.bool_] = np.zeros(0, bool)

    def meant(
        self, series: ImportedSeries, values: Mapping[int, Floats], lines: Sequence[TextLine], begun: int
    ) -> tuple[Values, Floats]:
        """Return the values by meaning of the lines that have some in this series, and the table of each."""
        count = len(lines)
        if series is self._assignment.series[0]:
            self._first_line, self._lines = self._lines, self._lines + count
        by_meaning = {meaning: values[one.index] for meaning, one in series.columns.items()}
        by_meaning |= {meaning: np.full(count, value) for meaning, value in series.fixed.items()}
        if series.line:
            by_meaning[series.line] = np.arange(self._first_line, self._first_line + count, dtype=np.float64)
        parts = np.array([line.part for line in lines], dtype=float)
        if "row" not in by_meaning:
            by_meaning["row"] = by_meaning["cell"] if "cell" in by_meaning else np.zeros(count)
        if "column" not in by_meaning:
            by_meaning["column"] = np.zeros(count)
        by_meaning |= _electrical(by_meaning, self._measurement.name)
        self.chosen = np.ones(count, bool)
        if len(self._assignment.series) > 1:  # columns of a wide table end where their series ends
            for name in (self._measurement.signal, self._measurement.axis):
                if name in by_meaning:
                    self.chosen &= np.isfinite(by_meaning[name])
        return {name: one[self.chosen] for name, one in by_meaning.items()}, parts[self.chosen]

    def completed(self, meant: Values, parts: Floats, number: int, begun: int) -> Values:
        """Return the columns of the run file: with numbers of sweeps, repeats and states that no column has."""
        full = dict(meant)
        count = len(parts)
        name = self._measurement.name
        if "cycle" in meant:
            full["cycles"] = meant["cycle"]
        if name in ("iv", "ber") and "sweep" not in meant:
            full["sweep"] = meant["cycle"] if "cycle" in meant else self._sweeps(meant, parts, number, begun)
        if name in ("noise", "retention"):
            full["time"] = meant["time"] - self._survey.start
        if name == "noise":
            full["number"] = meant.get("sweep", np.zeros(count))
        if name == "response":
            full["repeat"] = meant.get("sweep", meant.get("cycle", parts))
        if name == "retention":
            full["repeat"] = self._repeats(meant)
        if name == "switching" and "cycle" not in meant:
            full["cycle"] = begun + np.arange(count, dtype=np.float64)
        if name == "levels":
            full["low"], full["high"] = (
                meant["mean"] - meant["deviation"],
                meant["mean"] + meant["deviation"],
            )
        if name == "form":
            full["ramped"] = meant["voltage"]
        if name == "endurance" and "state" not in meant:
            first = 0.0 if self._survey.lrs_first else 1.0
            full["state"] = np.where((begun + np.arange(count)) % 2 == 0, first, 1.0 - first)
        return full

    def _sweeps(self, meant: Values, parts: Floats, number: int, begun: int) -> Floats:
        """Return the number of the sweep of each row: another begins with a table, with a cell, or where it repeats."""
        if not self._survey.parted:
            return np.floor((begun + np.arange(len(parts))) / max(self._survey.period, 1))
        here = np.stack([parts, meant["row"], meant["column"]], axis=1)
        changed = np.any(np.diff(here, axis=0) != 0, axis=1)
        fresh = self._place is not None and bool(np.any(here[0] != self._place))
        sweeps = self._sweep + np.cumsum(np.concatenate([[fresh], changed]))
        self._place, self._sweep = here[-1], int(sweeps[-1])
        return sweeps.astype(float)

    def _repeats(self, meant: Values) -> Floats:
        """Return how often each row's cell was read before."""
        cells, which, counts = np.unique(
            np.stack([meant["row"], meant["column"]], axis=1), axis=0, return_inverse=True, return_counts=True
        )
        order = np.argsort(which.ravel(), kind="stable")
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        within = np.empty(len(order))
        within[order] = np.arange(len(order)) - np.repeat(starts, counts)
        before = np.array([self._seen.get((int(r), int(c)), 0) for r, c in cells], dtype=float)
        for (row, column), more in zip(cells, counts, strict=True):
            place = int(row), int(column)
            self._seen[place] = self._seen.get(place, 0) + int(more)
        return np.asarray(within + before[which.ravel()], dtype=float)


def _electrical(by_meaning: Mapping[str, Floats], name: str) -> Values:
    """Return conductances and currents that follow from what is there; NaN where nothing was measured."""
    made: Values = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for quantity, given in (
            ("conductance", "resistance"), ("before", "before_resistance"), ("target", "target_resistance"),
            ("lrs", "lrs_resistance"), ("hrs", "hrs_resistance"), ("mean", "mean_resistance"),
        ):  # fmt: skip
            if quantity not in by_meaning and given in by_meaning:
                made[quantity] = 1.0 / by_meaning[given]
        volts = by_meaning.get("read_voltage", by_meaning.get("voltage"))
        if "conductance" not in {**by_meaning, **made} and "current" in by_meaning and volts is not None:
            made["conductance"] = by_meaning["current"] / volts
        if name == "levels" and "deviation" not in by_meaning:  # to first order
            made["deviation"] = by_meaning["deviation_resistance"] * {**by_meaning, **made}["mean"] ** 2
        if name == "switching" and {"lrs", "hrs"} <= {*by_meaning, *made}:
            made["window"] = {**by_meaning, **made}["lrs"] / {**by_meaning, **made}["hrs"]
        if name == "iv" and "current" not in by_meaning:
            made["current"] = by_meaning["voltage"] * {**by_meaning, **made}["conductance"]
        if name == "ber" and "ber" not in by_meaning and {"errors", "bits"} <= set(by_meaning):
            made["ber"] = by_meaning["errors"] / by_meaning["bits"]
    # At 0 V, or where 0 ohm were written down, no conductance was measured.
    return {one: np.where(np.isfinite(values), values, np.nan) for one, values in made.items()}


def pairs(cycles: Floats, conductance: Floats) -> bool | None:
    """Return whether the first of two reads a cycle is the higher one; None where there are no pairs of reads."""
    count = len(cycles) // 2 * 2
    if count < 2 or not np.array_equal(cycles[:count:2], cycles[1:count:2]):
        return None
    with np.errstate(invalid="ignore"):
        higher = conductance[:count:2] > conductance[1:count:2]
    return bool(np.mean(higher) > 0.5)


def is_told(name: str, measurement: Measurement, there: frozenset[str]) -> bool:
    """Return whether a column of the run file is known, of what the columns of the table mean."""
    made = {
        "sweep": measurement.name == "iv" or "sweep" in there, "row": True, "column": True,
        "conductance": True, "state": True, "number": True, "ramped": True, "cycles": True, "repeat": True,
        "current": measurement.name == "iv" or "current" in there,
        "before": bool({"before", "before_resistance"} & there),
        "target": bool({"target", "target_resistance"} & there), "ber": True, "cycle": True,
        "lrs": bool({"lrs", "lrs_resistance"} & there), "hrs": bool({"hrs", "hrs_resistance"} & there),
        "window": bool({"lrs", "lrs_resistance"} & there) and bool({"hrs", "hrs_resistance"} & there),
        **dict.fromkeys(("mean", "deviation", "low", "high"), True),
    }  # fmt: skip
    return made.get(name, name in there)
