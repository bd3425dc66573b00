"""The published inverse in two stages: 8 x 8 complex (16 x 16 real) on 4 x 4 blocks, 16 unit vectors, 10 cycles.

Zuo et al., Nature Electronics 8, 1222 (2025), with the blocks of arXiv 2401.10042: error about 1e-7. Their matrix is not
printed; these are the Gram matrices H^H H / 128 of 128 x 8 complex Gaussian channels, one and one chip a seed.

As published, all is analogue and the matrix is held in 24 bits, beyond which no cycle helps: the exact inverse of what the
digits hold stands beside the error. `Solve` takes the residual of blocks in float64, and has no such limit.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks._solves import PRESET, seeds
from benchmarks.registry import Figure
from mho.array_types import Complexes
from mho.chip_maps.matrix_files import to_real
from mho.extensions.published.as_published import LEAF, AllAnalogue, refine_on_chip
from mho.instruments import open_bench
from mho.procedures import Solve
from mho.running.execution import evaluate

ARRAYS, WIRE = "arrays", "simulated"
ANTENNAS, USERS = 128, 8
BITS, CYCLES = 24, 10
PAPER = 1e-7
MOST = 2.0 * PAPER  # "about 1e-7": a factor of 2, as the other published errors are judged by
METHODS = ("plain", "gcr")


@dataclass(frozen=True)
class Inverted:
    """One all-analogue inverse: its relative errors after each cycle, that of the matrix as held, and the seconds."""

    errors: list[float]
    held: float
    found: AllAnalogue
    seconds: float


def run(repeat: int) -> list[Figure]:
    """Invert on 4 chips a repeat without instruments, and on one chip at the wire."""
    chips, one = seeds(repeat), range(1, 2)
    inverted = [as_published(ARRAYS, seed) for seed in chips]
    return [
        _error_figure(ARRAYS, inverted),
        _error_figure(WIRE, [as_published(WIRE, seed) for seed in one]),
        *_count_figures(inverted[0].found),
        *(_solve_figure(method, chips) for method in METHODS),
    ]


def channel_gram(seed: int) -> Complexes:
    """Return H^H H / 128 of a complex Gaussian channel, (8, 8)."""
    rng = np.random.default_rng(seed)
    parts = rng.standard_normal((2, ANTENNAS, USERS))
    channel = (parts[0] + 1j * parts[1]) / math.sqrt(2.0 * ANTENNAS)
    return np.asarray(channel.conj().T @ channel)


def as_published(bench: str, seed: int) -> Inverted:
    """Invert the matrix of this seed on the chip of this seed."""
    matrix, start = to_real(channel_gram(seed)), time.perf_counter()
    with open_bench(bench, preset=PRESET, seed=seed) as opened:
        found = refine_on_chip(opened, matrix, CYCLES, BITS, seed)
    seconds = time.perf_counter() - start
    exact = np.linalg.inv(matrix)
    errors = [_relative(inverse, exact) for inverse in found.inverses]
    return Inverted(errors, _relative(np.linalg.inv(found.held), exact), found, seconds)


def by_solve(method: str, seed: int) -> float:
    """Return the relative error of the inverse that `Solve` finds in as many cycles, with a residual in float64."""
    matrix, one = channel_gram(seed), np.eye(USERS)
    job = Solve(
        matrix=matrix,
        rhs=np.hstack([one, 1j * one]),  # the 16 unit vectors of the real matrix
        leaf=LEAF,
        blocks="blockamc",
        schur="complex",
        effort="one-step",
        method=method,
        max_cycles=CYCLES,
        tolerance=0.0,  # no cycle is left out
    )
    with open_bench(ARRAYS, preset=PRESET, seed=seed) as opened:
        result = evaluate(job, opened, seed=seed)
    exact = np.linalg.inv(matrix)
    return _relative(result.solution, np.hstack([exact, 1j * exact]))


def formulae(blocks: int) -> tuple[int, int]:
    """Return the published INV and MVM a cycle of a matrix of `blocks` = 2^k blocks a side, the residual's included."""
    inversions = 3 ** (blocks.bit_length() - 1)  # blocks^(log2 3)
    return inversions, 3 * blocks**2 - 2 * inversions


def _error_figure(bench: str, inverted: Sequence[Inverted]) -> Figure:
    last = [one.errors[-1] for one in inverted]
    cycles = zip(*(one.errors for one in inverted), strict=True)
    return Figure(
        f"all analogue, bench {bench}: relative error of the inverse after {CYCLES} cycles, median",
        statistics.median(last),
        "",
        "paper",
        PAPER,
        target=f"at most {MOST:g} on every chip",
        met=max(last) <= MOST,
        detail={
            "chips": len(inverted),
            "min": min(last),
            "max": max(last),
            "exact inverse of the matrix as its 24 bits hold it": statistics.median(
                one.held for one in inverted
            ),
            **{f"after cycle {number}": statistics.median(each) for number, each in enumerate(cycles, 1)},
            "integers": sum(one.found.outputs for one in inverted),
            "wrong integers": sum(one.found.wrong for one in inverted),
            "wall time, s": round(statistics.median(one.seconds for one in inverted), 1),
        },
    )


def _count_figures(found: AllAnalogue) -> list[Figure]:
    """Return operations a cycle, of vectors without zeros, beside the formulae, and what was played for 16 unit vectors."""
    blocks = len(found.held) // LEAF
    inversions, products = formulae(blocks)
    tree, vectors = found.plan.tree, len(found.held)
    return [
        Figure(
            "INV a cycle",
            tree.inversions,
            "",
            "formula (N/N0)^(log2 3)",
            inversions,
            met=tree.inversions == inversions,
            target="the formula's",
            detail={
                f"played for {vectors} unit vectors, {CYCLES} cycles": found.inversions,
                "by the formula; parts of unit vectors that are zero are not played": vectors
                * CYCLES
                * inversions,
            },
        ),
        Figure(
            f"MVM of {LEAF} x {LEAF} blocks a cycle, the residual's {blocks**2} included",
            tree.products + blocks**2,
            "",
            "formula 3 (N/N0)^2 - 2 (N/N0)^(log2 3)",
            products,
            met=tree.products + blocks**2 == products,
            target="the formula's",
            detail={
                "one-step products played within the blocks": found.products,
                "shots of the residual's bit-sliced products": found.shots,
                "leaves programmed": len(found.plan.leaves),
                "blocks programmed": len(found.plan.products),
            },
        ),
    ]


def _solve_figure(method: str, chips: Sequence[int]) -> Figure:
    errors = [by_solve(method, seed) for seed in chips]
    return Figure(
        f"Solve, method {method}, residual in float64: relative error after {CYCLES} cycles, median",
        statistics.median(errors),
        "",
        "paper",
        PAPER,
        target=f"at most {MOST:g} on every chip",
        met=max(errors) <= MOST,
        detail={"chips": len(errors), "min": min(errors), "max": max(errors)},
    )


def _relative(value: NDArray[np.inexact], reference: NDArray[np.inexact]) -> float:
    return float(np.linalg.norm(value - reference) / np.linalg.norm(reference))
