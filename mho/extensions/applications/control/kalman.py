"""Kalman: tracks followed by a Kalman filter whose innovation covariance is inverted on the chip.

The motion is one of constant velocity, of many tracks at once; statistics tell whether the filter is consistent.

    x' = F x + w, cov(w) = Q;   z = H x + v, cov(v) = R
    S = H P H^T + R;   x += P H^T S^-1 (z - H x);   P -= P H^T S^-1 H P

(Kalman, J. Basic Eng. 82, 35 (1960); Bar-Shalom, Li and Kirubarajan, Estimation with Applications to Tracking and
Navigation, Wiley 2001, sections 5.2 and 6.3.) Covariances do not depend on what is measured, so all tracks share S: one
matrix, a column a track. Only S^-1 is a system to solve, with the right-hand sides z - H x of all tracks and H P of the
covariance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.linalg import solve_discrete_are
from scipy.special import gammaincinv

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.applications.application import (
    MATRICES,
    Application,
    ApplicationResult,
    Prepared,
    SystemSolver,
    beside_digital,
    digital_solution,
    record_rows,
    relative_error,
)
from mho.extensions.applications.input_data import read_bytes
from mho.instruments import Bench
from mho.procedures import FloatParameter, IntegerParameter, ListParameter, Parameter, Stream, counted
from mho.runs import Column, Figure, Layout, ReferenceLine, Table

CONFIDENCE = 0.95


@dataclass(frozen=True)
class TrackModel:
    """Motion in a plane under random accelerations, seen by several sensors of positions."""

    interval: float  # between measurements, s
    acceleration: float  # root of the white acceleration's density over the interval, m/s^2
    noise: Floats  # (sensors,): standard deviation of each sensor's positions, m
    # Share of each sensor's variance that all have in common, as of an atmosphere that all look through
    shared: float = 0.0

    @property
    def transition(self) -> Floats:
        """F, for (x, y, vx, vy)."""
        one = np.array([[1.0, self.interval], [0.0, 1.0]])
        return np.kron(one, np.eye(2))

    @property
    def drive(self) -> Floats:
        """Q of an acceleration that is constant over an interval (Bar-Shalom et al. 2001, section 6.3.2)."""
        gain = np.array([self.interval**2 / 2.0, self.interval])
        return np.asarray(np.kron(self.acceleration**2 * np.outer(gain, gain), np.eye(2)))

    @property
    def observation(self) -> Floats:
        """H, (2 sensors, 4): every sensor sees x and y."""
        return np.tile(np.eye(2, 4), (len(self.noise), 1))

    @property
    def measurement(self) -> Floats:
        """R, (2 sensors, 2 sensors): what sensors share correlates their errors."""
        own = np.diag(self.noise**2) * (1.0 - self.shared)
        return np.asarray(np.kron(own + self.shared * np.outer(self.noise, self.noise), np.eye(2)))

    def first_covariance(self, speed: float) -> Floats:
        """Return P before the first measurement: positions to within ten times the noise, velocities to within `speed`."""
        spread = 10.0 * float(self.noise.max())
        return np.diag([spread**2, spread**2, speed**2, speed**2])

    def steady_covariance(self) -> Floats:
        """Return the prior covariance that the filter settles at, of the Riccati equation."""
        h = self.observation
        return np.asarray(solve_discrete_are(self.transition.T, h.T, self.drive, self.measurement))

    def innovation(self, covariance: Floats) -> Floats:
        """Return S for a prior covariance."""
        h = self.observation
        s = h @ covariance @ h.T + self.measurement
        return np.asarray((s + s.T) / 2.0)


class FilterStep(NamedTuple):
    """After a measurement: estimates (tracks, 4), covariance (4, 4), innovations and NIS by track; NaN at a gap."""

    estimates: Floats
    covariance: Floats
    innovations: Floats
    nis: Floats


def kalman(
    model: TrackModel, measured: Floats, first: Floats, covariance: Floats,
    solve: Callable[[Floats, Floats], Floats], *, steady: bool = False, push: Floats | None = None,
) -> Iterator[FilterStep]:  # fmt: skip
    """Yield the filter's steps.

    `measured` (steps, tracks, 2 sensors): a step whose values are not all finite for every track is a gap: the filter
    predicts through it; `first` (tracks, 4): estimate before the first measurement; `covariance` (4, 4): P then;
    `solve`: (S, right-hand sides (m, k)) -> S^-1 times these; `steady`: P stays as given, which is the steady one: one
    S, one gain for all steps; `push` (4,): known change of the state in an interval beside its motion, as by gravity.
    """
    f, h, q = model.transition, model.observation, model.drive
    x, p = np.array(first, dtype=np.float64), np.array(covariance, dtype=np.float64)
    tracks = len(x)
    for number, z in enumerate(measured):
        if number:
            x = x @ f.T + (0.0 if push is None else push)
            if not steady:
                p = f @ p @ f.T + q
        innovation = z - x @ h.T
        if not np.isfinite(innovation).all():
            yield FilterStep(x, p, np.full(z.shape, np.nan), np.full(tracks, np.nan))
            continue
        s = model.innovation(p)
        columns = innovation.T if steady else np.concatenate((innovation.T, h @ p), axis=1)
        solution = solve(s, columns)
        weighted = solution[:, :tracks]
        x = x + weighted.T @ h @ p
        posterior = p
        if not steady:
            posterior = p - p @ h.T @ solution[:, tracks:]
            p = posterior = (posterior + posterior.T) / 2.0
        nis = np.einsum("ij,ji->i", innovation, weighted)
        yield FilterStep(x, posterior, innovation, nis)


def multiplications(model: TrackModel, tracks: int, steady: bool) -> int:
    """Return the multiplications of a step beside its system, as `kalman` takes it: states, and S and P unless steady."""
    state, measured = 4, 2 * len(model.noise)
    states = tracks * (2 * state**2 + 2 * state * measured + measured)
    matrices = 2 * state**3 + measured * (3 * state**2 + state * measured)
    return states + (0 if steady else matrices)


def nees(errors: Floats, covariance: Floats) -> Floats:
    """Return the normalised squared errors of estimates, (tracks,) (Bar-Shalom et al. 2001, section 5.4.2)."""
    return np.asarray(np.einsum("ij,ij->i", errors, np.linalg.solve(covariance, errors.T).T))


def consistency_interval(freedom: int, count: int) -> tuple[float, float]:
    """Return where the mean of `count` squared errors of `freedom` dimensions lies with 95 %, from chi^2."""
    shape = freedom * count / 2.0
    low, high = (2.0 * float(gammaincinv(shape, one)) for one in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return low / count, high / count


TRACKS = ("random", "turn", "rocket")
SPEED = 100.0  # m/s, of an aircraft, and the spread of velocities at first
GRAVITY = 9.81
LARGEST = 1 << 22  # bytes of a file of measurements at most
MISSING = ("", "nan", "na", "none", "-")


def truth(kind: str, model: TrackModel, steps: int, count: int, rng: np.random.Generator) -> Floats:
    """Return states (steps, count, 4): x, y, vx, vy in m and m/s.

    ``random`` and ``rocket`` draw each track's accelerations as the model has them, so that the filter is consistent
    with them; a rocket flies up after burn-out and falls. ``turn`` is one flight of an aircraft, seen `count` times.
    """
    if kind == "turn":
        velocity = _turning(steps)
        moved = (velocity[:-1] + velocity[1:]) / 2.0 * model.interval
        one = np.concatenate((np.concatenate((np.zeros((1, 2)), np.cumsum(moved, axis=0))), velocity), axis=1)
        return np.repeat(one[:, None, :], count, axis=1)
    states = np.zeros((steps, count, 4))
    if kind == "rocket":
        rise = GRAVITY * (steps - 1) * model.interval / 2.0
        states[0, :, 2:] = rise / 3.0, rise
    else:
        states[0, :, 2:] = rng.normal(0.0, SPEED / 2.0, (count, 2))
    gain = np.kron([model.interval**2 / 2.0, model.interval], np.ones(2))
    for number in range(1, steps):
        drawn = model.acceleration * np.tile(rng.standard_normal((count, 2)), 2) * gain
        states[number] = states[number - 1] @ model.transition.T + push(kind, model) + drawn
    return states


def push(kind: str, model: TrackModel) -> Floats:
    """Return the known change of a state in an interval, (4,): gravity's, of a rocket."""
    fall = GRAVITY if kind == "rocket" else 0.0
    return np.array((0.0, -fall * model.interval**2 / 2.0, 0.0, -fall * model.interval))


def _turning(steps: int) -> Floats:
    """Return velocities of an aircraft: straight, a quarter turn to the left, straight, a half turn to the right,
    straight.
    """
    share = np.linspace(0.0, 1.0, steps)
    heading = np.pi / 2.0 * np.clip((share - 0.2) / 0.15, 0.0, 1.0) - np.pi * np.clip(
        (share - 0.55) / 0.25, 0.0, 1.0
    )
    return SPEED * np.stack((np.cos(heading), np.sin(heading)), axis=1)


def measure(states: Floats, model: TrackModel, rng: np.random.Generator) -> Floats:
    """Return what the sensors see of states (steps, tracks, 4): (steps, tracks, 2 sensors), m."""
    root = np.linalg.cholesky(model.measurement)
    drawn = rng.standard_normal((*states.shape[:2], len(root)))
    return np.asarray(states @ model.observation.T + drawn @ root.T)


def read_track(path: str | Path) -> Floats:
    """Return measured positions (steps, 2), m, from a ``.csv`` of x and y a line; NaN where a value is missing.

    Raises `InputError`: the file is missing, too large, no text; a line has other than two values or no number; fewer
    than three measurements.
    """
    path = Path(path)
    if path.suffix.lower() != ".csv":
        raise InputError(
            f"{path} is no track: give one of {', '.join(TRACKS)}, or a .csv of x and y in m, a line a step"
        )
    try:
        text = read_bytes(path, LARGEST, "a track").decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is no UTF-8 text; save the track as .csv") from None
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or (not line.strip() and "," not in line and ";" not in line):
            continue
        fields = [one.strip() for one in line.replace(";", ",").split(",")]
        if not rows and all(one[:1].isalpha() and one.lower() not in MISSING for one in fields):
            continue  # a line of names
        if len(fields) != 2:
            raise InputError(
                f"{path}, line {number}: {len(fields)} values; give x and y in m, and leave them empty in a gap"
            )
        rows.append([_number(one, f"{path}, line {number}") for one in fields])
    track = np.array(rows, dtype=np.float64).reshape(-1, 2)
    track[~np.isfinite(track).all(axis=1)] = np.nan  # half a position is none
    seen = int(np.isfinite(track).all(axis=1).sum())
    if seen < 3:
        raise InputError(f"{path} has {seen} whole measurements; a track needs three")
    if not np.isfinite(track[0]).all():
        raise InputError(
            f"{path} begins with a gap, so there is nothing to start from: leave the first lines out"
        )
    return track


def _number(text: str, where: str) -> float:
    if text.lower() in MISSING:
        return np.nan
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{where}: {text!r} is no number; give m as 12.5, or nothing in a gap") from None
    if not np.isfinite(value):
        raise InputError(f"{where}: {text!r} is infinite; give m as 12.5, or nothing in a gap")
    return value


GAINS = ("held", "every step", "steady")
# Standard deviations of the first estimates of made tracks, m and m/s
START = (100.0, 100.0, SPEED / 2.0, SPEED / 2.0)
PATH = Table(
    "path",
    (
        Column("x", "m"),
        Column("truth", "m", description="true y"),
        Column("measured", "m", description="measured y, mean of the sensors"),
        Column("estimate", "m", description="estimated y"),
    ),
)
STEPS = Table(
    "steps",
    (
        Column("step", dtype="u4"), Column("time", "s"),
        Column("measured_error", "m",
               description="error of the sensors' mean, root mean square over the tracks"),
        Column("estimate_error", "m", description="error of the estimates, root mean square over the tracks"),
        Column("expected_error", "m", description="error that the filter expects"),
        Column("nis", description="mean normalised innovation squared"),
        Column("nees", description="mean normalised estimation error squared"),
        Column("error_to_digital", "m", digital=1e-6, description="largest distance from the digital filter"),
        Column("cycles", dtype="u4"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Tracking:
    """What is followed: model, measurements (steps, tracks, 2 sensors), truth (steps, tracks, 4) or None, where it
    starts.
    """

    model: TrackModel
    measured: Floats
    states: Floats | None
    first: Floats
    covariance: Floats
    pushed: Floats


class Kalman(Application[ApplicationResult]):
    """Follow tracks with a Kalman filter; the innovation covariance is inverted on the chip."""

    title: ClassVar[str] = "Kalman filter on a track"
    leading: ClassVar[tuple[str, ...]] = ("track", "steps", "sensors", "bits")

    track: Parameter[Any] = Parameter(
        "Track, rocket, turn, random or a .csv of measured x and y", default="rocket"
    )
    tracks = IntegerParameter("Number of made tracks, followed at once", minimum=1, maximum=200, default=10)
    steps = IntegerParameter("Steps of a made track", minimum=5, maximum=1000, default=72)
    sensors = IntegerParameter("Sensors of a made track", minimum=1, maximum=32, default=4)
    noise = FloatParameter("Standard deviation of the first sensor; each further one has half as much more",
                           units="m", minimum=1e-6, maximum=1e6, default=40.0)  # fmt: skip
    shared = FloatParameter("Share of their variance that sensors have in common", minimum=0.0, maximum=0.95,
                            default=0.2)  # fmt: skip
    interval = FloatParameter("Time between measurements", units="s", minimum=1e-6, maximum=1e6, default=1.0)
    acceleration = FloatParameter("Standard deviation of random accelerations", units="m/s^2", minimum=1e-6,
                                  maximum=1e6, default=3.0)  # fmt: skip
    gap = IntegerParameter("Steps without a measurement, in the middle of a made track", minimum=0,
                           maximum=100, default=6)  # fmt: skip
    gain = ListParameter(
        "Covariance on the chip, the steady one held for all, each step's own, or the gain steady too",
        choices=list(GAINS),
        default="held",
    )

    def check(self) -> Tracking:
        """Make or read the track."""
        super().check()
        rng = np.random.default_rng(int(self.seed))
        own = str(self.track) not in TRACKS
        sensors = 1 if own else int(self.sensors)
        noise = self.noise * (1.0 + 0.5 * np.arange(float(sensors)))
        model = TrackModel(self.interval, self.acceleration, noise, self.shared if sensors > 1 else 0.0)
        if own:
            measured = read_track(self.track)[:, None, :]
            first = np.concatenate((measured[0], np.zeros((1, 2))), axis=1)
            covariance = model.steady_covariance() if self.gain == "steady" else model.first_covariance(SPEED)
            return Tracking(model, measured, None, first, covariance, np.zeros(4))
        if self.gap > self.steps - 4:
            raise InputError(
                f"a gap of {self.gap} steps leaves {self.steps - self.gap} of {self.steps} measured; give a gap "
                f"of {self.steps - 4} or less"
            )
        states = truth(str(self.track), model, self.steps, self.tracks, rng)
        measured = measure(states, model, rng)
        begin = (self.steps - self.gap) // 2
        measured[begin : begin + self.gap] = np.nan
        covariance = model.steady_covariance() if self.gain == "steady" else np.diag(np.square(START))
        first = states[0] + rng.multivariate_normal(np.zeros(4), covariance, self.tracks)
        return Tracking(model, measured, states, first, covariance, push(str(self.track), model))

    def layout(self, plan: Prepared) -> Layout:
        """Declare the path of the first track, and errors and consistency over the steps."""
        given: Tracking = plan.given
        freedom, tracks = 2 * len(given.model.noise), given.measured.shape[1]
        lines = tuple(
            ReferenceLine(one, label=f"{side} end of 95 %")
            for side, one in zip(("lower", "upper"), consistency_interval(freedom, tracks), strict=True)
        )
        known = given.states is not None
        errors = Figure("errors", table="steps", x="time", y=("measured_error", "estimate_error", "expected_error"),
                        y_scale="log", title="Errors of position")  # fmt: skip
        figures = (
            Figure("track", table="path", x="x", y=(*(("truth",) if known else ()), "measured", "estimate"),
                   title="Track of the first target"),
            *((errors,) if known else ()),
            Figure("consistency", table="steps", x="time", y="nis", lines=lines,
                   title="Normalised innovation squared, mean of the tracks"),
            Figure("digital", table="steps", x="time", y="error_to_digital", y_scale="log",
                   title="Distance from the digital filter"),
        )  # fmt: skip
        return Layout((PATH, STEPS, MATRICES), default="steps", figures=figures)

    def run_title(self) -> str:
        """Return what is followed."""
        name = Path(str(self.track)).name
        return f"Kalman filter, {name}" + (
            "" if name not in TRACKS else f", {self.tracks} tracks, {self.sensors} sensors"
        )

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> ApplicationResult:
        """Filter on the chip, beside the same filter digitally."""
        given: Tracking = plan.given
        steady = self.gain == "steady"
        follow = partial(
            kalman,
            given.model,
            given.measured,
            given.first,
            given.covariance,
            steady=steady,
            push=given.pushed,
        )
        digital = list(follow(digital_solution))
        chip_steps: list[FilterStep] = []
        gaps = 0
        with self.holding(plan, bench, stream) as chip:
            solver = SystemSolver(chip, int(self.bits))
            solve = partial(self._solved, solver, given.model)
            for number, (step, reference) in enumerate(zip(follow(solve), digital, strict=True)):
                missing = bool(np.isnan(step.nis).any())
                gaps += missing
                chip_steps.append(step)
                row = _row(given, number, step, reference)
                stream.emit(
                    "steps", step=number, time=number * self.interval, cycles=0 if missing else solver.cycles[-1],
                    **row,
                )  # fmt: skip
                stream.progress("steps", number + 1, len(digital))
            each = multiplications(given.model, given.measured.shape[1], steady)
            chip.beside.digital["beside"] += len(chip_steps) * each
            costs = chip.costs()
        if gaps:
            stream.say(
                f"{gaps} of {len(digital)} steps have no measurement, and the filter predicted through them"
            )
        short = solver.short
        self.say_short(stream, len(short), len(chip_steps), "steps", *short[:1])
        _record_path(given, chip_steps, stream)
        outcome = _outcome(given, chip_steps, digital, steady)
        if not outcome["nis_consistent"]:
            size = "larger" if outcome["nis"] > outcome["nis_high"] else "smaller"
            stream.say(
                f"innovations are {size} than the filter expects: NIS {outcome['nis']:.3g}, 95 % of consistent filters "
                f"lie between {outcome['nis_low']:.3g} and {outcome['nis_high']:.3g}; the noise or the "
                "acceleration does not fit the track"
            )
        return ApplicationResult.of({
            "converged": not short, "steps": len(chip_steps), "gaps": gaps, "steps_short_of_bits": len(short),
            "cycles": int(np.sum(solver.cycles)), **outcome, **costs,
        })  # fmt: skip

    def findings(self, summary: Mapping[str, Any]) -> Sequence[str]:
        """Return the error beside the digital filter, and whether the innovations are as it expects."""
        return (
            beside_digital(summary, self.compared),
            "" if summary["nis_consistent"] else f"NIS {summary['nis']:.3g} not consistent with the model",
            f"{counted(summary['gaps'], 'step')} without a measurement" if summary["gaps"] else "",
        )

    def _solved(self, solver: SystemSolver, model: TrackModel, s: Floats, columns: Floats) -> Floats:
        """Solve with an innovation covariance on the chip."""
        if self.gain == "every step":
            return solver.anew(s, columns)
        steady = solver.held or solver.hold(model.innovation(model.steady_covariance()))
        if relative_error(s, np.asarray(steady.matrix)) <= 1e-14:
            return solver.take(steady.solve(columns))
        return solver.take(solver.near(s, columns))


def _row(given: Tracking, number: int, step: FilterStep, reference: FilterStep) -> dict[str, float]:
    """Return what the table of steps says of one."""
    expected = float(np.sqrt(np.trace(step.covariance[:2, :2])))
    row = {
        "measured_error": np.nan, "estimate_error": np.nan, "expected_error": expected,
        "nis": float(step.nis.mean()), "nees": np.nan,
        "error_to_digital": float(np.abs(step.estimates - reference.estimates)[:, :2].max()),
    }  # fmt: skip
    if given.states is not None:
        state = given.states[number]
        seen = given.measured[number].reshape(len(state), -1, 2).mean(axis=1)
        row["measured_error"] = _rms(seen - state[:, :2])
        row["estimate_error"] = _rms((step.estimates - state)[:, :2])
        row["nees"] = float(nees(step.estimates - state, step.covariance).mean())
    return row


def _outcome(
    given: Tracking, chip_steps: list[FilterStep], digital: list[FilterStep], steady: bool
) -> dict[str, Any]:
    """Return errors beside the digital filter's, and whether the filter is consistent."""
    estimates, references = (np.array([one.estimates for one in steps]) for steps in (chip_steps, digital))
    nis = np.array([one.nis for one in chip_steps])
    nis = nis[np.isfinite(nis)]
    low, high = consistency_interval(2 * len(given.model.noise), nis.size)
    outcome: dict[str, Any] = {
        "error_to_digital": relative_error(estimates, references),
        "largest_distance_from_digital": (float(np.abs(estimates - references)[..., :2].max()), "m"),
        "nis": float(nis.mean()), "nis_low": low, "nis_high": high,
        "nis_consistent": bool(low <= nis.mean() <= high),
    }  # fmt: skip
    if given.states is not None:
        seen = given.measured.reshape(*given.measured.shape[:2], -1, 2).mean(axis=2)
        whole = np.isfinite(seen).all(axis=(1, 2))
        outcome |= {
            "measured_rms": (_rms((seen - given.states[..., :2])[whole]), "m"),
            "estimate_rms": (_rms((estimates - given.states)[..., :2]), "m"),
            "digital_rms": (_rms((references - given.states)[..., :2]), "m"),
        }
        if not steady:
            each = [
                nees(one.estimates - state, one.covariance)
                for one, state in zip(chip_steps, given.states, strict=True)
            ]
            outcome["nees"] = float(np.mean(each))
            outcome["nees_expected"] = 4.0
    return outcome


def _rms(off: Floats) -> float:
    """Return the root mean square length of vectors (..., 2)."""
    return float(np.sqrt(np.mean(np.sum(np.square(off), axis=-1))))


def _record_path(given: Tracking, steps: list[FilterStep], stream: Stream) -> None:
    """Record the first track: truth, measurements and estimates one after the other, for their x differ."""
    estimates = np.array([one.estimates[0, :2] for one in steps])
    seen = given.measured[:, 0].reshape(len(steps), -1, 2).mean(axis=1)
    curves = {"measured": seen[np.isfinite(seen).all(axis=1)], "estimate": estimates}
    if given.states is not None:
        curves["truth"] = given.states[:, 0, :2]
    for name, curve in curves.items():
        columns = dict.fromkeys(("truth", "measured", "estimate"), np.nan) | {name: curve[:, 1]}
        record_rows(stream, "path", x=curve[:, 0], **columns)
