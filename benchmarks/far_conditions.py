"""Condition numbers of 1e5 to 1e8: who reaches 24 bits, in how many cycles, and in how many without the chip.

The peer is the same refinement around no inverse at all: GCR on the equilibrated matrix, whose corrections are its
residuals, with the same products, certificate and largest number of cycles.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import numpy as np

from benchmarks._families import conditioned
from benchmarks._judging import BITS
from benchmarks.registry import Figure
from mho.array_types import Floats
from mho.chip_maps.preconditioning import Preconditioning
from mho.extensions.reach.families import general
from mho.instruments import open_bench
from mho.procedures import Goal, LinearSystem, Solve, solve_unaided
from mho.running.execution import evaluate

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
        figure for condition, wanted in CONDITIONS.items() for figure in _figures(condition, wanted, repeat)
    ]


def _figures(condition: float, wanted: float, repeat: int) -> list[Figure]:
    drawn = [(kind, size, seed) for kind in KINDS for size in SIZES for seed in range(repeat)]
    systems = [_system(condition, *one) for one in drawn]
    sizes = [size for _, size, _ in drawn]
    without = [without_chip(*one) for one in systems]
    figures = []
    for name, slices in LOOPS.items():
        found = [with_chip(*system, slices, seed) for system, (*_, seed) in zip(systems, drawn, strict=True)]
        figures.append(
            Figure(
                f"condition number {condition:.0e}, {name}: converged",
                100.0 * _share(found),
                f"% of {len(found)}",
                "GCR without the chip",
                100.0 * _share(without),
                target=f">= {wanted:.0%}",
                met=_share(found) >= wanted,
                detail={
                    "cycles, median, by unknowns": _by_size(found, sizes),
                    "without the chip": _by_size(without, sizes),
                    "fewer than without, as many, more": _compared(found, without),
                },
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
    return solve_unaided(system, form, form.matrix(matrix), 0, "gcr", MOST_CYCLES).cycles


def _share(cycles: list[Cycles]) -> float:
    return sum(one is not None for one in cycles) / len(cycles)


def _by_size(cycles: list[Cycles], sizes: list[int]) -> dict[int, float]:
    """Return the median of those that converged, by number of unknowns."""
    found = {
        size: [took for took, its in zip(cycles, sizes, strict=True) if its == size and took is not None]
        for size in SIZES
    }
    return {size: float(median(took)) for size, took in found.items() if took}


def _compared(found: list[Cycles], without: list[Cycles]) -> tuple[int, int, int]:
    """Return how many took fewer cycles than without the chip, as many, and more, of those that both solved."""
    both = [
        (one, other)
        for one, other in zip(found, without, strict=True)
        if one is not None and other is not None
    ]
    signs = [(one > other) - (one < other) for one, other in both]
    return signs.count(-1), signs.count(0), signs.count(1)
