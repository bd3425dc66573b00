"""Solve with a matrix that is near the one on the chip: GCR around its one-step inverse, no cell written anew.

A matrix that changes a little from step to step (a Jacobian, a covariance) need not be programmed at each: M x = b with
M = A + D converges around INV of A as long as A^-1 M has its eigenvalues away from 0. GCR minimises the residual over all
corrections so far, whatever INV does from cycle to cycle (Eisenstat, Elman and Schultz, SIAM J. Numer. Anal. 20, 345
(1983)). The residual is digital and recomputed in every cycle, so the answer is that of M. Without the chip the residual
itself is the correction: the same loop, which tells what INV was worth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import ConvergenceError
from mho.procedures.equations import SampledWorth, UnaidedSolve, Work


@dataclass(frozen=True)
class NearAnswers:
    """Solutions (n,) or (n, k) as the right-hand sides were given; of each column cycles, relative residual, whether
    it is enough.
    """

    solutions: Floats
    cycles: NDArray[np.int64]
    residuals: Floats
    converged: NDArray[np.bool_]

    @property
    def reason(self) -> str:
        """Why not all are enough; nothing where they are."""
        return "" if self.converged.all() else f"a residual of {self.residuals.max():.2g}"


MOST = 60  # cycles at most


def solve_near(
    matrix: Floats, rhs: Floats, invert: Callable[[Floats], Floats], tolerance: float, most: int = MOST
) -> NearAnswers:
    """Solve M X = B around the inverse of another matrix, all columns together, each with directions of its own.

    `matrix` (n, n): M; `rhs` (n,) or (n, k); `invert`: R -> about A^-1 R, (n, k); `tolerance`: of |b - M x| / |b|;
    `most`: cycles at most. Raises `ConvergenceError`: from `invert` in the first cycle; later it ends the loop with
    what was found.
    """
    b = np.array(rhs, dtype=np.float64).reshape(len(matrix), -1)
    x, r = np.zeros(b.shape), b.copy()
    lengths = np.linalg.norm(b, axis=0)
    cycles = np.zeros(b.shape[1], dtype=np.int64)
    left = lengths > 0.0
    earlier: list[tuple[Floats, Floats]] = []
    for number in range(most):
        here = np.flatnonzero(left)
        if not here.size:
            break
        z, q = np.zeros(b.shape), np.zeros(b.shape)
        try:
            z[:, here] = invert(r[:, here])
        except ConvergenceError:
            if not number:
                raise
            break
        q[:, here] = matrix @ z[:, here]
        for before, image in earlier:
            part = np.einsum("ij,ij->j", image, q)
            z -= part * before
            q -= part * image
        size = np.linalg.norm(q, axis=0)
        scale = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0.0)
        z, q = z * scale, q * scale
        earlier.append((z, q))
        x = x + np.einsum("ij,ij->j", q, r) * z
        r = b - matrix @ x
        cycles[here] += 1
        left = np.linalg.norm(r, axis=0) > tolerance * lengths
    residuals = np.divide(np.linalg.norm(r, axis=0), lengths, out=np.zeros_like(lengths), where=lengths > 0.0)
    return NearAnswers(x.reshape(np.shape(rhs)), cycles, residuals, ~left)


def worth_near(
    matrix: Floats, rhs: Floats, answers: NearAnswers, tolerance: float, most: int = MOST
) -> SampledWorth:
    """Return what INV was worth in `answers`: all columns solved once more without it.

    The work of INV itself is that of the held matrix, and not in here; arguments as `solve_near`.
    """
    unaided = solve_near(matrix, rhs, lambda residuals: residuals, tolerance, most)

    def met(near: NearAnswers, column: int) -> tuple[int, bool]:
        return int(near.cycles[column]), bool(near.converged[column])

    every = (
        worth_of(near_work, len(matrix), met(answers, one), met(unaided, one), most)
        for one in np.flatnonzero(answers.cycles).tolist()
    )
    return sum(every, SampledWorth())


def worth_of(
    count: Callable[[int, int], Work], size: int, aided: tuple[int, bool], unaided: tuple[int, bool],
    most: int,
) -> SampledWorth:  # fmt: skip
    """Return what INV was worth in one iteration: its cycles with it and without it, and whether they converged.

    `count`: size and cycles -> digital work of an iteration.
    """
    (cycles, met), (without, met_without) = aided, unaided
    alone = UnaidedSolve(0, without if met_without else None, [], count(size, without))
    digital = alone.work.digital.total()
    return SampledWorth((alone,), (cycles if met else None,), count(size, cycles), digital, most, most)


def near_work(size: int, cycles: int) -> Work:
    """Return the digital multiplications of so many cycles of one right-hand side."""
    work = Work()
    work.digital["products"] = work.digital["residual"] = size**2 * cycles
    # A cycle: three a direction so far; the length of the new one, its scaling, the step and its two sums.
    work.digital["orthogonalisation"] = size * (3 * cycles * (cycles - 1) // 2 + 5 * cycles)
    return work
