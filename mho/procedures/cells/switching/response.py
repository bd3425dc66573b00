"""Measure how cells respond to a pulse: G against the word line, amplitude or width of a SET, or against the RESET voltage.

Before each pulse a cell is brought to the same state: by a full RESET before a SET, by a SET before a RESET. The levels
come in a random order, so that what drifts does not look like a response. The curve is fitted, with its intervals and the
spreads from cell to cell and from pulse to pulse; of G against the word line, also what the coarse SET needs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Floats, Integers
from mho.chip_maps.levels import Levels
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import InputError
from mho.instruments import Bench, Pulse
from mho.instruments.bench_file import BenchSource, Operation
from mho.procedures.base import Estimate, ProcedureResult
from mho.procedures.cell_range import CellRange
from mho.procedures.cells.cell_procedure import PLACE, CellProcedure
from mho.procedures.cells.cell_visits import CellSurvey, VisitedCells
from mho.procedures.cells.extraction.response_curve import (
    IntervalEstimate,
    ResponseCurve,
    deviations_from,
    fit_response,
    spread_of,
)
from mho.procedures.cells.switching.formed_cells import (
    VIRGIN_SHARE,
    Screening,
    ScreeningPlan,
    form_first,
    formed_cells,
    screen_cells,
    screening_parameters,
    unformed_message,
)
from mho.procedures.parameters import FloatParameter, IntegerParameter, ListParameter, Parameter
from mho.procedures.stream import Stream
from mho.procedures.wording import concluded, counted, left_out, lost_cells, quantity
from mho.runs import Column, Conclusion, Figure, Layout, ReferenceLine, Table

V_WL, V_BL, WIDTH, V_SL = "V_WL", "V_BL", "width", "V_SL"
FINE = 150  # places at which the fit is drawn beside the levels
FEW = 60  # levels up to which they are drawn as points beside that line


@dataclass(frozen=True)
class ResponseAnalysis:
    """Result of a series."""

    # Over log10 of widths (s); of ln(before / after) for a RESET. None where the cells do not respond
    curve: ResponseCurve | None
    # summary, units: numbers for the run file, and their units
    summary: Mapping[str, Any]
    units: Mapping[str, str]
    places: Floats  # (n,): where the curve is drawn, V or s
    drawn: Mapping[str, Floats]  # median, quartiles and fit there, S
    deviations: Floats  # (cells,): mean deviation of each cell from the curve, decades; NaN where it has none


def analyse(against: str, levels: Floats, before: Floats, after: Floats, scale: Levels) -> ResponseAnalysis:
    """Fit a series, and extract from the fit.

    `against`: `V_WL`, `V_BL`, `WIDTH` or `V_SL`; `levels` (points,): V or s, ascending; `before`, `after` (cells,
    repeats, points): conductance before and after each pulse, S; `scale`: the chip's levels, which the coarse SET is
    to reach.
    """
    cells = len(after)
    cell = np.repeat(np.arange(cells), after[0].size if cells else 0)
    x = np.tile(np.log10(levels) if against == WIDTH else levels, after.size // max(len(levels), 1))
    start = float(np.median(before)) if cells else math.nan
    if against == V_SL:
        with np.errstate(invalid="ignore", divide="ignore"):
            y, bottom = np.log(before / after).ravel(), 0.0
    else:
        y, bottom = after.ravel(), start
    y = np.where(np.isfinite(y), y, np.nan)
    curve = fit_response(x, y, cell, bottom) if cells else None
    places, drawn = _drawn(against, levels, after, start, curve)
    deviations = np.full(cells, np.nan)
    summary: dict[str, Any] = {"cells_fitted": cells, "before": start if cells else None}
    units = {"before": "S"}
    if curve is not None:
        used, deviation = deviations_from(curve, x, y)
        spread = spread_of(deviation, cell[used])
        count = np.bincount(cell[used], minlength=cells)
        total = np.bincount(cell[used], deviation, minlength=cells)
        deviations = np.divide(total, count, out=deviations, where=count > 0)
        numbers, units = _in_units(against, curve, start)
        summary |= numbers | {"device_spread": spread.device, "cycle_spread": spread.cycle}
        units |= {"before": "S", "device_spread": "decades", "cycle_spread": "decades"}
        if against == V_WL:
            line, of_line = coarse_line(curve, scale)
            summary, units = summary | line, units | of_line
    return ResponseAnalysis(curve, summary, units, places, drawn, deviations)


def coarse_line(curve: ResponseCurve, scale: Levels) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what the coarse SET of write-verify needs of G(V_WL), and its units.

    ``set_offset + G / set_slope`` is the straight line nearest to the curve at the chip's levels above 0, as far as the
    curve reaches them; `gates_of_levels` is the curve itself there, None where it does not reach.
    """
    levels = scale.nominal[1:]
    gates = [curve.inverse(level) for level in levels.tolist()]
    numbers: dict[str, Any] = {"gates_of_levels": [gate if math.isfinite(gate) else None for gate in gates]}
    line = curve.line_through(levels)
    if line is not None:
        numbers |= named("set_offset", line[0]) | named("set_slope", line[1])
    units = {
        f"{name}{end}": unit for name, unit in (("set_offset", "V"), ("set_slope", "S/V")) for end in ENDS
    }
    return numbers, units | {"gates_of_levels": "V"}


ENDS = ("", "_low", "_high")


def named(name: str, number: IntervalEstimate) -> dict[str, float]:
    """Return a number and the ends of its interval by name."""
    return dict(zip((f"{name}{end}" for end in ENDS), (number.value, number.low, number.high), strict=True))


def _in_units(against: str, curve: ResponseCurve, start: float) -> tuple[dict[str, Any], dict[str, str]]:
    """Return threshold, slope and top with their intervals, and their units."""
    threshold, slope, top = curve.threshold, curve.slope, curve.top
    if against == WIDTH:
        threshold = IntervalEstimate(
            *(10.0**value for value in (threshold.value, threshold.low, threshold.high))
        )
    unit = {WIDTH: "S/decade", V_SL: "1/V"}.get(against, "S/V")
    numbers: dict[str, Any] = named("threshold", threshold) | named("slope", slope)
    units = {f"threshold{end}": "s" if against == WIDTH else "V" for end in ENDS}
    units |= {f"slope{end}": unit for end in ENDS}
    name = "floor" if against == V_SL else "top"
    units |= {f"{name}{end}": "S" for end in ENDS}
    if top is None:
        numbers |= {f"{name}{end}": None for end in ENDS}
    elif against == V_SL:
        lowest = IntervalEstimate(*(start * math.exp(-value) for value in (top.value, top.high, top.low)))
        numbers |= named(name, lowest)
    else:
        numbers |= named(name, top)
    return numbers, units


def _drawn(
    against: str, levels: Floats, after: Floats, start: float, curve: ResponseCurve | None
) -> tuple[Floats, dict[str, Floats]]:
    """Return places, and median, quartiles and fit there; the first three at the levels only."""
    fine = np.geomspace if against == WIDTH else np.linspace
    places = levels if len(levels) > FEW else np.unique([*levels, *fine(levels[0], levels[-1], FINE)])
    drawn = {
        name: np.full(len(places), np.nan) for name in ("median", "lower_quartile", "upper_quartile", "fit")
    }
    if after.size:
        at = np.searchsorted(places, levels)
        for name, share in (("median", 0.5), ("lower_quartile", 0.25), ("upper_quartile", 0.75)):
            drawn[name][at] = np.nanquantile(after, share, axis=(0, 1))
    if curve is not None:
        fitted = curve(np.log10(places) if against == WIDTH else places)
        drawn["fit"] = start * np.exp(-fitted) if against == V_SL else fitted
    return places, drawn


AXES = {V_WL: "gate", V_BL: "voltage", WIDTH: "width", V_SL: "voltage"}  # the column of the table that varies
TITLES = {
    V_WL: "Conductance after a SET, by word line",
    V_BL: "Conductance after a SET, by amplitude",
    WIDTH: "Conductance after a SET, by width",
    V_SL: "Conductance after a RESET, by amplitude",
}
WIDTHS = 20e-9, 10e-6  # s, of a series of widths: generators begin at 10 to 16 ns
LOWEST = {V_BL: 0.6, V_SL: 0.4}  # V, of a series of amplitudes: below what switches oxide cells
MOST_PULSES = 20_000_000  # of a run
UNMOVED = 2.0  # a cell whose responses lie within this factor is stuck


VOLTS = partial(FloatParameter, units="V", minimum=0.1, maximum=20.0)
SECONDS = partial(FloatParameter, units="s", minimum=1e-9, maximum=1.0)


@dataclass(frozen=True, eq=False, repr=False)
class Responses(ProcedureResult):
    """Result of the series.

    Attributes
    ----------
    levels : (points,) array
        Of what was varied, V or s, ascending.
    conductance, before : (repeats, points, rows, columns) arrays
        After each pulse and before it, S; NaN of cells that were left out.
    curve : ResponseCurve or None
        The fit, over log10 of widths, and of ln(before / after) for a RESET; None where the cells do not respond.
    summary_units : mapping
        Units of what the summary holds.
    """

    levels: Floats
    conductance: Floats
    before: Floats
    curve: ResponseCurve | None
    summary_units: Mapping[str, str] = field(default_factory=dict)
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "levels": ("point",),
        **dict.fromkeys(("conductance", "before"), ("repeat", "point", "row", "column")),
    }

    @property
    def units(self) -> Mapping[str, str]:
        """Units by name; of the levels that of the threshold, which was found among them."""
        own = {"conductance": "S", "before": "S", "levels": self.summary_units.get("threshold", "")}
        return own | dict(self.summary_units)


@dataclass(frozen=True)
class ResponsePlan:
    """Series of pulses on cells of one bench."""

    cells: CellRange
    against: str
    levels: Floats  # (points,): V or s, ascending
    order: Integers  # (repeats, points): order of the levels in each repeat
    gate: float
    voltage: float
    width: float
    settings: WriteVerifySettings
    scale: Levels
    read_voltage: float
    screening: ScreeningPlan

    @property
    def prepares(self) -> Pulse:
        """The pulse before each: a full RESET, or for a RESET the SET at `gate`."""
        s = self.settings
        if self.against == V_SL:
            return Pulse("set", s.set_voltage, self.width, self.gate)
        return Pulse("reset", s.reset_full, s.width, s.reset_gate)

    def pulse(self, level: float) -> Pulse:
        """Return the pulse at a level of what is varied."""
        if self.against == V_SL:
            return Pulse("reset", level, self.width, self.settings.reset_gate)
        voltage, width, gate = self.voltage, self.width, self.gate
        if self.against == V_WL:
            gate = level
        elif self.against == V_BL:
            voltage = level
        else:
            width = level
        return Pulse("set", voltage, width, gate)


class Response(CellProcedure[Responses]):
    """Measure G against word line, amplitude or width of a SET, or against the RESET voltage, and fit the curve."""

    version: ClassVar[str] = "2"  # version 1 fitted whatever the noise
    title: ClassVar[str] = "Response to pulses"
    leading: ClassVar[tuple[str, ...]] = ("array", "rows", "columns", "against", "start", "stop", "points")
    needs: ClassVar[tuple[Operation, ...]] = ("read", "gate", "pulse")
    run_words: ClassVar[str] = "Response of {cells} to {against}"
    without_blanks: ClassVar[tuple[str, ...]] = ("1",)

    rows = Parameter("Rows", default="0:4")
    columns = Parameter("Columns", default="0:4")
    against = ListParameter("Varied", choices=[V_WL, V_BL, WIDTH, V_SL], default=V_WL)
    start = VOLTS("Lowest level")
    stop = VOLTS("Highest level")
    shortest = SECONDS("Shortest width, of widths")
    longest = SECONDS("Longest width, of widths")
    points = IntegerParameter("Levels", minimum=5, maximum=1000, default=25)
    repeats = IntegerParameter("Repeats", minimum=1, maximum=10_000, default=3)
    gate = VOLTS("Word line of the SET")
    set_voltage = VOLTS("Amplitude of the SET")
    width = SECONDS("Width of the pulses")
    forming, blanks = screening_parameters()

    def check(self) -> CellRange:
        """Parse the range; refuse ends of a series that do not belong to what is varied, or are upside down."""
        cells: CellRange = super().check()
        ends = {True: ("shortest", "longest"), False: ("start", "stop")}
        of_widths = self.against == WIDTH
        fixed = {V_WL: ("gate",), V_BL: ("set_voltage",), WIDTH: ("width",), V_SL: ()}[self.against]
        for name in (*ends[not of_widths], *fixed):
            if getattr(self, name) is not None:
                raise InputError(
                    f"{name} is given, and {self.against} is varied: {' and '.join(ends[of_widths])} say from where to "
                    "where; leave it out"
                )
        low, high = (getattr(self, name) for name in ends[of_widths])
        if low is not None and high is not None and not low < high:
            raise InputError(
                f"{ends[of_widths][0]} is {low:g} and {ends[of_widths][1]} is {high:g}: turn them round"
            )
        pulses = 2 * cells.count * self.repeats * self.points
        if pulses > MOST_PULSES:
            raise InputError(
                f"{pulses:,} pulses are more than the {MOST_PULSES:,} of a run; take fewer cells, repeats or points"
            )
        return cells

    def prepare(self, given: CellRange, bench: Bench, rng: np.random.Generator) -> ResponsePlan:
        """Lay the series out, and check its largest pulses."""
        chip = self.readable_chip(bench, given)
        s, top = chip.write_verify, chip.levels.conductances[-1]
        levels = self._levels(s)
        order = np.stack([rng.permutation(self.points) for _ in range(self.repeats)])
        highest = min(max(s.set_offset + top / s.set_slope, s.gate_range[0]), s.gate_range[1])
        plan = ResponsePlan(
            given, self.against, levels, order, self.value_or("gate", highest),
            self.value_or("set_voltage", s.set_voltage), self.value_or("width", s.width), s,
            chip.level_scale(), bench.file.read.voltage,
            ScreeningPlan.of(self, given, bench, s.formed_above),
        )  # fmt: skip
        for pulse in (plan.prepares, plan.pulse(float(levels[0])), plan.pulse(float(levels[-1]))):
            bench.check_pulse(pulse)
        return plan

    def _levels(self, s: WriteVerifySettings) -> Floats:
        """Return what is varied, V or s, ascending."""
        names, ends = ("start", "stop"), s.gate_range
        if self.against == WIDTH:
            names, ends = ("shortest", "longest"), WIDTHS
        elif self.against != V_WL:
            ends = LOWEST[self.against], s.set_voltage if self.against == V_BL else s.reset_full
        low, high = map(self.value_or, names, ends)
        if not low < high:
            raise InputError(
                f"a series from {low:g} to {high:g} does not rise: give both ends, the lower one first"
            )
        spaced = np.geomspace if self.against == WIDTH else np.linspace
        return np.round(spaced(low, high, int(self.points)), 12)

    def in_use(self, plan: ResponsePlan) -> Mapping[str, tuple[float | str, str]]:
        """Return the ends of the series, and the fixed values that were not given."""
        low, high = float(plan.levels[0]), float(plan.levels[-1])
        of_widths, volts = ("shortest", "longest"), ("start", "stop")
        ends, others = (of_widths, volts) if plan.against == WIDTH else (volts, of_widths)
        varied = {V_WL: "gate", V_BL: "set_voltage", WIDTH: "width"}.get(plan.against, "")
        fixed = {"gate": plan.gate, "set_voltage": plan.voltage, "width": plan.width}
        return {
            **{name: (value, "the procedure's") for name, value in zip(ends, (low, high), strict=True)},
            **dict.fromkeys(others, ("none", f"{plan.against} is varied")),
            **{name: (value, "the chip map's") for name, value in fixed.items()},
            varied: (f"{low:g} to {high:g}", "varied"),
        }

    def layout(self, plan: ResponsePlan) -> Layout:
        """Declare the responses, the curve, and the map of each cell's mean deviation from it."""
        axis = AXES[plan.against]
        unit = "s" if plan.against == WIDTH else "V"
        columns: tuple[Column, ...] = (
            Column("time", "s", description="bench time"),
            *PLACE,
            Column("repeat", dtype="u4"),
            Column("voltage", "V", dtype="f4", description="at the line of the pulse"),
            Column("width", "s", dtype="f4"),
            Column("gate", "V", dtype="f4", description="word-line voltage of the pulse"),
            Column("before", "S", description="conductance before the pulse"),
            Column("conductance", "S", description="conductance after the pulse"),
            Column("limited", dtype="u1", description="1 where the read after was in compliance"),
        )
        title, count = (
            f"conductance after each pulse, {plan.against} varied",
            plan.cells.count * plan.order.size,
        )
        responses = Table("responses", columns, signal="conductance", axis=axis, title=title, rows=count)
        columns = (
            Column(axis, unit, description=f"{plan.against} of the pulse"),
            Column("median", "S", description="of all cells and repeats; NaN between levels"),
            *(Column(name, "S") for name in ("lower_quartile", "upper_quartile", "fit")),
        )
        curve = Table("curve", columns, title="the response and its fit", rows=FINE + len(plan.levels))
        title = "mean deviation of the cell from the curve, decades"
        (deviation,) = self.maps(plan.cells, ("deviation", "", title))
        scaled = partial(
            Figure,
            x_scale="log" if plan.against == WIDTH else "linear",
            y_scale="log" if plan.against == V_SL else "linear",
        )
        lines = () if plan.against == WIDTH else (ReferenceLine(x="threshold", label="threshold"),)
        quartiles = ("median", "lower_quartile", "upper_quartile", "fit")
        figures = (
            scaled("curve", table="curve", x=axis, y=quartiles, lines=lines, title=TITLES[plan.against]),
            scaled(
                "by_cell", kind="scatter", table="responses", x=axis, y="conductance", by=("row", "column"),
                title="Conductance after each pulse, by cell",
            ),
            Figure(deviation.name, map=deviation.name),
        )  # fmt: skip
        tables = (responses, curve, *plan.screening.tables())
        return Layout(tables, (deviation,), default="responses", figures=figures)

    def estimate(self, given: CellRange, source: BenchSource) -> Estimate:
        """Return the number of pulses."""
        return Estimate(pulses=2 * given.count * int(self.repeats) * int(self.points))

    def execute(self, plan: ResponsePlan, bench: Bench, stream: Stream) -> Responses:
        """Leave virgin cells out, take the series of all others, and fit."""
        rows, columns = plan.cells.positions()
        screening = screen_cells(plan.screening, bench, stream) if plan.screening.blanks else None
        if screening is not None:
            formed = screening.formed.ravel()
        else:
            virgin_below = VIRGIN_SHARE * plan.settings.formed_above
            formed = formed_cells(bench, stream, self.array, (rows, columns), virgin_below)
        virgin = int((~formed).sum())
        if virgin:
            what = form_first(self.array, self.rows, self.columns)
            said = f"{virgin} of {plan.cells.count} cells were never formed and are left out; {what}"
            if screening is not None:
                said = unformed_message(self, virgin, plan.cells.count, tried=screening.tried)
            stream.say(said, "WARNING")
        which = np.flatnonzero(formed)
        reads = np.full((2, plan.cells.count, *plan.order.shape), np.nan)
        survey = CellSurvey(
            bench, stream, self.array, (rows[which], columns[which]), "responses", 2.0 * plan.order.size
        )
        for part, measured in survey.visit("pulsing", lambda cells: _series(cells, plan)):
            reads[:, which[part]] = measured
        before, after = reads
        least = -np.inf if screening is None else screening.least(max(2 * after.size, 1))
        medians = np.median(after if screening is None else np.maximum(after, least), axis=1)
        with np.errstate(invalid="ignore"):  # they end at the same conductance after all levels
            stuck = medians.max(axis=1) < UNMOVED * np.abs(medians.min(axis=1))
        if stuck.any():
            stream.say(
                f"{counted(int(stuck.sum()), 'cell')} without a response to the pulses; the fit leaves them out",
                "WARNING",
            )
        used = np.flatnonzero(formed & ~stuck)
        analysis = analyse(plan.against, plan.levels, before[used], after[used], plan.scale)
        self._record(plan, stream, bench, used, analysis)
        if analysis.curve is None and used.size:
            stream.say("the cells do not respond within this range; widen it", "WARNING")
        elif analysis.curve is not None and not analysis.curve.saturates:
            stream.say("the curve does not saturate within this range: there is no top")
        counts = {"cells": plan.cells.count, "virgin": virgin, "stuck": int(stuck.sum())}
        summary = counts | dict(analysis.summary) | {"virtual_seconds": bench.now()}
        if screening is not None:
            summary |= _strict(summary, screening, used, analysis, least)

        def image(values: Floats) -> Floats:
            return np.moveaxis(values.reshape(*plan.cells.shape, *plan.order.shape), (0, 1), (2, 3))

        units = {**analysis.units, "virtual_seconds": "s"}
        return Responses(plan.levels, image(after), image(before), analysis.curve, units, summary=summary)

    def conclude(self, plan: ResponsePlan, result: Responses) -> Conclusion:
        """Return how many cells the curve is fitted to, and where it begins."""
        summary = result.summary
        threshold, cells = summary.get("threshold"), counted(summary["cells_fitted"], "cell")
        curve = f"{cells} measured, no curve fits"
        if threshold is not None:
            unit = result.units.get("threshold", "")
            curve = f"curve of {cells} fitted, threshold {quantity(threshold, unit)}"
        return concluded(summary, curve, left_out(summary), lost_cells(summary))

    def _record(
        self, plan: ResponsePlan, stream: Stream, bench: Bench, used: Integers, analysis: ResponseAnalysis
    ) -> None:
        """Store the curve, and each cell's mean deviation from it."""
        stream.record_block("curve", {AXES[plan.against]: analysis.places, **analysis.drawn})
        deviation = np.full(plan.cells.count, np.nan)
        deviation[used] = analysis.deviations
        self.snapshot(stream, bench, plan.cells, deviation=deviation)


def _strict(
    summary: Mapping[str, Any], screening: Screening, used: Integers, analysis: ResponseAnalysis, least: float
) -> dict[str, Any]:
    """Return counts, and None with the reason for what is not told from nothing (S), by name."""
    missing: dict[str, str] = {}
    if not used.size:
        missing = dict.fromkeys(
            ("before", "threshold", "slope"), "no cell that was formed responds to the pulses"
        )
    elif analysis.curve is None:
        missing = dict.fromkeys(
            ("threshold", "slope"), "the cells do not respond beyond their scatter in this range"
        )
    before = summary["before"]
    if before is not None and not before > least:
        missing["before"] = f"it lies below {1e9 * least:.3g} nS, which readings do not tell from nothing"
    counts = {"formed_first": screening.formed_now, "measured": int(used.size)}
    return {**counts, **dict.fromkeys(missing), "not_extracted": missing}


def _series(cells: VisitedCells, plan: ResponsePlan) -> Floats:
    """Take the series of cells; return conductances before and after, (2, cells, repeats, points), S."""
    which, reads = np.arange(cells.count), np.empty((2, cells.count, *plan.order.shape))
    first, volts = plan.prepares, plan.read_voltage
    for repeat, order in enumerate(plan.order):
        for place in order.tolist():
            pulse = plan.pulse(float(plan.levels[place]))
            cells.pulse(which, first.kind, first.voltage, first.width, first.gate)
            before = cells.read(which, volts)
            cells.pulse(which, pulse.kind, pulse.voltage, pulse.width, pulse.gate)
            after = cells.read(which, volts)
            cells.record(
                which, repeat=repeat, voltage=pulse.voltage, width=pulse.width, gate=pulse.gate,
                before=before.conductance, conductance=after.conductance, limited=after.limited,
            )  # fmt: skip
            reads[:, :, repeat, place] = before.conductance, after.conductance
    return reads
