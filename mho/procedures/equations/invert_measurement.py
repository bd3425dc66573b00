"""Inversions by one programmed loop: every right-hand side at every input scale, recorded and summarised.

To see how a loop settles, its inputs are stepped. The outputs have settled when all of them stay within a band of the
largest one's step. With amplifiers of unity-gain frequency w_u, a capacitor C_f from each output to its row, and
everything else fast, the loop is

    (D + w_u C_f) dv/dt = -w_u (G v + i)

so that its slowest mode alone would take

    one pole    t = ln(1 / band) / (w_u lambda),    lambda the smallest real part of an eigenvalue of (D + w_u C_f)^-1 G.

Without C_f that is lambda_min of D^-1 G (Zuo et al., Nature Electronics 8, 1222 (2025): (1 / lambda_min) log(1 / eps)).

Here are the systems to be inverted, too, and the inverting loop of one matrix, which is planned by its forecast.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps.inverse_encoding import (
    EncodingForecast,
    InverseEncoding,
    contraction,
    loop_eigenvalues,
    slowest_eigenvalue,
)
from mho.errors import ChipMapError, ConvergenceError, InputError
from mho.instruments import Bench
from mho.instruments.simulated import StepResponse
from mho.procedures.equations.algorithms.sum_errors import StraightLine, effective_bits
from mho.procedures.equations.circuits.loop_on_cells import LINEAR, AchievedLoop, LoopOnCells, loop_inputs
from mho.procedures.equations.planning.loop_choice import LoopSetup
from mho.procedures.stream import Stream

Numbers = NDArray[np.float64] | NDArray[np.complex128]

# Condition number from which float64 holds no digit of a solution
MOST_SINGULAR = 1.0 / np.finfo(np.float64).eps


@dataclass(frozen=True)
class Systems:
    """Matrices (count, n, n) with their condition numbers (count,), right-hand sides (vectors, n), and the solutions."""

    matrices: Floats
    conditions: Floats
    rhs: Floats
    solutions: Floats  # (count, vectors, n): of A x = b, in float64
    # (n, n), optional: the one matrix as it was given, which may be complex; None for matrices that were made
    given: Numbers | None = None

    @classmethod
    def of(
        cls, matrices: Floats, rhs: Floats, conditions: Floats | None = None, given: Numbers | None = None
    ) -> Systems:
        """Solve all systems; condition numbers that are not given are computed.

        Raises `InputError` for a singular matrix or a zero right-hand side, to whose solution no error could be
        relative.
        """
        if conditions is None:
            conditions = np.linalg.cond(matrices) if matrices.any() else np.full(len(matrices), np.inf)
        for condition in conditions.tolist():
            if not condition < MOST_SINGULAR:
                raise InputError(
                    f"the matrix is singular in float64 (condition number {condition:.3g}), so there is no solution to "
                    "compare with; give a regular one"
                )
        zero = np.flatnonzero(~rhs.any(axis=1))
        if zero.size:
            raise InputError(
                f"right-hand side {zero[0]}, counted from 0, is zero everywhere, and so is its solution; leave it out"
            )
        solutions = np.swapaxes(np.linalg.solve(matrices, rhs.T[None]), 1, 2)
        return cls(matrices, np.asarray(conditions, dtype=np.float64), rhs, solutions, given)


@dataclass(frozen=True)
class InverseLoop:
    """A matrix on the inverting arrays."""

    matrix: Floats  # (n, n): A
    candidate: EncodingForecast  # the encoding chosen, with its forecast before programming
    cells: LoopOnCells

    @property
    def encoding(self) -> InverseEncoding:
        """The encoding."""
        return self.candidate.encoding

    def invert(self, bench: Bench, volts: Floats) -> Floats:
        """Return settled outputs (samples, order), V, for `volts` (samples, n) at the inputs of the matrix's rows.

        The first n are those of the solution. Errors and clamped outputs as `Bench.invert`; the loop is closed.
        """
        return bench.invert(self.inputs(volts))

    def inputs(self, volts: Floats) -> Floats:
        """Return the loop's inputs (..., order), V, for `volts` (..., n) at the inputs of the matrix's rows."""
        return loop_inputs(self.encoding, volts)

    def volts_per_unit(self, input_conductance: float, volts: Floats) -> Floats:
        """Return the outputs (V) that stand for minus 1 in the solution where `volts` at an input stand for 1 in b."""
        return input_conductance * volts * self.encoding.unit / self.cells.step


@dataclass(frozen=True)
class ProgrammedLoop:
    """A loop whose cells are programmed."""

    loop: InverseLoop
    achieved: AchievedLoop  # what its cells came to hold
    cells_failed: int  # cells outside their window

    @property
    def rho(self) -> float:
        """rho(I - A A0^-1), by which a cycle of refinement would reduce an error."""
        return float(contraction(self.loop.matrix, self.achieved.matrix))


def plan_loop(setup: LoopSetup, matrix: Floats, rng: np.random.Generator) -> InverseLoop:
    """Choose a matrix's encoding by its forecast, and place it on good cells.

    Raises `ChipMapError` when the matrix does not fit, with the size that would, or there is no second slice;
    `ConvergenceError` when no encoding gives a stable loop.
    """
    if not setup.arrays:
        raise ChipMapError(
            f"chip {setup.chip.name!r} has no inverting array; choose a bench whose chip has one"
        )
    candidate = setup.rank(matrix, setup.fitting_kinds(matrix), rng)[0]
    return InverseLoop(matrix, candidate, setup.cells(candidate.encoding))


POINTS = 4000  # of a waveform, which lasts 12 time constants of the loop's slowest mode
STORED = 300  # of these that are stored, at most
FIRST = 1e-3  # of the time until the last of them, when the first is


def one_pole_time(achieved: AchievedLoop, band: float, unity: float, feedback: float = 0.0) -> float:
    """Return the time (s) that the slowest mode alone takes into the band; NaN where it does not decay.

    `band`: share of its beginning; `unity`: w_u of the amplifiers, rad/s; `feedback`: C_f, F.
    """
    slowest = slowest_eigenvalue(loop_eigenvalues(achieved.network, achieved.load + unity * feedback)).real
    return float(np.log(1.0 / band) / (unity * slowest)) if slowest > 0.0 else float("nan")


def waveform_columns(response: StepResponse, points: int = STORED) -> dict[str, Floats]:
    """Return what is stored of a loop's waveforms, at `points` times at most.

    Half of the times are evenly spaced, for the slowest mode; the others by ratio, for those that decay before.
    Returns ``time``, s. Of the output with the largest step: ``output``, V, and ``response``, a share of that step.
    Of all outputs: ``deviation``, the largest distance from where one settles, as a share of that step.
    """
    count = len(response.times)
    spaced = (
        np.linspace(0.0, count, points - points // 2 + 1)[1:].clip(1.0),
        np.geomspace(max(FIRST * count, 1.0), count, points // 2),
    )
    at = np.unique(np.rint(np.concatenate(spaced)).astype(np.int64)) - 1
    steps, outputs = response.final - response.start, response.outputs[at]
    largest = int(np.argmax(np.abs(steps)))
    output, step = outputs[:, largest], steps[largest]
    return {
        "time": response.times[at],
        "output": output,
        "response": (output - response.start[largest]) / step,
        "deviation": np.abs(outputs - response.final).max(axis=1) / abs(step),
    }


@dataclass(frozen=True)
class LoopStep:
    """What one step of a loop's inputs gave."""

    # matrix, rhs: numbers of the matrix and of the right-hand side
    matrix: int
    condition: float  # condition number of the matrix
    rhs: int
    scale: float  # largest input as a share of the full scale
    lambda_min: float  # smallest real part of an eigenvalue of D^-1 G
    settling_time: float  # s; infinite where the outputs did not settle while they were watched
    overshoot: float  # relative to the largest output's step
    one_pole: float  # `one_pole_time`, s


class SettlingMeasurement:
    """Steps the inputs of connected loops and records how the outputs settle.

    Only a simulated bench shows its outputs over time. On any other nothing is recorded, and the log says so. `band`:
    in which outputs have settled, as a share of the largest one's step; `most`: number of right-hand sides, of which
    the first are stepped.
    """

    def __init__(self, bench: Bench, stream: Stream, band: float, most: int) -> None:
        self._bench, self._stream, self._band, self._most = bench, stream, band, most
        self._steps: dict[int, list[LoopStep]] = {}
        self._last: dict[int, tuple[LoopStep, StepResponse]] = {}
        if most and bench.simulated is None:
            stream.say(
                f"settling is not measured: bench {bench.file.name!r} does not show its outputs over time, as simulated "
                "ones do; the tables settling and waveforms stay empty"
            )

    def step(
        self, programmed: ProgrammedLoop, volts: Floats, *, matrix: int, condition: float, rhs: int,
        scale: float,
    ) -> None:  # fmt: skip
        """Step the inputs of the connected loop from 0 V to `volts` (n,) at the matrix's rows.

        Nothing is done for a right-hand side that is not among the first; where a waveform cannot be computed, the log says
        why.
        """
        simulated = self._bench.simulated
        if simulated is None or rhs >= self._most:
            return
        try:
            response = simulated.step_response(programmed.loop.inputs(volts), points=POINTS)
        except ConvergenceError as error:
            self._stream.say(f"matrix {matrix}, right-hand side {rhs}: {error}", "WARNING")
            return
        achieved, amplifier = programmed.achieved, simulated.amplifier
        unity = 2.0 * np.pi * amplifier.bandwidth
        loop_step = LoopStep(
            matrix, condition, rhs, scale, achieved.slowest.real, response.settling_time(self._band),
            response.overshoot, one_pole_time(achieved, self._band, unity, amplifier.feedback_capacitance),
        )  # fmt: skip
        self._steps.setdefault(matrix, []).append(loop_step)
        self._keep(loop_step, response)
        self._stream.record("settling", **asdict(loop_step), inverse_lambda_min=1.0 / loop_step.lambda_min)

    def _keep(self, loop_step: LoopStep, response: StepResponse) -> None:
        """Keep, of the loops with the smallest and the largest lambda_min so far, the step that settled last."""
        slowest = self._last.get(loop_step.matrix)
        if slowest is None or loop_step.settling_time > slowest[0].settling_time:
            self._last[loop_step.matrix] = loop_step, response
        order = sorted(self._last, key=lambda matrix: self._last[matrix][0].lambda_min)
        self._last = {matrix: self._last[matrix] for matrix in (order[0], order[-1])}

    def record_waveforms(self) -> None:
        """Record the last waveforms to settle of the loops with the smallest and the largest lambda_min."""
        for loop_step, response in self._last.values():
            columns = waveform_columns(response)
            which = {"matrix": loop_step.matrix, "condition": loop_step.condition, "rhs": loop_step.rhs}
            self._stream.record_block(
                "waveforms",
                {
                    **{name: np.full(len(columns["time"]), value) for name, value in which.items()},
                    **columns,
                    "scaled_time": loop_step.lambda_min * columns["time"],
                },
            )

    def of(self, matrix: int) -> tuple[float, float]:
        """Return the median settling time (s) and overshoot of a loop; NaN where it was not stepped."""
        if matrix not in self._steps:
            return float("nan"), float("nan")
        values = [(one.settling_time, one.overshoot) for one in self._steps[matrix]]
        time, overshoot = np.median(values, axis=0).tolist()
        return time, overshoot

    def summary(self) -> dict[str, float]:
        """Return medians over all steps, and how settling follows lambda_min; nothing where nothing was stepped.

        ``settling_over_one_pole`` is the median of the settling time over that of one pole. ``settling_exponent`` is the
        slope of the settling time over 1 / lambda_min in logarithms, through the medians of the loops; it is missing
        where they do not differ in lambda_min.
        """
        if not self._steps:
            return {}
        loops = list(self._steps.values())
        every = [one for steps in loops for one in steps]
        summary = {
            "settling_time": float(np.median([one.settling_time for one in every])),
            "overshoot": float(np.median([one.overshoot for one in every])),
            "settling_band": self._band,
            "settling_over_one_pole": float(np.median([one.settling_time / one.one_pole for one in every])),
        }
        slowness = np.log([1.0 / steps[0].lambda_min for steps in loops])
        exponent = StraightLine.through(
            slowness, np.log([self.of(steps[0].matrix)[0] for steps in loops])
        ).gain
        return summary if np.isnan(exponent) else summary | {"settling_exponent": exponent}


SMALLEST = 1e-300  # error, so that none is without a logarithm


@dataclass(frozen=True)
class MatrixResult:
    """What the loop of one matrix gave; NaN where it could not be used."""

    matrix: int  # its number
    condition: float  # condition number
    # expected_rho, forecast_rho: rho(I - A A0^-1) as expected before programming, and of the achieved cells
    expected_rho: float
    forecast_rho: float
    lambda_min: float  # smallest real part of an eigenvalue of D^-1 G
    # mean_error, mean_achieved_error: mean over the right-hand sides, each at its largest input that clamps
    # no output: relative to the solutions of A x = b and of A0 x = b
    mean_error: float
    mean_achieved_error: float
    bits: float  # -log2 of `mean_error`
    # gain_error, offset: of the line through the outputs in their linear range, measured over those that A0
    # gives; offset in V
    gain_error: float
    offset: float
    # settling_time, overshoot: medians over the steps of its inputs, s and relative to the largest output's
    # step; NaN where none was seen
    settling_time: float
    overshoot: float
    cells_failed: int  # cells outside their window

    @property
    def used(self) -> bool:
        """Whether the loop gave any solution."""
        return bool(np.isfinite(self.mean_error))


@dataclass(frozen=True)
class Ladder:
    """One right-hand side at all input scales."""

    # inputs, peaks: (scales,): largest input, and largest amplifier output, V; NaN where one was in its clamp
    inputs: Floats
    peaks: Floats
    # expected, measured: (scales, n): outputs as A0 gives them, and as measured, V
    expected: Floats
    measured: Floats
    # errors, achieved_errors: (scales,): relative to the solutions of A x = b and of A0 x = b
    errors: Floats
    achieved_errors: Floats
    clamped: NDArray[np.bool_]  # (scales,): whether an output was in reach of its clamps

    @property
    def best(self) -> int | None:
        """Index of the largest input that clamps no output."""
        linear = np.flatnonzero(~self.clamped)
        return int(linear[0]) if linear.size else None


class LoopMeasurement:
    """Plays right-hand sides through loops and records what comes out.

    `scales` (scales,): largest input as a share of the full scale, descending; `full_scale`: V; `settling`: watches
    the largest input of each right-hand side that clamps no output come to rest. `inversions`, `clamped`: played so
    far, and of these with an output in reach of its clamps.
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

        Raises `ConvergenceError` when the loop would be unstable, rails with nothing at its inputs, or at every input
        scale of every right-hand side.
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
                    programmed, ladder.inputs[ladder.best] * (rhs / np.abs(rhs).max()), matrix=number,
                    condition=condition, rhs=index, scale=float(self._scales[ladder.best]),
                )  # fmt: skip
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
        self, number: int, systems: Systems, programmed: ProgrammedLoop, errors: tuple[float, float],
        line: StraightLine,
    ) -> MatrixResult:  # fmt: skip
        """Record and return what a loop gave; `errors` are the mean ones, relative to A and to A0."""
        settling_time, overshoot = self._settling.of(number)
        result = MatrixResult(
            matrix=number, condition=float(systems.conditions[number]),
            expected_rho=programmed.loop.candidate.rho, forecast_rho=programmed.rho,
            lambda_min=programmed.achieved.slowest.real, mean_error=errors[0], mean_achieved_error=errors[1],
            bits=bits_of(errors[0]), gain_error=line.gain - 1.0, offset=line.offset,
            settling_time=settling_time, overshoot=overshoot, cells_failed=programmed.cells_failed,
        )  # fmt: skip
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
            inputs, peaks, per_unit * close, measured,
            np.linalg.norm(answers - solution, axis=1) / np.linalg.norm(solution),
            np.linalg.norm(answers - close, axis=1) / np.linalg.norm(close), ~(peaks < LINEAR),
        )  # fmt: skip

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
                "solutions", matrix=number, condition=condition, rhs=index, scale=self._scales[best],
                error=ladder.errors[best], achieved_error=ladder.achieved_errors[best],
                bits=bits_of(float(ladder.errors[best])),
            )  # fmt: skip


def bits_of(error: float) -> float:
    """Return the precision in bits that a relative error stands for; NaN of NaN."""
    return -float(np.log2(max(error, SMALLEST)))
