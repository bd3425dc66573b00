"""Products by programmed tiles, and random patterns that show where their integers go wrong; all of it recorded."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np

from mho.array_types import Floats, Integers
from mho.chip_maps.fixed_point import FixedPoint
from mho.chip_maps.multiply_encoding import MultiplyEncoding
from mho.instruments import Bench
from mho.procedures.equations.algorithms.bit_patterns import active_counts, bit_serial, random_patterns
from mho.procedures.equations.algorithms.effective_bits import effective_bits
from mho.procedures.equations.algorithms.sum_errors import ErrorsByActive, StraightLine, forecast_sd
from mho.procedures.equations.multiply.digit_sums import DigitSums
from mho.procedures.equations.multiply.multiply_tables import output_rows
from mho.procedures.stream import Stream


class ProductMeasurement:
    """Plays patterns and vectors and records what comes out.

    Parameters
    ----------
    bench : Bench
    stream : Stream
    sums : DigitSums
        Calibrated.
    kept : int
        Outputs of a vector, or of a number of active lines, that are stored at most: evenly spaced ones.
    largest_digit : int
        Of a cell: what a line adds to a sum at most.

    Attributes
    ----------
    enob : float
        Effective bits of the sums of random patterns with the most lines active; NaN before they are played.
    outputs, wrong : int
        Integers that the products read so far, and of these, not the digits' exact sum.
    errors : list of float
        Of each product, relative to float64; NaN where that is zero and the product is not.
    """

    def __init__(self, bench: Bench, stream: Stream, sums: DigitSums, kept: int, largest_digit: int) -> None:
        self._bench, self._stream, self._sums, self._kept = bench, stream, sums, kept
        self._largest_digit = largest_digit
        self.outputs = self.wrong = 0
        self.errors: list[float] = []
        self.enob = float("nan")

    def play_patterns(
        self, shots: int, rng: np.random.Generator
    ) -> tuple[tuple[ErrorsByActive, ...], StraightLine]:
        """Play `shots` random patterns with each of 1, 2, 4, ... lines active.

        Returns
        -------
        errors : tuple of ErrorsByActive
        line : StraightLine
            Through all measured over expected sums.
        """
        sums, stream = self._sums, self._stream
        found, expected, measured = [], [], []
        for active, patterns in (counts := random_by_active(len(sums.digits), shots, rng)):
            stream.check()
            exact, seen = sums.expected(patterns), sums.measured(patterns)
            stream.record_block("patterns", output_rows(patterns, exact, seen, self._sample(seen.size)))
            found.append(ErrorsByActive.of(active, exact, seen))
            self._record_activity(found[-1], found[0].sd_error * float(np.sqrt(active)))
            expected.append(exact)
            measured.append(seen)
            stream.progress("random patterns", len(found), len(counts))
        line = self._record_linearity(np.concatenate(expected), np.concatenate(measured))
        return tuple(found), line

    def _record_activity(self, one: ErrorsByActive, root_law: float) -> None:
        forecast = forecast_sd(one.active, self._sums.errors, self._sums.noise)
        self.enob = effective_bits(one.active * self._largest_digit, math.hypot(one.mean_error, one.sd_error))
        self._stream.emit(
            "activity",
            **asdict(one),
            wrong_rate=one.wrong_rate,
            forecast_sd=forecast,
            root_law=root_law,
            enob=self.enob,
        )

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
        self,
        number: int,
        encoding: MultiplyEncoding,
        vector: FixedPoint | None,
        groups: list[Integers],
        exact: Floats,
    ) -> Floats:
        """Multiply vector `number`, which is None for zero, with one group of lines active at a time.

        `exact` is A x in float64.
        """
        sums, stream = self._sums, self._stream
        stream.check()
        shots = outputs = wrong = 0
        product = held = np.zeros(len(exact))
        if vector is not None:  # else there is nothing to play
            patterns, weights = bit_serial(vector, groups)
            expected, measured = sums.expected(patterns), sums.measured(patterns)
            off = np.flatnonzero(np.rint(measured) != expected)
            shots, outputs, wrong = len(patterns), measured.size, len(off)
            for table, chosen in (("outputs", self._sample(outputs)), ("wrong_integers", off[: self._kept])):
                rows = output_rows(patterns, expected, measured, chosen)
                stream.record_block(table, {"vector": np.full(len(chosen), number), **rows})
            unit = vector.scale * 2.0**-vector.bits
            product = encoding.combine(weights @ np.rint(measured)) * unit
            held = encoding.combine(weights @ expected) * unit
        self.outputs += outputs
        self.wrong += wrong
        self.errors.append(_relative(product, exact))
        stream.emit(
            "vectors",
            vector=number,
            time=self._bench.now(),
            shots=shots,
            outputs=outputs,
            wrong=wrong,
            relative_error=self.errors[-1],
            held_error=_relative(product, held),
        )
        return product

    def _sample(self, size: int) -> Integers:
        """Return the indices of the outputs that are stored of `size`."""
        return evenly(size, self._kept)


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
