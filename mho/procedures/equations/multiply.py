"""Multiply vectors by a matrix on the chip: bit-sliced, bit-serial MVM, its integers and what makes them wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.chip import ChipMap
from mho.chip_maps.matrix_files import load_matrix, load_vectors, to_real, to_real_vector
from mho.chip_maps.multiply_encoding import (
    MAX_BITS,
    FixedPoint,
    MultiplyEncoding,
    encode_multiply,
    group_lines,
    to_fixed_point,
)
from mho.chip_maps.placement import place_tiles
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import ChipMapError, InputError
from mho.instruments import Bench
from mho.instruments.bench_file import BenchSource, Operation
from mho.procedures.base import Estimate, Procedure, ProcedureResult
from mho.procedures.cells.programming.record import PULSES_PER_CELL, Block
from mho.procedures.cells.programming.settings_text import (
    read_settings,
    settings_in_use,
    settings_text,
    verified_needs,
)
from mho.procedures.chip_in_use import chip_of
from mho.procedures.equations.algorithms.sum_errors import ErrorsByActive, StraightLine, exact_up_to
from mho.procedures.equations.circuits.programmed_blocks import (
    cells_in_words,
    check_limits,
    contents_of,
    make_programmer,
    program,
    wait_at_rest,
)
from mho.procedures.equations.circuits.tiles import ConnectsMultiply, consecutive_groups
from mho.procedures.equations.multiply_measurement import (
    ACTIVITY,
    FIGURES,
    LINEARITY,
    VECTORS,
    DigitSums,
    ProductMeasurement,
    output_tables,
    product_arrays,
)
from mho.procedures.parameters import FloatParameter, IntegerParameter, Parameter
from mho.procedures.stream import Stream
from mho.procedures.wording import counted, joined, lost_cells, percent, verified_cells
from mho.runs import Conclusion, Layout

TILE_WIDTH = 16  # columns measured at once; limits the current in one line's wire


@dataclass(frozen=True)
class ProductInputs:
    """The matrix (m, n) and the vectors (count, n), as real ones, with their products (count, m) in float64."""

    matrix: Floats
    vectors: Floats
    exact: Floats


@dataclass(frozen=True)
class MultiplyPlan:
    """The factors on one chip.

    Attributes
    ----------
    fixed : tuple of FixedPoint or None
        The vectors as played; None for one that is zero everywhere.
    tiles : tuple of Block
        The encoding's columns in order.
    """

    factors: ProductInputs
    chip: ChipMap
    encoding: MultiplyEncoding
    fixed: tuple[FixedPoint | None, ...]
    tiles: tuple[Block, ...]
    settings: WriteVerifySettings


def place_product(chip: ChipMap, encoding: MultiplyEncoding, lines: tuple[int, int]) -> tuple[Block, ...]:
    """Place the tiles on the chip's multiplying array."""
    arrays = chip.arrays_for("multiply")
    if not arrays:
        raise ChipMapError(f"chip {chip.name!r} has no multiplying array; choose a bench whose chip has one")
    rows, columns = encoding.digits.shape
    if rows > lines[0]:
        raise ChipMapError(
            f"the matrix has {rows} columns (as a real one), and the bench drives {lines[0]} lines at once; give a "
            f"matrix of at most {lines[0]} columns"
        )
    places = place_tiles(arrays[0], rows, columns, min(TILE_WIDTH, lines[1]))
    starts = np.cumsum([0] + [len(place.columns) for place in places])
    parts = zip(places, starts, starts[1:], strict=False)
    return tuple(Block(place, encoding.digits[:, a:b]) for place, a, b in parts)


VECTOR_VOLTS = 0.2  # V, an active line
DIGIT_BITS = 3  # bits per cell, until the chip's number of levels is known


@dataclass(frozen=True, eq=False, repr=False)
class Products(ProcedureResult):
    """Result of a multiplication; `units` are those of the summary.

    Attributes
    ----------
    products : (vectors, m) array
        A x, one a row; of a complex system as ``[Re, Im]``.
    errors : tuple of ErrorsByActive
        Of random patterns, by number of active lines.
    line : StraightLine
        Through measured over expected sums of random patterns.
    """

    products: Floats
    errors: tuple[ErrorsByActive, ...]
    line: StraightLine
    units: ClassVar[Mapping[str, str]] = {"enob": "bit", "offset": "digit", "virtual_seconds": "s"}
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "products": ("vector", "output"),
    }


class Multiply(Procedure[Products]):
    """Multiply vectors by a matrix with analogue MVM, and measure what limits its integers."""

    title: ClassVar[str] = "Multiply A x"
    leading: ClassVar[tuple[str, ...]] = ("matrix", "vector", "vectors", "bits")
    needs: ClassVar[tuple[Operation, ...]] = ("select", "read", "program", "multiply")
    group: ClassVar[str] = "Linear equations"
    recorded_in_use: ClassVar[tuple[str, ...]] = ("write_verify",)

    matrix: Parameter[Any] = Parameter("Matrix", default="")
    vector: Parameter[Any] = Parameter("Vectors, random, unit or a file with one a row", default="random")
    vectors = IntegerParameter("Number of random vectors", minimum=1, maximum=10_000, default=8)
    bits = IntegerParameter("Bits of the matrix", units="bit", minimum=1, maximum=MAX_BITS - 2, default=12)
    vector_bits = IntegerParameter("Bits of the vectors", units="bit", minimum=1, maximum=48, default=12)
    lines_at_once = IntegerParameter(
        "Most lines active at once in the products, as many as stay exact unless given",
        minimum=1,
        maximum=4096,
    )
    shots = IntegerParameter(
        "Random patterns of each number of active lines", minimum=2, maximum=100_000, default=64
    )
    outputs_kept = IntegerParameter(
        "Outputs kept of each vector and number of active lines", minimum=1, maximum=10_000_000, default=4096
    )
    wait = FloatParameter(
        "Wait between programming and the first pattern", units="s", minimum=0.0, maximum=1e8, default=0.0
    )
    seed = IntegerParameter("Seed of random vectors and patterns", minimum=0, default=0)
    write_verify = Parameter("Write-verify settings, the chip map's unless given")

    def check(self) -> ProductInputs:
        """Read matrix and vectors."""
        read_settings(self.write_verify)
        given = load_matrix(self.matrix, square=False)
        vectors = load_vectors(
            self.vector, given.shape[1], self.vectors, np.random.default_rng(self.seed),
            complex_values=np.iscomplexobj(given),
        )  # fmt: skip
        matrix, vectors = to_real(given), to_real_vector(vectors)
        encode_multiply(matrix, self.bits, DIGIT_BITS)
        self._fixed(vectors)
        return ProductInputs(matrix, vectors, vectors @ matrix.T)

    def _fixed(self, vectors: Floats) -> tuple[FixedPoint | None, ...]:
        """Return the vectors in fixed point, None for one that is zero everywhere."""
        fixed: list[FixedPoint | None] = []
        for number, vector in enumerate(vectors):
            try:
                fixed.append(to_fixed_point(vector, self.vector_bits) if vector.any() else None)
            except InputError as error:
                raise InputError(f"vector {number}, counted from 0: {error}") from None
        return tuple(fixed)

    def prepare(self, given: ProductInputs, bench: Bench, rng: np.random.Generator) -> MultiplyPlan:
        """Slice the matrix and place its tiles, check the limits."""
        chip = chip_of(bench)
        encoding = encode_multiply(given.matrix, self.bits, chip.level_scale().bits)
        tiles = place_product(chip, encoding, bench.vector_size)
        settings = settings_in_use(chip.write_verify, self.write_verify)
        check_limits(bench, settings, VECTOR_VOLTS)
        return MultiplyPlan(given, chip, encoding, self._fixed(given.vectors), tiles, settings)

    def layout(self, plan: MultiplyPlan) -> Layout:
        """Declare tables of pulses, outputs and errors, maps of the array, matrix and vectors."""
        contents = contents_of(plan.tiles, plan.chip.level_scale())
        columns = plan.encoding.digits.shape[1]
        tables = output_tables(min(self.shots * columns, self.outputs_kept) * 8)
        arrays = product_arrays(plan.factors.matrix, plan.factors.vectors, plan.encoding, plan.factors.exact)
        return Layout(
            (contents.pulses, ACTIVITY, LINEARITY, *tables, VECTORS), contents.maps, arrays,
            default="activity", figures=(*FIGURES, *contents.figures),
        )  # fmt: skip

    def needed(self) -> tuple[Operation, ...]:
        """Return `needs`, with what verifies cells."""
        return verified_needs(type(self).needs, self.write_verify)

    def in_use(self, plan: MultiplyPlan) -> Mapping[str, tuple[str, str]]:
        """Return that the calibration chooses the number of active lines, and the settings of write-verify."""
        return {
            "lines_at_once": ("as many as stay exact", "the calibration's"),
            "write_verify": (settings_text(plan.settings), "the chip map's"),
        }

    def describe_cells(self, plan: MultiplyPlan) -> str:
        """Return arrays and cell ranges in use."""
        return cells_in_words(plan.tiles)

    def run_title(self) -> str:
        """Return the name of the matrix and the bits."""
        name = Path(self.matrix).name if isinstance(self.matrix, str | Path) else "array"
        return f"Multiply {name}, {self.bits} x {self.vector_bits} bit"

    def estimate(self, given: ProductInputs, source: BenchSource) -> Estimate:
        """Estimate the pulses from the number of digits; zeros take hardly any."""
        digits = np.count_nonzero(encode_multiply(given.matrix, self.bits, DIGIT_BITS).digits)
        return Estimate(pulses=round(PULSES_PER_CELL * digits))

    def execute(self, plan: MultiplyPlan, bench: Bench, stream: Stream) -> Products:
        """Program, calibrate, play random patterns, then the vectors."""
        programmer = make_programmer(bench, stream, plan.chip, plan.settings)
        failed = program(programmer, plan.tiles, stream)
        wait_at_rest(bench, self.wait)
        sums = self.sums_on(plan, bench)
        sums.calibrate()
        largest = plan.chip.level_scale().top
        measurement = ProductMeasurement(bench, stream, sums, self.outputs_kept, largest)
        errors, line = measurement.play_patterns(self.shots, self.pattern_rng())
        if self.lines_at_once is None:
            groups = group_lines(sums.errors, sums.noise)
        else:
            groups = consecutive_groups(len(sums.digits), self.lines_at_once)
        stream.say(f"products: groups of lines: {len(groups)}, active at once: up to {max(map(len, groups))}")
        products = np.full(plan.factors.exact.shape, np.nan)
        for number, (vector, exact) in enumerate(zip(plan.fixed, plan.factors.exact, strict=True)):
            products[number] = measurement.multiply(number, plan.encoding, vector, groups, exact)
            stream.progress("multiplying", number + 1, len(products), wrong=measurement.wrong)
        stream.set_array("products", products)
        if measurement.wrong:
            stream.say(f"{measurement.wrong} of {measurement.outputs} integers were wrong", "WARNING")
        known = [error for error in measurement.errors if np.isfinite(error)]
        summary = {
            "relative_error": float(np.mean(known)) if known else None,
            "largest_relative_error": max(known, default=None), "outputs": measurement.outputs,
            "wrong": measurement.wrong, "exact_up_to": exact_up_to(errors),
            "enob": measurement.enob if np.isfinite(measurement.enob) else None, "gain": line.gain,
            "offset": line.offset, "lines_at_once": max(map(len, groups)), "groups": len(groups),
            "vectors": len(products), "shots": sums.shots,
            "by_active_lines": [asdict(one) for one in errors],
            "cells": sum(tile.digits.size for tile in plan.tiles), "cells_failed": failed,
            "pulses": programmer.pulses, "reads": programmer.reads, "virtual_seconds": bench.now(),
        }  # fmt: skip
        return Products(products, errors, line, summary=summary)

    def conclude(self, plan: MultiplyPlan, result: Products) -> Conclusion:
        """Return how many integers of the products were wrong, and their error beside the digital ones."""
        summary = result.summary
        error = summary["relative_error"]
        return Conclusion(
            joined(
                f"{summary['wrong']:,} of {counted(summary['outputs'], 'integer')} wrong",
                "" if error is None else f"error {percent(error)} beside the digital products",
                f"exact up to {counted(summary['exact_up_to'], 'active line')}",
                verified_cells(summary["cells"], summary["cells_failed"]) if summary["cells_failed"] else "",
                lost_cells(summary),
            )
        )

    def sums_on(self, plan: MultiplyPlan, bench: ConnectsMultiply) -> DigitSums:
        """Return the programmed tiles as a function of patterns, not calibrated yet."""
        return DigitSums(bench, plan.tiles, plan.chip.level_scale().step, VECTOR_VOLTS)

    def pattern_rng(self) -> np.random.Generator:
        """Return the generator of random patterns, another one than that of random vectors of the same seed."""
        return np.random.default_rng([self.seed, 1])
