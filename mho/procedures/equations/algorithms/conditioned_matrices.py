"""Matrices with a given condition number, and the parsing of condition numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError

Floats = NDArray[np.float64]

MOST, LARGEST = 100, 1e12
"""Condition numbers in a list, and the largest of them: float64 solves such a system to four digits."""


def positive_definite(size: int, condition: float, rng: np.random.Generator) -> Floats:
    """Draw a symmetric positive definite matrix: eigenvalues from 1 to 1 / `condition`, evenly spaced by ratio.

    Its eigenvectors are uniformly distributed: those of a QR factorisation of normal numbers are, up to signs (Mezzadri,
    Notices AMS 54, 592 (2007)), on which the matrix does not depend.

    Parameters
    ----------
    size : int
        n; at least 2 where the condition number is above 1.
    condition : float
        In the 2-norm, from 1.
    """
    turn, _ = np.linalg.qr(rng.standard_normal((size, size)))
    # From the identity downwards, so that condition number 1 is the identity to the last bit.
    matrix = np.eye(size) - (turn * (1.0 - np.geomspace(1.0, 1.0 / condition, size))) @ turn.T
    return np.asarray((matrix + matrix.T) / 2.0)


def condition_numbers(given: Any) -> tuple[float, ...]:
    """Return condition numbers from a text, ``1, 10, 100``, from one number, or from several.

    Raises
    ------
    InputError
        When there are none or too many, or one is no number from 1 to 1e12.
    """
    parts = given.split(",") if isinstance(given, str) else given
    parts = list(parts) if isinstance(parts, Iterable) else [parts]
    if not 0 < len(parts) <= MOST:
        raise InputError(f"conditions has {len(parts)} numbers; give 1 to {MOST} of them, as in 1, 10, 100")
    return tuple(_condition(part) for part in parts)


def _condition(part: Any) -> float:
    try:
        value = float(part)
    except (TypeError, ValueError):
        value = np.nan
    if not 1.0 <= value <= LARGEST:
        told = repr(part.strip() if isinstance(part, str) else part)
        raise InputError(f"conditions has {told}; a condition number is a number from 1 to {LARGEST:g}")
    return value
