"""What a solve returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from mho.procedures.equations.certificates.certificate import Certificate


@dataclass(frozen=True)
class Solution:
    """Result of a solve; `units` are those of the summary.

    Attributes
    ----------
    solution : (n,) or (n, k) array
        X, in the shape of the right-hand sides; complex when A or B is.
    converged : bool
        Whether the certificates prove the requested bits of every column, or the tolerance of the residual where one
        was given.
    certificate : Certificate
        Error bound from the residual, recomputed in float64 from the matrix as given and the solution as returned; of
        several columns the one with the fewest bits.
    cycles : list of dict
        Per cycle: rhs (the column, from 0), cycle, residual (relative to b, as updated from the products,
        and with scaled rows where the certificate scales them),
        relative_error (to a float64 solve of the matrix as given), sliced_error (to the solution of the matrix as
        held), bits = -log2 relative_error.
    summary : dict
        Output of ``mho solve --json``.
    path : Path
        The run file.
    """

    solution: NDArray[Any]
    converged: bool
    certificate: Certificate
    cycles: list[dict[str, float]]
    summary: dict[str, Any]
    path: Path = field(default=Path())
    units: ClassVar[Mapping[str, str]] = {
        "bits_a_cycle": "bit",
        "forecast_bits_a_cycle": "bit",
        "virtual_seconds": "s",
        "solve_seconds": "s",
        "joules": "J",
    }
