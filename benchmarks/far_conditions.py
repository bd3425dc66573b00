"""Condition numbers of 1e5 to 1e8: who reaches 24 bits, in how many cycles, and in how many without the chip.

The peer is the same refinement around no inverse at all: GCR on the equilibrated matrix, whose corrections are its
residuals, with the same products, certificate and largest number of cycles.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks._families import conditioned
from benchmarks._judging import BITS
from benchmarks._structured_families import general
from benchmarks.registry import Figure
from mho.chip_maps.preconditioning import Preconditioning
from mho.instruments import open_bench
from mho.procedures import Solve
from mho.procedures.equations.algorithms.refinement import refine
from mho.procedures.equations.planning.linear_system import Goal, LinearSystem
from mho.running.execution import evaluate

Floats = NDArray[np.float64]
Cycles = int | None
"""That one solve took; None where it did not converge."""

CONDITIONS = {1e5: 0.95, 1e6: 0.95, 1e7: 0.80, 1e8: 0.80}
"""With the share that is wanted to converge."""

KINDS: dict[str, Callable[[float], Callable[[np.random.Generator, int], Floats]]] = {
    "SPD": conditioned,
    "general": general,
}
SIZES = (8, 16, 32)
LOOPS = {"one slice": 1, "two slices": 2}
MOST_CYCLES = int(Solve.max_cycles.default)


def run(repeat: int) -> list[Figure]:
    """Solve `repeat` systems of each kind, size and condition number, with either loop and without any."""
    return [
        figure
        for condition, wanted in CONDITIONS.items()
        for kind in KINDS
        for size in SIZES
        for figure in _figures(condition, wanted, kind, size, repeat)
    ]


def _figures(condition: float, wanted: float, kind: str, size: int, repeat: int) -> list[Figure]:
    systems = [_system(condition, kind, size, seed) for seed in range(repeat)]
    without = [without_chip(*one) for one in systems]
    figures = []
    for name, slices in LOOPS.items():
        found = [with_chip(*one, slices, seed) for seed, one in enumerate(systems)]
        share = sum(one is not None for one in found) / repeat
        figures.append(
            Figure(
                f"{kind}, condition number {condition:.0e}, {size} unknowns, {name}: cycles",
                _median(found),
                "",
                "GCR without the chip",
                _median(without),
                target=f"{wanted:.0%} converge",
                met=share >= wanted,
                detail={"converged": _count(found), "without the chip": _count(without)},
            )
        )
    return figures


def _system(condition: float, kind: str, size: int, seed: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng([seed, size, int(condition), *kind.encode()])
    return KINDS[kind](condition)(rng, size), rng.standard_normal(size)


def with_chip(matrix: Floats, rhs: Floats, slices: int, seed: int) -> Cycles:
    """Return the cycles of a hybrid solve on `arrays`, preset pku."""
    solve = Solve(matrix=matrix, rhs=rhs, bits=BITS, residual="float64", loop_slices=slices)
    with open_bench("arrays", preset="pku", seed=seed) as bench:
        found = evaluate(solve, bench, seed=seed)
    return len(found.cycles) if found.converged else None


def without_chip(matrix: Floats, rhs: Floats) -> Cycles:
    """Return the cycles of the same refinement around no inverse."""
    system = LinearSystem.load(matrix, rhs, 0, Goal(BITS, None))
    form = Preconditioning.equilibrating(matrix)
    held = form.matrix(matrix)
    cycles = refine(
        form.equations(rhs),
        lambda residual: residual,
        lambda vector: held @ vector.values,
        lambda unknowns: form.equations(system.residual(form.solution(unknowns), 0)),
        lambda unknowns, size: system.good_enough(form.solution(unknowns), size, 0),
        method="gcr",
        max_cycles=MOST_CYCLES,
        measure=lambda residual: system.measure(form.given_equations(residual)),
    )
    *_, last = cycles
    return last.number if last.end == "converged" else None


def _median(cycles: list[Cycles]) -> float:
    converged = [one for one in cycles if one is not None]
    return float(median(converged)) if converged else np.inf


def _count(cycles: list[Cycles]) -> str:
    return f"{sum(one is not None for one in cycles)} of {len(cycles)}"
