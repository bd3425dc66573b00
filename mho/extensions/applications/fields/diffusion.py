"""Diffusion: implicit steps of the heat equation, one matrix on the chip for all of them.

    du/dt = D lap u,   u = 0 on the walls:   (1 + theta r L) u' = (1 - (1 - theta) r L) u,   r = D dt / h^2

L is h^2 times the Laplacian's negative, by finite volumes (`electrostatics.system`). theta = 1 is implicit Euler, 1/2
Crank and Nicolson (Proc. Cambridge Phil. Soc. 43, 50 (1947)). Only the left side is a system; it is the same in all steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.applications.application import (
    MATRICES,
    Application,
    ApplicationResult,
    Prepared,
    SystemSolver,
    is_blank,
    name_of,
    record_rows,
    relative_error,
)
from mho.extensions.applications.fields.electrostatics import grounded, system
from mho.extensions.applications.fields.poisson import check_unknowns
from mho.extensions.applications.input_data import real_matrix
from mho.instruments import Bench
from mho.procedures import FloatParameter, IntegerParameter, ListParameter, Parameter, Stream
from mho.runs import Column, Figure, Layout, Map, Table

Bumps = tuple[tuple[float, float, float], ...]

SCHEMES = {"Euler": 1.0, "Crank-Nicolson": 0.5}
WIDTH = 0.08  # standard deviation of a bump at first, in sides

# Images of a bump on either side; those further away are below 1e-30 while the bump is narrower than the
# square
IMAGES = 4
# Row, column and height of each bump
BUMPS: dict[str, Bumps] = {
    "gaussian": ((0.5, 0.5, 1.0),),
    "spots": ((0.3, 0.3, 1.0), (0.65, 0.7, 0.7), (0.75, 0.25, 0.5)),
}
STARTS = (*BUMPS, "sine")


def laplacian(n: int) -> Floats:
    """Return L of an n x n grid of cells with walls at zero, (n^2, n^2)."""
    return system(grounded(np.ones((n, n))))[0]


def implicit_matrix(n: int, ratio: float, theta: float) -> Floats:
    """Return 1 + theta r L, symmetric positive definite and diagonally dominant."""
    return np.eye(n * n) + theta * ratio * laplacian(n)


def march(
    start: Floats, ratio: float, theta: float, steps: int, solve: Callable[[Floats], Floats],
) -> Iterator[Floats]:  # fmt: skip
    """Yield u after each step, (n, n).

    `start` (n, n); `ratio`, `theta`: r and theta; `solve`: (n^2,) right-hand side -> solution of the implicit matrix.
    """
    n = len(start)
    explicit = (1.0 - theta) * ratio
    u = start
    for _ in range(steps):
        rhs = u - explicit * _apply(u) if explicit else u
        u = np.asarray(solve(rhs.ravel())).reshape(n, n)
        yield u


def _apply(u: Floats) -> Floats:
    """Return L u without a matrix: the ghost cell beyond a wall is minus the cell at it."""
    padded = np.pad(u, 1)
    padded[0, 1:-1], padded[-1, 1:-1] = -u[0], -u[-1]
    padded[1:-1, 0], padded[1:-1, -1] = -u[:, 0], -u[:, -1]
    return np.asarray(4.0 * u - padded[:-2, 1:-1] - padded[2:, 1:-1] - padded[1:-1, :-2] - padded[1:-1, 2:])


def closed_form(start: str, n: int, spread: float) -> Floats:
    """Return the exact solution at the centres of the cells, (n, n).

    The heat kernel with its images, or the decay of a sine mode (Carslaw and Jaeger, Conduction of Heat in Solids, 1959,
    10.3).

    `start`: one of `STARTS`; `spread`: D t, in squares of the side.
    """
    x = (np.arange(n) + 0.5) / n
    if start == "sine":
        one = np.sin(np.pi * x)
        return np.asarray(np.exp(-2.0 * np.pi**2 * spread) * np.outer(one, one))
    total = np.zeros((n, n))
    for row, column, height in BUMPS[start]:
        total += height * np.outer(_kernel(x, row, spread), _kernel(x, column, spread))
    return total


def _kernel(x: Floats, centre: float, spread: float) -> Floats:
    """Return a bump of height 1 at first, after D t, between walls at 0 and 1 that hold zero."""
    variance = WIDTH**2 + 2.0 * spread
    shift = 2.0 * np.arange(-IMAGES, IMAGES + 1)[:, None]
    bumps = np.exp(-((x - centre - shift) ** 2) / (2.0 * variance))
    bumps -= np.exp(-((x + centre - shift) ** 2) / (2.0 * variance))
    return np.asarray(WIDTH / np.sqrt(variance) * bumps.sum(axis=0))


PROFILES = 4  # moments at which a profile through the middle is drawn, besides the first
LARGEST_RATIO = 1e4  # of D dt / h^2: beyond it a step is no step but the end of the diffusion

STEPS = Table(
    "steps",
    (
        Column("step", dtype="u4"), Column("time", "s"), Column("peak"),
        Column("total", description="mean over the square"), Column("cycles", dtype="u4"),
        Column("error_to_digital"), Column("error_to_closed_form", description="error to the closed form"),
        Column("digital_to_closed_form", digital=1e-9,
               description="the digital solution's error to the closed form"),
    ),
)  # fmt: skip
PROFILE = Table(
    "profiles",
    (Column("time", "s"), Column("x", "m"), Column("value"), Column("exact", description="closed form")),
    series="time",
)  # fmt: skip
MOMENTS = 4  # moments that are drawn side by side, from the first to the last

FIGURES = (
    Figure("moments", map="moments"),
    Figure("profiles", table="profiles", x="x", y="value", by="time", title="Profile through the middle"),
    Figure("errors", table="steps", x="step",
           y=("error_to_digital", "error_to_closed_form", "digital_to_closed_form"), y_scale="log",
           title="Errors over the steps"),
    Figure("peak", table="steps", x="time", y=("peak", "total"), title="Peak and mean"),
)  # fmt: skip


@dataclass(frozen=True)
class Spreading:
    """What diffuses: start (n, n), the name of its closed form or "", D dt / h^2 and theta."""

    start: Floats
    name: str
    ratio: float
    theta: float

    @property
    def size(self) -> int:
        """Cells along a side."""
        return len(self.start)


class Diffusion(Application[ApplicationResult]):
    """Let a concentration or a temperature spread over a square with cold walls, by implicit steps."""

    title: ClassVar[str] = "Diffusion"
    leading: ClassVar[tuple[str, ...]] = ("start", "size", "steps", "bits")
    seed = None  # type: ignore[assignment] # nothing is drawn

    start = ListParameter("What diffuses", choices=list(STARTS), default="spots")
    field = Parameter("File of what diffuses, instead of a start")
    size = IntegerParameter("Cells along a side of the grid", minimum=2, maximum=4096, default=16)
    scheme = ListParameter("Scheme", choices=list(SCHEMES), default="Crank-Nicolson")
    diffusivity = FloatParameter("Diffusivity", units="m^2/s", minimum=1e-12, maximum=1e6, default=1.0)
    step = FloatParameter("Time of a step", units="s", minimum=1e-15, maximum=1e15, default=8e-4)
    steps = IntegerParameter("Number of steps", minimum=1, maximum=1000, default=12)

    def check(self) -> Spreading:
        """Make or read what diffuses, and refuse grids that are too large and steps that are none."""
        super().check()
        if is_blank(self.field):
            check_unknowns(self.size)
            start, name = closed_form(self.start, self.size, 0.0), self.start
        else:
            start, name = _own(self.field), ""
        ratio = self.diffusivity * self.step * len(start) ** 2
        if ratio > LARGEST_RATIO:
            raise InputError(
                f"in one step of {self.step:g} s everything spreads over {np.sqrt(ratio):.3g} cells of a grid of "
                f"{len(start)}: give a step of {LARGEST_RATIO / 100.0 / self.diffusivity / len(start) ** 2:.2g} s or less"
            )
        return Spreading(start, name, ratio, SCHEMES[self.scheme])

    def matrices(self, given: Spreading) -> tuple[Floats, ...]:
        """Return the matrix of a step."""
        return (implicit_matrix(given.size, given.ratio, given.theta),)

    def layout(self, plan: Prepared) -> Layout:
        """Declare the stack of images, four of them side by side, profiles and errors."""
        lines = np.arange(plan.given.size)
        stack = Map("concentration", "", lines, lines, "all steps", images=self.steps + 1)
        strip = np.arange(MOMENTS * plan.given.size + MOMENTS - 1)
        drawn = Map("moments", "", lines, strip, "moments side by side, from the first to the last", images=1)
        figures = FIGURES if plan.given.name else _without_closed_form()
        return Layout(
            (STEPS, PROFILE, MATRICES), (stack, drawn), default="maps/concentration", figures=figures
        )

    def run_title(self) -> str:
        """Return what diffuses, and how."""
        what = self.start if is_blank(self.field) else name_of(self.field, self.start)
        return f"Diffusion, {what}, {self.scheme}, {self.steps} steps"

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> ApplicationResult:
        """Hold the implicit matrix and step, beside the same steps digitally."""
        given: Spreading = plan.given
        matrix = implicit_matrix(given.size, given.ratio, given.theta)
        inverse = np.linalg.inv(matrix)
        every = [given.start]
        _record_image(given, 0, 0.0, given.start, self.steps, stream)
        with self.holding(plan, bench, stream) as chip:
            solver = SystemSolver(chip, int(self.bits))
            chip_matrix = solver.hold(matrix)
            digital = march(given.start, given.ratio, given.theta, self.steps, lambda rhs: inverse @ rhs)
            states = march(
                given.start,
                given.ratio,
                given.theta,
                self.steps,
                lambda rhs: solver.take(chip_matrix.solve(rhs)),
            )
            row: dict[str, float] = {}
            for number, (u, reference) in enumerate(zip(states, digital, strict=True), 1):
                row = self._row(given, number, u, reference)
                stream.emit("steps", step=number, cycles=solver.cycles[-1], **row)
                every.append(u)
                _record_image(given, number, row["time"], u, self.steps, stream)
                stream.progress("steps", number, self.steps)
            if given.theta < 1.0:  # u - (1 - theta) r L u, the neighbours being added up
                chip.beside.digital["beside"] += 2 * given.size**2 * self.steps
            costs = chip.costs()
        stream.snapshot("moments", _side_by_side(every), row["time"])
        short = len(solver.short)
        self.say_short(stream, short, self.steps, "steps", *solver.short[:1])
        result = {name: row[name] for name in ("error_to_digital", "peak", "total")}
        if given.name:
            result["error_to_closed_form"] = row["error_to_closed_form"]
            result["digital_error_to_closed_form"] = row["digital_to_closed_form"]
        return ApplicationResult.of({
            "unknowns": given.size**2, "condition": float(np.linalg.cond(matrix)), "converged": not short,
            "steps_short_of_bits": short, "cycles": int(np.sum(solver.cycles)), "ratio": given.ratio, **result,
            **costs,
        })  # fmt: skip

    def _row(self, given: Spreading, number: int, u: Floats, reference: Floats) -> dict[str, float]:
        time = number * self.step
        exact = np.full(u.shape, np.nan)
        if given.name:
            exact = closed_form(given.name, given.size, self.diffusivity * time)
        return {
            "time": time, "peak": float(u.max()), "total": float(u.mean()),
            "error_to_digital": relative_error(u, reference),
            "error_to_closed_form": relative_error(u, exact),
            "digital_to_closed_form": relative_error(reference, exact),
        }  # fmt: skip


def _record_image(given: Spreading, number: int, time: float, u: Floats, steps: int, stream: Stream) -> None:
    """Keep one moment: in the stack, and as a profile where one is due."""
    stream.snapshot("concentration", u, time)
    if number in {round(share * steps / PROFILES) for share in range(PROFILES + 1)}:
        n = given.size
        exact = np.full(n, np.nan)
        if given.name:
            exact = closed_form(given.name, n, given.ratio / n**2 * number)[n // 2]
        record_rows(stream, "profiles", time=time, x=(np.arange(n) + 0.5) / n, value=u[n // 2], exact=exact)


def _side_by_side(every: list[Floats]) -> Floats:
    """Return some of all moments in a row, a column without value between them."""
    chosen = np.round(np.linspace(0, len(every) - 1, MOMENTS)).astype(int)
    gap = np.full((len(every[0]), 1), np.nan)
    parts = [part for number in chosen for part in (every[number], gap)]
    return np.concatenate(parts[:-1], axis=1)


def _own(source: Any) -> Floats:
    field = real_matrix(source, "what diffuses is complex; give real numbers", square=True)
    check_unknowns(len(field))
    if len(field) < 2:
        raise InputError("what diffuses is one number; give a square array of at least 2 x 2")
    if not field.any():
        raise InputError("what diffuses is zero everywhere, and stays so; give some of it")
    return field


def _without_closed_form() -> tuple[Figure, ...]:
    digital = Figure(
        "errors", table="steps", x="step", y="error_to_digital", y_scale="log", title="Error over the steps"
    )
    return tuple(digital if one.name == "errors" else one for one in FIGURES)
