"""Solves A x = b for arrays in one call."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from mho.procedures import Solution, Solve
from mho.running.execution import run


def solve(matrix: ArrayLike, rhs: ArrayLike | None = None, bits: int = 24, **how: Any) -> Solution:
    """Solve ``matrix @ x = rhs`` on a chip.

    Parameters
    ----------
    matrix : array_like, shape (n, n)
        Real or complex.
    rhs : array_like, shape (n,), optional
        Drawn at random when left out.
    bits : int
        How accurate the solution is to be: its relative error at most 2^-bits.
    **how
        Parameters of `Solve` (``encoding=``, ``max_cycles=``), and arguments of `run` (``bench=``, ``seed=``,
        ``preset=``, ``output=``).

    Returns
    -------
    Solution
        With `solution`, `cycles` and the `path` of the run file.

    Raises
    ------
    MhoError
        As `run`.
    """
    given = {name: how.pop(name) for name in list(how) if name in Solve().form()}
    if rhs is not None:
        given["rhs"] = rhs
    if "seed" in given:  # of the right-hand side that is drawn, and of the run, as `mho solve --seed`
        how["seed"] = given["seed"]
    result: Solution = run(Solve(matrix=matrix, bits=bits, **given), **how)
    return result
