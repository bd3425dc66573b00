"""Form virgin cells by pulses that rise until the cell conducts, and extract their forming voltages and the yield.

One line is ramped, the other is fixed: the bit line at a word line that limits the current (compliance by the gate), or
the word line at a bit line that is high enough. After each pulse the cell is read; it is formed at the first current above
a threshold, and no further pulse is sent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Booleans, Floats, Integers
from mho.errors import BenchError, InputError
from mho.instruments import Bench, Pulse
from mho.instruments.bench_file import BenchSource, Operation
from mho.procedures.base import Estimate, ProcedureResult
from mho.procedures.cell_range import CellRange, check_inside
from mho.procedures.cells.cell_procedure import PLACE, TIME, CellProcedure
from mho.procedures.cells.cell_visits import CellSurvey, VisitedCells, cells_at
from mho.procedures.cells.detection_limit import blanks_parameter, read_blanks
from mho.procedures.cells.extraction import forming_extraction as extraction
from mho.procedures.cells.extraction.forming_extraction import CONDUCTED, FORMED, NOT_FORMED, OVER
from mho.procedures.cells.programming.settings_text import check_forming_gate
from mho.procedures.chip_in_use import chip_of
from mho.procedures.parameters import FloatParameter, ListParameter
from mho.procedures.stream import Stream
from mho.procedures.wording import counted, if_any, joined, lost_cells, quantity
from mho.runs import Column, Conclusion, Figure, Layout, ReferenceLine, Table

BIT_LINE, WORD_LINE = "bit line", "word line"
RAMPS = {BIT_LINE: (2.0, 4.5), WORD_LINE: (1.3, 4.0)}  # V: oxide cells form at 2.3 to 4.2 V at the bit line
MOST_STEPS, MOST_PULSES = 1000, 50_000_000  # of a ramp; of a run, whose rows then take 2 GB
OVER_FORMED = 1.5  # times the highest level: a cell that conducts more is RESET with difficulty, and no level lies there
STATES = "0 not formed, 1 formed, 2 over-formed, 3 conducted before the ramp"
EXPECTED = 0.45  # share of the ramp that a cell takes


VOLTS = partial(FloatParameter, units="V", minimum=0.1, maximum=20.0)


@dataclass(frozen=True, eq=False, repr=False)
class Forming(ProcedureResult):
    """Result of forming.

    Attributes
    ----------
    voltage : (rows, columns) array
        Of the ramped line, at the pulse that formed the cell, V; NaN where none did.
    state : (rows, columns) array
        `NOT_FORMED`, `FORMED`, `OVER` or `CONDUCTED`; -1 for a cell that was not visited.
    conductance : (rows, columns) array
        Last read, S.
    """

    voltage: Floats
    state: Integers
    conductance: Floats
    units: ClassVar[Mapping[str, str]] = {
        "voltage": "V", "conductance": "S",
        **{
            f"{name}{end}": "V"
            for name in ("median", "lower_quartile", "upper_quartile", "normal_mean", "normal_sd", "weibull_scale")
            for end in ("", "_low", "_high")
        },
        **dict.fromkeys(("conductance_median", "conductance_lower", "conductance_upper"), "S"),
        "virtual_seconds": "s",
    }  # fmt: skip
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **dict.fromkeys(("voltage", "state", "conductance"), ("row", "column")),
    }


@dataclass(frozen=True)
class FormPlan:
    """A ramp on cells of one bench."""

    cells: CellRange
    ramp: str
    volts: Floats  # (pulses,): of the ramped line, V
    fixed: float  # of the other line, V
    width: float  # s
    threshold: float  # current (A) above which a cell is formed
    over: float  # conductance (S) above which it is over-formed
    read_voltage: float
    blanks: int

    def pulse(self, number: int) -> Pulse:
        """Return a pulse of the ramp, by its number from 0."""
        volts = float(self.volts[number])
        voltage, gate = (volts, self.fixed) if self.ramp == BIT_LINE else (self.fixed, volts)
        return Pulse("set", voltage, self.width, gate)


def ramp_levels(start: float, stop: float, step: float) -> Floats:
    """Return the levels (V) from `start` up to `stop` in steps of `step`; `InputError` where there is no such ramp."""
    if not start < stop:
        raise InputError(f"a ramp from {start:g} V to {stop:g} V does not rise; let stop be above start")
    count = math.floor((stop - start) / step + 1e-9) + 1
    if count > MOST_STEPS:
        raise InputError(
            f"a ramp from {start:g} V to {stop:g} V in steps of {step:g} V has {count} pulses, and {MOST_STEPS} is the "
            "most; choose a larger step"
        )
    return np.round(start + step * np.arange(count), 9)


def pulse_table(name: str, ramp: str, rows: int) -> Table:
    """Declare the table of a ramp's pulses, about so many `rows`."""
    columns = (
        TIME,
        *PLACE,
        Column("pulse", dtype="u2", description="number in the ramp, 0 for the read before it"),
        Column("ramped", "V", dtype="f4", description=f"level of the {ramp}; NaN before the ramp"),
        Column("voltage", "V", dtype="f4", description="at the bit line"),
        Column("width", "s", dtype="f4"),
        Column("gate", "V", dtype="f4", description="word-line voltage"),
        Column("current", "A", description="of the read after the pulse"),
        Column("limited", dtype="u1", description="1 where that read was in compliance"),
        Column("conductance", "S"),
    )
    return Table(name, columns, axis="ramped", title="every pulse and the read after it", rows=rows)


class Form(CellProcedure[Forming]):
    """Form virgin cells by rising pulses: forming voltages with their distribution, yield, cells that failed."""

    # Version 2 took any threshold, whatever the noise; in 1 intervals held less often than 95 %.
    version: ClassVar[str] = "3"
    restated: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "2": ("*_low", "*_high", "formed/low", "formed/high")
    }
    title: ClassVar[str] = "Form cells"
    leading: ClassVar[tuple[str, ...]] = ("array", "rows", "columns", "ramp", "stop")
    needs: ClassVar[tuple[Operation, ...]] = ("read", "pulse")
    may_need: ClassVar[Mapping[Operation, str]] = {
        **CellProcedure.may_need,
        "gate": "where the word line is ramped or given, and for blank readings below the usual threshold",
    }
    run_words: ClassVar[str] = "Form {cells}, {ramp} ramped"
    without_blanks: ClassVar[tuple[str, ...]] = ("1", "2")

    ramp = ListParameter("Line that is ramped", choices=[BIT_LINE, WORD_LINE], default=BIT_LINE)
    start = VOLTS("First level, 2 V (word line 1.3 V) unless given")
    stop = VOLTS("Last level, 4.5 V (word line 4 V) unless given")
    step = FloatParameter("Step", units="V", minimum=1e-3, maximum=5.0, default=0.05)
    voltage = VOLTS("Bit line, if the word line is ramped")
    gate = VOLTS("Word line, if the bit line is ramped")
    width = FloatParameter("Pulse width, the chip map's unless given", units="s", minimum=1e-9, maximum=1.0)
    threshold = FloatParameter(
        "Read current of a formed cell, at least", units="A", minimum=1e-12, maximum=1.0
    )
    over_formed = FloatParameter(
        "Conductance of an over-formed cell, at least", units="S", minimum=1e-9, maximum=1.0
    )
    blanks = blanks_parameter()

    def needed(self) -> tuple[Operation, ...]:
        """Return what reads and pulses need, and a gate where it is asked for."""
        gated = self.ramp == WORD_LINE or self.gate is not None or self.threshold is not None
        return (*super().needed(), *(("gate",) if gated else ()))

    def check(self) -> tuple[CellRange, Floats]:
        """Parse the range and compute the ramp."""
        cells: CellRange = super().check()
        start, stop = map(self.value_or, ("start", "stop"), RAMPS[self.ramp])
        volts = ramp_levels(start, stop, float(self.step))
        if cells.count * len(volts) > MOST_PULSES:
            raise InputError(
                f"{cells.count:,} cells and a ramp of {len(volts)} pulses may take {cells.count * len(volts):,}, more than "
                f"the {MOST_PULSES:,} of a run; form fewer cells, or choose a larger step"
            )
        for name, value, ramp in (("voltage", self.voltage, BIT_LINE), ("gate", self.gate, WORD_LINE)):
            if value is not None and self.ramp == ramp:
                raise InputError(
                    f"{name} is given, and the {ramp} is ramped; leave it out, or ramp the other line"
                )
        return cells, volts

    def prepare(self, given: tuple[CellRange, Floats], bench: Bench, rng: np.random.Generator) -> FormPlan:
        """Check that the array has these cells and that the bench allows the last pulse."""
        cells, volts = given
        chip = chip_of(bench)
        check_inside(chip.array(self.array), cells)
        s, read = chip.write_verify, bench.file.read.voltage
        value, virgin = self.value_or, s.formed_above * read
        of_line = ("voltage", s.forming_voltages[0])
        if self.ramp == BIT_LINE:
            of_line = ("gate", bench.at_word_line(s.forming_gate))
        plan = FormPlan(
            cells, self.ramp, volts, value(*of_line), value("width", s.forming_width),
            value("threshold", virgin), value("over_formed", OVER_FORMED * chip.levels.conductances[-1]),
            read, int(self.blanks) if value("threshold", virgin) < virgin else 0,
        )  # fmt: skip
        if self.ramp == BIT_LINE and bench.at_word_line(1.0):
            check_forming_gate(plan.fixed, s, "gate")
        bench.check_read()
        for number in (0, -1):
            bench.check_pulse(plan.pulse(number), forming=True)
        if not plan.threshold < bench.file.read.current_limit:
            raise InputError(
                f"threshold is {plan.threshold:g} A, and reads are limited to {bench.file.read.current_limit:g} A: no cell "
                "would ever be formed; choose less, or give [read] a larger `current_limit`"
            )
        return plan

    def in_use(self, plan: FormPlan) -> Mapping[str, tuple[float | str, str]]:
        """Return what was not given: the ramp's ends, the fixed line, width and thresholds."""
        low, high = float(plan.volts[0]), float(plan.volts[-1])
        fixed, ramped = ("gate", "voltage") if plan.ramp == BIT_LINE else ("voltage", "gate")
        return {
            "start": (low, "the procedure's"),
            "stop": (high, "the procedure's"),
            fixed: (plan.fixed, "the chip map's"),
            ramped: (f"{low:g} to {high:g}", "ramped"),
            "width": (plan.width, "the chip map's"),
            "threshold": (plan.threshold, "the chip map's"),
            "over_formed": (plan.over, "the chip map's"),
        }

    def layout(self, plan: FormPlan) -> Layout:
        """Declare the pulses, the distribution, and maps of forming voltages, states and conductances."""
        pulses = pulse_table("pulses", plan.ramp, round(EXPECTED * plan.cells.count * len(plan.volts)))
        columns = (
            Column("ramped", "V", description=f"level of the {plan.ramp}"),
            Column("share", description="of the cells that were to be formed"),
            Column("low", description="lower end of its 95 % interval"),
            Column("high"),
            Column("normal", description="normal distribution, fitted to the brackets"),
            Column("weibull", description="Weibull's distribution, fitted to the brackets"),
        )
        title = "share of the cells that were formed up to each level"
        shares = Table("formed", columns, title=title, rows=extraction.SHARES)
        maps = self.maps(
            plan.cells,
            ("forming_voltage", "V", f"level of the {plan.ramp} that formed the cell"),
            ("forming_state", "", STATES),
            ("conductance", "S", "conductance after the last pulse"),
        )
        figures = (
            Figure(
                "forming_distribution", table="formed", x="ramped", y=("share", "low", "high", "normal", "weibull"),
                lines=(ReferenceLine(x="median", label="median"),), title="Share of the cells that are formed",
            ),
            Figure("forming_voltage", map=maps[0].name, title="Forming voltage"),
            Figure(
                "conductance_by_voltage", table="pulses", x="ramped", y="conductance", by=("row", "column"),
                y_scale="log", title="Conductance along the ramp, by cell",
            ),
            Figure("conductance_after", kind="histogram", map=maps[2].name, title="Conductance after forming"),
            Figure("forming_state", map=maps[1].name, title=STATES),
        )  # fmt: skip
        return Layout((pulses, shares), maps, default="formed", figures=figures)

    def estimate(self, given: tuple[CellRange, Floats], source: BenchSource) -> Estimate:
        """Estimate the pulses: a cell takes about half of the ramp."""
        return Estimate(pulses=round(EXPECTED * given[0].count * len(given[1])))

    def execute(self, plan: FormPlan, bench: Bench, stream: Stream) -> Forming:
        """Ramp cell after cell, then extract.

        Raises
        ------
        BenchError
            Noise passes for a formed cell; no pulse was sent.
        """
        self._check_threshold(plan, bench)
        shape, count = plan.cells.shape, plan.cells.count
        formed_by = np.full(count, extraction.NEVER)
        conductance, state = np.full(count, np.nan), np.full(count, -1)
        voltage = np.full(count, np.nan)
        reads = EXPECTED * len(plan.volts)
        survey = CellSurvey(bench, stream, self.array, plan.cells.positions(), "pulses", reads)

        def picture() -> None:
            states = np.where(state < 0, np.nan, state)
            images = {"forming_voltage": voltage, "forming_state": states, "conductance": conductance}
            self.snapshot(stream, bench, plan.cells, **images)

        for part, (by, last, before) in survey.visit("forming", lambda cells: ramped(cells, plan), picture):
            formed_by[part], conductance[part] = by, last
            voltage[part] = np.where(by >= 0, plan.volts[by], np.nan)
            state[part] = np.select([before, by < 0, last > plan.over], [CONDUCTED, NOT_FORMED, OVER], FORMED)
        virgin = formed_by[state != CONDUCTED]
        summary = extraction.summary_of(state, virgin, conductance, plan.volts)
        stream.record_block("formed", extraction.share_rows(virgin, plan.volts))
        _say(summary, plan, stream)
        summary["virtual_seconds"] = bench.now()
        return Forming(
            voltage.reshape(shape), state.reshape(shape), conductance.reshape(shape), summary=summary
        )

    def _check_threshold(self, plan: FormPlan, bench: Bench) -> None:
        """Refuse a threshold below the chip map's that the noise of the readings exceeds."""
        cells = cells_at(self.array, *plan.cells.positions())
        blank = read_blanks(bench, cells, plan.blanks)
        least = 0.0 if blank is None else plan.read_voltage * blank.limit(len(cells) * (len(plan.volts) + 1))
        if plan.threshold < least:
            raise BenchError(
                f"threshold is {plan.threshold:.3g} A, and readings of nothing reach {least:.3g} A on this range: noise "
                f"would pass for a formed cell; let threshold be {least:.1g} A or more, or read longer (`nplc`), or on a "
                "smaller `current_range` of the bench file's [read]"
            )

    def conclude(self, plan: FormPlan, result: Forming) -> Conclusion:
        """Return how many cells were formed, and at which voltage."""
        summary = result.summary
        cells, before = summary["cells"], summary["conducted_before"]
        if before == cells:
            return Conclusion(f"{cells:,} of {counted(cells, 'cell')} conducted before", measured=False)
        median = summary.get("median")
        return Conclusion(
            joined(
                f"{summary['formed'] + summary['over_formed']:,} of {counted(cells - before, 'cell')} formed",
                f"median {quantity(median, 'V')}" if median is not None else "",
                if_any(summary["over_formed"], "over-formed"),
                if_any(before, "conducted before"),
                lost_cells(summary),
            )
        )


def ramped(cells: VisitedCells, plan: FormPlan) -> tuple[Integers, Floats, Booleans]:
    """Ramp cells; return the pulse that formed each, last conductances (S), and which conducted before."""
    formed_by, conductance = np.full(cells.count, extraction.NEVER), np.full(cells.count, np.nan)

    def read(which: Integers, number: int, **pulse: float) -> Booleans:
        reads = cells.read(which, plan.read_voltage)
        cells.record(which, pulse=number, **pulse, **reads._asdict())
        conductance[which] = reads.conductance
        # Also where the range overflowed, and where it conducts, or did once, by the chip map: that is never formed again.
        return ~(reads.current < plan.threshold) | cells.formed[which]

    at_rest = {"ramped": math.nan, "voltage": plan.read_voltage, "width": 0.0, "gate": math.nan}
    before = read(np.arange(cells.count), 0, **at_rest)
    which = np.flatnonzero(~before)
    for number, level in enumerate(plan.volts.tolist()):
        if not which.size:
            break
        pulse = plan.pulse(number)
        values = {"voltage": pulse.voltage, "width": pulse.width, "gate": pulse.gate}
        cells.pulse(which, "set", **values)
        formed = read(which, number + 1, ramped=level, **values)
        formed_by[which[formed]] = number
        which = which[~formed]
    return formed_by, conductance, before


def _say(summary: Mapping[str, Any], plan: FormPlan, stream: Stream) -> None:
    """Tell what a user has to know of cells that are not as they were wanted."""
    if summary["conducted_before"]:
        stream.say(
            f"{summary['conducted_before']} of {summary['cells']} cells conducted more than {plan.threshold:.3g} A before "
            "the ramp and were left alone: they were formed before, or are shorted (`mho run contact` tells)"
        )
    if summary["not_formed"]:
        stream.say(
            f"{summary['not_formed']} of {summary['cells']} cells were not formed up to {plan.volts[-1]:g} V at the "
            f"{plan.ramp}",
            "WARNING",
        )
    if summary["over_formed"]:
        other = "lower `gate`" if plan.ramp == BIT_LINE else "lower `stop`"
        stream.say(
            f"{summary['over_formed']} cells conduct more than {1e6 * plan.over:.3g} µS after forming; {other} limits "
            "their current",
            "WARNING",
        )
