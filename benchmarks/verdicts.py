"""What solves claim beside what they found: families, cells, stuck cells and waits, on `arrays` and at the wire.

A solve that says converged must be right to 4 times 2^-bits. Solves are spread over the usable cores, one thread each.
No other program gives a verdict on an analogue solve, so there is no peer.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import numpy as np

from benchmarks._families import FAMILIES, System, draw
from benchmarks.registry import Figure

BITS = 24
PRESETS = ("ideal", "quiet", "pku", "relaxing")
STUCK = (0.0, 0.01, 0.02, 0.05)
WAITS = (0.0, 1.0, 3600.0, 86400.0)  # s
SIZES = (2, 3, 4, 6, 8)
ON_ARRAYS, AT_THE_WIRE = 400, 6  # solves a repeat
MARGIN = 4.0  # times 2^-bits that a solve said to have converged may err
WANTED = 0.95  # of the systems below a condition number of 10 that converge on these presets:
NOISY = ("quiet", "relaxing")
THREADS = "OPENBLAS_NUM_THREADS"


@dataclass(frozen=True)
class Case:
    """One solve: system, cells, share of stuck cells, wait (s) before the first cycle, and where."""

    number: int
    family: str
    size: int
    preset: str
    stuck: float
    wait: float
    bench: str


@dataclass(frozen=True)
class Verdict:
    """What a solve claimed, and what was so.

    Attributes
    ----------
    refused : str
        Why nothing was solved; empty where something was.
    converged : bool
        What it said.
    error : float
        Of the solution, relative to the system's.
    """

    case: Case
    condition: float
    refused: str = ""
    converged: bool = False
    error: float = np.inf
    bits: float = 0.0
    cycles: int = 0

    @property
    def false(self) -> bool:
        """Whether it said converged and was not."""
        return self.converged and self.error > MARGIN * 2.0**-BITS


def cases(bench: str) -> Iterator[Case]:
    """Return cases without end, the same every time, each kind beside each other."""
    number, rng = 0, np.random.default_rng(0)
    while True:
        for family in rng.permutation(list(FAMILIES)):
            yield Case(
                number,
                str(family),
                int(rng.choice(SIZES)),
                PRESETS[number % len(PRESETS)],
                float(rng.choice(STUCK)),
                float(rng.choice(WAITS)),
                bench,
            )
            number += 1


def judge(case: Case) -> Verdict:
    """Solve, and hold what was claimed to the solution of the system."""
    from mho.errors import ChipMapError, ConvergenceError, InputError
    from mho.instruments import open_bench
    from mho.procedures import Solve
    from mho.running.execution import evaluate

    system = draw(case.family, case.size, case.number)

    solve = Solve(matrix=system.matrix, rhs=system.rhs, bits=BITS, wait=case.wait)
    try:
        with open_bench(case.bench, preset=case.preset, seed=case.number, stuck=case.stuck) as bench:
            found = evaluate(solve, bench, seed=case.number)
    except (ConvergenceError, ChipMapError, InputError) as error:
        return Verdict(case, system.condition, refused=str(error))
    return Verdict(
        case,
        system.condition,
        converged=found.converged,
        error=_error(system, found.solution),
        bits=found.certificate.bits,
        cycles=len(found.cycles),
    )


def _error(system: System, solution: np.ndarray) -> float:
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


def run(repeat: int) -> list[Figure]:
    """Judge 400 solves a repeat on `arrays`, 6 at the wire."""
    figures = []
    for bench, each, name in (("arrays", ON_ARRAYS, "on arrays"), ("simulated", AT_THE_WIRE, "at the wire")):
        verdicts = judge_all(list(islice(cases(bench), each * repeat)))
        figures += _figures(verdicts, name)
    return figures


def _figures(verdicts: list[Verdict], name: str) -> list[Figure]:
    false = sum(verdict.false for verdict in verdicts)
    converged = [verdict for verdict in verdicts if verdict.converged]
    worst = max((verdict.error * 2.0**BITS for verdict in converged), default=0.0)
    easy = [v for v in verdicts if v.case.preset in NOISY and v.condition < 10.0]
    reached = sum(verdict.converged for verdict in easy)
    return [
        Figure(
            f"{name}: solves that say converged and are not",
            false,
            f"of {len(verdicts)}",
            target="none",
            met=false == 0,
            detail={
                "said converged": len(converged),
                "said not converged": sum(not v.converged and not v.refused for v in verdicts),
                "refused": sum(bool(v.refused) for v in verdicts),
                "worst error of those converged, in 2^-bits": worst,
            },
        ),
        Figure(
            f"{name}: converged to {BITS} bits, quiet and relaxing, condition number below 10",
            reached / max(len(easy), 1),
            f"of {len(easy)}",
            target=f"{WANTED:.0%}",
            met=reached >= WANTED * len(easy),
            detail={
                "refused, which counts as not converged": sum(bool(v.refused) for v in easy),
                "by share of stuck cells": _by_stuck(easy),
            },
        ),
    ]


def _by_stuck(verdicts: list[Verdict]) -> dict[str, str]:
    shares: dict[str, list[bool]] = {}
    for verdict in verdicts:
        shares.setdefault(f"{verdict.case.stuck:.0%}", []).append(verdict.converged)
    return {share: f"{sum(each)} of {len(each)}" for share, each in sorted(shares.items())}
