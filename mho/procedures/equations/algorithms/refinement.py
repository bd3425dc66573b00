"""HP-INV: iterative refinement around a one-step inverse and an analogue product, as a plain loop.

    x = 0, r = b;  repeat: z = INV(r);  d = z less earlier ones;  x += s d;  r -= s A d;  until ||r|| is small enough

(Zuo et al. 2025, Methods; what is taken out of z, and the step s, are the method's: `directions`.) The residual updated
from the analogue products is only as accurate as these: the error of one wrong integer stays in it. It is therefore
recomputed digitally, b - A x, when it appears small enough, when it has reached the accuracy of the products, and at the
end. Only the recomputed one decides. The loop uses no instrument: `invert`, `multiply` and `recompute` are passed in, and
the same loop runs on arrays in a test, in a forecast and on a chip.

Refinement of many right-hand sides together: the published loop, a cycle of all columns at once.

    x = 0, r = b;  repeat: dx = INV(r);  x += s dx;  r -= s MVM(dx)

with s = 1 (Zuo et al. 2025, Methods), or the s of each column that minimises its residual (arXiv 2309.07865); by GCR dx is
made orthogonal, by its product, to the column's earlier ones first. The loop decides nothing: who calls it looks at the
residuals, which are as accurate as the products. `refine` is for one column with all precautions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps.multiply_encoding import FixedPoint, to_fixed_point
from mho.errors import ConvergenceError
from mho.procedures.equations.algorithms.directions import MEMORY, Directions, Method, directions, share
from mho.procedures.equations.certificates.certificate import norm

BatchMethod = Literal["plain", "line search", "gcr"]

BATCH_MEMORY = 50
"""Directions that GCR keeps of each column."""

METHODS: tuple[BatchMethod, ...] = ("plain", "line search", "gcr")


class Columns(NamedTuple):
    """Solutions and carried residuals (n, k) after a cycle; by GCR with the directions and products (n, k) so far."""

    solutions: Floats
    residuals: Floats
    directions: tuple[tuple[Floats, Floats], ...] = ()

    def of(self, chosen: NDArray[np.bool_]) -> Columns:
        """Return some of the columns."""
        kept = tuple((one[:, chosen], product[:, chosen]) for one, product in self.directions)
        return Columns(self.solutions[:, chosen], self.residuals[:, chosen], kept)


def refine_columns(
    rhs: Floats,
    invert: Callable[[Floats], Floats],
    multiply: Callable[[Floats], tuple[Floats, Floats]],
    method: BatchMethod = "plain",
    start: Columns | None = None,
) -> Iterator[Columns]:
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
        One of `METHODS`.
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


End = Literal["", "converged", "stalled", "railed", "cycles"]

CORRECTION_BITS = 12  # of a correction in the products: about the accuracy of an INV
STALL_CYCLES = 10  # cycles within which the residual must fall
RECHECK = 6  # cycles after which the carried residual is not trusted further
STALL_FACTOR = 0.9  # to less than this share of its earlier value
MARGIN = 4.0  # times the products' error, down to which the carried residual is trusted
KRYLOV: tuple[Method, ...] = ("gcr", "cg")  # which may pause for as many cycles as there are unknowns
ACCURATE = 1e-3  # error of the carried residual, relative to the last recomputed one, below which its steps are the best
DISTRUST = 0.5  # share of the last recomputed residual above which the step is found digitally


class Cycle(NamedTuple):
    """State after one cycle; a named tuple, as a frozen dataclass takes four times as long to make.

    Attributes
    ----------
    number : int
        Counts from 1.
    solution : (n,) array
        x so far.
    residual : (n,) array
        b - A x: digital where `recomputed` is a number, else updated from the products.
    carried : float
        |r| / |b| as updated from the products, in the measure of `refine`.
    recomputed : float
        |b - A x| / |b|, digitally; NaN where it was not recomputed.
    off : float
        Norm of the difference between the carried and the recomputed residual, relative to the previous recomputed
        one; NaN where it was not recomputed.
    step : float
        Length of the step along dx.
    end : str
        Reason why this is the last cycle; empty for the others.
    """

    number: int
    solution: Floats
    residual: Floats
    carried: float
    recomputed: float
    off: float
    step: float
    end: End = ""


def refine(
    rhs: Floats,
    invert: Callable[[Floats], Floats],
    multiply: Callable[[FixedPoint], Floats],
    recompute: Callable[[Floats], Floats],
    enough: Callable[[Floats, float], bool],
    *,
    method: Method = "line search",
    correction_bits: int = CORRECTION_BITS,
    max_cycles: int = 50,
    measure: Callable[[Floats], float] = norm,
    start: Floats | None = None,
    earlier: Directions | None = None,
    patience: int | None = None,
) -> Iterator[Cycle]:
    """Refine until the recomputed residual is small enough or no longer falls, or the cycles are used up.

    Parameters
    ----------
    rhs : (n,) array
        b.
    invert : callable
        r -> about A^-1 r.
    multiply : callable
        dx in fixed point -> about A dx.
    recompute : callable
        x -> b - A x, digitally, for A as given.
    enough : callable
        (x, |b - A x|) -> whether x is good enough.
    method : str
        How corrections become steps: one of `directions.METHODS`.
    correction_bits : int
        Bits of dx used in products, about the accuracy of an INV. x is updated with the same rounded dx, so
        rounding slows convergence but does not limit precision.
    max_cycles : int
        Largest number of cycles.
    measure : callable
        Residual -> its size |r|, in which it is reported and judged: the Euclidean norm, or that of the equations before
        they were scaled. Steps are chosen by the Euclidean norm.
    start : (n,) array, optional
        Solution to go on from; zero where left out.
    earlier : Directions, optional
        Corrections so far, whose products still hold, by the same method; they serve whatever INV gave them.
    patience : int, optional
        Cycles within which the residual must fall; `STALL_CYCLES` where left out, of a Krylov method as it may pause.

    Yields
    ------
    Cycle
        After each correction. The recomputed residual never grows; the last cycle's is recomputed, so its solution is the
        best of all.

    Raises
    ------
    ConvergenceError
        From `invert` in the first cycle; later it ends the loop with the best solution.
    """
    whole = measure(rhs)
    state = _State(rhs, directions(method) if earlier is None else earlier)
    if start is not None:
        state.begin(start, recompute(start))
    if patience is None:
        patience = max(STALL_CYCLES, min(len(rhs), MEMORY)) if method in KRYLOV else STALL_CYCLES
    for number in range(1, max_cycles + 1):
        step, railed, correction = 0.0, False, None
        state.use_earlier()
        try:
            if state.length:  # nothing is left to invert where the products say so: it is recomputed
                correction = invert(state.residual)
        except ConvergenceError:
            if number == 1:
                raise
            railed = True
        if correction is not None and any(correction.tolist()):  # of a short vector faster than numpy's
            step = state.advance(to_fixed_point(correction, correction_bits), multiply)
        state.note(number)
        stalled = number - state.fell >= patience
        size = state.length if measure is norm else measure(state.residual)
        recomputed = off = math.nan
        end: End = ""
        if (
            railed
            or stalled
            or number == max_cycles
            or state.length <= state.worth
            or number - state.recomputed >= RECHECK
            or enough(state.solution, size)
        ):
            off = state.recompute(number, recompute)
            recomputed = measure(state.residual)
            stalled = number - state.fell >= patience
            if enough(state.solution, recomputed):
                end = "converged"
            elif railed or stalled or number == max_cycles:
                end = "railed" if railed else "stalled" if stalled else "cycles"
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
        self._directions = earlier
        self._anew = True
        self.worth = math.inf
        self.fell = self._surely_fell = self.recomputed = 0
        self.begin(np.zeros(len(rhs)), rhs.copy())

    def begin(self, solution: Floats, residual: Floats) -> None:
        """Go on from a solution and its recomputed residual."""
        self.solution, self.residual = solution, residual
        self.length = self._mark = self._sure_mark = norm(residual)
        self._sure = solution, residual, self.length

    def use_earlier(self) -> None:
        """Use earlier corrections for a residual that was found anew: it costs no operation of the chip."""
        if self._anew:
            if (found := self._directions.project(self.residual)) is not None:
                self._go(*found)
            self._anew = False

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
