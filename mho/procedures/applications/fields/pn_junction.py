"""A p-n junction in equilibrium: Newton's method on the non-linear Poisson-Boltzmann equation, and its closed forms.

    eps psi'' = -q (p - n + N),   n = ni exp(psi / Vt),   p = ni exp(-psi / Vt),   N = ND - NA,   psi' = 0 at both ends

(Sze and Ng, Physics of Semiconductor Devices, 3rd ed. 2007, section 2.2). With phi = psi / Vt and
c = q ni h^2 / (eps Vt) the equation at each point is

    F = -phi[k-1] + 2 phi[k] - phi[k+1] + c (2 sinh phi[k] - N[k] / ni) = 0,     J = tridiag(-1, 2 + 2 c cosh phi, -1)

Without a field at the ends the built-in potential is a result and no boundary condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.constants import Boltzmann, elementary_charge, epsilon_0

from mho.errors import InputError

Floats = NDArray[np.float64]

SILICON = 11.7
"""Relative permittivity."""

MARGIN = 0.6
"""Of the length: the depletion layer must leave neutral ends, and takes this share of the length at most."""

MOST_CHANGE = 4.0
"""Largest change of phi in one step, in Vt: Newton's steps through an exponential overshoot without it."""


def intrinsic(temperature: float) -> float:
    """Return silicon's intrinsic density, 1/m^3 (Misiakos and Tsamakis, J. Appl. Phys. 74, 3293 (1993)); 9.7e15 at 300
    K.
    """
    return float(5.29e25 * (temperature / 300.0) ** 2.54 * np.exp(-6726.0 / temperature))


@dataclass(frozen=True)
class JunctionModel:
    """An abrupt junction in the middle of a bar, p on its left.

    Attributes
    ----------
    acceptors, donors : float
        Doping, 1/m^3.
    length : float
        m.
    points : int
    temperature : float
        K.
    """

    acceptors: float
    donors: float
    length: float
    points: int
    temperature: float = 300.0

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
    def neutral(self) -> Floats:
        """Phi where no field is: asinh(N / 2 ni)."""
        return np.arcsinh(self.doping / (2.0 * self.intrinsic))

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


class NewtonStep(NamedTuple):
    """State after a step: phi, the largest change, and max |F| before it."""

    phi: Floats
    change: float
    residual: float


def newton(
    junction: JunctionModel,
    solve: Callable[[Floats, Floats], Floats],
    tolerance: float,
    most: int,
) -> Iterator[NewtonStep]:
    """Yield Newton's steps from the depletion approximation until phi changes by less than `tolerance`.

    Parameters
    ----------
    solve : callable
        (J, -F) -> the change of phi.
    tolerance : float
        In Vt.
    most : int
        Steps at most.
    """
    phi = junction.depletion_potential()
    for _ in range(most):
        residual = junction.residual(phi)
        change = np.clip(solve(junction.jacobian(phi), -residual), -MOST_CHANGE, MOST_CHANGE)
        phi = phi + change
        largest = float(np.abs(change).max())
        yield NewtonStep(phi, largest, float(np.abs(residual).max()))
        if largest < tolerance:
            return
