"""Products by programmed tiles, and random patterns that show where their integers go wrong; all of it recorded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats, Integers
from mho.chip_maps.multiply_encoding import FixedPoint, MultiplyEncoding
from mho.instruments import Bench
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.algorithms.sum_errors import (
    ErrorsByActive,
    StraightLine,
    effective_bits,
    forecast_sd,
)
from mho.procedures.equations.circuits.products import REPEATS
from mho.procedures.equations.circuits.tiles import (
    ConnectsMultiply,
    ProgrammedTile,
    active_counts,
    bit_serial,
    random_patterns,
)
from mho.procedures.stream import Stream
from mho.runs import Array, Column, Figure, ReferenceLine, Table
from mho.runs.standard_figures import IDENTITY

_ACTIVE = Column("active", dtype="u2", description="number of active lines")
_EXPECTED = Column("expected", "digit", dtype="i4", description="the digits' exact sum")
_MEASURED = Column("measured", "digit", description="before it is rounded", digital=1e-9)
_INTEGER = Column("integer", dtype="i4", description="measured, rounded")
_ERROR = Column("error", "digit", description="measured - expected", digital=1e-9)
_OUTPUT = (
    Column("column", dtype="u4", description="column of the digits"),
    _ACTIVE, _EXPECTED, _MEASURED, _INTEGER, _ERROR,
)  # fmt: skip
_VECTOR = Column("vector", dtype="u4")


def output_tables(rows: int) -> tuple[Table, ...]:
    """Return the tables of outputs of random patterns, of outputs of the products, and of wrong integers of these."""
    of_vector, axes = (_VECTOR, *_OUTPUT), ("measured", "expected")
    return (
        Table("patterns", _OUTPUT, *axes, "outputs of random patterns", rows=rows),
        Table("outputs", of_vector, *axes, "outputs of the products", rows=rows),
        Table("wrong_integers", of_vector, "error", "expected", "wrong integers of the products", rows=100),
    )


ACTIVITY = Table(
    "activity",
    (
        _ACTIVE,
        Column("outputs", dtype="u8", description="outputs of random patterns with so many lines active"),
        Column("mean_error", "digit", digital=1e-9),
        Column("sd_error", "digit", description="standard deviation of the error", digital=1e-9),
        Column("sd_in_column", "digit", description="the same within each column, root mean square", digital=1e-9),
        Column("forecast_sd", "digit", description="sd_error as single lines forecast it", digital=1e-9),
        Column(
            "root_law", "digit", description="sd_error of one line times the root of the number of lines", digital=1e-9,
        ),
        Column("wrong", dtype="u8", description="outputs that round to another integer than expected"),
        Column("wrong_rate"),
        Column(
            "enob", "bit", description="effective bits of a sum of so many lines, from 0 to its largest", digital=1e-9,
        ),
    ),
    signal="sd_error", axis="active", title="errors by number of active lines", rows=16,
)  # fmt: skip

LINEARITY = Table(
    "linearity",
    (
        _EXPECTED,
        Column("outputs", dtype="u8", description="outputs of random patterns with this sum"),
        Column("mean_measured", "digit", digital=1e-9),
        Column("sd_measured", "digit", description="standard deviation", digital=1e-9),
        Column("deviation", "digit", description="mean_measured - (offset + gain * expected)", digital=1e-6),
    ),
    signal="deviation", axis="expected", title="measured sums by expected sum", rows=256,
)  # fmt: skip

VECTORS = Table(
    "vectors",
    (
        _VECTOR,
        Column("time", "s", description="bench time"),
        Column("shots", dtype="u8", description="patterns played"),
        Column("outputs", dtype="u8", description="integers read"),
        Column("wrong", dtype="u8", description="of these, not the digits' exact sum"),
        Column("relative_error", description="of A x, to float64; NaN where A x is 0", digital=1e-9),
        Column(
            "held_error", description="to the product of matrix and vector as held in digits; 0 without wrong integers",
            digital=1e-9,
        ),
    ),
    signal="relative_error", axis="vector", title="products", rows=100,
)  # fmt: skip


def output_rows(
    patterns: NDArray[np.int64], expected: NDArray[np.int64], measured: Floats, chosen: NDArray[np.int64]
) -> dict[str, NDArray[np.generic]]:
    """Return rows of the tables of outputs.

    `patterns` (shots, lines); `expected`, `measured` (shots, columns): in digits; `chosen` (k,): flat indices of the
    outputs to return.
    """
    shot, column = np.unravel_index(chosen, expected.shape)
    outputs, exact = measured[shot, column], expected[shot, column]
    return {
        "column": column, "active": patterns.sum(axis=1)[shot], "expected": exact, "measured": outputs,
        "integer": np.rint(outputs).astype(np.int64), "error": outputs - exact,
    }  # fmt: skip


def product_arrays(
    matrix: Floats, vectors: Floats, encoding: MultiplyEncoding, exact: Floats
) -> tuple[Array, ...]:
    """Return matrix, vectors and products; unknown results are NaN."""
    return (
        Array("matrix", matrix, description="A as given, as a real matrix"),
        Array("matrix_held", encoding.matrix, description="A as the digits hold it"),
        Array("digits", encoding.digits, description="digits (lines, columns)"),
        Array("vectors", vectors, description="x, one a row"),
        Array("exact_products", exact, description="A x in float64, one a row", digital=1e-9),
        Array("products", np.full(exact.shape, np.nan), description="A x, one a row", digital=1e-9),
    )


HALF = 0.5  # digit: an error beyond rounds to a wrong integer

FIGURES = (
    Figure(
        "measured_over_expected", kind="scatter", table="patterns", x="expected", y="measured", lines=(IDENTITY,),
        fit="line", title="Sums before rounding",
    ),
    Figure(
        "error_by_active_lines", table="activity", x="active", y=("sd_error", "forecast_sd", "root_law"), x_scale="log",
        y_scale="log", lines=(ReferenceLine(HALF, label="half a digit"),), title="Error against active lines",
    ),
    Figure(
        "enob_by_active_lines", table="activity", x="active", y="enob", x_scale="log",
        title="Effective number of bits against active lines",
    ),
    Figure(
        "wrong_by_active_lines", kind="share", table="activity", x="active", y=("wrong", "outputs"), x_scale="log",
        y_scale="log", title="Wrong integers against active lines",
    ),
    Figure(
        "errors_in_patterns", kind="distribution", table="patterns", x="error", by="active", y_scale="probability",
        lines=(ReferenceLine(x=-HALF), ReferenceLine(x=HALF, label="half a digit")),
        title="Errors of random patterns by active lines",
    ),
    Figure(
        "errors_in_products", kind="histogram", table="outputs", x="error", y_scale="log",
        lines=(ReferenceLine(x=-HALF), ReferenceLine(x=HALF, label="half a digit")), title="Errors of the products",
    ),
)  # fmt: skip


class DigitSums:
    """The programmed tiles as a function of patterns of active lines.

    `tiles`: the encoding's columns in order, cut into tiles of equal height; `step`: nominal conductance of one
    digit, S; `read_voltage`: voltage of an active line, V. `digits` (lines, columns): of all tiles; `shots`: patterns
    played after the calibration.
    """

    def __init__(
        self, bench: ConnectsMultiply, tiles: Sequence[Block], step: float, read_voltage: float
    ) -> None:
        self._tiles = [ProgrammedTile(bench, tile, step, read_voltage) for tile in tiles]
        self.digits: Integers = np.concatenate([tile.digits for tile in tiles], axis=1)
        self.shots = 0

    def calibrate(self) -> None:
        """Play every line alone, and none, several times, and fit the trims."""
        for tile in self._tiles:
            tile.fit(tile.respond(REPEATS))

    @property
    def errors(self) -> Floats:
        """Error per cell that the trims leave, in digits, (lines, columns)."""
        return np.concatenate([tile.trim.errors for tile in self._tiles], axis=1)

    @property
    def noise(self) -> Floats:
        """Standard deviation of a line's contribution from shot to shot, in digits, (lines, columns)."""
        return np.concatenate([tile.trim.noise for tile in self._tiles], axis=1)

    def expected(self, patterns: Integers) -> Integers:
        """Return the digits' exact sums (shots, columns) of patterns (shots, lines) of 0 and 1."""
        return np.asarray(patterns @ self.digits)

    def measured(self, patterns: Integers) -> Floats:
        """Play patterns (shots, lines) of 0 and 1 on every tile; return sums (shots, columns) in digits."""
        parts = []
        for tile in self._tiles:
            tile.connect()
            parts.append(tile.sums(patterns))
        self.shots += len(patterns)
        return np.concatenate(parts, axis=1)


class ProductMeasurement:
    """Plays patterns and vectors and records what comes out.

    `sums`: calibrated; `kept`: outputs of a vector, or of a number of active lines, that are stored at most: evenly
    spaced ones; `largest_digit`: of a cell: what a line adds to a sum at most. `enob`: effective bits of the sums of
    random patterns with the most lines active; NaN before they are played. `outputs`, `wrong`: integers that the
    products read so far, and of these, not the digits' exact sum. `errors`: of each product, relative to float64; NaN
    where that is zero and the product is not.
    """

    def __init__(self, bench: Bench, stream: Stream, sums: DigitSums, most: int, largest_digit: int) -> None:
        self._bench, self._stream, self._sums, self._most = bench, stream, sums, most
        self._largest_digit = largest_digit
        self.outputs = self.wrong = 0
        self.errors: list[float] = []
        self.enob = float("nan")

    def play_patterns(
        self, shots: int, rng: np.random.Generator
    ) -> tuple[tuple[ErrorsByActive, ...], StraightLine]:
        """Play `shots` random patterns with each of 1, 2, 4, ... lines active.

        Returns `errors`; `line`: through all measured over expected sums.
        """
        sums, stream = self._sums, self._stream
        errors, expected, measured = [], [], []
        for active, patterns in (counts := random_by_active(len(sums.digits), shots, rng)):
            stream.check()
            exact, seen = sums.expected(patterns), sums.measured(patterns)
            stream.record_block("patterns", output_rows(patterns, exact, seen, evenly(seen.size, self._most)))
            errors.append(one := ErrorsByActive.of(active, exact, seen))
            self.enob = effective_bits(active * self._largest_digit, math.hypot(one.mean_error, one.sd_error))
            stream.emit(
                "activity", **asdict(one), wrong_rate=one.wrong_rate,
                forecast_sd=forecast_sd(active, sums.errors, sums.noise),
                root_law=errors[0].sd_error * float(np.sqrt(active)), enob=self.enob,
            )  # fmt: skip
            expected.append(exact)
            measured.append(seen)
            stream.progress("random patterns", len(errors), len(counts))
        line = self._record_linearity(np.concatenate(expected), np.concatenate(measured))
        return tuple(errors), line

    def _record_linearity(self, expected: Integers, measured: Floats) -> StraightLine:
        """Fit the line through all outputs, and record the measured sums by expected sum."""
        line = StraightLine.through(expected, measured)
        values, which, counts = np.unique(expected.ravel(), return_inverse=True, return_counts=True)
        mean = np.bincount(which, measured.ravel()) / counts
        variance = np.bincount(which, (measured.ravel() - mean[which]) ** 2) / counts
        self._stream.record_block(
            "linearity",
            {
                "expected": values,
                "outputs": counts,
                "mean_measured": mean,
                "sd_measured": np.sqrt(variance),
                "deviation": mean - (line.offset + line.gain * values),
            },
        )
        return line

    def multiply(
        self, number: int, encoding: MultiplyEncoding, vector: FixedPoint | None, groups: list[Integers],
        exact: Floats,
    ) -> Floats:  # fmt: skip
        """Multiply vector `number`, which is None for zero, with one group of lines active at a time.

        `exact` is A x in float64.
        """
        sums, stream = self._sums, self._stream
        stream.check()
        shots = outputs = wrong = 0
        product = expected_product = np.zeros(len(exact))
        if vector is not None:  # else there is nothing to play
            patterns, weights = bit_serial(vector, groups)
            expected, measured = sums.expected(patterns), sums.measured(patterns)
            off = np.flatnonzero(np.rint(measured) != expected)
            shots, outputs, wrong = len(patterns), measured.size, len(off)
            for table, chosen in (
                ("outputs", evenly(outputs, self._most)),
                ("wrong_integers", off[: self._most]),
            ):
                rows = output_rows(patterns, expected, measured, chosen)
                stream.record_block(table, {"vector": np.full(len(chosen), number), **rows})
            unit = vector.scale * 2.0**-vector.bits
            product = encoding.combine(weights @ np.rint(measured)) * unit
            expected_product = encoding.combine(weights @ expected) * unit
        self.outputs += outputs
        self.wrong += wrong
        self.errors.append(_relative(product, exact))
        stream.emit(
            "vectors", vector=number, time=self._bench.now(), shots=shots, outputs=outputs, wrong=wrong,
            relative_error=self.errors[-1], held_error=_relative(product, expected_product),
        )  # fmt: skip
        return product


def random_by_active(lines: int, shots: int, rng: np.random.Generator) -> list[tuple[int, Integers]]:
    """Return 1, 2, 4 and so on up to all `lines`, each with random patterns (shots, lines) of so many active ones."""
    return [(active, random_patterns(lines, active, shots, rng)) for active in active_counts(lines)]


def evenly(size: int, most: int) -> Integers:
    """Return the indices of all of `size` outputs, or of `most` evenly spaced ones."""
    return np.arange(size) if size <= most else np.linspace(0, size - 1, most).astype(np.int64)


def _relative(value: Floats, reference: Floats) -> float:
    """Return ||value - reference|| / ||reference||; 0 where they are equal, else NaN where the reference is zero."""
    difference, size = float(np.linalg.norm(value - reference)), float(np.linalg.norm(reference))
    return difference / size if size > 0.0 else (0.0 if difference == 0.0 else float("nan"))
