"""Poisson: the potential of charges, plates and dielectrics on a grid, solved on the chip, with its field."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.matrix_files import load_matrix
from mho.errors import InputError
from mho.instruments import Bench
from mho.procedures.applications.application import MATRICES, Application, Prepared
from mho.procedures.applications.comparison import digital_solution, relative_error
from mho.procedures.applications.fields.electrostatic_presets import CYLINDER, PRESETS, VOLTS, seeds
from mho.procedures.applications.fields.electrostatics import (
    Electrostatics,
    field,
    flux,
    grounded,
    rayleigh,
    sine_transform,
    system,
)
from mho.procedures.applications.fields.streamlines import line_texture, streamlines
from mho.procedures.applications.outcome import Outcome
from mho.procedures.parameters import IntegerParameter, ListParameter, Parameter
from mho.procedures.stream import Stream
from mho.runs import Array, Column, Figure, Layout, Map, Table

Floats = NDArray[np.float64]

MOST_UNKNOWNS = 1024
PIXELS = 160
"""Along a side of the picture of field lines."""

LINES = Table(
    "streamlines",
    (
        Column("line", dtype="u4"),
        Column("x", "m"),
        Column("y", "m", description="y, from the last row upwards"),
    ),
    series="line",
)
CUT = Table(
    "cut",
    (
        Column("x", "m"),
        Column("potential", "V"),
        Column("digital", "V", digital=1e-12, description="digital solution"),
        Column("field", "V/m", description="|E|"),
    ),
)
FIGURES = (
    Figure("field_lines", map="field_lines"),
    Figure("potential", map="potential"),
    Figure("field", map="field"),
    Figure("streamlines", table="streamlines", x="x", y="y", by="line", title="Field lines"),
    Figure("cut", table="cut", x="x", y=("potential", "digital"), title="Potential along the middle row"),
    Figure("error", map="potential", minus="digital", title="error to digital"),
)


@dataclass(frozen=True)
class Boxed:
    """A problem with its system."""

    problem: Electrostatics
    matrix: Floats
    rhs: Floats


class Poisson(Application):
    """Solve Poisson's equation on a grid, and draw potential and field."""

    title: ClassVar[str] = "Poisson's equation"
    seed = None  # nothing is drawn

    arrangement = ListParameter("Charges and electrodes", choices=list(PRESETS), default="cylinder")
    size = IntegerParameter("Cells along a side of the grid", minimum=2, maximum=4096, default=16)
    source = Parameter(
        "File of the charge density over the vacuum's permittivity, V/m^2, instead of an arrangement"
    )

    def check(self) -> Boxed:
        """Make the system, or read the charges, and refuse grids that are too large."""
        super().check()
        if self.source is None or (isinstance(self.source, str) and not self.source.strip()):
            check_unknowns(self.size)
            problem = PRESETS[self.arrangement](self.size)
        else:
            given = load_matrix(self.source, square=False)
            if np.iscomplexobj(given):
                raise InputError("the source is complex; a charge density is real")
            check_unknowns(max(given.shape))
            problem = grounded(np.asarray(given, dtype=np.float64))
        return Boxed(problem, *system(problem))

    def matrices(self, given: Boxed) -> tuple[Floats, ...]:
        """Return the matrix of the grid."""
        return (given.matrix,)

    def layout(self, plan: Prepared) -> Layout:
        """Declare the images of potential and field, field lines, and a cut through the middle."""
        given: Boxed = plan.given
        n = given.problem.size
        lines, pixels = np.arange(n), np.arange(PIXELS)
        maps = (
            Map(
                "field_lines",
                "",
                pixels,
                pixels,
                "field lines, brighter where the field is stronger",
                images=1,
            ),
            Map("potential", "V", lines, lines, "potential", images=1),
            Map("digital", "V", lines, lines, "digital solution", images=1),
            Map("field", "V/m", lines, lines, "|E|", images=1),
        )
        arrays = (
            Array("source", given.problem.source, "V/m^2", "charge density over the vacuum's permittivity"),
            Array("permittivity", given.problem.permittivity, "", "relative permittivity"),
            Array("rhs", given.rhs, "V", "right-hand side of the system"),
        )
        return Layout((LINES, CUT, MATRICES), maps, arrays, default="maps/potential", figures=FIGURES)

    def run_title(self) -> str:
        """Return the arrangement and the grid."""
        if self.source is not None:
            return f"Poisson, {Path(self.source).name if isinstance(self.source, str | Path) else 'array'}"
        return f"Poisson, {self.arrangement}, {self.size} x {self.size}"

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> Outcome:
        """Hold the matrix, solve, find the field, compare."""
        given: Boxed = plan.given
        problem, n = given.problem, given.problem.size
        with self.holding(plan, bench, stream) as chip:
            held = chip.hold(given.matrix)
            answer = held.solve(given.rhs)
            costs, encoding = chip.costs(), held.summary()["encoding"]
        if not answer.converged.all():
            stream.say(f"the potential does not have its {self.bits} bits: {answer.reason}", "WARNING")
        potential = answer.solutions.reshape(n, n)
        digital = digital_solution(given.matrix, given.rhs).reshape(n, n)
        self._record(problem, potential, digital, bench, stream)
        return Outcome.of(
            {
                "unknowns": n * n,
                "condition": float(np.linalg.cond(given.matrix)),
                "converged": bool(answer.converged.all()),
                "cycles": int(answer.cycles.max()),
                "residual": float(answer.residuals.max()),
                "error_to_digital": relative_error(potential, digital),
                **closed_forms(problem, self.arrangement if self.source is None else "", potential, digital),
                "encoding": encoding,
                **costs,
            }
        )

    def _record(
        self, problem: Electrostatics, potential: Floats, digital: Floats, bench: Bench, stream: Stream
    ) -> None:
        n, now = problem.size, bench.now()
        across, along = field(potential, problem)
        strength = np.hypot(across, along)
        drawn = np.random.default_rng(0)  # of the picture's noise
        for name, image in (
            ("field_lines", line_texture(across, along, PIXELS, drawn)),
            ("potential", potential),
            ("digital", digital),
            ("field", strength),
        ):
            stream.snapshot(name, image, now)
        begun = seeds(problem)
        charged = problem.source != 0.0
        stop = problem.fixed | (charged if charged.sum() <= 16 else np.zeros_like(charged))
        for number, line in enumerate(streamlines(across, along, begun, stop)):
            stream.record_block(
                "streamlines", {"line": np.full(len(line), number), "x": line[:, 0], "y": 1.0 - line[:, 1]}
            )
        middle = n // 2
        stream.record_block(
            "cut",
            {
                "x": (np.arange(n) + 0.5) / n,
                "potential": potential[middle],
                "digital": digital[middle],
                "field": strength[middle],
            },
        )


def closed_forms(
    problem: Electrostatics, arrangement: str, potential: Floats, digital: Floats
) -> dict[str, Any]:
    """Return the closed form of an arrangement, and how far the chip's and the digital solution are from it."""
    if arrangement == "cylinder":
        share = float((problem.permittivity > 1.0).mean())
        exact = rayleigh(CYLINDER, share)
        found, digitally = (flux(one, problem) / VOLTS for one in (potential, digital))
        named = {"closed_form": "Rayleigh's permittivity of cylinders", "effective_permittivity": found}
    elif arrangement == "capacitor":
        rows = np.flatnonzero(problem.fixed.any(axis=1))
        exact = VOLTS * problem.size / float(np.diff(rows)[0])
        place = problem.size // 2, problem.size // 2
        found, digitally = (float(field(one, problem)[1][place]) for one in (potential, digital))
        named = {"closed_form": "field between wide plates, V/d", "field_between_plates": (found, "V/m")}
    elif problem.has_sine_transform:
        known = problem.source / (2.0 * np.pi**2) if arrangement == "sine" else sine_transform(problem.source)
        text = "sin(pi x) sin(pi y)" if arrangement == "sine" else "sine transform of the grid"
        return {
            "closed_form": text,
            "error_to_closed_form": relative_error(potential, known),
            "digital_error_to_closed_form": relative_error(digital, known),
        }
    else:
        return {}
    return named | {
        "exact_value": exact,
        "error_to_closed_form": abs(found / exact - 1.0),
        "digital_error_to_closed_form": abs(digitally / exact - 1.0),
    }


def check_unknowns(n: int) -> None:
    """Refuse a grid beyond what is held by blocks in a minute.

    Raises
    ------
    InputError
    """
    if n * n > MOST_UNKNOWNS:
        raise InputError(
            f"a grid of {n} x {n} cells has {n * n} unknowns, and {MOST_UNKNOWNS} are the most (32 x 32): "
            f"choose a coarser one, or "
            "write the matrix to a file and solve it by subdomains (mho solve FILE --blocks schwarz)"
        )
