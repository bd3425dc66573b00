"""Solves beside the solutions of their systems: what one claims, what it found, or why it refused.

Solves are spread over the usable cores, one thread each.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from benchmarks._families import DrawnSystem, draw

BITS = 24
MARGIN = 4.0  # times 2^-bits that a solve said to have converged may err
THREADS = "OPENBLAS_NUM_THREADS"


@dataclass(frozen=True)
class Case:
    """One solve: system, cells, share of stuck cells, wait (s) before the first cycle, where, and how."""

    number: int
    family: str
    size: int
    preset: str
    stuck: float
    wait: float
    bench: str
    residual: str = "auto"
    max_cycles: int = 50


@dataclass(frozen=True)
class Verdict:
    """What a solve claimed, and what was so.

    Attributes
    ----------
    refused : str
        Why nothing was solved; empty where something was.
    programmed : bool
        Whether time had passed on the bench when it refused.
    converged : bool
        What it said.
    error : float
        Of the solution, relative to the system's.
    reason : str
        Why it did not converge.
    without : int or None
        Cycles of the same solve without the chip; None where it does not converge, or nothing was solved.
    digital_ratio : float
        Digital multiplications, times those without the chip.
    """

    case: Case
    condition: float
    refused: str = ""
    programmed: bool = False
    converged: bool = False
    error: float = np.inf
    bits: float = 0.0
    cycles: int = 0
    reason: str = ""
    without: int | None = None
    digital_ratio: float = np.nan

    @property
    def false(self) -> bool:
        """Whether it said converged and was not."""
        return self.converged and self.error > MARGIN * 2.0**-BITS


def judge(case: Case) -> Verdict:
    """Solve, and hold what was claimed to the solution of the system."""
    from mho.errors import ChipMapError, ConvergenceError, InputError
    from mho.instruments import open_bench
    from mho.procedures import Solve
    from mho.running.execution import evaluate

    system = draw(case.family, case.size, case.number)

    solve = Solve(
        matrix=system.matrix,
        rhs=system.rhs,
        bits=BITS,
        wait=case.wait,
        residual=case.residual,
        max_cycles=case.max_cycles,
    )
    with open_bench(case.bench, preset=case.preset, seed=case.number, stuck=case.stuck) as bench:
        opened = bench.now()
        try:
            found = evaluate(solve, bench, seed=case.number)
        except (ConvergenceError, ChipMapError, InputError) as error:
            return Verdict(case, system.condition, refused=str(error), programmed=bench.now() > opened)
    return Verdict(
        case,
        system.condition,
        converged=found.converged,
        error=_error(system, found.solution),
        bits=found.certificate.bits,
        cycles=len(found.cycles),
        reason=found.summary["reason"],
        without=found.summary["without_chip"]["cycles"],
        digital_ratio=found.summary["digital_ratio"],
    )


def _error(system: DrawnSystem, solution: np.ndarray) -> float:
    """Error relative to the solution, from the residual in fractions: a solution in float64 errs in its last digits."""
    residual = _exact_residual(system.matrix, solution, system.rhs)
    exact = np.linalg.solve(system.matrix, system.rhs)
    return float(np.linalg.norm(np.linalg.solve(system.matrix, residual)) / np.linalg.norm(exact))


def _exact_residual(matrix: np.ndarray, solution: np.ndarray, rhs: np.ndarray) -> np.ndarray:
    """Return b - A x, rounded once."""
    if np.iscomplexobj(matrix) or np.iscomplexobj(solution) or np.iscomplexobj(rhs):
        both = np.vstack([np.hstack([matrix.real, -matrix.imag]), np.hstack([matrix.imag, matrix.real])])
        parts = _exact_residual(both, *(np.concatenate([v.real, v.imag]) for v in (solution, rhs)))
        return parts[: len(rhs)] + 1j * parts[len(rhs) :]
    x = [Fraction(float(value)) for value in solution]
    return np.array(
        [
            float(
                Fraction(float(b)) - sum(Fraction(float(a)) * value for a, value in zip(row, x, strict=True))
            )
            for row, b in zip(matrix, rhs, strict=True)
        ]
    )


def judge_all(chosen: Sequence[Case]) -> list[Verdict]:
    """Judge many cases on all usable cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    before = os.environ.get(THREADS)
    os.environ[THREADS] = "1"  # two processes with two threads each would wait for each other
    try:
        with ProcessPoolExecutor(cores, mp_context=context) as pool:
            return list(pool.map(judge, chosen, chunksize=4))
    finally:
        if before is None:
            del os.environ[THREADS]
        else:
            os.environ[THREADS] = before
