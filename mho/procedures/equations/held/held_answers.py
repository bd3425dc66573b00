"""Answers of a held matrix to one or many right-hand sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats


@dataclass(frozen=True)
class HeldAnswers:
    """What a held matrix answered.

    Attributes
    ----------
    solutions : (n,) or (n, k) array
        As the right-hand sides were given; complex where they or the matrix are.
    residuals : (k,) array
        ||b - A x|| / ||b||, recomputed in float64 from the matrix as given; 0 of a right-hand side of zeros.
    cycles : (k,) array of int
    converged : (k,) array of bool
        Whether the bits asked for are proved; where cycles were asked for, always False: nothing is proved then.
    bits : (k,) array
        Bits that are proved of each solution; NaN where cycles were asked for.
    each : (cycles, n, k) array
        Solutions after each cycle where cycles were asked for; else none, (0, n, k).
    reason : str
        Why the first column that did not converge did not; empty where all did, and where cycles were asked for.
    """

    solutions: NDArray[Any]
    residuals: Floats
    cycles: NDArray[np.int64]
    converged: NDArray[np.bool_]
    bits: Floats
    each: NDArray[Any]
    reason: str = ""
