"""Read cells in a row, as fast as the instrument can, for their noise: spectrum, Allan deviation, telegraph levels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.confidence import binomial_interval, mean_interval, median_interval, with_interval
from mho.instruments import Bench, Cell
from mho.instruments.bench_file import BenchSource, Operation
from mho.procedures.base import Estimate, ProcedureResult
from mho.procedures.cell_range import CellRange
from mho.procedures.cells.cell_procedure import PLACE, CellProcedure
from mho.procedures.cells.cell_visits import each_cell
from mho.procedures.cells.detection_limit import CHANCE
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
    MAY_NEED,
    ScreeningPlan,
    screen_cells,
    screening_needs,
    screening_parameters,
    unformed_reads,
    warn_left_out,
)
from mho.procedures.parameters import FloatParameter, IntegerParameter, Parameter
from mho.procedures.stream import Stream
from mho.procedures.wording import concluded, counted, left_out, measured_cells
from mho.runs import Column, Conclusion, Figure, Layout, ReferenceLine, Table

TIMED = 10  # reads of a first list, which tells what a list takes beside its reads
SIMULATED_SAMPLE, AT_ONCE_SAMPLE, HARDWARE_SAMPLE = 0.1e-3, 0.3e-3, 1e-3  # s of wall time (?)
LINE_FREQUENCY = 50.0  # Hz
MOST_SAMPLES = 20_000_000  # of a run: its results also take 0.2 GB of memory

CELLS = Table(
    "noise",
    (
        *PLACE,
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


@dataclass(frozen=True, eq=False, repr=False)
class Noises(ProcedureResult):
    """Result of the reads.

    Attributes
    ----------
    series : (rows, columns, series, samples) array
        Reads, S; NaN of cells that are not formed.
    interval : float
        From read to read, s.
    telegraph : dict
        Telegraph levels by (row, column) of the array, where there are two.
    """

    series: Floats
    interval: float
    telegraph: dict[tuple[int, int], Telegraph]
    units: ClassVar[Mapping[str, str]] = {
        "series": "S",
        "interval": "s",
        "density_at_1_hz": "1/Hz",
        "virtual_seconds": "s",
    }
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "series": ("row", "column", "series_number", "sample"),
    }


class CellNoise(NamedTuple):
    """What the reads of a cell tell: NaN for what is not told."""

    slope: float  # of log S over log f
    telegraph: Telegraph | None
    relative: float  # deviation over mean
    density: float  # at 1 Hz, 1/Hz
    own: bool  # whether its noise stands out of the meter's
    fits: bool  # whether its spectrum is a power of the frequency over a floor


@dataclass(frozen=True)
class NoisePlan:
    """The cells to read, and how."""

    cells: CellRange
    volts: float
    screening: ScreeningPlan


class Noise(CellProcedure[Noises]):
    """Read cells in a row, and tell spectrum, Allan deviation and telegraph levels of each."""

    version: ClassVar[str] = "2"  # version 1 took the meter's noise for the cell's
    restated: ClassVar[Mapping[str, tuple[str, ...]]] = {"2": ("*_low", "*_high")}
    title: ClassVar[str] = "Noise of cells"
    leading: ClassVar[tuple[str, ...]] = ("array", "rows", "columns", "samples")
    needs: ClassVar[tuple[Operation, ...]] = ("read",)
    may_need: ClassVar[Mapping[Operation, str]] = {
        **CellProcedure.may_need,
        **MAY_NEED,
        "sweep": "for blank readings, which blanks = 0 leaves out",
    }
    run_words: ClassVar[str] = "Noise of {cells}"
    without_blanks: ClassVar[tuple[str, ...]] = ("1",)

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
    forming, blanks = screening_parameters()

    def check(self) -> CellRange:
        """Parse the ranges, and refuse a voltage at which no current flows."""
        cells: CellRange = super().check()
        self.check_read_voltage()
        count = cells.count * self.samples * self.series
        self.check_count(count, MOST_SAMPLES, "reads", "read fewer cells or less often")
        return cells

    def prepare(self, given: CellRange, bench: Bench, rng: np.random.Generator) -> NoisePlan:
        """Check that the array has these cells and that the bench may read them."""
        formed_above = self.readable_chip(bench, given).write_verify.formed_above
        volts = self.value_or("read_voltage", bench.file.read.voltage)
        bench.check_sweep([volts], bench.file.read.gate)
        return NoisePlan(given, volts, ScreeningPlan.of(self, given, bench, formed_above))

    def needed(self) -> tuple[Operation, ...]:
        """Return what reads need, and blank readings: a sweep with the transistor off is one of them."""
        return (*super().needed(), *screening_needs(self), *(("sweep",) if self.blanks else ()))

    def in_use(self, plan: NoisePlan) -> Mapping[str, tuple[float, str]]:
        """Return the voltage at the bit line, and the wait."""
        return {
            "read_voltage": (plan.volts, "the bench's"),
            "delay": (0.0, "as fast as the instrument reads"),
        }

    def layout(self, plan: NoisePlan) -> Layout:
        """Declare tables of reads, spectra, Allan deviations and of what was found of each cell."""
        columns: tuple[Column, ...] = (
            Column("time", "s", description="since the first read of the series"),
            *PLACE,
            Column("number", dtype="u2", description="of the series"),
            Column("conductance", "S"),
        )
        rows = plan.cells.count * self.samples * self.series
        reads = Table("series", columns, title="every read", rows=rows)
        relative = partial(Column, description="of G over its mean")
        columns = (*PLACE, Column("frequency", "Hz"), relative("density", "1/Hz"))
        spectra = Table("spectra", columns, axis="frequency", title="spectra")
        columns = (*PLACE, Column("averaging", "s"), relative("deviation"))
        allan = Table("allan", columns, axis="averaging", title="Allan deviations")
        by_cell = partial(Figure, by=("row", "column"))
        log = partial(by_cell, x_scale="log", y_scale="log")
        at_1_hz = ReferenceLine("density_at_1_hz", power=-1.0, label="1/f, S at 1 Hz")
        figures = (
            log(
                "spectra", table="spectra", x="frequency", y="density", lines=(at_1_hz,),
                title="Spectrum of the relative conductance by cell",
            ),
            log(
                "allan", table="allan", x="averaging", y="deviation",
                title="Allan deviation of the relative conductance by cell",
            ),
            by_cell(
                "series", kind="scatter", table="series", x="time", y="conductance", title="Reads in a row by cell"
            ),
            by_cell(
                "read_levels", kind="histogram", table="series", x="conductance", y_scale="log",
                title="How often each conductance is read, by cell",
            ),
            Figure(
                "deviations", kind="scatter", table="noise", x="mean", y="deviation", by="levels",
                title="Deviation over mean, by number of levels",
            ),
        )  # fmt: skip
        tables = (reads, spectra, allan, CELLS, *plan.screening.tables())
        return Layout(tables, default=spectra.name, figures=figures)

    def estimate(self, given: CellRange, source: BenchSource) -> Estimate:
        """Estimate the time from that of a read; there are no pulses."""
        samples, simulation = given.count * self.samples * self.series, source.bench.simulation
        if simulation is not None:
            each = SIMULATED_SAMPLE if simulation.instruments else AT_ONCE_SAMPLE
            return Estimate(pulses=0, seconds=samples * each)
        each = HARDWARE_SAMPLE + self.value_or("delay", 0.0) + source.bench.read.nplc / LINE_FREQUENCY
        return Estimate(pulses=0, seconds=samples * each)

    def execute(self, plan: NoisePlan, bench: Bench, stream: Stream) -> Noises:
        """Read cell after cell, series after series; what a cell's series tell is kept before the next one is read."""
        cells, count, length = plan.cells, int(self.series), int(self.samples)
        series = np.full((*cells.shape, count, length), np.nan)
        telegraph: dict[tuple[int, int], Telegraph] = {}
        screening = screen_cells(plan.screening, bench, stream, plan.volts) if plan.screening.blanks else None
        delay, meter = self.value_or("delay", 0.0), None
        if (
            screening is not None
        ):  # reads in a row with the transistor off: the meter's own noise, read as the cells are
            first = Cell(self.array, int(cells.rows[0]), int(cells.columns[0]))
            readings = bench.sweep(first, [plan.volts] * length, gate=0.0, delay=delay)
            meter = np.array([reading.current for reading in readings]) / plan.volts
        noises: list[CellNoise] = []
        intervals: list[float] = []
        unformed, below = 0, 0
        for number, (place, cell) in enumerate(each_cell(self.array, cells)):
            if screening is None:
                unformed += (dark := not bench.read(cell) > plan.screening.formed_above)
            elif not screening.formed[place]:
                unformed += (dark := True)
            else:
                below += (dark := not bench.read(cell, plan.volts) > screening.least())
            if dark:
                continue
            begun = bench.now()
            bench.read_list(cell, TIMED, plan.volts, delay=delay)
            overhead, least = bench.now() - begun, bench.file.read.nplc / LINE_FREQUENCY / 10.0 + delay
            for which in range(count):
                stream.progress("reading", number * count + which, cells.count * count)
                begun = bench.now()
                reads = bench.read_list(cell, length, plan.volts, delay=delay)
                series[(*place, which)] = reads
                interval = max((bench.now() - begun - overhead) / (length - TIMED), least)
                intervals.append(interval)
                times = interval * np.arange(length)
                _record(stream, "series", cell, time=times, number=np.full(length, which), conductance=reads)
            noise = self._noise_of(
                cell, series[place], float(np.median(intervals)), stream, meter, cells.count
            )
            noises.append(noise)
            if noise.telegraph is not None:
                telegraph[cell.row, cell.column] = noise.telegraph
        message = unformed_reads(unformed, cells.count, plan.screening.formed_above)
        warn_left_out(self, stream, screening, cells.count, unformed, below, without_blanks=message)
        interval = float(np.median(intervals)) if intervals else math.nan
        counts = {"unformed": unformed}
        if screening is not None:
            counts |= {"formed_first": screening.formed_now, "below_noise": below, "measured": len(noises)}
        densities = [noise.density for noise in noises if math.isfinite(noise.density)]
        summary = self._summary(plan, noises, counts) | {
            "interval": interval if intervals else None,
            "density_at_1_hz": float(np.median(densities)) if densities else None,
            "virtual_seconds": bench.now(),
        }
        if screening is not None:
            summary |= _not_extracted(summary, noises)
        return Noises(series, interval, telegraph, summary=summary)

    def _noise_of(
        self, cell: Cell, series: Floats, interval: float, stream: Stream, meter: Floats | None, cells: int
    ) -> CellNoise:
        """Record what a cell's series tell, beside the `meter`'s own reads, and return it."""
        frequency, density = spectrum(series, interval)
        averaging, deviation = allan_deviation(series, interval)
        _record(stream, "spectra", cell, frequency=frequency, density=density)
        _record(stream, "allan", cell, averaging=averaging, deviation=deviation)
        tilt, levels = slope(frequency, density, len(series)), find_telegraph(series, interval)
        mean, variance, own, fits = float(series.mean()), float(series.var()), True, True
        at_1_hz = density_at_1_hz(frequency, density)
        if meter is not None:
            own = stands_out(series, meter, cells)
            mean -= float(np.median(meter))
            variance = max(variance - float(meter.var()), 0.0) if own else math.nan
            fits = own and not tilt.p < FITTING
            if own:
                floor = float(np.median(spectrum(meter[None], interval, float(series.mean()))[1]))
                at_1_hz = flicker_at_1_hz(frequency, density, floor)
            else:
                levels, at_1_hz = None, math.nan
            if not fits and levels is None:
                at_1_hz = math.nan
        slope_ends = tilt[:3] if fits else (math.nan,) * 3
        row = dict(zip(("slope", "slope_low", "slope_high"), slope_ends, strict=True))
        for name in ("low", "high"):
            row[name] = getattr(levels, name, math.nan)
            row[f"dwell_{name}"] = getattr(levels, f"dwell_{name}", math.nan)
            ends = getattr(levels, f"dwell_{name}_interval", (math.nan, math.nan))
            row[f"dwell_{name}_low"], row[f"dwell_{name}_high"] = ends
        stream.record(
            CELLS.name, row=cell.row, column=cell.column, mean=mean, deviation=math.sqrt(variance), slope_p=tilt.p,
            meter_deviation=math.nan if meter is None else float(meter.std()), own=own,
            levels=1 if levels is None else 2, **row,
        )  # fmt: skip
        return CellNoise(slope_ends[0], levels, math.sqrt(variance) / mean, at_1_hz, own, fits)

    def _summary(self, plan: NoisePlan, noises: list[CellNoise], counts: Mapping[str, int]) -> dict[str, Any]:
        """Return the result's numbers."""
        own = [one for one in noises if one.own]
        quiet = np.array(
            [(one.slope, one.relative) for one in own if one.telegraph is None], dtype=float
        ).reshape(-1, 2)
        trapped = len(own) - len(quiet)
        share = trapped / len(own) if own else math.nan
        ends = binomial_interval(trapped, len(own)) if own else (math.nan, math.nan)
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
        return concluded(
            summary, f"{counted(measured_cells(summary), 'cell')} read",
            f"noise {100.0 * deviation:.2g} %" if deviation is not None else "",
            f"{summary['telegraph_cells']:,} with telegraph noise", left_out(summary),
        )  # fmt: skip


def stands_out(series: Floats, meter: Floats, cells: int) -> bool:
    """Return whether reads of a cell (series, samples) scatter more than the `meter` alone, of so many `cells` looked at.

    By the F test of variances; the meter's noise is taken as white and normal.
    """
    from scipy.stats import f as fisher  # loads slowly

    within = float(series.var(axis=1, ddof=1).mean())
    freedom = len(series) * (series.shape[1] - 1)
    return within > float(fisher.isf(CHANCE / cells, freedom, len(meter) - 1)) * float(meter.var(ddof=1))


def _not_extracted(summary: Mapping[str, Any], noises: list[CellNoise]) -> dict[str, Any]:
    """Return ``own_noise``, how many cells' noise stands out, ``misfits``, and ``not_extracted``, why not, by name."""
    own = sum(one.own for one in noises)
    misfits = sum(one.own and not one.fits for one in noises)
    why = (
        "no cell was measured"
        if not noises
        else f"the noise of none of {len(noises)} cells stands out of the meter's"
        if not own
        else "no spectrum is that of a power of the frequency over a floor"
        if misfits
        else "all cells have two levels"
    )
    names = ("slope", "relative_deviation", "density_at_1_hz", "telegraph_share")
    missing = {name: why for name in names if summary[name] is None}
    return {"own_noise": own, "misfits": misfits, "not_extracted": missing}


def _record(stream: Stream, table: str, cell: Cell, **columns: NDArray[Any]) -> None:
    """Record rows of a cell."""
    place = {"row": cell.row, "column": cell.column}
    count = len(next(iter(columns.values())))
    stream.record_block(table, {name: np.full(count, line) for name, line in place.items()} | columns)
