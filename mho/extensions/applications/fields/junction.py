"""Junction: a p-n junction in equilibrium, Newton's systems solved on the chip.

    eps psi'' = -q (p - n + N),   n = ni exp(psi / Vt),   p = ni exp(-psi / Vt),   N = ND - NA,   psi' = 0 at both ends

(Sze and Ng, Physics of Semiconductor Devices, 3rd ed. 2007, section 2.2). With phi = psi / Vt and
c = q ni h^2 / (eps Vt) the equation at each point is

    F = -phi[k-1] + 2 phi[k] - phi[k+1] + c (2 sinh phi[k] - N[k] / ni) = 0,     J = tridiag(-1, 2 + 2 c cosh phi, -1)

Without a field at the ends the built-in potential is a result and no boundary condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.constants import Boltzmann, elementary_charge, epsilon_0

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.applications.application import (
    MATRICES,
    Application,
    ApplicationResult,
    Prepared,
    SystemSolver,
    digital_solution,
    record_rows,
    relative_error,
)
from mho.instruments import Bench
from mho.procedures import FloatParameter, IntegerParameter, ListParameter, Stream
from mho.runs import Band, Column, Figure, Layout, Table

SILICON = 11.7  # relative permittivity

# Of the length: the depletion layer must leave neutral ends, and takes this share of the length at most
MARGIN = 0.6
# Largest change of phi in one step, in Vt: Newton's steps through an exponential overshoot without it
MOST_CHANGE = 4.0


def intrinsic(temperature: float) -> float:
    """Return silicon's intrinsic density, 1/m^3 (Misiakos and Tsamakis, J. Appl. Phys. 74, 3293 (1993)); 9.7e15 at 300
    K.
    """
    return float(5.29e25 * (temperature / 300.0) ** 2.54 * np.exp(-6726.0 / temperature))


@dataclass(frozen=True)
class JunctionModel:
    """An abrupt junction in the middle of a bar, p on its left."""

    # acceptors, donors: doping, 1/m^3
    acceptors: float
    donors: float
    length: float  # m
    points: int
    temperature: float = 300.0  # K

    def __post_init__(self) -> None:
        for name, side, value in (("acceptors", "p", self.acceptors), ("donors", "n", self.donors)):
            if not value > self.intrinsic:
                raise InputError(
                    f"{name} is {value:.3g} m^-3: the doping of the {side} side must be above the intrinsic density, "
                    f"{self.intrinsic:.3g} m^-3 at {self.temperature:g} K, and has no sign, which the sides give"
                )
        width = self.depletion_width
        if not width < MARGIN * self.length:
            raise InputError(
                f"the depletion layer is about {width:.3g} m wide and the bar {self.length:.3g} m long, which "
                f"leaves no neutral ends: "
                f"give a length of {width / MARGIN * 1.05:.2g} m or more, or more doping"
            )
        share = 1.0 / (1.0 + self.acceptors / self.donors)  # of the layer, on the p side
        if max(share, 1.0 - share) * width > 0.45 * self.length:
            raise InputError(
                f"the depletion layer reaches {max(share, 1.0 - share) * width:.3g} m into the lighter doped "
                f"side, half a bar is "
                f"{self.length / 2.0:.3g} m: give a length of {max(share, 1.0 - share) * width / 0.45 * 1.05:.2g} m or more"
            )

    @property
    def intrinsic(self) -> float:
        """Intrinsic density, 1/m^3."""
        return intrinsic(self.temperature)

    @property
    def thermal(self) -> float:
        """Vt = kT/q, V."""
        return Boltzmann * self.temperature / elementary_charge

    @property
    def step(self) -> float:
        """Distance of the points, m."""
        return self.length / self.points

    @property
    def places(self) -> Floats:
        """Of the points, m, 0 at the junction, which lies between two of them."""
        return np.asarray((np.arange(self.points) + 0.5) * self.step - self.length / 2.0)

    @property
    def doping(self) -> Floats:
        """N, 1/m^3."""
        return np.asarray(np.where(self.places < 0.0, -self.acceptors, self.donors), dtype=np.float64)

    @property
    def coupling(self) -> float:
        """The dimensionless c."""
        return float(elementary_charge * self.intrinsic * self.step**2 / (SILICON * epsilon_0 * self.thermal))

    @property
    def built_in(self) -> float:
        """kT/q ln(NA ND / ni^2), V."""
        return float(self.thermal * np.log(self.acceptors * self.donors / self.intrinsic**2))

    @property
    def depletion_width(self) -> float:
        """Of the depletion approximation, m (Sze and Ng 2007, equation 2.22)."""
        inverse = 1.0 / self.acceptors + 1.0 / self.donors
        return float(np.sqrt(2.0 * SILICON * epsilon_0 * self.built_in * inverse / elementary_charge))

    @property
    def peak_field(self) -> float:
        """|E| at the junction, V/m, exactly: the first integral of the equation on both sides meets there."""
        left, right = (
            -np.arcsinh(self.acceptors / (2 * self.intrinsic)),
            np.arcsinh(self.donors / (2 * self.intrinsic)),
        )
        carriers = 2.0 * self.intrinsic * (np.cosh(left) - np.cosh(right))
        middle = (self.acceptors * left + self.donors * right + carriers) / (self.acceptors + self.donors)
        energy = 2.0 * self.intrinsic * (np.cosh(middle) - np.cosh(left)) + self.acceptors * (middle - left)
        return float(np.sqrt(2.0 * elementary_charge * self.thermal * energy / (SILICON * epsilon_0)))

    def depletion_potential(self) -> Floats:
        """Return phi of the depletion approximation: parabolas between neutral ends."""
        left = self.depletion_width / (1.0 + self.acceptors / self.donors)
        right = self.depletion_width - left
        x = self.places
        scale = elementary_charge / (2.0 * SILICON * epsilon_0 * self.thermal)
        low, high = (
            -np.arcsinh(self.acceptors / (2 * self.intrinsic)),
            np.arcsinh(self.donors / (2 * self.intrinsic)),
        )
        p_side = low + scale * self.acceptors * np.clip(x + left, 0.0, None) ** 2
        n_side = high - scale * self.donors * np.clip(right - x, 0.0, None) ** 2
        return np.asarray(np.where(x < 0.0, p_side, n_side))

    def residual(self, phi: Floats) -> Floats:
        """Return F."""
        padded = np.pad(phi, 1, mode="edge")
        curvature = 2.0 * phi - padded[:-2] - padded[2:]
        return np.asarray(curvature + self.coupling * (2.0 * np.sinh(phi) - self.doping / self.intrinsic))

    def jacobian(self, phi: Floats) -> Floats:
        """Return J, symmetric positive definite."""
        ends = np.zeros(self.points)
        ends[[0, -1]] = -1.0
        diagonal = 2.0 + ends + 2.0 * self.coupling * np.cosh(phi)
        off = -np.ones(self.points - 1)
        return np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1)

    def field(self, phi: Floats) -> Floats:
        """Return E at the points, V/m."""
        padded = np.pad(phi, 1, mode="edge")
        return np.asarray(-(padded[2:] - padded[:-2]) * self.thermal / (2.0 * self.step))

    def largest_field(self, phi: Floats) -> float:
        """Return |E| between the two points beside the junction, V/m."""
        return float(np.abs(np.diff(phi)).max() * self.thermal / self.step)

    def carriers(self, phi: Floats) -> tuple[Floats, Floats]:
        """Return electrons and holes, 1/m^3."""
        return self.intrinsic * np.exp(phi), self.intrinsic * np.exp(-phi)


class PotentialStep(NamedTuple):
    """State after a step: phi, the largest change, and max |F| before it."""

    phi: Floats
    change: float
    residual: float


def newton(
    junction: JunctionModel, solve: Callable[[Floats, Floats], Floats], tolerance: float, most: int,
) -> Iterator[PotentialStep]:  # fmt: skip
    """Yield Newton's steps from the depletion approximation until phi changes by less than `tolerance`.

    `solve`: (J, -F) -> the change of phi; `tolerance`: in Vt; `most`: steps at most.
    """
    phi = junction.depletion_potential()
    for _ in range(most):
        residual = junction.residual(phi)
        change = np.clip(solve(junction.jacobian(phi), -residual), -MOST_CHANGE, MOST_CHANGE)
        phi = phi + change
        largest = float(np.abs(change).max())
        yield PotentialStep(phi, largest, float(np.abs(residual).max()))
        if largest < tolerance:
            return


MOST_POINTS = 1024
MOST_STEPS = 30
EXACT = 1e-11  # Vt, down to which the digital solution is taken

# Depletion widths in a bar whose length is not given; more where one side holds nearly all of the layer
WIDTHS = 2.6
PROFILE = Table(
    "junction",
    (
        Column("x", "m"), Column("potential", "V"),
        Column("depletion_potential", "V", description="potential, depletion approximation"),
        Column("field", "V/m"),
        Column("depletion_field", "V/m", description="field, depletion approximation"),
        Column("electrons", "1/m^3"), Column("holes", "1/m^3"),
        Column("doping", "1/m^3", description="|doping|"), Column("charge", "C/m^3"),
    ),
)  # fmt: skip
NEWTON = Table(
    "newton",
    (
        Column("step", dtype="u4"), Column("change", "V", description="largest change of the potential"),
        Column("residual", description="largest residual before the step"), Column("cycles", dtype="u4"),
        Column("error", "V", digital=1e-9, description="largest distance from the digital solution"),
    ),
)  # fmt: skip


class Junction(Application[ApplicationResult]):
    """Solve a p-n junction in equilibrium by Newton's method, its linear systems on the chip."""

    title: ClassVar[str] = "p-n junction in equilibrium"
    leading: ClassVar[tuple[str, ...]] = ("acceptors", "donors", "points", "bits")
    seed = None  # type: ignore[assignment] # nothing is drawn

    acceptors = FloatParameter("Doping of the p side", units="1/m^3", minimum=-1e30, maximum=1e26,
                               default=1e23)  # fmt: skip
    donors = FloatParameter("Doping of the n side", units="1/m^3", minimum=-1e30, maximum=1e26, default=2e22)
    temperature = FloatParameter("Temperature", units="K", minimum=100.0, maximum=600.0, default=300.0)
    points = IntegerParameter("Points along the bar", minimum=4, maximum=MOST_POINTS, default=64)
    length = FloatParameter("Length of the bar, by the depletion width unless given", units="m", minimum=1e-9,
                            maximum=1e-2)  # fmt: skip
    jacobian = ListParameter("Matrix of Newton's steps, each programmed anew, or the first one held for all",
                             choices=["anew", "held"], default="anew")  # fmt: skip
    max_steps = IntegerParameter("Most steps", minimum=1, maximum=MOST_STEPS, default=12)

    def check(self) -> JunctionModel:
        """Refuse doping and lengths that make no junction."""
        super().check()
        length = self.length
        if length is None:
            wide = JunctionModel(self.acceptors, self.donors, 1.0, self.points, self.temperature)
            lean = max(wide.donors, wide.acceptors) / (wide.donors + wide.acceptors)
            length = WIDTHS * max(1.0, 1.35 * lean**2) * wide.depletion_width
        return JunctionModel(self.acceptors, self.donors, length, self.points, self.temperature)

    def in_use(self, plan: Prepared) -> dict[str, tuple[float | str, str]]:
        """Return the length, where none was given."""
        return {**super().in_use(plan), "length": (plan.given.length, "the depletion width's")}

    def matrices(self, given: JunctionModel) -> list[Floats]:
        """Return the matrix of Newton's first step."""
        first: list[Floats] = []

        def solve(matrix: Floats, rhs: Floats) -> Floats:
            first.append(matrix)
            return digital_solution(matrix, rhs)

        next(iter(newton(given, solve, EXACT, 1)))
        return first

    def layout(self, plan: Prepared) -> Layout:
        """Declare the profile along the bar and Newton's steps."""
        junction: JunctionModel = plan.given
        left = junction.depletion_width / (1.0 + junction.acceptors / junction.donors)
        layer = (Band(-left, junction.depletion_width - left, "depletion approximation"),)
        profile: dict[str, Any] = {"table": "junction", "x": "x", "bands": layer}
        figures = (
            Figure("carriers", y=("electrons", "holes", "doping"), y_scale="log",
                   title="Carriers of the p-n junction", **profile),
            Figure("potential", y=("potential", "depletion_potential"), title="Potential", **profile),
            Figure("field", y=("field", "depletion_field"), title="Field", **profile),
            Figure("charge", y="charge", title="Charge density", **profile),
            Figure("newton", table="newton", x="step", y=("change", "error"), y_scale="log",
                   title="Newton's steps on the chip"),
        )  # fmt: skip
        return Layout((PROFILE, NEWTON, MATRICES), default="junction", figures=figures)

    def run_title(self) -> str:
        """Return the doping of both sides."""
        return f"p-n junction, NA {self.acceptors:.2g} and ND {self.donors:.2g} per m^3"

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> ApplicationResult:
        """Take Newton's steps until the potential changes by less than the bits resolve."""
        junction: JunctionModel = plan.given
        *_, exact = newton(junction, digital_solution, EXACT, MOST_STEPS)
        # The steps end where the change is below the last bit of the whole potential.
        tolerance = 2.0 ** -int(self.bits) * float(np.ptp(exact.phi))
        with self.holding(plan, bench, stream) as chip:
            solver = SystemSolver(chip, int(self.bits))

            def solve(matrix: Floats, rhs: Floats) -> Floats:
                if self.jacobian == "anew" or solver.held is None:
                    return solver.anew(matrix, rhs)
                return solver.take(solver.near(matrix, rhs))

            steps: list[PotentialStep] = []
            for step in newton(junction, solve, tolerance, self.max_steps):
                steps.append(step)
                stream.emit(
                    "newton", step=len(steps), change=step.change * junction.thermal, residual=step.residual,
                    cycles=solver.cycles[-1], error=float(np.abs(step.phi - exact.phi).max()) * junction.thermal,
                )  # fmt: skip
                stream.progress("Newton's steps", len(steps), self.max_steps, change=step.change)
            # At each point F has four products and sinh, and J two and cosh.
            chip.beside.digital["beside"] += 8 * junction.points * len(steps)
            costs = chip.costs()
        settled = steps[-1].change < tolerance
        missed = solver.short
        self.say_short(stream, len(missed), len(steps), "systems", *missed[:1])
        if not settled:
            stream.say(
                f"Newton's method has not settled after {len(steps)} steps: the potential still changes by "
                f"{steps[-1].change * junction.thermal:.2g} V; give more steps (max_steps)",
                "WARNING",
            )
        _record_profile(junction, steps[-1].phi, stream)
        return ApplicationResult.of({
            "converged": settled and not missed, "steps": len(steps), "systems_short_of_bits": len(missed),
            "cycles": int(np.sum(solver.cycles)), **_outcome(junction, steps[-1].phi, exact.phi), **costs,
        })  # fmt: skip


def _outcome(junction: JunctionModel, phi: Floats, exact: Floats) -> dict[str, Any]:
    """Return what was found beside the digital solution and the closed forms."""
    built_in = float(phi[-1] - phi[0]) * junction.thermal
    peak = junction.largest_field(phi)
    return {
        "error_to_digital": relative_error(phi, exact), "built_in": (built_in, "V"),
        "built_in_expected": (junction.built_in, "V"), "built_in_error": built_in / junction.built_in - 1.0,
        "peak_field": (peak, "V/m"), "peak_field_exact": (junction.peak_field, "V/m"),
        "error_to_closed_form": abs(peak / junction.peak_field - 1.0),
        "digital_error_to_closed_form": abs(junction.largest_field(exact) / junction.peak_field - 1.0),
        "depletion_width": (2.0 * built_in / peak, "m"),
        "depletion_approximation": (junction.depletion_width, "m"),
    }  # fmt: skip


def _record_profile(junction: JunctionModel, phi: Floats, stream: Stream) -> None:
    approximate = junction.depletion_potential()
    electrons, holes = junction.carriers(phi)
    record_rows(
        stream, "junction", x=junction.places, potential=phi * junction.thermal,
        depletion_potential=approximate * junction.thermal, field=junction.field(phi),
        depletion_field=junction.field(approximate), electrons=electrons, holes=holes,
        doping=np.abs(junction.doping), charge=elementary_charge * (holes - electrons + junction.doping),
    )  # fmt: skip
