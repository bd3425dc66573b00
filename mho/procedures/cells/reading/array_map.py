"""Read a whole array, or a block of it, with repeats: maps of mean and deviation, yield, lines that stand out.

Through the DAQ a row is read at once: each vector drives one row of a block, the other rows are at 0 V and the columns at
virtual ground, so that no current takes a way around. With the source-measure unit it is `Read`, cell by cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Booleans, Floats, Integers
from mho.chip_maps.chip import ArrayMap, ChipMap, parse_chip_map
from mho.chip_maps.levels import UNKNOWN, Levels, in_windows, nearest_levels
from mho.confidence import finite
from mho.instruments import ArrayBench, Bench
from mho.instruments.bench_file import BenchSource, Operation
from mho.procedures.base import Estimate, ProcedureResult
from mho.procedures.cell_range import CellRange, check_inside, parse_lines
from mho.procedures.cells.cell_procedure import CellProcedure
from mho.procedures.cells.detection_limit import CHANCE, NORMAL_MAD
from mho.procedures.cells.reading.read import Reader, ReadPlan, declared_reads
from mho.procedures.parameters import FloatParameter, IntegerParameter, ListParameter, Parameter
from mho.procedures.stream import Stream
from mho.procedures.wording import counted, if_any, joined, without_measured
from mho.runs import Array, Band, Column, Conclusion, Figure, Layout, Table

OUTLIER = 5.0  # robust standard deviations: one of two million normal lines
FEWEST_LINES = 5  # lines below which none can be told from the others


def classes(
    conductance: Floats, levels: Levels, formed_above: float, formed: Booleans | None = None
) -> dict[str, int]:
    """Return how many cells of a map (S) there are of each class.

    `conductance`: S; `formed_above`: conductance (S) of a cell that has been formed for certain; `formed`: cells that
    were formed before, whatever they read now. Returns ``unformed`` below `formed_above` (S), which also is what is
    open; ``in_window`` of any level, and of each as ``level_K``; ``between`` windows; ``above`` the highest window.
    """
    conducts = conductance > formed_above
    digits = nearest_levels(conductance, levels, conducts if formed is None else conducts | formed)
    inside = in_windows(conductance, digits, levels)
    above = conductance > levels.high[-1]
    formed = digits != UNKNOWN
    numbers = {
        "unformed": int((~formed).sum()), "in_window": int(inside.sum()),
        "between": int((formed & ~inside & ~above).sum()), "above": int(above.sum()),
    }  # fmt: skip
    counts = np.bincount(digits[inside], minlength=levels.top + 1)
    return numbers | {f"level_{digit}": int(count) for digit, count in enumerate(counts)}


def line_scores(conductance: Floats) -> tuple[Floats, Floats]:
    """Return how far each row's and each column's mean lies from that of a usual one, in robust standard deviations.

    The spread of lines is that of the median magnitude, but no less than a line's own standard error: lines of an array
    whose cells differ must differ by that much.
    """
    return _scores(conductance), _scores(conductance.T)


def _scores(lines: Floats) -> Floats:
    means = lines.mean(axis=1)
    if len(means) < FEWEST_LINES:
        return np.zeros(len(means))
    away = means - np.median(means)
    spread = float(np.median(np.abs(away))) / NORMAL_MAD
    usual = float(np.median(lines.std(axis=1))) / np.sqrt(lines.shape[1])
    floor = max(spread, usual)
    scores: Floats = away / floor if floor > 0.0 else np.where(away != 0.0, np.sign(away) * np.inf, 0.0)
    return scores


def outliers(scores: Floats, lines: Integers) -> list[int]:
    """Return the numbers of the `lines` whose scores stand out, the farthest first."""
    far = np.flatnonzero(np.abs(scores) > OUTLIER)
    order = np.argsort(-np.abs(scores[far]), kind="stable")
    return [int(line) for line in lines[far[order]]]


Block = tuple[Integers, Integers]
"""Places of a block in the range of rows and in that of columns."""

ALL = "all"
SURE = 3.0  # deviations of the mean, above the conductance of a formed cell, that version 1 let pass
DAQ, SMU = "daq", "smu"
MOST_READS = 1 << 28  # of a run: its results also take 2 GB of memory
SIMULATED_BLOCK, HARDWARE_BLOCK = 2.5e-3, 10e-3  # s of wall time, connecting included (?)
SIMULATED_READ, HARDWARE_READ = 0.4e-3, 30e-3  # s of wall time of a cell alone (?)
AT_ONCE = 256  # blocks read together on a bench without instruments
DRIVEN = 32  # lines of a block, for estimates


@dataclass(frozen=True, eq=False, repr=False)
class Mapped(ProcedureResult):
    """Result of the reads.

    Attributes
    ----------
    conductance : (repeats, rows, columns) array
        S.
    mean, deviation : (rows, columns) arrays
        Over the repeats, S; the deviation of a single one is NaN.
    outlier_rows, outlier_columns : list of int
        Lines whose means stand out.
    """

    conductance: Floats
    mean: Floats
    deviation: Floats
    outlier_rows: list[int]
    outlier_columns: list[int]
    units: ClassVar[Mapping[str, str]] = {
        "conductance": "S",
        "mean": "S",
        **dict.fromkeys(("median", "deviation", "formed_above"), "S"),
        "virtual_seconds": "s",
    }
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "conductance": ("repeat", "row", "column"),
        **dict.fromkeys(("mean", "deviation"), ("row", "column")),
    }


@dataclass(frozen=True)
class MapPlan:
    """The cells, and the blocks in which the DAQ reads them; none for the source-measure unit."""

    reads: ReadPlan
    chip: ChipMap
    blocks: tuple[Block, ...]  # tuple of (rows, columns): places in the range of rows and in that of columns


class MapArray(CellProcedure[Mapped]):
    """Read a whole array with repeats, and tell yield and lines that stand out."""

    version: ClassVar[str] = (
        "2"  # version 1 let three deviations pass, however many cells, and took HRS for none
    )
    title: ClassVar[str] = "Map an array"
    leading: ClassVar[tuple[str, ...]] = ("array", "rows", "columns", "method")
    needs: ClassVar[tuple[Operation, ...]] = ("multiply",)
    may_need: ClassVar[Mapping[Operation, str]] = {
        "read": "in place of `multiply` where method = smu",
        "select": "where method = smu and there is more than one cell",
    }
    run_words: ClassVar[str] = "Map {cells}"

    rows = Parameter("Rows", default=ALL)
    columns = Parameter("Columns", default=ALL)
    method = ListParameter(
        "Instrument, the DAQ a row at once or the source-measure unit", choices=[DAQ, SMU], default=DAQ
    )
    repeats = IntegerParameter("Repeats", minimum=1, maximum=10_000, default=3)
    read_voltage = FloatParameter(
        "Read voltage, the bench's unless given", units="V", minimum=0.0, maximum=10.0
    )
    sure = FloatParameter(
        "Deviations above a formed cell's conductance, by the number of cells unless given",
        minimum=0.0,
        maximum=100.0,
    )

    @classmethod
    def from_version(cls, version: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Let three deviations pass, as version 1 did."""
        return dict(values) | ({"sure": SURE} if version == "1" else {})

    def check(self) -> tuple[Integers | None, Integers | None]:
        """Parse the ranges, and refuse a voltage at which no current flows."""
        self.check_read_voltage()
        rows, columns = (
            None if str(text).strip() == ALL else parse_lines(text, what)
            for text, what in ((self.rows, "rows"), (self.columns, "columns"))
        )
        return rows, columns

    def prepare(
        self, given: tuple[Integers | None, Integers | None], bench: Bench, rng: np.random.Generator
    ) -> MapPlan:
        """Check that the array has these cells, and that the bench may read them with this instrument."""
        chip = parse_chip_map(bench.chip_text, f"chip map {bench.file.chip}")
        array = chip.array(self.array)
        rows, columns = given
        cells = CellRange(
            np.arange(array.rows) if rows is None else rows,
            np.arange(array.columns) if columns is None else columns,
        )
        check_inside(array, cells)
        count = cells.count * self.repeats
        self.check_count(count, MOST_READS, "reads", "read fewer cells or less often")
        volts = self.value_or("read_voltage", bench.file.read.voltage)
        if self.method == SMU:
            bench.check_read()
            bench.limits.check_level("bit line", volts)
            return MapPlan(ReadPlan(cells, volts), chip, ())
        bench.limits.check_voltage("vector", volts)
        return MapPlan(ReadPlan(cells, volts), chip, tuple(blocks(array, cells, *bench.vector_size)))

    def needed(self) -> tuple[Operation, ...]:
        """Return `multiply`, or what reads of single cells need; all lines of an array count as many."""
        if self.method == DAQ:
            return type(self).needs
        counts = [2 if one is None else len(one) for one in self.check()]
        return ("read", "select") if max(counts) > 1 else ("read",)

    def in_use(self, plan: MapPlan) -> Mapping[str, tuple[float, str]]:
        """Return the voltage at the rows."""
        return {
            "read_voltage": (plan.reads.volts, "the bench's"),
            "sure": (_sure(plan.reads.cells.count), "the cells'"),
        }

    def layout(self, plan: MapPlan) -> Layout:
        """Declare an image for each repeat, maps of mean and deviation, and a table of lines."""
        cells, repeats = plan.reads.cells, int(self.repeats)
        reads, image, zero = declared_reads(self.array, cells, 1, repeats)
        mean, deviation = self.maps(
            cells, ("mean", "S", "mean of the repeats"),
            ("deviation", "S", "standard deviation of the repeats"), images=1,
        )  # fmt: skip
        columns = (
            Column("kind", dtype="u1", description="0 row, 1 column"),
            Column("line", dtype="u2"),
            Column("mean", "S", description="of its cells' means"),
            Column("score", description="distance from a usual line, in robust standard deviations"),
            Column("outlier", dtype="u1", description="1 for a line that stands out"),
        )
        title, count = "means of rows and columns", sum(cells.shape)
        lines = Table("lines", columns, signal="mean", axis="line", series="kind", title=title, rows=count)
        levels = plan.chip.level_scale()
        bands = tuple(
            Band(float(low) if np.isfinite(low) else None, float(high), str(digit))
            for digit, (low, high) in enumerate(zip(levels.low, levels.high, strict=True))
        )
        figures = (
            Figure(mean.name, map=mean.name),
            Figure(deviation.name, map=deviation.name),
            Figure("conductances", kind="histogram", map=mean.name, bands=bands, title="Cells by conductance"),
            Figure(
                "lines", kind="scatter", table="lines", x="line", y="mean", by="kind",
                title="Means of rows and columns",
            ),
        )  # fmt: skip
        tables = (lines,) if plan.blocks else (lines, reads)
        arrays: tuple[Array, ...] = () if plan.blocks else (zero,)
        return Layout(tables, (mean, deviation, image), arrays, default=f"maps/{mean.name}", figures=figures)

    def estimate(self, given: tuple[Integers | None, Integers | None], source: BenchSource) -> Estimate:
        """Estimate the time from that of blocks or cells; there are no pulses."""
        array = parse_chip_map(source.chip_text).array(self.array)
        sizes = [
            whole if lines is None else len(lines)
            for lines, whole in zip(given, (array.rows, array.columns), strict=True)
        ]
        hardware = source.bench.simulation is None
        if self.method == SMU:
            each = HARDWARE_READ if hardware else SIMULATED_READ
            return Estimate(pulses=0, seconds=each * sizes[0] * sizes[1] * self.repeats)
        count = -(-sizes[0] // DRIVEN) * -(-sizes[1] // DRIVEN)
        return Estimate(
            pulses=0, seconds=(HARDWARE_BLOCK if hardware else SIMULATED_BLOCK) * count * self.repeats
        )

    def execute(self, plan: MapPlan, bench: Bench, stream: Stream) -> Mapped:
        """Read everything once, again and again."""
        if plan.blocks:
            conductance = self._read_blocks(plan, bench, stream)
        else:
            reader = Reader(plan.reads, bench, stream, self.array, 1, int(self.repeats))
            reader.read_all(np.zeros(int(self.repeats)), None)
            conductance = reader.reads.conductance
        cells = plan.reads.cells
        mean = conductance.mean(axis=0)
        deviation = conductance.std(axis=0, ddof=1) if len(conductance) > 1 else np.full_like(mean, np.nan)
        self.snapshot(stream, bench, cells, mean=mean, deviation=deviation)
        rows, columns = self._record_lines(cells, mean, stream)
        noise = float(np.median(deviation)) if len(conductance) > 1 else 0.0
        formed, sure = None, self.sure
        if sure is None:
            sure = _sure(cells.count)
            formed = bench.forming.mask(self.array)[np.ix_(cells.rows, cells.columns)]
            if (negative := mean[mean < 0.0]).size:  # of cells that do not conduct
                noise = max(noise, float(np.sqrt((negative**2).mean())) * np.sqrt(len(conductance)))
        # A cell that was never formed reads as much as noise makes of it.
        formed_above = plan.chip.write_verify.formed_above + sure * noise / np.sqrt(len(conductance))
        known = mean[mean > formed_above]
        summary = {
            "cells": cells.count, "repeats": int(self.repeats),
            "median": finite(np.median(known)) if known.size else None,
            "deviation": finite(np.median(deviation)), "formed_above": float(formed_above),
            **classes(mean, plan.chip.level_scale(), formed_above, formed), "outlier_rows": len(rows),
            "outlier_columns": len(columns), "virtual_seconds": bench.now(),
        }  # fmt: skip
        return Mapped(conductance, mean, deviation, rows, columns, summary=summary)

    def _read_blocks(self, plan: MapPlan, bench: Bench, stream: Stream) -> Floats:
        cells, volts = plan.reads.cells, plan.reads.volts
        conductance = np.full((int(self.repeats), *cells.shape), np.nan)
        for repeat, image in enumerate(conductance):
            done = repeat * len(plan.blocks)
            for some in (
                _alike(plan.blocks) if isinstance(bench, ArrayBench) else [[one] for one in plan.blocks]
            ):
                self._read_some(some, cells, volts, bench, image)
                done += len(some)
                stream.progress("reading", done, len(plan.blocks) * len(conductance))
            stream.snapshot(f"{self.array}_conductance", cells.ascending(image), bench.now())
        return conductance

    def _read_some(
        self, some: list[Block], cells: CellRange, volts: float, bench: Bench, image: Floats
    ) -> None:
        """Read blocks, of one shape where they are several, into an image of all cells."""
        driven = volts * np.eye(len(some[0][0]))
        if isinstance(bench, ArrayBench):
            rows, columns = (np.stack(lines) for lines in zip(*some, strict=True))
            voltages = np.broadcast_to(driven, (len(some), *driven.shape))
            currents = bench.multiply_blocks(self.array, cells.rows[rows], cells.columns[columns], voltages)
            image[rows[:, :, None], columns[:, None, :]] = currents / volts
            return
        for rows, columns in some:
            bench.connect_multiply(self.array, cells.rows[rows].tolist(), cells.columns[columns].tolist())
            image[np.ix_(rows, columns)] = bench.multiply(driven) / volts

    def _record_lines(self, cells: CellRange, mean: Floats, stream: Stream) -> tuple[list[int], list[int]]:
        """Record the means of lines, say which stand out, and return them."""
        standing = []
        scores = line_scores(mean)
        for kind, name in enumerate(("row", "column")):
            lines = (cells.rows, cells.columns)[kind]
            out = outliers(scores[kind], lines)
            means, stands = mean.mean(axis=1 - kind), np.isin(lines, out)
            rows = {"line": lines, "mean": means, "score": scores[kind], "outlier": stands}
            stream.record_block("lines", {"kind": np.full(len(lines), kind), **rows})
            if out:
                more = f" and {len(out) - 10} more" if len(out) > 10 else ""
                stream.say(f"{name}s whose means stand out: {', '.join(map(str, out[:10]))}{more}", "WARNING")
            standing.append(out)
        return standing[0], standing[1]

    def conclude(self, plan: MapPlan, result: Mapped) -> Conclusion:
        """Return how many cells lie where, and the lines that stand out."""
        summary = result.summary
        outliers = summary["outlier_rows"] + summary["outlier_columns"]
        return without_measured(summary) or Conclusion(
            f"{counted(summary['cells'], 'cell')}: "
            + joined(
                f"{summary['in_window']:,} in a window",
                if_any(summary["between"], "between windows"),
                if_any(summary["above"], "above all"),
                if_any(summary["unformed"], "unformed"),
                f"{counted(outliers, 'line')} stand{'s' * (outliers == 1)} out" if outliers else "",
            )
        )


def _sure(cells: int) -> float:
    """Return the deviations above which none of so many cells comes by noise alone."""
    from scipy.special import ndtri  # loads slowly

    return -float(ndtri(CHANCE / cells))


def blocks(array: ArrayMap, cells: CellRange, most_rows: int, most_columns: int) -> Iterator[Block]:
    """Divide cells into blocks that a DAQ drives and reads at once, each within a segment of the array.

    Returns places in the cells' rows and columns.
    """
    for rows in _parts(cells.rows, most_rows, array.segment):
        for columns in _parts(cells.columns, most_columns, array.segment):
            yield rows, columns


def _alike(blocks: tuple[Block, ...]) -> list[list[Block]]:
    """Return blocks in lots of one shape, `AT_ONCE` at most."""
    lots: dict[tuple[int, int], list[Block]] = {}
    for block in blocks:
        lots.setdefault((len(block[0]), len(block[1])), []).append(block)
    return [lot[start : start + AT_ONCE] for lot in lots.values() for start in range(0, len(lot), AT_ONCE)]


def _parts(lines: Integers, most: int, segment: int | None) -> list[Integers]:
    """Return places of lines in parts of at most so many, each part in one segment."""
    part = np.zeros(len(lines), np.int64) if segment is None else lines // segment
    return [
        places[start : start + most]
        for number in np.unique(part)
        for places in [np.flatnonzero(part == number)]
        for start in range(0, len(places), most)
    ]
