"""Block inversion against the number of unknowns: time and memory of the plan, time and operations of one application.

Arrays are exact here, so what is timed is the digital work around them; the peer is LAPACK's inverse of the same matrix.
"""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks._large_systems import draw
from benchmarks._solves import threads as threads_with_a_run_file
from benchmarks.registry import Figure, median_seconds
from mho.procedures.equations.blocks.block_inverse import BlockInverse, BlockPlan
from mho.procedures.equations.blocks.block_plan import plan_blocks

LEAF = 32
SIZES = (16, 32, 64, 128, 256, 512, 1024, 2048)
FAMILIES = ("Gram", "Poisson", "general")


@dataclass(frozen=True)
class Cost:
    """Of one system: seconds and bytes of its plan, seconds of an application, seconds of LAPACK's inverse."""

    plan: BlockPlan
    planning: float
    memory: float
    applying: float
    lapack: float


def run(repeat: int) -> list[Figure]:
    """Measure each family at all sizes: values are those of the largest, exponents are fitted over those with stages."""
    return [figure for family in FAMILIES for figure in _figures(family, SIZES, repeat)]


def _figures(family: str, sizes: Sequence[int], repeat: int) -> list[Figure]:
    costs = [_cost(family, n, repeat) for n in sizes]
    last, largest = costs[-1], f"{family}, N = {sizes[-1]:,}, N0 = {LEAF}"

    def grown(what: str, of: Callable[[Cost], float]) -> dict[str, float]:
        measured = {n: of(cost) for n, cost in zip(sizes, costs, strict=True)}
        return {
            "exponent": fitted_exponent(measured),
            **{f"{what} at {n}": value for n, value in measured.items()},
        }

    counts = {
        "INV": last.plan.inversions,
        "MVM": last.plan.products,
        "loops": len(last.plan.leaves),
        "blocks": len(last.plan.blocks),
    }
    return [
        Figure(
            f"plan, {largest}",
            last.planning,
            "s",
            "LAPACK's inverse",
            last.lapack,
            detail=grown("s", lambda cost: cost.planning),
            threads=threads_with_a_run_file() - 1,
        ),
        Figure(
            f"largest memory of the plan, {largest}",
            last.memory / 1e6,
            "MB",
            detail=grown("B", lambda cost: cost.memory),
        ),
        Figure(
            f"one application around its arrays, {largest}",
            1e3 * last.applying,
            "ms",
            detail=grown("s", lambda cost: cost.applying) | counts,
            threads=threads_with_a_run_file() - 1,
        ),
    ]


def _cost(family: str, n: int, repeat: int) -> Cost:
    system = draw(family, n, 1)
    planning = median_seconds(lambda: plan_blocks(system.matrix, LEAF), repeat)
    tracemalloc.start()  # after the first plan, which loads modules
    plan = plan_blocks(system.matrix, LEAF)
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    inverses = [np.linalg.inv(leaf) for leaf in plan.leaves]
    inverse = BlockInverse(
        plan,
        lambda k, r: inverses[k] @ r,
        lambda ks, vs: [plan.blocks[k] @ v for k, v in zip(ks, vs, strict=True)],
    )
    return Cost(
        plan,
        planning,
        memory,
        median_seconds(lambda: inverse(system.rhs), repeat),
        median_seconds(lambda: np.linalg.inv(system.matrix), repeat),
    )


def fitted_exponent(measured: dict[int, float]) -> float:
    """Return p of the least-squares fit of N^p, over sizes above a leaf; NaN with fewer than two."""
    sizes = [n for n in measured if n > LEAF]
    if len(sizes) < 2:
        return math.nan
    return float(np.polyfit(np.log(sizes), np.log([measured[n] for n in sizes]), 1)[0])
