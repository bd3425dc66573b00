"""HP-INV: iterative refinement around a one-step inverse and an analogue product, as a plain loop.

    x = 0, r = b;  repeat: z = INV(r);  d = z less earlier ones;  x += s d;  r -= s A d;  until ||r|| is small enough

(Zuo et al. 2025, Methods; what is taken out of z, and the step s, are the method's, see `Directions`.) The residual updated
from the analogue products is only as accurate as these: the error of one wrong integer stays in it. It is therefore
recomputed digitally, b - A x, when it appears small enough, when it has reached the accuracy of the products, and at the
end. Only the recomputed one decides. The loop uses no instrument: `invert`, `multiply` and `recompute` are passed in, and
the same loop runs on arrays in a test, in a forecast and on a chip.

`refine_columns` is the published loop, s = 1, of many right-hand sides at once; or with the s of each column that minimises
its residual (arXiv 2309.07865), by GCR of a d that is orthogonal, by its product, to the column's earlier ones. It decides
nothing: who calls it looks at the residuals, which are as accurate as the products.

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
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps.multiply_encoding import FixedPoint, to_fixed_point
from mho.errors import ConvergenceError, InputError, MhoError
from mho.lazy_names import compiled_alone
from mho.procedures.equations.certificates.certificate import norm

if TYPE_CHECKING:
    from scipy.linalg.blas import daxpy, ddot, dnrm2, dscal
else:
    daxpy, ddot, dnrm2, dscal = compiled_alone(
        "scipy.linalg", "_fblas", ["daxpy", "ddot", "dnrm2", "dscal"], "scipy.linalg.blas"
    )

METHODS = ("plain", "line search", "gcr", "cg")
MEMORY = 100  # earlier corrections that GCR keeps; of more, the oldest are forgotten
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
    """Turns corrections into steps."""

    multiplications: int  # done so far, to make directions orthogonal and to step along them

    def patience(self, unknowns: int) -> int:
        """Return the cycles within which the residual must fall."""
        ...

    def step(self, correction: Floats, product: Floats, residual: Floats) -> tuple[Floats, Floats, float]:
        """Return the step, its product with A, and its length along the direction.

        `correction`, `product`, `residual` (n,): z, A z and r.
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

    Each direction lies in one row with its product, so that both are made orthogonal, and stepped along, in one
    operation. `memory`: earlier corrections that are kept, `MEMORY` where left out; of more, the oldest are
    forgotten. `patience`: cycles for which it may pause; as many as there are unknowns where left out.
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


class Refinement(Plain):
    """A refinement of one's own: derive from it and say how a correction becomes a step (`advance`).

    One object refines one right-hand side; what it keeps from cycle to cycle are its attributes. Its name stands wherever
    a method's does: ``method="momentum.py:Momentum"``, or the class itself. Whatever it does, the residual is recomputed
    from the matrix as given, and a solution counts only with its certificate.

    Examples
    --------
    >>> class Momentum(mho.Refinement):
    ...     last = 0.0
    ...     def advance(self, correction, product, residual):
    ...         step = np.stack([correction, product]) + 0.3 * self.last
    ...         self.last = step
    ...         return step[0], step[1]
    """

    def advance(self, correction: Floats, product: Floats, residual: Floats) -> tuple[Floats, Floats]:
        """Return the step dx, and its product A dx, (n,) each.

        Parameters
        ----------
        correction : (n,) array
            z, about A^-1 r, from the chip.
        product : (n,) array
            A z, as the products have it.
        residual : (n,) array
            r = b - A x before the step.
        """
        raise InputError(
            f"the refinement {type(self).__name__} does not say advance(correction, product, residual), which returns the "
            "step and its product"
        )

    def patience(self, unknowns: int) -> int:
        """Return the cycles within which the residual must fall; more than `STALL_CYCLES` where it may pause."""
        return STALL_CYCLES

    def restart(self) -> None:
        """Forget what was kept: the residual that it came from was wrong. Nothing is forgotten unless this is said."""

    def step(self, correction: Floats, product: Floats, residual: Floats) -> tuple[Floats, Floats, float]:
        """Return what `advance` returns, checked, with its length in units of the correction's."""
        given = correction.copy(), product.copy(), residual.copy()  # which are its own to change
        try:
            returned = self.advance(*given)
        except MhoError:
            raise
        except Exception as error:
            raise self._error(f"failed ({type(error).__name__}: {error})") from error
        try:
            step, image = (np.asarray(one).astype(np.float64, casting="same_kind") for one in returned)
        except (TypeError, ValueError) as error:
            raise self._error(f"did not return two arrays of real numbers ({error})") from error
        for what, one in (("step", step), ("product", image)):
            if one.shape != correction.shape:
                raise self._error(f"returned a {what} of shape {one.shape}; it must be {correction.shape}")
            if not np.isfinite(one).all():
                place = int(np.flatnonzero(~np.isfinite(one))[0])
                raise self._error(f"returned a {what} whose entry {place}, counted from 0, is {one[place]}")
        return step, image, norm(step) / (norm(correction) or 1.0)

    def _error(self, what: str) -> InputError:
        return InputError(f"the refinement {type(self).__name__} cannot be used: its advance {what}")


Method: TypeAlias = "Literal['plain', 'line search', 'gcr', 'cg'] | type[Refinement]"
"""A method of refinement: one of `METHODS`, or a class of one's own."""


def method_name(method: Method) -> str:
    """Return a method in words: a class by its name."""
    return method if isinstance(method, str) else method.__name__


def directions(method: Method) -> Directions:
    """Return the way of a method, with nothing kept yet."""
    if not isinstance(method, str):
        return method()
    kinds: dict[str, type[Directions]] = {
        "plain": Plain, "line search": LineSearch, "gcr": ConjugateResiduals, "cg": ConjugateGradients,
    }  # fmt: skip
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


End = Literal["", "converged", "stalled", "railed", "cycles"]

CORRECTION_BITS = 12  # of a correction in the products: about the accuracy of an INV
RECHECK = 6  # cycles after which the carried residual is not trusted further
STALL_FACTOR = 0.9  # to less than this share of its earlier value
MARGIN = 4.0  # times the products' error, down to which the carried residual is trusted
ACCURATE = 1e-3  # error of the carried residual, relative to the last recomputed one, below which its steps are the best
DISTRUST = 0.5  # share of the last recomputed residual above which the step is found digitally


class Cycle(NamedTuple):
    """State after one cycle; a named tuple, as a frozen dataclass takes four times as long to make."""

    number: int  # counts from 1
    solution: Floats  # (n,): x so far
    residual: Floats  # (n,): b - A x: digital where `recomputed` is a number, else updated from the products
    carried: float  # |r| / |b| as updated from the products, in the measure of `refine`
    recomputed: float  # |b - A x| / |b|, digitally; NaN where it was not recomputed
    # Norm of the difference between the carried and the recomputed residual, relative to the previous
    # recomputed one; NaN where it was not recomputed
    off: float
    step: float  # length of the step along dx
    end: End = ""  # reason why this is the last cycle; empty for the others


def refine(
    rhs: Floats, invert: Callable[[Floats], Floats], multiply: Callable[[FixedPoint], Floats],
    recompute: Callable[[Floats], Floats], enough: Callable[[Floats, float], bool], *,
    method: Method | Directions = "line search", correction_bits: int = CORRECTION_BITS,
    max_cycles: int = 50, measure: Callable[[Floats], float] = norm, start: Floats | None = None,
) -> Iterator[Cycle]:  # fmt: skip
    """Yield each cycle until the recomputed residual is small enough or no longer falls, or the cycles are used up.

    The recomputed residual never grows; the last cycle's is recomputed, so its solution is the best of all.

    Parameters
    ----------
    rhs : (n,) array
        b.
    invert, multiply, recompute : callables
        r -> about A^-1 r; dx in fixed point -> about A dx; x -> b - A x, digitally, for A as given.
    enough : callable
        (x, |b - A x|) -> whether x is good enough.
    method : str, class or Directions
        How corrections become steps: one of `METHODS`, a `Refinement`, or one of either with its corrections so far.
    correction_bits : int
        Bits of dx in products, about the accuracy of INV. x gets the same rounded dx: precision is not limited by it.
    measure : callable
        Residual -> its size |r|, in which it is reported and judged; steps are chosen by the Euclidean norm.
    start : (n,) array, optional
        Solution to go on from; zero where left out.

    Raises
    ------
    ConvergenceError
        From `invert` in the first cycle; later it ends the loop with the best solution.
    """
    whole = measure(rhs)
    state = _State(rhs, directions(method) if isinstance(method, str | type) else method)
    if start is not None:
        state.begin(start, recompute(start))
    for number in range(1, max_cycles + 1):
        step, railed, correction = 0.0, False, None
        try:
            correction = state.correction(invert)
        except ConvergenceError:
            if number == 1:
                raise
            railed = True
        if correction is not None and any(correction.tolist()):  # of a short vector faster than numpy's
            step = state.advance(to_fixed_point(correction, correction_bits), multiply)
        state.note(number)
        size = state.length if measure is norm else measure(state.residual)
        recomputed = off = math.nan
        end: End = ""
        last = railed or number == max_cycles
        if last or state.doubtful(number) or enough(state.solution, size):
            off = state.recompute(number, recompute)
            recomputed = measure(state.residual)
            if enough(state.solution, recomputed):
                end = "converged"
            elif railed or state.stalled(number):
                end = "railed" if railed else "stalled"
            elif last:
                end = "cycles"
        yield Cycle(number, state.solution, state.residual, size / whole, recomputed / whole, off, step, end)
        if end:
            return


class _State:
    """Current solution and residual, and the last recomputed ones.

    `length` is the norm of the current residual; `worth` that down to which a carried one is trusted, from the last
    recomputation (before the first one the accuracy of the products is unknown); `fell` is the cycle in which the residual
    last fell, `recomputed` that of the last recomputation.
    """

    def __init__(self, rhs: Floats, earlier: Directions) -> None:
        self._directions, self._patience = earlier, earlier.patience(len(rhs))
        self._anew = True
        self.worth = math.inf
        self.fell = self._surely_fell = self.recomputed = 0
        self.begin(np.zeros(len(rhs)), rhs.copy())

    def begin(self, solution: Floats, residual: Floats) -> None:
        """Go on from a solution and its recomputed residual."""
        self.solution, self.residual = solution, residual
        self.length = self._mark = self._sure_mark = norm(residual)
        self._sure = solution, residual, self.length

    def correction(self, invert: Callable[[Floats], Floats]) -> Floats | None:
        """Return about A^-1 r; None where nothing is left to invert, as the products say: it is recomputed.

        Earlier corrections are used first for a residual that was computed anew: it costs no operation of the chip.
        """
        if self._anew:
            if (earlier := self._directions.project(self.residual)) is not None:
                self._go(*earlier)
            self._anew = False
        return invert(self.residual) if self.length else None

    def advance(self, correction: FixedPoint, multiply: Callable[[FixedPoint], Floats]) -> float:
        """Step along the correction as the method says; return the length of the step."""
        step, product, length = self._directions.step(correction.values, multiply(correction), self.residual)
        self._go(step, product)
        return length

    def _go(self, step: Floats, product: Floats) -> None:
        """Add a step to the solution, and take its product with A from the residual."""
        self.solution = self.solution + step
        self.residual = self.residual - product
        self.length = norm(self.residual)

    def note(self, number: int) -> None:
        """Record whether the carried residual fell."""
        if self.length < STALL_FACTOR * self._mark:
            self._mark, self.fell = self.length, number

    def stalled(self, number: int) -> bool:
        """Return whether the residual has not fallen for too many cycles."""
        return number - self.fell >= self._patience

    def doubtful(self, number: int) -> bool:
        """Return whether the carried residual is to be recomputed: stalled, as small as its accuracy, or too old."""
        return self.stalled(number) or self.length <= self.worth or number - self.recomputed >= RECHECK

    def recompute(self, number: int, recompute: Callable[[Floats], Floats]) -> float:
        """Recompute the residual and continue from it; return the error of the carried one, relative to the last.

        Where the products were inaccurate, the step along the whole change since the last recomputation is found from the
        two recomputed residuals, so that the recomputed residual never grows.
        """
        before, start, length = self._sure
        self.recomputed = number
        residual = recompute(self.solution)
        sure = norm(residual)
        lost = norm(residual - self.residual) / length
        inaccurate = lost > ACCURATE
        if sure >= length or (inaccurate and sure > DISTRUST * length):
            change = start - residual
            part = share(start, change)
            trial = before + part * (self.solution - before)
            residual = recompute(trial)
            self.solution, sure = trial, norm(residual)
            if sure >= length:
                self.solution, residual, sure = before, start, length
            if inaccurate:
                self._directions.restart()
        self.residual, self.length, self._anew = residual, sure, True
        self._sure = self.solution, residual, sure
        self.worth = min(MARGIN * lost, 1.0) * sure
        if sure < STALL_FACTOR * self._sure_mark:
            self._sure_mark, self._surely_fell = sure, number
        self._mark, self.fell = sure, self._surely_fell
        return lost


BatchMethod = Literal["plain", "line search", "gcr"]

BATCH_MEMORY = 50  # directions that GCR keeps of each column


class Columns(NamedTuple):
    """Solutions and carried residuals (n, k) after a cycle; by GCR with the directions and products (n, k) so far."""

    solutions: Floats
    residuals: Floats
    directions: tuple[tuple[Floats, Floats], ...] = ()

    def of(self, chosen: NDArray[np.bool_]) -> Columns:
        """Return some of the columns."""
        directions = tuple((one[:, chosen], product[:, chosen]) for one, product in self.directions)
        return Columns(self.solutions[:, chosen], self.residuals[:, chosen], directions)


def refine_columns(
    rhs: Floats, invert: Callable[[Floats], Floats], multiply: Callable[[Floats], tuple[Floats, Floats]],
    method: BatchMethod = "plain", start: Columns | None = None,
) -> Iterator[Columns]:  # fmt: skip
    """Yield solutions and residuals after each cycle, without end.

    Parameters
    ----------
    rhs : (n, k) array
        B.
    invert : callable
        R (n, k) -> about A^-1 R.
    multiply : callable
        Z (n, k) -> what the products take Z for, and its product with A, both (n, k).
    method : str
        One of `BatchMethod`.
    start : Columns, optional
        To go on from; zeros and B where left out.
    """
    now = Columns(np.zeros_like(rhs), rhs) if start is None else start
    while True:
        taken, products = multiply(invert(now.residuals))
        steps, directions = np.ones(rhs.shape[1]), now.directions
        if method == "gcr":
            taken, products = _orthogonal(taken, products, directions)
            directions = (*directions[-BATCH_MEMORY + 1 :], (taken, products))
        if method != "plain":
            lengths = np.square(products).sum(axis=0)
            along = (products * now.residuals).sum(axis=0)
            steps = np.divide(along, lengths, out=np.zeros_like(along), where=lengths > 0.0)
        now = Columns(now.solutions + steps * taken, now.residuals - steps * products, directions)
        yield now


def _orthogonal(
    taken: Floats, products: Floats, directions: tuple[tuple[Floats, Floats], ...]
) -> tuple[Floats, Floats]:
    """Return corrections whose products have length 1 and are orthogonal to the earlier ones of their columns."""
    for direction, product in directions:
        share = (product * products).sum(axis=0)
        taken, products = taken - share * direction, products - share * product
    lengths = np.sqrt(np.square(products).sum(axis=0))
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0.0)
    return taken * scale, products * scale
