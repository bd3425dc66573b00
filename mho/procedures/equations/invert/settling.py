"""How a loop settles: its inputs are stepped, its outputs watched, and the time compared with that of a single pole.

The outputs have settled when all of them stay within a band of the largest one's step. With amplifiers of unity-gain
frequency w_u, a capacitor C_f from each output to its row, and everything else fast, the loop is

    (D + w_u C_f) dv/dt = -w_u (G v + i)

so that its slowest mode alone would take

    one pole    t = ln(1 / band) / (w_u lambda),    lambda the smallest real part of an eigenvalue of (D + w_u C_f)^-1 G.

Without C_f that is lambda_min of D^-1 G (Zuo et al., Nature Electronics 8, 1222 (2025): (1 / lambda_min) log(1 / eps)).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.forecast import loop_eigenvalues, slowest_eigenvalue
from mho.errors import ConvergenceError
from mho.instruments import Bench
from mho.instruments.simulated import StepResponse
from mho.procedures.equations.algorithms.sum_errors import StraightLine
from mho.procedures.equations.circuits.loop_on_cells import AchievedLoop
from mho.procedures.equations.invert.inverse_loop import ProgrammedLoop
from mho.procedures.stream import Stream

POINTS = 4000  # of a waveform, which lasts 12 time constants of the loop's slowest mode
KEPT = 300  # of these that are stored, at most
FIRST = 1e-3  # of the time until the last of them, when the first is


def one_pole_time(achieved: AchievedLoop, band: float, unity: float, feedback: float = 0.0) -> float:
    """Return the time (s) that the slowest mode alone takes into the band; NaN where it does not decay.

    Parameters
    ----------
    band : float
        Share of its beginning.
    unity : float
        w_u of the amplifiers, rad/s.
    feedback : float
        C_f, F.
    """
    slowest = slowest_eigenvalue(loop_eigenvalues(achieved.network, achieved.load + unity * feedback)).real
    return float(np.log(1.0 / band) / (unity * slowest)) if slowest > 0.0 else float("nan")


def waveform_columns(response: StepResponse, kept: int = KEPT) -> dict[str, Floats]:
    """Return what is stored of a loop's waveforms, at `kept` times at most.

    Half of the times are evenly spaced, for the slowest mode; the others by ratio, for those that decay before.

    Returns
    -------
    dict
        ``time``, s. Of the output with the largest step: ``output``, V, and ``response``, a share of that step. Of all
        outputs: ``deviation``, the largest distance from where one settles, as a share of that step.
    """
    count = len(response.times)
    spaced = (
        np.linspace(0.0, count, kept - kept // 2 + 1)[1:].clip(1.0),
        np.geomspace(max(FIRST * count, 1.0), count, kept // 2),
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
    """What one step of a loop's inputs gave.

    Attributes
    ----------
    matrix, rhs : int
        Numbers of the matrix and of the right-hand side.
    condition : float
        Condition number of the matrix.
    scale : float
        Largest input as a share of the full scale.
    lambda_min : float
        Smallest real part of an eigenvalue of D^-1 G.
    settling_time : float
        s; infinite where the outputs did not settle while they were watched.
    overshoot : float
        Relative to the largest output's step.
    one_pole : float
        `one_pole_time`, s.
    """

    matrix: int
    condition: float
    rhs: int
    scale: float
    lambda_min: float
    settling_time: float
    overshoot: float
    one_pole: float


class SettlingMeasurement:
    """Steps the inputs of connected loops and records how the outputs settle.

    Only a simulated bench shows its outputs over time. On any other nothing is recorded, and the log says so.

    Parameters
    ----------
    bench : Bench
    stream : Stream
    band : float
        In which outputs have settled, as a share of the largest one's step.
    most : int
        Number of right-hand sides, of which the first are stepped.
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
        self,
        programmed: ProgrammedLoop,
        volts: Floats,
        *,
        matrix: int,
        condition: float,
        rhs: int,
        scale: float,
    ) -> None:
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
        found = LoopStep(
            matrix,
            condition,
            rhs,
            scale,
            achieved.slowest.real,
            response.settling_time(self._band),
            response.overshoot,
            one_pole_time(achieved, self._band, unity, amplifier.feedback_capacitance),
        )
        self._steps.setdefault(matrix, []).append(found)
        self._keep(found, response)
        self._stream.record("settling", **asdict(found), inverse_lambda_min=1.0 / found.lambda_min)

    def _keep(self, found: LoopStep, response: StepResponse) -> None:
        """Keep, of the loops with the smallest and the largest lambda_min so far, the step that settled last."""
        kept = self._last.get(found.matrix)
        if kept is None or found.settling_time > kept[0].settling_time:
            self._last[found.matrix] = found, response
        order = sorted(self._last, key=lambda matrix: self._last[matrix][0].lambda_min)
        self._last = {matrix: self._last[matrix] for matrix in (order[0], order[-1])}

    def record_waveforms(self) -> None:
        """Record the last waveforms to settle of the loops with the smallest and the largest lambda_min."""
        for found, response in self._last.values():
            columns = waveform_columns(response)
            which = {"matrix": found.matrix, "condition": found.condition, "rhs": found.rhs}
            self._stream.record_block(
                "waveforms",
                {
                    **{name: np.full(len(columns["time"]), value) for name, value in which.items()},
                    **columns,
                    "scaled_time": found.lambda_min * columns["time"],
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
        found = {
            "settling_time": float(np.median([one.settling_time for one in every])),
            "overshoot": float(np.median([one.overshoot for one in every])),
            "settling_band": self._band,
            "settling_over_one_pole": float(np.median([one.settling_time / one.one_pole for one in every])),
        }
        slowness = np.log([1.0 / steps[0].lambda_min for steps in loops])
        exponent = StraightLine.through(
            slowness, np.log([self.of(steps[0].matrix)[0] for steps in loops])
        ).gain
        return found if np.isnan(exponent) else found | {"settling_exponent": exponent}
