"""Test the contact to cells: open, short, unformed, good or leaky, by reads with the select transistor off and on.

Two passes. In the first, on a small current range, every cell is read with its word line off and on: this tells leaking
selectors, open cells and unformed ones, and takes the meter's offset off. In the second, as the bench reads, the cells that
conduct are told from shorts. Whole lines that are broken are told as lines.

The classes of cells, by what they conduct with the select transistor on and off:

    leaky      conducts with the transistor off: the selector does not select
    short      in compliance, or above any conductance that a cell can be programmed to
    good       formed: conducts as a cell does, or did once
    unformed   conducts less than a formed cell, but more than nothing, and never conducted before
    open       no more current with the transistor on than off

What the transistor lets through when it is off is taken off what is read when it is on: the meter's offset, and the
leakage of a line, are in both. A broken line is told as a line: its cells are all open, from some place to an end of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Booleans, Floats, Integers
from mho.chip_maps.chip import parse_chip_map
from mho.confidence import binomial_interval
from mho.errors import InputError
from mho.instruments import Bench
from mho.instruments.bench_file import BenchSource, Operation
from mho.procedures.base import Estimate, ProcedureResult
from mho.procedures.cell_range import CellRange, check_inside
from mho.procedures.cells.cell_procedure import PLACE, CellProcedure
from mho.procedures.cells.cell_visits import CellReads, CellSurvey, VisitedCells
from mho.procedures.cells.switching.formed_cells import VIRGIN_SHARE
from mho.procedures.parameters import FloatParameter
from mho.procedures.stream import Stream
from mho.procedures.wording import counted, if_any, joined
from mho.runs import Column, Conclusion, Figure, Layout, ReferenceLine, Table

OPEN, SHORT, UNFORMED, GOOD, LEAKY = range(5)
NAMES = ("open", "short", "unformed", "good", "leaky")
FEWEST = 4  # cells of one class up to the end of a line from which the line is told, not the cells
OF_LINES = (OPEN, SHORT, LEAKY)  # classes that a broken or shorted line gives all its cells


@dataclass(frozen=True)
class Thresholds:
    """Bounds between the classes, S."""

    # At least what a reading's noise passes for; below a virgin cell's conductance, where the meter allows
    open_below: float
    formed_above: float  # as write-verify takes a cell as formed
    short_above: float  # beyond what a SET leaves at the highest word-line voltage
    # With the transistor off: what would add up to a tenth of the lowest level over the cells of a line
    leaky_above: float


@dataclass(frozen=True)
class LineFault:
    """A stretch of a line, up to at least one end of the lines tested, whose cells are all of one class."""

    kind: str
    line: int  # its number
    what: int  # `OPEN`, `SHORT` or `LEAKY`
    # first, last: numbers of the crossing lines between which the cells lie, both included
    first: int
    last: int
    whole: bool  # whether these are all that were tested

    def __str__(self) -> str:
        """Return it as a sentence tells it."""
        crossing = "column" if self.kind == "row" else "row"
        where = "" if self.whole else f" from {crossing} {self.first} to {self.last}"
        return f"{self.kind} {self.line} ({'bit' if self.kind == 'row' else 'source'} line) is {NAMES[self.what]}{where}"


def classify(
    on: Floats, off: Floats, limited: Booleans, thresholds: Thresholds,
    formed: Booleans | np.bool_ = np.False_,
) -> Integers:  # fmt: skip
    """Return the class of each cell.

    `on`, `off`: conductance with the transistor on, less what flows when it is off where that matters, and off, S.
    NaN, beyond the range of the meter, counts as infinite. `limited`: whether the reading with the transistor on was
    in compliance. `formed`: which have conducted before: in a deep RESET they conduct less than
    `Thresholds.formed_above`.
    """
    through = np.where(np.isnan(on), np.inf, on)
    short = limited | (through > thresholds.short_above)
    leaky = ~(np.abs(off) <= thresholds.leaky_above)
    return np.select(
        [leaky, short, through < thresholds.open_below, formed | (through >= thresholds.formed_above)],
        [LEAKY, SHORT, OPEN, GOOD],
        UNFORMED,
    ).astype(np.int64)


def broken_lines(classes: Integers, rows: Integers, columns: Integers) -> list[LineFault]:
    """Return the lines that are open, shorted or leaky as lines: whole ones first, then those broken in the middle.

    A stretch counts while less than half of it is explained by others: where some rows are open, so are their
    crossings with every column. `classes` (rows, columns). `rows`, `columns` (rows,), (columns,): numbers of the
    lines, ascending. A stretch has `FEWEST` cells at least; one that is not the whole line reaches one end of it.
    """
    faults: list[LineFault] = []
    for what in OF_LINES:
        of_class = classes == what
        explained = np.zeros_like(of_class)
        for whole in (True, False):
            for kind, lines, crossing in (("row", rows, columns), ("column", columns, rows)):
                cells, known = (one if kind == "row" else one.T for one in (of_class, explained))
                for line, one, covered in zip(lines.tolist(), cells, known, strict=True):
                    for part in _stretches(one, whole):
                        count = part.stop - part.start
                        if count >= FEWEST and 2 * np.count_nonzero(covered[part]) < count:
                            ends = int(crossing[part.start]), int(crossing[part.stop - 1])
                            faults.append(LineFault(kind, line, what, *ends, whole))
                            covered[part] = True
    return faults


def in_lines(lines: list[LineFault], rows: Integers, columns: Integers, what: int) -> Booleans:
    """Return which cells, (rows, columns), lie in the lines of a class."""
    covered = np.zeros((len(rows), len(columns)), dtype=bool)
    for line in lines:
        if line.what == what:
            own, crossing = (rows, columns) if line.kind == "row" else (columns, rows)
            cells = np.outer(own == line.line, (crossing >= line.first) & (crossing <= line.last))
            covered |= cells if line.kind == "row" else cells.T
    return covered


def _stretches(cells: Booleans, whole: bool) -> list[slice]:
    """Return the whole line where all of its cells are true, or the stretches of true that reach an end of it."""
    if cells.all() or whole:
        return [slice(0, len(cells))] if cells.all() and whole else []
    first, last = int(np.argmin(cells)), len(cells) - int(np.argmin(cells[::-1]))
    return [part for part in (slice(0, first), slice(last, len(cells))) if part.start < part.stop]


OPEN_BELOW = 0.1e-9  # S: a tenth of a virgin oxide cell, a hundred times an open path of a board
SHORT_ABOVE = 2.5  # times the highest level: a SET saturates below twice of it
LEAST_RANGE = 1e-7  # A, of the first pass: meters resolve picoamperes on it within a power line cycle
SIGNIFICANT = 5.0  # standard deviations of a reading by which open and unformed must be apart
SIMULATED_READ, HARDWARE_READ = 0.5e-3, 12e-3  # s of wall time beside the integration (?)
LINE_FREQUENCY = 50.0  # Hz
SIEMENS = partial(FloatParameter, units="S", minimum=1e-15, maximum=1.0)
CODES = ", ".join(f"{code} {name}" for code, name in enumerate(NAMES))


@dataclass(frozen=True, eq=False, repr=False)
class Contacts(ProcedureResult):
    """Result of the test.

    Attributes
    ----------
    classes : (rows, columns) array
        `OPEN`, `SHORT`, `UNFORMED`, `GOOD`, `LEAKY`.
    conductance, leakage : (rows, columns) arrays
        With the transistor on (offset taken off) and off, S.
    lines : tuple of LineFault
        Lines that are broken, shorted or leaky as lines.
    """

    classes: Integers
    conductance: Floats
    leakage: Floats
    lines: tuple[LineFault, ...]
    units: ClassVar[Mapping[str, str]] = {
        "conductance": "S",
        "leakage": "S",
        **dict.fromkeys(("median_conductance", "largest_leakage", "resolution"), "S"),
        "virtual_seconds": "s",
    }
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **dict.fromkeys(("classes", "conductance", "leakage"), ("row", "column")),
    }


@dataclass(frozen=True)
class ContactPlan:
    """A test of cells on one bench: voltages at bit line and word line (V), first range (A), and the classes' bounds."""

    cells: CellRange
    weak_voltage: float
    read_voltage: float
    gate_off: float
    gate_on: float
    current_range: float
    thresholds: Thresholds


class Contact(CellProcedure[Contacts]):
    """Test the contact to cells: which are open, shorted, unformed, good, or have a leaky selector; broken lines."""

    # In version 2 cells in a deep RESET were unformed, and in 1 intervals held less often than 95 %.
    version: ClassVar[str] = "3"
    restated: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "2": ("*_low", "*_high"),
        "3": ("good*", "unformed", "median_conductance", "*_contact"),
    }
    title: ClassVar[str] = "Contact test"
    needs: ClassVar[tuple[Operation, ...]] = ("read", "gate")
    run_words: ClassVar[str] = "Contact of {cells}"

    read_voltage = FloatParameter("Read voltage of cells that conduct", units="V", minimum=1e-3, maximum=10.0)
    weak_voltage = FloatParameter(
        "Read voltage of those that hardly do", units="V", minimum=1e-3, maximum=10.0
    )
    gate_on = FloatParameter("Word line, transistor on", units="V", minimum=0.1, maximum=10.0)
    gate_off = FloatParameter("Word line, transistor off", units="V", minimum=-5.0, maximum=10.0, default=0.0)
    current_range = FloatParameter(
        "Current range of the first pass, by the chip map unless given", units="A", minimum=1e-9, maximum=1.0
    )
    nplc = FloatParameter("Its integration, power line cycles", minimum=0.01, maximum=10.0, default=1.0)
    open_below = FloatParameter("Open below", units="S", minimum=1e-15, maximum=1.0, default=OPEN_BELOW)
    formed_above = SIEMENS("Formed above, the chip map's unless given")
    short_above = SIEMENS("Short above, 2.5 x highest level")
    leaky_above = SIEMENS("Leaky above, a window over a line")

    def prepare(self, given: CellRange, bench: Bench, rng: np.random.Generator) -> ContactPlan:
        """Check that the array has these cells, that the bench allows the voltages, and that the bounds ascend."""
        chip = parse_chip_map(bench.chip_text, f"chip map {bench.file.chip}")
        array = chip.array(self.array)
        check_inside(array, given)
        read = bench.file.read
        volts, value = self.value_or("read_voltage", read.voltage), self.value_or
        weak = value("weak_voltage", volts)
        formed_above = value("formed_above", chip.write_verify.formed_above)
        # A virgin cell is to be within the range. What conducts more is in compliance, and is read again.
        virgin = VIRGIN_SHARE * formed_above * weak
        plan = ContactPlan(
            given, weak, volts, float(self.gate_off), value("gate_on", read.gate),
            value("current_range", max(LEAST_RANGE, 10.0 ** math.ceil(math.log10(virgin)))),
            Thresholds(
                float(self.open_below),
                formed_above,
                value("short_above", SHORT_ABOVE * chip.levels.conductances[-1]),
                value("leaky_above", chip.levels.tolerance / max(array.rows, array.columns)),
            ),
        )  # fmt: skip
        bench.check_read()
        for line, level in (("bit line", plan.weak_voltage), ("bit line", volts),
                            ("word line", plan.gate_off), ("word line", plan.gate_on)):  # fmt: skip
            bench.limits.check_level(line, level)
        bench.limits.check_current("bit line", plan.current_range)
        t = plan.thresholds
        if not t.open_below < t.formed_above < t.short_above:
            raise InputError(
                f"open_below {t.open_below:g} S, formed_above {t.formed_above:g} S and short_above {t.short_above:g} S do "
                "not ascend; let each be above the one before"
            )
        if not plan.gate_off < plan.gate_on:
            raise InputError(
                f"gate_off is {plan.gate_off:g} V and gate_on {plan.gate_on:g} V; the transistor is on at the higher one"
            )
        if virgin >= plan.current_range:
            raise InputError(
                f"current_range is {plan.current_range:g} A, and a virgin cell (up to {VIRGIN_SHARE * formed_above:g} S) "
                f"may take {virgin:g} A at {weak:g} V: choose a larger range, or a lower weak_voltage"
            )
        return plan

    def in_use(self, plan: ContactPlan) -> Mapping[str, tuple[float, str]]:
        """Return the voltages and bounds that were not given."""
        t = plan.thresholds
        return {
            "read_voltage": (plan.read_voltage, "the bench's"),
            "weak_voltage": (plan.weak_voltage, "as read_voltage"),
            "gate_on": (plan.gate_on, "the bench's"),
            "current_range": (plan.current_range, "by the chip map's formed_above"),
            "formed_above": (t.formed_above, "the chip map's"),
            "short_above": (t.short_above, "the chip map's"),
            "leaky_above": (t.leaky_above, "the chip map's"),
        }

    def layout(self, plan: ContactPlan) -> Layout:
        """Declare the reads, and maps of classes, conductance and leakage."""
        columns = (
            Column("time", "s", description="bench time"),
            *PLACE,
            Column("state", dtype="u1", description="0 transistor off, 1 on, 2 on and as the bench reads"),
            Column("voltage", "V", dtype="f4", description="at the bit line"),
            Column("gate", "V", dtype="f4", description="at the word line"),
            Column("current", "A"),
            Column("limited", dtype="u1", description="1 in compliance"),
            Column("conductance", "S"),
        )
        reads = Table("reads", columns, title="every read", rows=3 * plan.cells.count)
        maps = self.maps(
            plan.cells,
            ("contact", "", CODES),
            ("conductance", "S", "conductance, transistor on"),
            ("leakage", "S", "conductance, transistor off"),
        )
        t = plan.thresholds
        bounds = (("open", t.open_below), ("formed", t.formed_above), ("short", t.short_above))
        figures = (
            Figure("contact", map=maps[0].name, title=CODES),
            Figure(
                "conductance", kind="distribution", table="reads", x="conductance", by="state", x_scale="log",
                lines=tuple(ReferenceLine(x=value, label=name) for name, value in bounds),
                title="Conductance by state of the transistor",
            ),
            Figure("leakage", map=maps[2].name, title="Conductance with the transistor off"),
        )  # fmt: skip
        return Layout((reads,), maps, default=f"maps/{maps[0].name}", figures=figures)

    def estimate(self, given: CellRange, source: BenchSource) -> Estimate:
        """Estimate the time from three reads of each cell; there are no pulses."""
        if source.bench.simulation is not None:
            return Estimate(pulses=0, seconds=3 * SIMULATED_READ * given.count)
        each = 3 * HARDWARE_READ + (2 * self.nplc + source.bench.read.nplc) / LINE_FREQUENCY
        return Estimate(pulses=0, seconds=each * given.count)

    def execute(self, plan: ContactPlan, bench: Bench, stream: Stream) -> Contacts:
        """Read all cells on the small range, then those that conduct as the bench reads; classify."""
        count = plan.cells.count
        rows, columns = plan.cells.positions()
        weak = partial(_read, volts=plan.weak_voltage, gates={0: plan.gate_off, 1: plan.gate_on})
        strong = partial(_read, volts=plan.read_voltage, gates={2: plan.gate_on})
        on, off, limited = np.full(count, np.nan), np.full(count, np.nan), np.zeros(count, dtype=bool)
        known = np.zeros(count, dtype=bool)
        span = plan.current_range

        def picture() -> None:
            formed = bench.forming.formed(self.array, rows, columns)
            classes = classify(on, off, limited & known, plan.thresholds, formed)
            seen = np.where(known, classes, np.nan)
            self.snapshot(stream, bench, plan.cells, contact=seen, conductance=on, leakage=off)

        everyone = CellSurvey(bench, stream, self.array, (rows, columns), "reads", 2.0)
        with bench.metering(current_limit=span, current_range=span, nplc=float(self.nplc)):
            stage = "reading, transistor off and on"
            for part, (without, through) in everyone.visit(stage, weak, picture):
                off[part], limited[part] = without.conductance, through.limited
                on[part] = through.conductance - np.nan_to_num(without.conductance)
                known[part] = ~through.limited
        conducting = np.flatnonzero(limited | ~(on < plan.thresholds.formed_above))
        limited[:] = False
        if conducting.size:
            places = rows[conducting], columns[conducting]
            again = CellSurvey(bench, stream, self.array, places, "reads", 1.0)
            for part, (read,) in again.visit("reading", strong, picture):
                which = conducting[part]
                on[which], limited[which], known[which] = read.conductance, read.limited, True
        return self._classified(plan, bench, stream, on, off, limited)

    def _classified(
        self, plan: ContactPlan, bench: Bench, stream: Stream, on: Floats, off: Floats, limited: Booleans
    ) -> Contacts:
        """Classify cells and lines."""
        cells = plan.cells
        noise = 1.4826 * float(np.median(np.abs(off - np.median(off)))) * 2.0**0.5 if len(off) > 1 else 0.0
        formed = bench.forming.formed(self.array, *cells.positions())
        classes = classify(on, off, limited, plan.thresholds, formed)
        resolved = SIGNIFICANT * noise <= plan.thresholds.open_below
        if not resolved:
            classes[classes == OPEN] = UNFORMED
            stream.say(
                f"open and unformed cells cannot be told apart here: readings scatter by {1e9 * noise:.3g} nS, and "
                f"open_below is {1e9 * plan.thresholds.open_below:.3g} nS; take a smaller current_range, a larger "
                "nplc, or a higher weak_voltage",
                "WARNING",
            )
        image = classes.reshape(cells.shape)
        ordered = cells.ascending(image)
        rows, columns = np.sort(cells.rows), np.sort(cells.columns)
        lines = broken_lines(ordered, rows, columns)
        self.snapshot(stream, bench, cells, contact=image.astype(float))
        counts = {name: int((image == code).sum()) for code, name in enumerate(NAMES)}
        summary: dict[str, Any] = {"cells": cells.count, **counts}
        for what in OF_LINES:
            alone = (ordered == what) & ~in_lines(lines, rows, columns, what)
            summary[f"{NAMES[what]}_alone"] = int(alone.sum())
        low, high = binomial_interval(counts["good"], cells.count)
        good = on[classes == GOOD]
        summary |= {
            "good_share": counts["good"] / cells.count, "good_share_low": low, "good_share_high": high,
            "lines": [str(line) for line in lines],
            "median_conductance": float(np.median(good)) if good.size else None,
            "largest_leakage": float(np.abs(off).max()), "resolution": SIGNIFICANT * noise,
            "open_told_from_unformed": resolved, "virtual_seconds": bench.now(),
        }  # fmt: skip
        _say(summary, lines, stream)
        return Contacts(
            image, on.reshape(cells.shape), off.reshape(cells.shape), tuple(lines), summary=summary
        )

    def conclude(self, plan: ContactPlan, result: Contacts) -> Conclusion:
        """Return how many cells are of which class, and the broken lines."""
        summary = result.summary
        of_classes = dict.fromkeys(if_any(summary[name], name) for name in ("good", *NAMES))
        lines = counted(len(result.lines), "broken line") if result.lines else ""
        return Conclusion(f"{counted(summary['cells'], 'cell')}: {joined(*of_classes, lines)}")


def _read(cells: VisitedCells, volts: float, gates: Mapping[int, float]) -> list[CellReads]:
    """Read cells at `volts` with each of the word-line voltages, by the state that is recorded."""
    everyone, reads = np.arange(cells.count), []
    for state, gate in gates.items():
        reads.append(cells.read(everyone, volts, gate))
        cells.record(everyone, state=state, voltage=volts, gate=gate, **reads[-1]._asdict())
    return reads


def _say(summary: Mapping[str, Any], lines: list[LineFault], stream: Stream) -> None:
    count = summary["cells"]
    whole = next((name for name in ("open", "short", "leaky") if summary[name] == count), None)
    if whole is not None and count > 1:
        stream.say(
            f"all {count} cells are {whole}: this is no matter of cells; check the contact to the chip, the source at the "
            "word line, and the bench file's terminals",
            "WARNING",
        )
        return
    for line in lines:
        stream.say(str(line), "WARNING")
    for what in OF_LINES:
        name = NAMES[what]
        if summary[f"{name}_alone"]:
            stream.say(
                f"{summary[f'{name}_alone']} of {count} cells are {name}, apart from broken lines", "WARNING"
            )
