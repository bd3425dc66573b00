"""Ways to use a correction z ~ A^-1 r and its product A z: how far to go along it, and what of earlier ones to take out.

    plain         x += z
    line search   x += s z, with the s that minimises ||r||                       (arXiv 2309.07865)
    gcr           z and A z are made orthogonal to the earlier products first     (Eisenstat, Elman and Schultz 1983)
    cg            z is made A-orthogonal to the last direction first              (flexible: Notay 2000)

GCR minimises ||r|| over all corrections so far, whatever the INV circuit does from cycle to cycle: it is FGMRES
(Saad 1993) in another form, and has the same residuals. CG is for symmetric positive definite matrices, needs one
earlier direction only, and minimises the error in the norm of A where INV is symmetric as well.

Vectors are short, so that a call costs more than its arithmetic: what orthogonalises lies in one row with its product,
and SciPy's BLAS takes a quarter of the time of the same in numpy.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol

import numpy as np
from scipy.linalg.blas import daxpy, ddot, dnrm2, dscal

from mho.array_types import Floats
from mho.procedures.equations.certificates.certificate import norm

Method = Literal["plain", "line search", "gcr", "cg"]

METHODS: tuple[Method, ...] = ("plain", "line search", "gcr", "cg")
MEMORY = 100
"""Earlier corrections that GCR keeps; of more, the oldest are forgotten."""

STALL_CYCLES = 10  # cycles within which the residual must fall, but for a method that may pause

DEPENDENT = 1e-10
"""Share of a product below which what is left of it beside the earlier ones has lost too much to their rounding.

Down to it this is 2^-52 / 1e-10, two millionths. More is not given away: at a condition number of 1e8 the smallest singular
values leave less than 1e-8 of a product.
"""

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
    length = norm(along)
    size = unit_of(length)
    return _product(vector, _scaled(along, size)) / (length / size) / length if length else 0.0


class Directions(Protocol):
    """Turns corrections into steps.

    Attributes
    ----------
    multiplications : int
        Done so far, to make directions orthogonal and to step along them.
    """

    multiplications: int

    def patience(self, unknowns: int) -> int:
        """Return the cycles within which the residual must fall."""
        ...

    def step(self, correction: Floats, product: Floats, residual: Floats) -> tuple[Floats, Floats, float]:
        """Return the step, its product with A, and its length along the direction.

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

    multiplications = 0

    def patience(self, unknowns: int) -> int:
        """Return `STALL_CYCLES`."""
        return STALL_CYCLES

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
        """Return the step along the correction whose length minimises ||r - s A z||."""
        length = share(residual, product)
        self.multiplications += 4 * len(product)
        return length * correction, length * product, length


class ConjugateResiduals(LineSearch):
    """GCR: products orthogonal to all earlier ones, of length 1.

    Each direction lies in one row with its product, so that both are made orthogonal, and stepped along, in one operation.

    Parameters
    ----------
    memory : int, optional
        Earlier corrections that are kept, `MEMORY` where left out; of more, the oldest are forgotten.
    patience : int, optional
        Cycles for which it may pause; as many as there are unknowns where left out.
    """

    def __init__(self, memory: int | None = None, patience: int | None = None) -> None:
        self._memory, self._patience = MEMORY if memory is None else memory, patience
        self._count = 0
        self._rows: Floats = np.empty((0, 0))
        self._products = self._rows  # the rows' second halves

    def patience(self, unknowns: int) -> int:
        """Return the cycles for which it may pause."""
        return _pause(unknowns) if self._patience is None else self._patience

    def restart(self) -> None:
        """Forget earlier corrections."""
        self._count = 0

    def step(self, correction: Floats, product: Floats, residual: Floats) -> tuple[Floats, Floats, float]:
        """Return the step along what is new in the correction whose length minimises the residual."""
        rest = length = dnrm2(product)
        if length == 0.0:
            return super().step(correction, product, residual)
        n = len(correction)
        if self._count == len(self._rows):
            self._make_room(n)
        count = self._count
        row, image = self._rows[count], self._products[count]
        row[:n] = correction
        image[:] = product
        if count:
            earlier, products = self._rows[:count], self._products[:count]
            for _ in range(2):
                row -= products.dot(image).dot(earlier)
                self.multiplications += (3 * count + 1) * n
                before, rest = rest, dnrm2(image)
                if rest > ENOUGH * before:  # else a second pass removes what rounding left of the first
                    break
        self.multiplications += 6 * n
        if rest < DEPENDENT * length:
            self.restart()
            return super().step(correction, product, residual)
        dscal(1.0 / rest, row)
        self._count = count + 1
        step = ddot(image, residual)
        both = dscal(step, row.copy())
        return both[:n], both[n:], step

    def project(self, residual: Floats) -> tuple[Floats, Floats] | None:
        """Return the combination of earlier corrections that minimises the residual."""
        if not self._count:
            return None
        n = len(residual)
        self.multiplications += 3 * self._count * n
        both = self._products[: self._count].dot(residual).dot(self._rows[: self._count])
        return both[:n], both[n:]

    def _make_room(self, n: int) -> None:
        """Make room for directions of n elements, or for one more in the place of the oldest."""
        if not self._count:
            self._rows = np.empty((self._memory + 1, 2 * n))
            self._products = self._rows[:, n:]
        else:
            self._rows[:-1] = self._rows[1:]
            self._count -= 1


class ConjugateGradients(LineSearch):
    """Flexible CG: each direction A-orthogonal to the one before.

    That one is kept in one row with its product, beside this product and the energy z.Az.
    """

    def __init__(self) -> None:
        self.restart()

    def patience(self, unknowns: int) -> int:
        """Return the cycles for which it may pause."""
        return _pause(unknowns)

    def restart(self) -> None:
        """Forget the last direction."""
        self._last: tuple[Floats, Floats, float] | None = None

    def step(self, correction: Floats, product: Floats, residual: Floats) -> tuple[Floats, Floats, float]:
        """Return the step along the conjugate direction whose length minimises the error in the norm of A.

        Where the correction is no direction of descent, as of an INV that is far from symmetric, the step is that of a
        line search.
        """
        row, n = _scaled(np.concatenate((correction, product)), unit_of(dnrm2(correction))), len(correction)
        along, image = row[:n], row[n:]
        self.multiplications += (5 if self._last is None else 8) * n
        if self._last is not None:
            before, its, energy = self._last
            daxpy(before, row, a=-ddot(along, its) / energy)
        energy = ddot(along, image)
        length = ddot(along, residual) / energy if energy else 0.0
        if not length > 0.0:
            self.restart()
            return super().step(correction, product, residual)
        self._last = row, image, energy
        both = dscal(length, row.copy())
        return both[:n], both[n:], length


def directions(method: Method) -> Directions:
    """Return the way of a method's name."""
    kinds: dict[Method, type[Directions]] = {
        "plain": Plain,
        "line search": LineSearch,
        "gcr": ConjugateResiduals,
        "cg": ConjugateGradients,
    }
    return kinds[method]()


def _pause(unknowns: int) -> int:
    return max(STALL_CYCLES, min(unknowns, MEMORY))


def unit_of(length: float) -> float:
    """Return the power of two next above a length, by which to divide lest squares leave the range; 1 where none does."""
    power = math.frexp(length)[1]
    return 1.0 if -SQUARES < power < SQUARES else 2.0**power


def _scaled(vector: Floats, size: float) -> Floats:
    return vector if size == 1.0 else vector / size


def _product(a: Floats, b: Floats) -> float:
    """Return a.b, the sum rounded once."""
    return math.fsum((a * b).tolist())
