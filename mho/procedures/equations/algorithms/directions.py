"""Ways to use a correction z ~ A^-1 r and its product A z: how far to go along it, and what of earlier ones to take out.

    plain         x += z
    line search   x += s z, with the s that minimises ||r||                       (arXiv 2309.07865)
    gcr           z and A z are made orthogonal to the earlier products first     (Eisenstat, Elman and Schultz 1983)
    cg            z is made A-orthogonal to the last direction first              (flexible: Notay 2000)

GCR minimises ||r|| over all corrections so far, whatever the INV circuit does from cycle to cycle: it is FGMRES
(Saad 1993) in another form, and has the same residuals. CG is for symmetric positive definite matrices, needs one
earlier direction only, and minimises the error in the norm of A where INV is symmetric as well.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mho.procedures.equations.certificates.certificate import norm

Floats = NDArray[np.float64]
Method = Literal["plain", "line search", "gcr", "cg"]

METHODS: tuple[Method, ...] = ("plain", "line search", "gcr", "cg")
MEMORY = 100
"""Earlier corrections that GCR keeps; of more, the oldest are forgotten."""

DEPENDENT = 1e-8
"""Share of a product below which what is left of it beside the earlier ones is their rounding."""

ENOUGH = 0.5
"""Share of a product that one pass must leave of it, lest a second follow (Daniel, Gragg, Kaufman and Stewart, Math. Comp.
30, 772 (1976))."""

SQUARES = 180
"""Lengths between the inverse of this power of two and itself are not scaled: neither their squares nor their products with
anything between 1e-250 and 1e250 leave the range of a double."""


def share(vector: Floats, along: Floats) -> float:
    """Return the factor s for which s `along` is nearest to `vector`; 0 where `along` is zero.

    Scaled by a power of two where a square would leave the range of a double. Sums are rounded once, so they and the
    voltages derived from them are equal on every processor.
    """
    size = _power(along)
    unit = _scaled(along, size)
    below = _product(unit, unit)
    return _product(vector, unit) / below / size if below else 0.0


class Directions(Protocol):
    """Turns corrections into steps."""

    def step(self, correction: Floats, product: Floats, residual: Floats) -> tuple[Floats, Floats, float]:
        """Return direction, its product with A, and the length to go along it.

        Parameters
        ----------
        correction, product, residual : (n,) arrays
            z, A z and r.
        """
        ...

    def restart(self) -> None:
        """Forget earlier corrections."""

    def project(self, residual: Floats) -> tuple[Floats, Floats] | None:
        """Return the step, and its product with A, that earlier corrections allow for a residual found anew, if any."""
        ...


class Plain:
    """The whole correction."""

    def step(self, correction: Floats, product: Floats, residual: Floats) -> tuple[Floats, Floats, float]:
        """Return the correction as it is."""
        return correction, product, 1.0

    def restart(self) -> None:
        """Nothing is kept."""

    def project(self, residual: Floats) -> tuple[Floats, Floats] | None:
        """Return no step: nothing is kept."""
        return None


class LineSearch(Plain):
    """The correction as far as the residual falls."""

    def step(self, correction: Floats, product: Floats, residual: Floats) -> tuple[Floats, Floats, float]:
        """Return the correction and the length that minimises ||r - s A z||."""
        return correction, product, share(residual, product)


class ConjugateResiduals(Plain):
    """GCR: products orthogonal to all earlier ones, of length 1.

    Each direction lies in one row with its product, so that both are made orthogonal in one operation.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget earlier corrections."""
        self._count = 0
        self._rows: Floats = np.empty((0, 0))
        self._products = self._rows  # the rows' second halves

    def step(self, correction: Floats, product: Floats, residual: Floats) -> tuple[Floats, Floats, float]:
        """Return what is new in the correction, and the length that minimises the residual along it."""
        rest = length = norm(product)
        if length == 0.0:
            return correction, product, 0.0
        count, n = self._count, len(correction)
        if count == len(self._rows):
            count = self._make_room(n)
        row, image = self._rows[count], self._products[count]
        row[:n] = correction
        image[:] = product
        if count:
            earlier, products = self._rows[:count], self._products[:count]
            for _ in range(2):
                row -= products.dot(image).dot(earlier)
                before, rest = rest, norm(image)
                if rest > ENOUGH * before:  # else a second pass removes what rounding left of the first
                    break
        if rest < DEPENDENT * length:
            self.restart()
            return correction, product, share(residual, product)
        row /= rest
        self._count = count + 1
        return row[:n], image, float(image.dot(residual))

    def project(self, residual: Floats) -> tuple[Floats, Floats] | None:
        """Return the combination of earlier corrections that minimises the residual."""
        if not self._count:
            return None
        n = len(residual)
        both = self._products[: self._count].dot(residual).dot(self._rows[: self._count])
        return both[:n], both[n:]

    def _make_room(self, n: int) -> int:
        """Make room for one more direction of n elements, and return how many there are; the oldest one may go."""
        kept = self._rows[-MEMORY:]
        self._rows = np.empty((min(max(16, 2 * self._count), MEMORY + 1), 2 * n))
        self._products = self._rows[:, n:]
        self._count = len(kept)
        if self._count:
            self._rows[: self._count] = kept
        return self._count


class ConjugateGradients(Plain):
    """Flexible CG: each direction A-orthogonal to the one before."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget the last direction."""
        self._last: tuple[Floats, Floats, float] | None = None

    def step(self, correction: Floats, product: Floats, residual: Floats) -> tuple[Floats, Floats, float]:
        """Return the conjugate direction, and the length that minimises the error in the norm of A along it.

        Where the correction is no direction of descent, as of an INV that is far from symmetric, the step is that of a
        line search.
        """
        size = _power(correction)
        along, image = _scaled(correction, size), _scaled(product, size)
        if self._last is not None:
            before, its, energy = self._last
            part = float(along.dot(its)) / energy
            along, image = along - part * before, image - part * its
        energy = float(along.dot(image))
        length = float(along.dot(residual)) / energy if energy else 0.0
        if not length > 0.0:
            self.restart()
            return correction, product, share(residual, product)
        self._last = along, image, energy
        return along, image, length


def directions(method: Method) -> Directions:
    """Return the way of a method's name."""
    kinds: dict[Method, type[Directions]] = {
        "plain": Plain,
        "line search": LineSearch,
        "gcr": ConjugateResiduals,
        "cg": ConjugateGradients,
    }
    return kinds[method]()


def _power(vector: Floats) -> float:
    """Return the power of two next above the length, by which to divide lest squares leave the range; 1 where none does."""
    power = math.frexp(norm(vector))[1]
    return 1.0 if -SQUARES < power < SQUARES else 2.0**power


def _scaled(vector: Floats, size: float) -> Floats:
    return vector if size == 1.0 else vector / size


def _product(a: Floats, b: Floats) -> float:
    """Return a.b, the sum rounded once."""
    return math.fsum((a * b).tolist())
