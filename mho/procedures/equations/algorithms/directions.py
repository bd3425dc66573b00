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


def share(vector: Floats, along: Floats) -> float:
    """Return the factor s for which s `along` is nearest to `vector`; 0 where `along` is zero.

    Scaled by a power of two, so that no square leaves the range of a double. Sums are rounded once, so they and the
    voltages derived from them are equal on every processor.
    """
    size = _power(along)
    unit = along / size
    return _ratio(vector, unit, unit, unit) / size


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

    def project(self, residual: Floats) -> tuple[Floats, Floats]:
        """Return the step, and its product with A, that earlier corrections allow for a residual found anew."""
        ...


class Plain:
    """The whole correction."""

    def step(self, correction: Floats, product: Floats, residual: Floats) -> tuple[Floats, Floats, float]:
        """Return the correction as it is."""
        return correction, product, 1.0

    def restart(self) -> None:
        """Nothing is kept."""

    def project(self, residual: Floats) -> tuple[Floats, Floats]:
        """Return no step: nothing is kept."""
        return np.zeros_like(residual), np.zeros_like(residual)


class LineSearch(Plain):
    """The correction as far as the residual falls."""

    def step(self, correction: Floats, product: Floats, residual: Floats) -> tuple[Floats, Floats, float]:
        """Return the correction and the length that minimises ||r - s A z||."""
        return correction, product, share(residual, product)


class ConjugateResiduals(Plain):
    """GCR: products orthogonal to all earlier ones."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget earlier corrections."""
        self._count = 0
        self._along: Floats = np.empty((0, 0))
        self._products: Floats = np.empty((0, 0))

    def step(self, correction: Floats, product: Floats, residual: Floats) -> tuple[Floats, Floats, float]:
        """Return what is new in the correction, and the length that minimises the residual along it."""
        length = norm(product)
        if length == 0.0:
            return correction, product, 0.0
        along, image = correction / length, product / length
        if self._count:
            for _ in range(2):  # the second pass removes what rounding left of the first
                parts = self._products[: self._count] @ image
                image = image - parts @ self._products[: self._count]
                along = along - parts @ self._along[: self._count]
        rest = norm(image)
        if rest < DEPENDENT:
            self.restart()
            return correction, product, share(residual, product)
        along, image = along / rest, image / rest
        self._keep(along, image)
        return along, image, share(residual, image)

    def project(self, residual: Floats) -> tuple[Floats, Floats]:
        """Return the combination of earlier corrections that minimises the residual."""
        if not self._count:
            return super().project(residual)
        parts = self._products[: self._count] @ residual
        return parts @ self._along[: self._count], parts @ self._products[: self._count]

    def _keep(self, along: Floats, image: Floats) -> None:
        if self._count == MEMORY:
            self._along, self._products = (
                np.roll(self._along, -1, axis=0),
                np.roll(self._products, -1, axis=0),
            )
            self._count -= 1
        elif self._count == len(self._along):
            room = np.zeros((max(8, self._count), len(along)))
            width = len(along)
            self._along = np.concatenate([self._along.reshape(-1, width), room])[:MEMORY]
            self._products = np.concatenate([self._products.reshape(-1, width), room])[:MEMORY]
        self._along[self._count], self._products[self._count] = along, image
        self._count += 1


class ConjugateGradients(Plain):
    """Flexible CG: each direction A-orthogonal to the one before."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget the last direction."""
        self._last: tuple[Floats, Floats] | None = None

    def step(self, correction: Floats, product: Floats, residual: Floats) -> tuple[Floats, Floats, float]:
        """Return the conjugate direction, and the length that minimises the error in the norm of A along it.

        Where the correction is no direction of descent, as of an INV that is far from symmetric, the step is that of a
        line search.
        """
        size, full = _power(correction), _power(residual)
        along, image = correction / size, product / size
        if self._last is not None:
            before, its = self._last
            part = _ratio(along, its, before, its)
            along, image = along - part * before, image - part * its
        length = _ratio(residual / full, along, along, image) * full
        if not length > 0.0:
            self.restart()
            return correction, product, share(residual, product)
        self._last = along, image
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
    """Return the power of two next above the largest magnitude; 1 for zeros."""
    return float(2.0 ** math.frexp(float(np.abs(vector).max()))[1]) if vector.any() else 1.0


def _ratio(a: Floats, b: Floats, c: Floats, d: Floats) -> float:
    """Return a.b / c.d, each sum rounded once; 0 where the lower one is zero."""
    below = math.fsum((c * d).tolist())
    return math.fsum((a * b).tolist()) / below if below else 0.0
