"""How far solving by blocks reaches: 36 families, 256 and 1,024 unknowns, loops of 32, counted by condition number.

Hybrid, on bench `arrays`, with what `mho solve` chooses. A repeat is one seed of system and chip, and takes an hour
of one core. No other program solves on such cells and gives a verdict, so there is no peer.
"""

from __future__ import annotations

from itertools import product

from benchmarks._families import FAMILIES
from benchmarks._judging import BITS, Case, Verdict, judge_all
from benchmarks.reach import CYCLES, HARD, HYBRID, PRESET, between, bins, reasons, share
from benchmarks.registry import Figure

SIZES = (256, 1024)


def run(repeat: int) -> list[Figure]:
    """Solve `repeat` seeds of each family at each size."""
    verdicts = judge_all(
        [
            Case(seed, family, size, PRESET, 0.0, 0.0, "arrays", "float64", CYCLES)
            for seed, size, family in product(range(repeat), SIZES, FAMILIES)
        ]
    )
    return figures_of(verdicts)


def figures_of(verdicts: list[Verdict]) -> list[Figure]:
    """Return, of each size, how many converge and of which families not; and the verdicts that were false."""
    figures = []
    for size in sorted({one.case.size for one in verdicts}):
        mine = [one for one in verdicts if one.case.size == size]
        reach = between(mine, 0.0, HARD)
        figures.append(
            Figure(
                f"converged to {BITS} bits, N = {size:,}, condition number up to {HARD:g}",
                100.0 * share(reach),
                f"% of {len(reach)}",
                target=f">= {HYBRID:.0%}",
                met=share(reach) >= HYBRID,
                detail={
                    **bins(mine),
                    "not": {one.case.family: f"{one.condition:.1e}" for one in mine if not one.converged},
                    "why not": reasons(mine, lambda one: one.refused or one.reason),
                },
            )
        )
    false = sum(one.false for one in verdicts)
    name = "solves by blocks that say converged and are not"
    return [*figures, Figure(name, false, f"of {len(verdicts)}", target="none", met=false == 0)]
