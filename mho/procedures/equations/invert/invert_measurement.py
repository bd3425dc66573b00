"""Inversions by one programmed loop: every right-hand side at every input scale, recorded and summarised."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import ConvergenceError
from mho.instruments import Bench
from mho.procedures.equations.algorithms.effective_bits import effective_bits
from mho.procedures.equations.algorithms.sum_errors import StraightLine
from mho.procedures.equations.circuits.inversion import LINEAR
from mho.procedures.equations.invert.inverse_loop import InverseLoop, ProgrammedLoop
from mho.procedures.equations.invert.settling import SettlingMeasurement
from mho.procedures.equations.invert.systems import Systems
from mho.procedures.stream import Stream

SMALLEST = 1e-300  # error, so that none is without a logarithm


@dataclass(frozen=True)
class MatrixResult:
    """What the loop of one matrix gave; NaN where it could not be used.

    Attributes
    ----------
    matrix : int
        Its number.
    condition : float
        Condition number.
    expected_rho, forecast_rho : float
        rho(I - A A0^-1) as expected before programming, and of the cells as programmed.
    lambda_min : float
        Smallest real part of an eigenvalue of D^-1 G.
    mean_error, mean_achieved_error : float
        Mean over the right-hand sides, each at its largest input that clamps no output: relative to the solutions of
        A x = b and of A0 x = b.
    bits : float
        -log2 of `mean_error`.
    gain_error, offset : float
        Of the line through the outputs in their linear range, measured over those that A0 gives; offset in V.
    settling_time, overshoot : float
        Medians over the steps of its inputs, s and relative to the largest output's step; NaN where none was seen.
    cells_failed : int
        Cells outside their window.
    """

    matrix: int
    condition: float
    expected_rho: float
    forecast_rho: float
    lambda_min: float
    mean_error: float
    mean_achieved_error: float
    bits: float
    gain_error: float
    offset: float
    settling_time: float
    overshoot: float
    cells_failed: int

    @property
    def used(self) -> bool:
        """Whether the loop gave any solution."""
        return bool(np.isfinite(self.mean_error))


@dataclass(frozen=True)
class Ladder:
    """One right-hand side at all input scales.

    Attributes
    ----------
    inputs, peaks : (scales,) arrays
        Largest input, and largest output of any amplifier, V; NaN where one was in its clamp.
    expected, measured : (scales, n) arrays
        Outputs as A0 gives them, and as measured, V.
    errors, achieved_errors : (scales,) arrays
        Relative to the solutions of A x = b and of A0 x = b.
    clamped : (scales,) array of bool
        Whether an output was in reach of its clamps.
    """

    inputs: Floats
    peaks: Floats
    expected: Floats
    measured: Floats
    errors: Floats
    achieved_errors: Floats
    clamped: NDArray[np.bool_]

    @property
    def best(self) -> int | None:
        """Index of the largest input that clamps no output."""
        linear = np.flatnonzero(~self.clamped)
        return int(linear[0]) if linear.size else None


class LoopMeasurement:
    """Plays right-hand sides through loops and records what comes out.

    Parameters
    ----------
    bench : Bench
    stream : Stream
    scales : (scales,) array
        Largest input as a share of the full scale, descending.
    full_scale : float
        V.
    settling : SettlingMeasurement
        Watches the largest input of each right-hand side that clamps no output come to rest.

    Attributes
    ----------
    inversions, clamped : int
        Played so far, and of these with an output in reach of its clamps.
    """

    def __init__(
        self, bench: Bench, stream: Stream, scales: Floats, full_scale: float, settling: SettlingMeasurement
    ) -> None:
        self._bench, self._stream, self._settling = bench, stream, settling
        self._scales, self._full_scale = scales, full_scale
        self.inversions = self.clamped = 0
        self._expected: list[Floats] = []
        self._measured: list[Floats] = []

    def measure(self, number: int, systems: Systems, programmed: ProgrammedLoop) -> MatrixResult:
        """Close the loop of matrix `number` and invert every right-hand side.

        Raises
        ------
        ConvergenceError
            When the loop would be unstable, rails with nothing at its inputs, or at every input scale of every right-hand
            side.
        """
        if programmed.achieved.unstable:
            raise ConvergenceError(programmed.achieved.unstable)
        programmed.loop.cells.connect(self._bench)
        close = np.linalg.solve(programmed.achieved.matrix, systems.rhs.T).T
        condition = float(systems.conditions[number])
        begun, solved = len(self._expected), []
        for index, rhs in enumerate(systems.rhs):
            self._stream.check()
            ladder = self._play(programmed.loop, rhs, systems.solutions[number, index], close[index])
            self._record(number, index, condition, ladder)
            self._expected.append(ladder.expected[~ladder.clamped])
            self._measured.append(ladder.measured[~ladder.clamped])
            if ladder.best is not None:
                solved.append((ladder.errors[ladder.best], ladder.achieved_errors[ladder.best]))
                self._settling.step(
                    programmed,
                    ladder.inputs[ladder.best] * (rhs / np.abs(rhs).max()),
                    matrix=number,
                    condition=condition,
                    rhs=index,
                    scale=float(self._scales[ladder.best]),
                )
            self._stream.progress("inverting", index + 1, len(systems.rhs))
        if not solved:
            raise ConvergenceError(
                "the INV loop rails: its outputs sit in the clamps at every input scale; check the programmed cells and "
                "the stability of the matrix, or play smaller inputs (scales)"
            )
        error, achieved_error = np.mean(solved, axis=0).tolist()
        return self._result(number, systems, programmed, (error, achieved_error), self.line(begun))

    def give_up(self, number: int, systems: Systems, programmed: ProgrammedLoop) -> MatrixResult:
        """Record a loop that gave no solution."""
        return self._result(
            number, systems, programmed, (np.nan, np.nan), StraightLine(np.nan, np.nan, np.nan)
        )

    def line(self, begun: int = 0) -> StraightLine:
        """Return the line through the outputs in their linear range, V, of the right-hand sides from `begun` on."""
        return StraightLine.through(
            np.concatenate(self._expected[begun:]), np.concatenate(self._measured[begun:])
        )

    def enob(self) -> float:
        """Return the effective bits of the outputs in their linear range, over the range that they span."""
        expected, measured = np.concatenate(self._expected), np.concatenate(self._measured)
        known = np.isfinite(expected) & np.isfinite(measured)
        if not known.any():
            return float("nan")
        errors = (measured - expected)[known]
        return effective_bits(float(np.ptp(expected[known])), float(np.sqrt(np.mean(errors**2))))

    def _result(
        self,
        number: int,
        systems: Systems,
        programmed: ProgrammedLoop,
        errors: tuple[float, float],
        line: StraightLine,
    ) -> MatrixResult:
        """Record and return what a loop gave; `errors` are the mean ones, relative to A and to A0."""
        settling_time, overshoot = self._settling.of(number)
        result = MatrixResult(
            matrix=number,
            condition=float(systems.conditions[number]),
            expected_rho=programmed.loop.candidate.rho,
            forecast_rho=programmed.rho,
            lambda_min=programmed.achieved.slowest.real,
            mean_error=errors[0],
            mean_achieved_error=errors[1],
            bits=bits_of(errors[0]),
            gain_error=line.gain - 1.0,
            offset=line.offset,
            settling_time=settling_time,
            overshoot=overshoot,
            cells_failed=programmed.cells_failed,
        )
        self._stream.emit("matrices", **asdict(result))
        return result

    def _play(self, loop: InverseLoop, rhs: Floats, solution: Floats, close: Floats) -> Ladder:
        """Invert one right-hand side at all scales; `close` is the solution of A0 x = b."""
        peak = float(np.abs(rhs).max())
        inputs = self._scales * self._full_scale
        outputs = loop.invert(self._bench, inputs[:, None] * (rhs / peak))
        measured = outputs[:, : len(rhs)]
        per_unit = -loop.volts_per_unit(self._bench.input_conductance, inputs / peak)[:, None]
        answers, peaks = measured / per_unit, np.abs(outputs).max(axis=1)
        return Ladder(
            inputs,
            peaks,
            per_unit * close,
            measured,
            np.linalg.norm(answers - solution, axis=1) / np.linalg.norm(solution),
            np.linalg.norm(answers - close, axis=1) / np.linalg.norm(close),
            ~(peaks < LINEAR),
        )

    def _record(self, number: int, index: int, condition: float, ladder: Ladder) -> None:
        count, n = ladder.measured.shape
        self.inversions += count
        self.clamped += int(ladder.clamped.sum())
        named = {"matrix": np.full(count, number), "rhs": np.full(count, index), "scale": self._scales}
        self._stream.record_block(
            "inversions",
            {
                **named,
                "condition": np.full(count, condition),
                "input": ladder.inputs,
                "output": ladder.peaks,
                "clamped": ladder.clamped,
                "error": ladder.errors,
                "achieved_error": ladder.achieved_errors,
            },
        )
        self._stream.record_block(
            "outputs",
            {
                **{name: np.repeat(values, n) for name, values in named.items()},
                "row": np.tile(np.arange(n), count),
                "expected": ladder.expected.ravel(),
                "measured": ladder.measured.ravel(),
                "clamped": np.repeat(ladder.clamped, n),
            },
        )
        if (best := ladder.best) is not None:
            self._stream.record(
                "solutions",
                matrix=number,
                condition=condition,
                rhs=index,
                scale=self._scales[best],
                error=ladder.errors[best],
                achieved_error=ladder.achieved_errors[best],
                bits=bits_of(float(ladder.errors[best])),
            )


def bits_of(error: float) -> float:
    """Return the precision in bits that a relative error stands for; NaN of NaN."""
    return -float(np.log2(max(error, SMALLEST)))
