"""The published set-up converges as published: relative error 0.18, 0.034, 0.0076 after cycles 1, 2, 3.

How near the median over twenty chips comes is measured by ``python -m benchmarks published``.
"""

import numpy as np
import pytest

from mho import run
from mho.procedures import Solve

MEASURED = (0.18, 0.034, 0.0076)  # Zuo et al. 2025, read off the figure
MATRIX, RHS = "zuo2025-4x4", "zuo2025-4x4-rhs"


@pytest.fixture(scope="module")
def curves(tmp_path_factory) -> np.ndarray:
    folder = tmp_path_factory.mktemp("zuo2025")
    solved = [
        run(
            Solve(matrix=MATRIX, rhs=RHS, bits=12),
            bench="zuo2025",
            preset="pku",
            seed=seed,
            output=folder / f"{seed}.h5",
        )
        for seed in range(1, 9)
    ]
    return np.array([[cycle["sliced_error"] for cycle in result.cycles[:3]] for result in solved])


@pytest.mark.parametrize(("cycle", "measured"), list(enumerate(MEASURED, 1)))
def test_the_measured_error_lies_among_the_chips(curves: np.ndarray, cycle: int, measured: float) -> None:
    errors = curves[:, cycle - 1]
    assert errors.min() <= measured <= errors.max()
