"""Poisson: the potential of charges, plates and dielectrics on a grid, solved on the chip, with its field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.applications.application import (
    MATRICES,
    Application,
    ApplicationResult,
    Prepared,
    digital_solution,
    is_blank,
    name_of,
    record_rows,
    relative_error,
)
from mho.extensions.applications.fields.electrostatics import (
    Electrostatics,
    field,
    flux,
    grounded,
    rayleigh,
    sine_transform,
    system,
)
from mho.extensions.applications.input_data import real_matrix
from mho.instruments import Bench
from mho.procedures import IntegerParameter, ListParameter, Parameter, Stream
from mho.runs import Array, Column, Figure, Layout, Map, Table

CYLINDER = 10.0  # relative permittivity of the cylinder
RADIUS = 0.3  # of the cylinder, in sides of the box

# Between plates, and between the walls beside the cylinder; the strength of a charge, over the vacuum's
# permittivity
VOLTS = 1.0
FIELD_LINES = 12  # field lines from each charge
AROUND = 0.9  # cells from a charge at which its field lines begin


def dipole(n: int) -> Electrostatics:
    """Return two opposite charges in a grounded box."""
    return grounded(_charges(n, ((0.5, 0.3, 1.0), (0.5, 0.7, -1.0))))


def quadrupole(n: int) -> Electrostatics:
    """Return four charges of alternating sign in a grounded box."""
    return grounded(_charges(n, ((0.3, 0.3, 1.0), (0.3, 0.7, -1.0), (0.7, 0.3, -1.0), (0.7, 0.7, 1.0))))


def sine(n: int) -> Electrostatics:
    """Return 2 pi^2 sin(pi x) sin(pi y), whose potential is sin(pi x) sin(pi y)."""
    one = np.sin(np.pi * (np.arange(n) + 0.5) / n)
    return grounded(2.0 * np.pi**2 * np.outer(one, one))


def capacitor(n: int) -> Electrostatics:
    """Return two plates at +-1/2 V in a grounded box: 60 % of its width, a quarter of its height apart."""
    fixed, potential = np.zeros((n, n), dtype=bool), np.zeros((n, n))
    columns = slice(round(0.2 * n), n - round(0.2 * n))
    upper = round(0.375 * n) - (n > 4)
    for row, volts in ((upper, VOLTS / 2.0), (n - 1 - upper, -VOLTS / 2.0)):
        fixed[row, columns], potential[row, columns] = True, volts
    return Electrostatics(np.zeros((n, n)), np.ones((n, n)), fixed, potential)


def cylinder(n: int) -> Electrostatics:
    """Return a dielectric cylinder between walls at +-1/2 V, top and bottom insulating: a square array of cylinders."""
    x = (np.arange(n) + 0.5) / n - 0.5
    inside = x[:, None] ** 2 + x**2 < RADIUS**2
    none = np.zeros((n, n))
    walls = (VOLTS / 2.0, -VOLTS / 2.0, None, None)
    return Electrostatics(none, np.where(inside, CYLINDER, 1.0), none.astype(bool), none, walls)


PRESETS: dict[str, Callable[[int], Electrostatics]] = {
    "dipole": dipole, "quadrupole": quadrupole, "sine": sine, "capacitor": capacitor, "cylinder": cylinder,
}  # fmt: skip


def seeds(problem: Electrostatics) -> Floats:
    """Return where field lines begin, (lines, 2) as x and y: around charges that stand alone, along electrodes or the
    left wall.

    Of a source that fills the box they begin on a coarse grid.
    """
    n = problem.size
    charged = np.argwhere(problem.source != 0.0)
    if 0 < len(charged) <= 16:
        angles = 2.0 * np.pi * (np.arange(FIELD_LINES) + 0.5) / FIELD_LINES
        ring = AROUND / n * np.stack((np.cos(angles), np.sin(angles)), axis=1)
        centres = (charged[:, ::-1] + 0.5) / n
        return np.asarray((centres[:, None, :] + ring).reshape(-1, 2))
    if problem.fixed.any():
        rows, columns = np.nonzero(problem.fixed)
        sides = np.concatenate([np.stack((columns, rows + side), axis=1) for side in (-1.0, 1.0)])
        return np.asarray((sides[::2] + 0.5) / n)
    if problem.walls[0] is not None and problem.walls[0] != 0.0:
        lines = (np.arange(FIELD_LINES) + 0.5) / FIELD_LINES
        return np.stack((np.full(FIELD_LINES, 0.5 / n), lines), axis=1)
    coarse = (np.arange(5) + 0.5) / 5
    return np.stack([axis.ravel() for axis in np.meshgrid(coarse, coarse)], axis=1)


def _charges(n: int, placed: tuple[tuple[float, float, float], ...]) -> Floats:
    """Return line charges, each (row, column, V) as shares of the side, spread over the cell that holds it."""
    source = np.zeros((n, n))
    for row, column, charge in placed:
        at = np.array((row, column)) * n
        # The mirror image of a place must fall into the mirror image of its cell.
        r, c = (int(p) if p < n / 2 else n - 1 - int(n - p) for p in at)
        source[r, c] += charge * n**2
    return source


STEP = 0.25  # of a cell, along the line
MOST_STEPS = 2000
SMEAR = 12  # pixels along a line, either way, over which noise is averaged


def streamlines(across: Floats, along: Floats, seeds: Floats, stop: NDArray[np.bool_]) -> list[Floats]:
    """Return the lines through `seeds`, both ways until they leave the square, reach a cell of `stop` or where no field is.

    `across`, `along` (n, n): E along x (columns) and y (rows), at the centres of the cells of the unit square; `seeds`
    (lines, 2): x and y; `stop` (n, n): charges and electrodes. Result (points, 2): x and y along each line, in the
    direction of the field; at least two points each.
    """
    n = len(across)

    def direction(points: Floats) -> Floats:
        places = points[:, ::-1].T * n - 0.5
        both = np.stack(
            [map_coordinates(one, places, order=1, mode="nearest") for one in (across, along)], axis=1
        )
        length = np.linalg.norm(both, axis=1, keepdims=True)
        return np.asarray(np.divide(both, length, out=np.zeros_like(both), where=length > 0.0))

    back, forth = _march(lambda points: -direction(points), seeds, stop), _march(direction, seeds, stop)
    lines = [np.concatenate((one[:0:-1], other)) for one, other in zip(back, forth, strict=True)]
    return [line for line in lines if len(line) > 1]


def _march(direction: Callable[[Floats], Floats], seeds: Floats, stop: NDArray[np.bool_]) -> list[Floats]:
    """Follow all lines at once; return each as far as it goes, its seed first."""
    n = len(stop)
    step = STEP / n
    points, going = seeds.astype(np.float64), np.arange(len(seeds))
    lines = [[point] for point in points]
    for _ in range(MOST_STEPS):
        one = direction(points)
        two = direction(points + step / 2.0 * one)
        three = direction(points + step / 2.0 * two)
        four = direction(points + step * three)
        moved = step / 6.0 * (one + 2.0 * two + 2.0 * three + four)
        points = points + moved
        inside = ((points > 0.0) & (points < 1.0)).all(axis=1)
        # Where the field turns round within a step, the line has come to its end.
        alive = inside & (np.linalg.norm(moved, axis=1) > step / 2.0)
        cells = np.clip((points * n).astype(int), 0, n - 1)
        for number in np.flatnonzero(inside):
            lines[going[number]].append(points[number])
        alive &= ~stop[cells[:, 1], cells[:, 0]]
        points, going = points[alive], going[alive]
        if not len(going):
            break
    return [np.array(line) for line in lines]


def line_texture(across: Floats, along: Floats, pixels: int, rng: np.random.Generator) -> Floats:
    """Return an image of the field: noise that is smeared along the lines, brighter where the field is stronger.

    Line integral convolution (Cabral and Leedom, SIGGRAPH 1993, p. 263).

    `across`, `along` (n, n): as of `streamlines`; `pixels`: along a side; `rng`: draws the noise. Result (pixels,
    pixels): from 0 to 1.
    """
    centres = (np.arange(pixels) + 0.5) / pixels
    places = np.stack(np.meshgrid(centres, centres, indexing="ij"))  # row, column

    def sampled(values: Floats, at: Floats) -> Floats:
        return np.asarray(map_coordinates(values, at * len(values) - 0.5, order=1, mode="nearest"))

    strength = np.hypot(sampled(across, places), sampled(along, places))
    noise = rng.random((pixels, pixels))
    total, counted = noise.copy(), np.ones_like(noise)
    for sign in (-1.0, 1.0):
        at = places.copy()
        for _ in range(SMEAR):
            step = np.stack((sampled(along, at), sampled(across, at)))
            length = np.hypot(*step)
            at = at + sign / pixels * np.divide(step, length, out=np.zeros_like(step), where=length > 0.0)
            inside = ((at > 0.0) & (at < 1.0)).all(axis=0)
            total += np.where(inside, sampled(noise, at), 0.0)
            counted += inside
    # Fewer samples, at a wall, vary more: all are brought to the same spread.
    smeared = (total - 0.5 * counted) / np.sqrt(counted)
    low, high = np.quantile(smeared, (0.02, 0.98))
    lines = np.clip((smeared - low) / (high - low), 0.0, 1.0)
    bright = np.clip(strength / np.quantile(strength, 0.97), 0.0, 1.0) ** 0.5
    return np.asarray(bright * (0.25 + 0.75 * lines))


MOST_UNKNOWNS = 1024
PIXELS = 160  # along a side of the picture of field lines

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


class Poisson(Application[ApplicationResult]):
    """Solve Poisson's equation on a grid, and draw potential and field."""

    title: ClassVar[str] = "Poisson's equation"
    leading: ClassVar[tuple[str, ...]] = ("arrangement", "size", "source", "bits")
    seed = None  # type: ignore[assignment] # nothing is drawn

    arrangement = ListParameter("Charges and electrodes", choices=list(PRESETS), default="cylinder")
    size = IntegerParameter("Cells along a side of the grid", minimum=2, maximum=4096, default=16)
    source: Parameter[Any] = Parameter(
        "File of the charge density over the vacuum's permittivity, V/m^2, instead of an arrangement"
    )

    def check(self) -> Boxed:
        """Make the system, or read the charges, and refuse grids that are too large."""
        super().check()
        if is_blank(self.source):
            check_unknowns(self.size)
            problem = PRESETS[self.arrangement](self.size)
        else:
            given = real_matrix(self.source, "the source is complex; a charge density is real")
            check_unknowns(max(given.shape))
            problem = grounded(given)
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
            Map("field_lines", "", pixels, pixels, "field lines, brighter where the field is stronger",
                images=1),
            Map("potential", "V", lines, lines, "potential", images=1),
            Map("digital", "V", lines, lines, "digital solution", images=1),
            Map("field", "V/m", lines, lines, "|E|", images=1),
        )  # fmt: skip
        arrays = (
            Array("source", given.problem.source, "V/m^2", "charge density over the vacuum's permittivity"),
            Array("permittivity", given.problem.permittivity, "", "relative permittivity"),
            Array("rhs", given.rhs, "V", "right-hand side of the system"),
        )
        return Layout((LINES, CUT, MATRICES), maps, arrays, default="maps/potential", figures=FIGURES)

    def run_title(self) -> str:
        """Return the arrangement and the grid."""
        if self.source is not None:
            return f"Poisson, {name_of(self.source, 'array')}"
        return f"Poisson, {self.arrangement}, {self.size} x {self.size}"

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> ApplicationResult:
        """Hold the matrix, solve, find the field, compare."""
        given: Boxed = plan.given
        problem, n = given.problem, given.problem.size
        with self.holding(plan, bench, stream) as chip:
            chip_matrix = chip.hold(given.matrix)
            answer = chip_matrix.solve(given.rhs)
            costs, encoding = chip.costs(), chip_matrix.summary()["encoding"]
        if not answer.converged.all():
            stream.say(f"the potential does not have its {self.bits} bits: {answer.reason}", "WARNING")
        potential = answer.solutions.reshape(n, n)
        digital = digital_solution(given.matrix, given.rhs).reshape(n, n)
        self._record(problem, potential, digital, bench, stream)
        return ApplicationResult.of({
            "unknowns": n * n, "condition": float(np.linalg.cond(given.matrix)),
            "converged": bool(answer.converged.all()), "cycles": int(answer.cycles.max()),
            "residual": float(answer.residuals.max()), "error_to_digital": relative_error(potential, digital),
            **closed_forms(problem, self.arrangement if self.source is None else "", potential, digital),
            "encoding": encoding, **costs,
        })  # fmt: skip

    def _record(
        self, problem: Electrostatics, potential: Floats, digital: Floats, bench: Bench, stream: Stream
    ) -> None:
        n, now = problem.size, bench.now()
        across, along = field(potential, problem)
        strength = np.hypot(across, along)
        drawn = np.random.default_rng(0)  # of the picture's noise
        for name, image in (
            ("field_lines", line_texture(across, along, PIXELS, drawn)), ("potential", potential),
            ("digital", digital), ("field", strength),
        ):  # fmt: skip
            stream.snapshot(name, image, now)
        begun = seeds(problem)
        charged = problem.source != 0.0
        stop = problem.fixed | (charged if charged.sum() <= 16 else np.zeros_like(charged))
        for number, line in enumerate(streamlines(across, along, begun, stop)):
            record_rows(stream, "streamlines", line=number, x=line[:, 0], y=1.0 - line[:, 1])
        middle = n // 2
        record_rows(
            stream, "cut", x=(np.arange(n) + 0.5) / n, potential=potential[middle], digital=digital[middle],
            field=strength[middle],
        )  # fmt: skip


def closed_forms(
    problem: Electrostatics, arrangement: str, potential: Floats, digital: Floats
) -> dict[str, Any]:
    """Return the closed form of an arrangement, and how far the chip's and the digital solution are from it."""
    if arrangement == "cylinder":
        share = float((problem.permittivity > 1.0).mean())
        exact = rayleigh(CYLINDER, share)
        value, digitally = (flux(one, problem) / VOLTS for one in (potential, digital))
        named = {"closed_form": "Rayleigh's permittivity of cylinders", "effective_permittivity": value}
    elif arrangement == "capacitor":
        rows = np.flatnonzero(problem.fixed.any(axis=1))
        exact = VOLTS * problem.size / float(np.diff(rows)[0])
        place = problem.size // 2, problem.size // 2
        value, digitally = (float(field(one, problem)[1][place]) for one in (potential, digital))
        named = {"closed_form": "field between wide plates, V/d", "field_between_plates": (value, "V/m")}
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
        "error_to_closed_form": abs(value / exact - 1.0),
        "digital_error_to_closed_form": abs(digitally / exact - 1.0),
    }


def check_unknowns(n: int) -> None:
    """Refuse a grid beyond what is held by blocks in a minute."""
    if n * n > MOST_UNKNOWNS:
        raise InputError(
            f"a grid of {n} x {n} cells has {n * n} unknowns, and {MOST_UNKNOWNS} are the most (32 x 32): choose "
            "a coarser one, or write the matrix to a file and solve it by subdomains (mho solve FILE --blocks schwarz)"
        )
