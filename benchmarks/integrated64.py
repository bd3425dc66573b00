"""Systems of 64 unknowns, benches `integrated64`: cycles, cells and time, at the wire and without instruments.

In one loop, and by blocks of 32, whose loops lie beside each other on the same two arrays. The size is that of the two
arrays of Mannocci et al., Nature Electronics (2026), who solve larger systems by recursive block inversion; they do not
publish cycles or programming times, so no peer stands beside these figures.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks._families import Matrix, dominant, gram
from benchmarks._large_systems import spd
from benchmarks._solves import PRESET, seeds, threads
from benchmarks.registry import Figure
from mho.extensions.reach.families import poisson
from mho.instruments import open_bench
from mho.procedures import Solution, Solve
from mho.running.execution import evaluate

WIRE, ARRAYS = "integrated64", "integrated64-arrays"
SIZE, LEAF, BITS, MOST_CYCLES = 64, 32, 24, 40
FAMILIES: dict[str, Callable[[np.random.Generator], Matrix]] = {
    "Gram 8:1": lambda rng: gram(rng, SIZE),
    "dominant": lambda rng: dominant(rng, SIZE),
    "Poisson 8 x 8": lambda _: poisson(SIZE),
    "SPD 100": lambda rng: spd(rng, SIZE, 100.0),
}


@dataclass(frozen=True)
class Solved:
    """One solve, and the seconds it took with its bench and its chip."""

    result: Solution
    seconds: float


def run(repeat: int) -> list[Figure]:
    """Solve each family on 4 chips a repeat, with analogue products on one a repeat, and on one chip at the wire.

    By blocks on one chip a repeat, and on the first one at the wire, too.
    """
    many, few, one = seeds(repeat), range(1, repeat + 1), range(1, 2)
    ways: tuple[tuple[str, str, str, range], ...] = (
        (ARRAYS, "float64", "digits", many),
        (ARRAYS, "float64", "analogue", many),
        (ARRAYS, "analogue", "digits", few),
        (WIRE, "float64", "digits", one),
    )
    whole = [
        _figure(
            f"{family}, {bench}, residual {residual}, INV targets {targets}",
            [_solved(family, bench, residual, targets, seed) for seed in chips],
        )
        for family in FAMILIES
        for bench, residual, targets, chips in ways
    ]
    return whole + [figure for family in FAMILIES for figure in _by_blocks(family, few, one)]


def _by_blocks(family: str, chips: range, at_the_wire: range) -> list[Figure]:
    """Solve by blocks; at the wire beside the same chips without instruments."""
    plain, wire = (
        [_solved(family, bench, "float64", "digits", seed, LEAF) for seed in seeds_of]
        for bench, seeds_of in ((ARRAYS, chips), (WIRE, at_the_wire))
    )
    same = float(np.median([len(one.result.cycles) for one in plain[: len(wire)]]))
    name = f"{family}, {{}}, by blocks of {LEAF}"
    return [_figure(name.format(ARRAYS), plain), _figure(name.format(WIRE), wire, ARRAYS, same)]


def _solved(
    family: str, bench: str, residual: str, targets: str, seed: int, leaf: int | None = None
) -> Solved:
    """Solve the family's system of this seed on the chip of this seed."""
    rng = np.random.default_rng([seed, *family.encode()])
    matrix, rhs = FAMILIES[family](rng), rng.standard_normal(SIZE)
    procedure = Solve(
        matrix=matrix,
        rhs=rhs,
        bits=BITS,
        residual=residual,
        loop_targets=targets,
        leaf=leaf,
        max_cycles=MOST_CYCLES,
        seed=seed,
    )
    start = time.perf_counter()
    with open_bench(bench, preset=PRESET, seed=seed) as opened:
        result = evaluate(procedure, opened, seed=seed)
    return Solved(result, time.perf_counter() - start)


def _figure(
    name: str, solved: list[Solved], peer: str | None = None, peer_cycles: float | None = None
) -> Figure:
    cycles = [len(one.result.cycles) for one in solved]
    converged = sum(one.result.converged for one in solved)
    summaries = [one.result.summary for one in solved]

    def median(key: str) -> float:
        return float(np.median([one[key] for one in summaries]))

    return Figure(
        f"{name}: cycles to {BITS} bits",
        float(np.median(cycles)),
        "",
        peer,
        peer_cycles,
        target=f"all in at most {MOST_CYCLES}",
        met=converged == len(solved),
        detail={
            "converged": f"{converged} of {len(solved)}",
            "most cycles": max(cycles),
            **(
                {}
                if summaries[0]["forecast_rho"] is None
                else {"rho as programmed": round(median("forecast_rho"), 3)}
            ),
            "INV, most": max(one["inversions"] for one in summaries),
            "shifted": sum(one["shift"] > 0.0 for one in summaries),
            "cells": int(median("cells")),
            "wrong integers": sum(one["mvm_wrong"] for one in summaries),
            "wall time, s": round(float(np.median([one.seconds for one in solved])), 1),
            "the bench's own time, s": round(median("virtual_seconds"), 1),
        },
        threads=threads(),
    )
