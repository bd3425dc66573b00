"""Read cells in a row, as fast as the instrument can, for their noise: spectrum, Allan deviation, telegraph levels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mho.array_types import Floats
from mho.confidence import binomial_interval, mean_interval, median_interval, with_interval
from mho.errors import InputError
from mho.instruments import Bench, Cell
from mho.instruments.bench_file import BenchSource
from mho.procedures.base import Estimate, Procedure
from mho.procedures.cell_range import CellRange, check_inside
from mho.procedures.cells.detection_limit import CHANCE, blanks_parameter
from mho.procedures.cells.levels_of_cells import unformed_reads
from mho.procedures.cells.reading.spectrum import (
    FITTING,
    allan_deviation,
    density_at_1_hz,
    flicker_at_1_hz,
    slope,
    spectrum,
)
from mho.procedures.cells.reading.telegraph import Telegraph, find_telegraph
from mho.procedures.cells.switching.formed_cells import (
    CellSettings,
    CellSurveyed,
    below_noise_message,
    forming_parameter,
    survey_cells,
    unformed_message,
)
from mho.procedures.chip_in_use import chip_of
from mho.procedures.parameters import FloatParameter, IntegerParameter, Parameter
from mho.procedures.stream import Stream
from mho.procedures.wording import counted, joined, left_out, measured_cells, without_measured
from mho.runs import Column, Conclusion, Figure, Layout, ReferenceLine, Table

TIMED = 10  # reads of a first list, which tells what a list takes beside its reads
SIMULATED_SAMPLE, AT_ONCE_SAMPLE, HARDWARE_SAMPLE = 0.1e-3, 0.3e-3, 1e-3  # s of wall time (?)
LINE_FREQUENCY = 50.0  # Hz
MOST_SAMPLES = 20_000_000  # of a run: its results also take 0.2 GB of memory

CELLS = Table(
    "noise",
    (
        Column("row", dtype="u2"),
        Column("column", dtype="u2"),
        Column("mean", "S", description="less the meter's offset"),
        Column(
            "deviation",
            "S",
            description="of all reads, relaxation between series included, less the meter's own",
        ),
        Column("slope", description="of log S over log f"),
        Column("slope_low", description="95 % interval of the slope"),
        Column("slope_high"),
        Column("slope_p", description="of the fit of a power of f over a floor"),
        Column(
            "meter_deviation", "S", description="of reads with the transistor off; NaN where there are none"
        ),
        Column("own", dtype="u1", description="1 where the cell's own noise stands out of the meter's"),
        Column("levels", dtype="u1", description="2 for telegraph noise, else 1"),
        Column("low", "S", description="lower telegraph level; NaN where there is one"),
        Column("high", "S"),
        Column("dwell_low", "s", description="mean time in the lower level"),
        Column("dwell_low_low", "s", description="its 95 % interval"),
        Column("dwell_low_high", "s"),
        Column("dwell_high", "s", description="mean time in the upper level"),
        Column("dwell_high_low", "s", description="its 95 % interval"),
        Column("dwell_high_high", "s"),
    ),
    signal="deviation",
    axis="mean",
    title="noise of each cell",
)


@dataclass(frozen=True)
class Noises:
    """Result of the reads; `units` are those of the summary.

    Attributes
    ----------
    series : (rows, columns, series, samples) array
        Reads, S; NaN of cells that are not formed.
    interval : float
        From read to read, s.
    telegraph : dict
        Telegraph levels by (row, column) of the array, where there are two.
    summary : dict
        Summary in the run file and of ``--json``.
    path : Path
        The run file.
    """

    series: Floats
    interval: float
    telegraph: dict[tuple[int, int], Telegraph]
    summary: dict[str, Any]
    path: Path = field(default=Path())
    units: ClassVar[Mapping[str, str]] = {"interval": "s", "density_at_1_hz": "1/Hz", "virtual_seconds": "s"}


class CellNoise(NamedTuple):
    """What the reads of a cell tell: NaN for what is not told.

    Attributes
    ----------
    slope : float
        Of log S over log f.
    telegraph : Telegraph or None
    relative : float
        Deviation over mean.
    density : float
        At 1 Hz, 1/Hz.
    own : bool
        Whether its noise stands out of the meter's.
    fits : bool
        Whether its spectrum is a power of the frequency over a floor.
    """

    slope: float
    telegraph: Telegraph | None
    relative: float
    density: float
    own: bool
    fits: bool


@dataclass(frozen=True)
class NoisePlan:
    """The cells to read, and how."""

    cells: CellRange
    volts: float
    survey: CellSettings


class Noise(Procedure):
    """Read cells in a row, and tell spectrum, Allan deviation and telegraph levels of each."""

    version: ClassVar[str] = "2"  # version 1 took the meter's noise for the cell's
    restated: ClassVar[Mapping[str, tuple[str, ...]]] = {"2": ("*_low", "*_high")}
    title: ClassVar[str] = "Noise of cells"
    group: ClassVar[str] = "Cells"

    array = Parameter("Array", default="multiply")
    rows = Parameter("Rows", default="0:2")
    columns = Parameter("Columns", default="0:2")
    samples = IntegerParameter(
        "Reads in a row, timed by the instrument", minimum=64, maximum=2500, default=2500
    )
    series = IntegerParameter("Series of such reads", minimum=1, maximum=1000, default=4)
    delay = FloatParameter("Wait before each read, none unless given", units="s", minimum=1e-6, maximum=100.0)
    read_voltage = FloatParameter(
        "Read voltage, the bench's unless given", units="V", minimum=0.0, maximum=10.0
    )
    forming, blanks = forming_parameter(), blanks_parameter()

    @classmethod
    def from_version(cls, version: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Form nothing and take no blanks, as version 1 did."""
        return dict(values) | ({"forming": "no", "blanks": 0} if version == "1" else {})

    def check(self) -> CellRange:
        """Parse the ranges, and refuse a voltage at which no current flows."""
        cells = CellRange.parse(self.rows, self.columns)
        if self.read_voltage == 0.0:
            raise InputError(
                "read_voltage is 0 V, at which no current flows; leave it out for the bench's own"
            )
        count = cells.count * self.samples * self.series
        if count > MOST_SAMPLES:
            raise InputError(
                f"{count:,} reads are more than the {MOST_SAMPLES:,} a run may have; read fewer cells or less often"
            )
        return cells

    def prepare(self, given: CellRange, bench: Bench, rng: np.random.Generator) -> NoisePlan:
        """Check that the array has these cells and that the bench may read them."""
        chip = chip_of(bench)
        check_inside(chip.array(self.array), given)
        bench.check_read()
        volts = bench.file.read.voltage if self.read_voltage is None else float(self.read_voltage)
        bench.check_sweep([volts], bench.file.read.gate)
        survey = CellSettings.of(self, given, bench, chip.write_verify.formed_above)
        return NoisePlan(given, volts, survey)

    def in_use(self, plan: NoisePlan) -> Mapping[str, tuple[float, str]]:
        """Return the voltage at the bit line, and the wait."""
        return {
            "read_voltage": (plan.volts, "the bench's"),
            "delay": (0.0, "as fast as the instrument reads"),
        }

    def layout(self, plan: NoisePlan) -> Layout:
        """Declare tables of reads, spectra, Allan deviations and of what was found of each cell."""
        cells, where = plan.cells, (Column("row", dtype="u2"), Column("column", dtype="u2"))
        reads = Table(
            "series",
            (
                Column("time", "s", description="since the first read of the series"),
                *where,
                Column("number", dtype="u2", description="of the series"),
                Column("conductance", "S"),
            ),
            signal="conductance",
            axis="time",
            title="every read",
            rows=cells.count * self.samples * self.series,
        )
        spectra = Table(
            "spectra",
            (*where, Column("frequency", "Hz"), Column("density", "1/Hz", description="of G over its mean")),
            signal="density",
            axis="frequency",
            title="spectra",
        )
        allan = Table(
            "allan",
            (*where, Column("averaging", "s"), Column("deviation", description="of G over its mean")),
            signal="deviation",
            axis="averaging",
            title="Allan deviations",
        )

        def by_cell(name: str, table: Table, title: str, *lines: ReferenceLine) -> Figure:
            return Figure(
                name,
                table=table.name,
                x=table.axis,
                y=table.signal,
                by=("row", "column"),
                x_scale="log",
                y_scale="log",
                lines=lines,
                title=title,
            )

        figures = (
            by_cell(
                "spectra",
                spectra,
                "Spectrum of the relative conductance by cell",
                ReferenceLine("density_at_1_hz", power=-1.0, label="1/f, S at 1 Hz"),
            ),
            by_cell("allan", allan, "Allan deviation of the relative conductance by cell"),
            Figure(
                "series",
                kind="scatter",
                table=reads.name,
                x="time",
                y="conductance",
                by=("row", "column"),
                title="Reads in a row by cell",
            ),
            Figure(
                "read_levels",
                kind="histogram",
                table=reads.name,
                x="conductance",
                by=("row", "column"),
                y_scale="log",
                title="How often each conductance is read, by cell",
            ),
            Figure(
                "deviations",
                kind="scatter",
                table=CELLS.name,
                x="mean",
                y="deviation",
                by="levels",
                title="Deviation over mean, by number of levels",
            ),
        )
        tables = (reads, spectra, allan, CELLS, *plan.survey.tables())
        return Layout(tables, default=spectra.name, figures=figures)

    def describe_cells(self, plan: NoisePlan) -> str:
        """Return array and ranges."""
        return self._cells_as_given()

    def _cells_as_given(self) -> str:
        return f"{self.array}[{self.rows}, {self.columns}]"

    def run_title(self) -> str:
        """Return the name of the cells."""
        return f"Noise of {self._cells_as_given()}"

    @property
    def _wait(self) -> float:
        return 0.0 if self.delay is None else float(self.delay)

    def estimate(self, given: CellRange, source: BenchSource) -> Estimate:
        """Estimate the time from that of a read; there are no pulses."""
        samples, simulation = given.count * self.samples * self.series, source.bench.simulation
        if simulation is not None:
            return Estimate(
                pulses=0, seconds=samples * (SIMULATED_SAMPLE if simulation.instruments else AT_ONCE_SAMPLE)
            )
        each = HARDWARE_SAMPLE + self._wait + source.bench.read.nplc / LINE_FREQUENCY
        return Estimate(pulses=0, seconds=samples * each)

    def execute(self, plan: NoisePlan, bench: Bench, stream: Stream) -> Noises:
        """Read cell after cell, series after series; what a cell's series tell is kept before the next one is read."""
        cells, count, length = plan.cells, int(self.series), int(self.samples)
        series = np.full((*cells.shape, count, length), np.nan)
        telegraph: dict[tuple[int, int], Telegraph] = {}
        surveyed = survey_cells(plan.survey, bench, stream, plan.volts) if plan.survey.blanks else None
        meter = None if surveyed is None else self._blank_series(plan, bench)
        found, intervals = [], []
        unformed, below = 0, 0
        for number, (i, j) in enumerate(np.ndindex(cells.shape)):
            cell = Cell(self.array, int(cells.rows[i]), int(cells.columns[j]))
            if surveyed is None:
                unformed += (dark := not bench.read(cell) > plan.survey.formed_above)
            elif not surveyed.formed[i, j]:
                dark = True
                unformed += 1
            else:
                below += (dark := not bench.read(cell, plan.volts) > surveyed.least())
            if dark:
                continue
            overhead = self._overhead(cell, plan, bench)
            for which in range(count):
                stream.progress("reading", number * count + which, cells.count * count)
                begun = bench.now()
                series[i, j, which] = bench.read_list(cell, length, plan.volts, delay=self._wait)
                interval = max((bench.now() - begun - overhead[0]) / (length - TIMED), overhead[1])
                intervals.append(interval)
                self._record_series(cell, which, series[i, j, which], interval, stream)
            found.append(self._told(cell, series[i, j], float(np.median(intervals)), stream, meter))
            if found[-1].telegraph is not None:
                telegraph[cell.row, cell.column] = found[-1].telegraph
        self._say(plan, surveyed, unformed, below, stream)
        interval = float(np.median(intervals)) if intervals else math.nan
        counts = {"unformed": unformed}
        if surveyed is not None:
            counts |= {"formed_first": surveyed.formed_now, "below_noise": below, "measured": len(found)}
        summary = self._summary(plan, found, counts) | {
            "interval": interval if intervals else None,
            "density_at_1_hz": _median([one.density for one in found]),
            "virtual_seconds": bench.now(),
        }
        if surveyed is not None:
            summary |= _not_extracted(summary, found)
        return Noises(series, interval, telegraph, summary)

    def _say(
        self, plan: NoisePlan, surveyed: CellSurveyed | None, unformed: int, below: int, stream: Stream
    ) -> None:
        """Tell of cells that were left out."""
        if unformed and surveyed is None:
            stream.say(unformed_reads(unformed, plan.cells.count, plan.survey.formed_above), "WARNING")
        elif unformed:
            stream.say(
                unformed_message(self, unformed, plan.cells.count, tried=plan.survey.forming is not None),
                "WARNING",
            )
        if below and surveyed is not None:
            stream.say(below_noise_message(below, plan.cells.count, surveyed.least()), "WARNING")

    def _blank_series(self, plan: NoisePlan, bench: Bench) -> Floats:
        """Return reads in a row (samples,), S, with the transistor off: the meter's own noise, read as the cells are."""
        cell = Cell(self.array, int(plan.cells.rows[0]), int(plan.cells.columns[0]))
        readings = bench.sweep(cell, [plan.volts] * int(self.samples), gate=0.0, delay=self._wait)
        return np.array([reading.current for reading in readings]) / plan.volts

    def _overhead(self, cell: Cell, plan: NoisePlan, bench: Bench) -> tuple[float, float]:
        """Return the time that a short list takes, s, and the least time from read to read that can be."""
        begun = bench.now()
        bench.read_list(cell, TIMED, plan.volts, delay=self._wait)
        return bench.now() - begun, bench.file.read.nplc / LINE_FREQUENCY / 10.0 + self._wait

    def _record_series(self, cell: Cell, which: int, values: Floats, interval: float, stream: Stream) -> None:
        count = len(values)
        stream.record_block(
            "series",
            {
                "time": interval * np.arange(count),
                "row": np.full(count, cell.row),
                "column": np.full(count, cell.column),
                "number": np.full(count, which),
                "conductance": values,
            },
        )

    def _told(
        self, cell: Cell, series: Floats, interval: float, stream: Stream, meter: Floats | None
    ) -> CellNoise:
        """Record what a cell's series tell, beside the `meter`'s own reads, and return it."""
        frequency, density = spectrum(series, interval)
        averaging, deviation = allan_deviation(series, interval)
        for table, columns in (
            ("spectra", {"frequency": frequency, "density": density}),
            ("allan", {"averaging": averaging, "deviation": deviation}),
        ):
            count = len(next(iter(columns.values())))
            where = {"row": np.full(count, cell.row), "column": np.full(count, cell.column)}
            stream.record_block(table, where | columns)
        tilt, found = slope(frequency, density, len(series)), find_telegraph(series, interval)
        mean, variance, own, fits = float(series.mean()), float(series.var()), True, True
        at_1_hz = density_at_1_hz(frequency, density)
        if meter is not None:
            own = stands_out(series, meter, self._cells_looked_at)
            mean -= float(np.median(meter))
            variance = max(variance - float(meter.var()), 0.0) if own else math.nan
            fits = own and not tilt.p < FITTING
            if own:
                floor = float(np.median(spectrum(meter[None], interval, float(series.mean()))[1]))
                at_1_hz = flicker_at_1_hz(frequency, density, floor)
            else:
                found, at_1_hz = None, math.nan
            if not fits and found is None:
                at_1_hz = math.nan
        nothing = (math.nan, math.nan)
        stream.record(
            CELLS.name,
            row=cell.row,
            column=cell.column,
            mean=mean,
            deviation=math.sqrt(variance),
            slope=tilt.value if fits else math.nan,
            slope_low=tilt.low if fits else math.nan,
            slope_high=tilt.high if fits else math.nan,
            slope_p=tilt.p,
            meter_deviation=math.nan if meter is None else float(meter.std()),
            own=own,
            levels=1 if found is None else 2,
            low=math.nan if found is None else found.low,
            high=math.nan if found is None else found.high,
            **_dwells(
                "dwell_low",
                math.nan if found is None else found.dwell_low,
                nothing if found is None else found.dwell_low_interval,
            ),
            **_dwells(
                "dwell_high",
                math.nan if found is None else found.dwell_high,
                nothing if found is None else found.dwell_high_interval,
            ),
        )
        return CellNoise(
            tilt.value if fits else math.nan, found, math.sqrt(variance) / mean, at_1_hz, own, fits
        )

    @property
    def _cells_looked_at(self) -> int:
        return CellRange.parse(self.rows, self.columns).count

    def _summary(self, plan: NoisePlan, found: list[CellNoise], counts: Mapping[str, int]) -> dict[str, Any]:
        """Return the result's numbers."""
        told = [one for one in found if one.own]
        quiet = np.array(
            [(one.slope, one.relative) for one in told if one.telegraph is None], dtype=float
        ).reshape(-1, 2)
        trapped = len(told) - len(quiet)
        share = trapped / len(told) if told else math.nan
        ends = binomial_interval(trapped, len(told)) if told else (math.nan, math.nan)
        slopes, deviations = quiet[np.isfinite(quiet[:, 0]), 0], quiet[:, 1]
        slope = float(slopes.mean()) if slopes.size else math.nan
        deviation = float(np.median(deviations)) if deviations.size else math.nan
        return {
            "cells": plan.cells.count,
            **counts,
            "telegraph_cells": trapped,
            **with_interval("telegraph_share", share, ends),
            # of the cells with one level:
            **with_interval("slope", slope, mean_interval(slopes)),
            **with_interval("relative_deviation", deviation, median_interval(deviations)),
        }

    def conclude(self, plan: NoisePlan, result: Noises) -> Conclusion:
        """Return how noisy cells are, and how many have telegraph noise."""
        summary = result.summary
        deviation = summary["relative_deviation"]
        return without_measured(summary) or Conclusion(
            joined(
                f"{counted(measured_cells(summary), 'cell')} read",
                f"noise {100.0 * deviation:.2g} %" if deviation is not None else "",
                f"{summary['telegraph_cells']:,} with telegraph noise",
                left_out(summary),
            )
        )


def stands_out(series: Floats, meter: Floats, cells: int) -> bool:
    """Return whether reads of a cell (series, samples) scatter more than the `meter` alone, of so many `cells` looked at.

    By the F test of variances; the meter's noise is taken as white and normal.
    """
    from scipy.stats import f as fisher  # loads slowly

    within = float(series.var(axis=1, ddof=1).mean())
    freedom = len(series) * (series.shape[1] - 1)
    return within > float(fisher.isf(CHANCE / cells, freedom, len(meter) - 1)) * float(meter.var(ddof=1))


def _not_extracted(summary: Mapping[str, Any], found: list[CellNoise]) -> dict[str, Any]:
    """Return ``own_noise``, how many cells' noise stands out, ``misfits``, and ``not_extracted``, why not, by name."""
    own = sum(one.own for one in found)
    misfits = sum(one.own and not one.fits for one in found)
    why = (
        "no cell was measured"
        if not found
        else f"the noise of none of {len(found)} cells stands out of the meter's"
        if not own
        else "no spectrum is that of a power of the frequency over a floor"
        if misfits
        else "all cells have two levels"
    )
    names = ("slope", "relative_deviation", "density_at_1_hz", "telegraph_share")
    missing = {name: why for name in names if summary[name] is None}
    return {"own_noise": own, "misfits": misfits, "not_extracted": missing}


def _median(values: list[float]) -> float | None:
    known = [value for value in values if math.isfinite(value)]
    return float(np.median(known)) if known else None


def _dwells(name: str, value: float, ends: tuple[float, float]) -> dict[str, float]:
    return {name: value, f"{name}_low": ends[0], f"{name}_high": ends[1]}
