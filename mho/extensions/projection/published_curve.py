"""What is published of the circuit, point by point, and how far the model is off each of them.

Throughput (Zuo et al. 2025, Fig. 5, read off to 1 to 5 %) is known at six sizes. Energy of a solve is operations over
operations per joule of the same figure; three points of it are known here, two with the measured amplifiers and one with
the faster ones. Two constants are fitted to those three by least squares of relative deviations,

    E = P_amp (amplifiers x time)  +  V^2 G (cells x time)  +  conversions + adding
          ~ N                            ~ N^2                     ~ N

the amplifiers' power and the voltage across cells; energies of conversion and adding are taken, not fitted. Without the
term of the cells the best fit is 12 % off. The term of N^2 has to shrink with time: if it did not, the amplifiers alone
would make what faster ones save, with 0.79 mW, by which N = 32 takes 134 nJ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mho.extensions.projection.assumptions import Assumptions, Parameters
from mho.extensions.projection.model import Cost, cost_in_one_loop

# INV and MVM times, s: as measured, and as the published headline assumes
MEASURED, FASTER = (120e-9, 60e-9), (20e-9, 10e-9)
HEADLINE_SIZE = 128  # lines of the one loop of the published headline
PUBLISHED_SIZES = (4, 8, 16, 32, 64, 128)
# Equivalent operations a second of the published circuit, one loop, converters included
PUBLISHED_THROUGHPUT = (4.0e7, 2.15e8, 1.3e9, 8.7e9, 6.3e10, 4.8e11)
# J of a solve of the published headline: one loop of 128 lines with the faster amplifiers
HEADLINE_ENERGY = 125e-9


@dataclass(frozen=True)
class PublishedPoint:
    """One published number of one loop of `size` lines: `quantity` names what of `Cost` it is."""

    quantity: str
    size: int
    times: tuple[float, float]
    value: float

    def model(self, p: Parameters) -> float:
        """Return what the model says with these assumptions, and the point's own INV and MVM times."""
        return float(getattr(self.cost(p), self.quantity))

    def cost(self, p: Parameters) -> Cost:
        """Return what a solve costs with the point's own times."""
        inv, mvm = self.times
        return cost_in_one_loop(self.size, replace(p, inv_time=inv, mvm_time=mvm))

    def deviation(self, p: Parameters) -> float:
        """Return how far the model is off, relative to what is published."""
        return self.model(p) / self.value - 1.0

    @property
    def words(self) -> str:
        """What it is of, in words."""
        return self.quantity if self.times == MEASURED else f"{self.quantity} with faster amplifiers"


PUBLISHED_POINTS = (
    *(
        PublishedPoint("throughput", size, MEASURED, value)
        for size, value in zip(PUBLISHED_SIZES, PUBLISHED_THROUGHPUT, strict=True)
    ),
    PublishedPoint("energy", 32, MEASURED, 103e-9),
    PublishedPoint("energy", HEADLINE_SIZE, MEASURED, 529e-9),
    PublishedPoint("energy", HEADLINE_SIZE, FASTER, HEADLINE_ENERGY),
)


def published_deviations(assumptions: Assumptions, quantity: str = "throughput") -> list[float]:
    """Return the relative deviations from the published points of a quantity, ``throughput`` or ``energy``."""
    p = assumptions.parameters
    return [one.deviation(p) for one in PUBLISHED_POINTS if one.quantity == quantity]
