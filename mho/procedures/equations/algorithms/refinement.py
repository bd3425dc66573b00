"""HP-INV: iterative refinement around a one-step inverse and an analogue product, as a plain loop.

    x = 0, r = b;  repeat: dx = INV(r);  x += s dx;  r -= s A dx;  until ||r|| is small enough

(Zuo et al. 2025, Methods; the step s minimises ||r||, arXiv 2309.07865.) The residual updated from the analogue products
is only as accurate as these: the error of one wrong integer stays in it. It is therefore recomputed digitally, b - A x,
when it appears small enough, when it has reached the accuracy of the products, and at the end. Only the recomputed one
decides. The loop uses no instrument: `invert`, `multiply` and `recompute` are passed in, and the same loop runs on
arrays in a test and on a chip.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.fixed_point import FixedPoint, to_fixed_point
from mho.errors import ConvergenceError
from mho.procedures.equations.algorithms.certificate import norm

Floats = NDArray[np.float64]
End = Literal["", "converged", "stalled", "railed", "cycles"]

STALL_CYCLES = 10  # cycles within which the residual must fall
STALL_FACTOR = 0.9  # to less than this share of its earlier value
MARGIN = 4.0  # times the products' error, down to which the carried residual is trusted
DISTRUST = 0.5  # share of the last recomputed residual above which the step is found digitally


@dataclass(frozen=True)
class Cycle:
    """State after one cycle.

    Attributes
    ----------
    number : int
        Counts from 1.
    solution : (n,) array
        x so far.
    residual : (n,) array
        b - A x: digital where `recomputed` is a number, else updated from the products.
    carried : float
        ||r|| / ||b|| as updated from the products.
    recomputed : float
        ||b - A x|| / ||b||, digitally; NaN where it was not recomputed.
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
    correction_bits: int = 12,
    max_cycles: int = 50,
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
        (x, ||b - A x||) -> whether x is good enough.
    correction_bits : int
        Bits of dx used in products, about the accuracy of an INV. x is updated with the same rounded dx, so
        rounding slows convergence but does not limit precision.
    max_cycles : int
        Largest number of cycles.

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
    length = norm(rhs)
    state = _State(rhs)
    for number in range(1, max_cycles + 1):
        step, railed = 0.0, False
        try:
            correction = invert(state.residual)
        except ConvergenceError:
            if number == 1:
                raise
            correction, railed = np.zeros_like(rhs), True
        if np.any(correction):
            step = state.advance(to_fixed_point(correction, correction_bits), multiply)
        carried = norm(state.residual)
        state.note(number, carried)
        over = railed or number == max_cycles or number - state.fell >= STALL_CYCLES
        recomputed = off = math.nan
        end: End = ""
        if over or carried <= state.worth or enough(state.solution, carried):
            recomputed, off = state.recompute(number, recompute)
            end = (
                "converged" if enough(state.solution, recomputed) else _end(railed, number, state, max_cycles)
            )
        yield Cycle(
            number, state.solution, state.residual, carried / length, recomputed / length, off, step, end
        )
        if end:
            return


def _end(railed: bool, number: int, state: _State, max_cycles: int) -> End:
    if railed:
        return "railed"
    if number - state.fell >= STALL_CYCLES:
        return "stalled"
    return "cycles" if number == max_cycles else ""


def _share(vector: Floats, along: Floats) -> float:
    """Return the factor s for which s `along` is nearest to `vector`; 0 where `along` is zero.

    Scaled by a power of two, so that no square leaves the range of a double. Sums are rounded once, so they and the
    voltages derived from them are equal on every processor.
    """
    peak = float(np.abs(along).max())
    if peak == 0.0:
        return 0.0
    scale = 2.0 ** math.frexp(peak)[1]
    unit = along / scale
    return math.fsum((vector * unit).tolist()) / math.fsum((unit * unit).tolist()) / scale


class _State:
    """Current solution and residual, and the last recomputed ones.

    `worth` is the norm down to which the carried residual is trusted, from the last recomputation (before the first one
    the accuracy of the products is unknown); `fell` is the cycle in which the residual last fell.
    """

    def __init__(self, rhs: Floats) -> None:
        self.solution, self.residual = np.zeros_like(rhs), rhs.copy()
        self._sure = self.solution, self.residual
        self.worth = math.inf
        self.fell = self._surely_fell = 0
        self._mark = self._sure_mark = norm(rhs)

    def advance(self, correction: FixedPoint, multiply: Callable[[FixedPoint], Floats]) -> float:
        """Add the correction with the step that minimises the residual; return the step."""
        product = multiply(correction)
        step = _share(self.residual, product)
        self.solution = self.solution + step * correction.values
        self.residual = self.residual - step * product
        return step

    def note(self, number: int, carried: float) -> None:
        """Record whether the carried residual fell."""
        if carried < STALL_FACTOR * self._mark:
            self._mark, self.fell = carried, number

    def recompute(self, number: int, recompute: Callable[[Floats], Floats]) -> tuple[float, float]:
        """Recompute the residual and continue from it; return its norm and the error of the carried one.

        Where the products were inaccurate, the step along the whole change since the last recomputation is found from the
        two recomputed residuals, so that the recomputed residual never grows.
        """
        before, start = self._sure
        length = norm(start)
        residual = recompute(self.solution)
        lost = norm(residual - self.residual) / length
        if norm(residual) > DISTRUST * length:
            change = start - residual
            part = _share(start, change)
            trial = before + part * (self.solution - before)
            residual = recompute(trial)
            self.solution = trial
            if norm(residual) >= length:
                self.solution, residual = before, start
        self.residual = residual
        self._sure = self.solution, residual
        sure = norm(residual)
        self.worth = min(MARGIN * lost, 1.0) * sure
        if sure < STALL_FACTOR * self._sure_mark:
            self._sure_mark, self._surely_fell = sure, number
        self._mark, self.fell = sure, self._surely_fell
        return sure, lost
