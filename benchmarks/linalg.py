"""Iterations of FGMRES with a bench as preconditioner, beside none and SciPy's incomplete LU; bench `arrays`.

Each family of systems is solved to a residual of 1e-7: with products and one step of INV on the chip, and digitally with
`spilu` and with nothing. The bench's is the median over chips. SciPy's `gmres`, which takes a preconditioner for a fixed
matrix, and `gcrotmk`, which does not, are run with one bench: their products with A are counted.
"""

from __future__ import annotations

import os
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import SparseEfficiencyWarning, csc_array
from scipy.sparse.linalg import LinearOperator, gcrotmk, gmres, spilu

import mho
import mho.extensions.linalg
from benchmarks._krylov_problems import Problem, fgmres, problems
from benchmarks.registry import Figure

UNKNOWNS, GRID = 32, 5
TOLERANCE = 1e-7
DROP = 0.1
"""Entries of the incomplete factors below this share of their column are dropped: an ILU as coarse as the chip's INV."""

Numbers = NDArray[Any]


@dataclass(frozen=True)
class OnChip:
    """What a problem took on one chip: iterations, shift of the loop, residual recomputed in float64, s."""

    iterations: int
    shift: float
    residual: float
    seconds: float


def run(repeat: int) -> list[Figure]:
    """Measure every family, a chip a repeat."""
    return [
        _figure(name, problem, range(1, repeat + 1)) for name, problem in problems(UNKNOWNS, GRID).items()
    ]


def _figure(name: str, problem: Problem, seeds: range) -> Figure:
    chips = [on_chip(problem, seed) for seed in seeds]
    products = scipy_products(problem, seeds[0])
    halves = [on_chip(problem, seed, leaf=len(problem.rhs) // 2) for seed in seeds]
    plain, factored = digital(problem, lambda vector: vector), digital(problem, incomplete_lu(problem.matrix))
    found = statistics.median(one.iterations for one in chips)
    return Figure(
        f"iterations to {TOLERANCE:g}: {name}",
        found,
        "",
        "none",
        plain,
        target="no more than without",
        met=found <= plain and max(one.residual for one in chips) <= 1.5 * TOLERANCE,
        detail={
            "unknowns": len(problem.rhs),
            "condition": round(float(np.linalg.cond(problem.matrix)), 1),
            "SciPy's spilu": factored,
            "chips": len(chips),
            "by blocks of half the size": statistics.median(one.iterations for one in halves),
            "shift": round(chips[0].shift, 2),
            "min": min(one.iterations for one in chips),
            "max": max(one.iterations for one in chips),
            **products,
            "largest residual": f"{max(one.residual for one in chips):.1e}",
            "programming and all, s": round(statistics.median(one.seconds for one in chips), 2),
        },
        threads=int(os.environ.get("OPENBLAS_NUM_THREADS") or os.cpu_count() or 1),
    )


def on_chip(problem: Problem, seed: int, **options: Any) -> OnChip:
    """Solve a problem by FGMRES with its matrix on a chip, programming included."""
    started = time.perf_counter()
    with mho.open_bench("arrays", seed=seed) as bench:
        held = mho.extensions.linalg.on_bench(problem.matrix, bench, **options, seed=0)
        x, residuals = fgmres(held.operator.matvec, problem.rhs, held.preconditioner.matvec, TOLERANCE)
    recomputed = np.linalg.norm(problem.rhs - problem.matrix @ x) / np.linalg.norm(problem.rhs)
    return OnChip(len(residuals), held.summary()["shift"], float(recomputed), time.perf_counter() - started)


def scipy_products(problem: Problem, seed: int) -> dict[str, int]:
    """Return how many products with A SciPy's methods take with the bench as preconditioner."""
    with mho.open_bench("arrays", seed=seed) as bench:
        held = mho.extensions.linalg.on_bench(problem.matrix, bench, seed=0)
        return {
            f"products of {method.__name__}": _products(method, held, problem.rhs)
            for method in (gmres, gcrotmk)
        }


def digital(problem: Problem, preconditioner: Callable[[Numbers], Numbers]) -> int:
    """Return the iterations of FGMRES in float64."""
    return len(fgmres(lambda vector: problem.matrix @ vector, problem.rhs, preconditioner, TOLERANCE)[1])


def incomplete_lu(matrix: Numbers) -> Callable[[Numbers], Numbers]:
    """Return what solves by SciPy's incomplete LU, with SuperLU's own fill."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SparseEfficiencyWarning)
        factors = spilu(csc_array(matrix), drop_tol=DROP)
    dtype = matrix.dtype

    def apply(vector: Numbers) -> Numbers:
        if np.iscomplexobj(vector) and dtype.kind != "c":
            return factors.solve(vector.real) + 1j * factors.solve(vector.imag)
        return factors.solve(vector.astype(dtype))

    return apply


def _products(method: Callable[..., Any], held: Any, rhs: Numbers) -> int:
    """Return the products with A that a method of SciPy takes with the bench's preconditioner."""
    count = 0

    def multiply(vector: Numbers) -> Numbers:
        nonlocal count
        count += 1
        return held.operator.matvec(vector)

    operator = LinearOperator(held.shape, matvec=multiply, dtype=held.dtype)
    _, info = method(operator, rhs, M=held.preconditioner, rtol=TOLERANCE, atol=0.0)
    if info:
        raise RuntimeError(f"{method.__name__} ends with {info}")
    return count
