"""The INVERT loop with wires, finite gain and offsets, beside a sparse direct solve of the whole network.

Cold solves of ours include the set-up; those of `spsolve` leave the assembly of its matrix out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks._loop_solver import LoopSolver
from benchmarks._sparse_network import solve_loop
from benchmarks.registry import Figure, median_seconds
from benchmarks.wires import ACCURACY, LEVELS, THREADS, WIRE, deviation, side_by_side
from mho.array_types import Floats
from mho.instruments.simulated.physics.wires import WiredBlock


def run(repeat: int) -> list[Figure]:
    return [
        figure
        for n, faster in ((128, 10), (256, 15))
        for two in (False, True)
        for figure in _loop(n, faster, two, repeat)
    ]


def _loop(n: int, faster: int, two: bool, repeat: int) -> Iterator[Figure]:
    rng, lines = np.random.default_rng(n), np.arange(n)
    errors, offsets, inputs = (
        1e-3 * rng.standard_normal(n),
        4e-4 * rng.standard_normal(n),
        rng.uniform(-0.1, 0.1, n),
    )
    arrays, ballast = _differential(rng, n, errors) if two else _bias(rng, n)
    parts = {"input_conductance": np.full(n, 1e-4), "diagonal": np.full(n, ballast), "gain": 5e4}

    def build() -> LoopSolver:
        driven = [(WiredBlock.from_lines(cells, lines, lines, WIRE), drive) for cells, drive in arrays]
        return LoopSolver(driven, **parts)

    def direct() -> tuple[float, Floats]:
        outputs, seconds = solve_loop(arrays, lines, lines, WIRE, inputs=inputs, offsets=offsets, **parts)
        return seconds, outputs

    cold, peer, expected = side_by_side(lambda: build().solve(inputs[None], offsets), direct, repeat)
    worst = deviation(build().solve(inputs[None], offsets)[0], expected)
    name = f"INV {n}x{n}, {'two arrays' if two else 'one array'}"
    yield Figure(
        f"{name}, one solve with set-up",
        cold,
        "s",
        "scipy spsolve",
        peer,
        target=f"{faster} times faster, 1e-10",
        met=peer > faster * cold and worst < ACCURACY,
        detail={"times faster": round(peer / cold, 1), "deviation": worst},
        threads=THREADS,
    )

    loop = build()
    few = median_seconds(lambda: loop.solve(inputs[None], offsets), min(repeat, n // 6 - 2))
    many = np.tile(inputs, (256, 1))
    loop.solve(many, offsets)  # from here on through the admittances
    each = median_seconds(lambda: loop.solve(many, offsets), repeat) / len(many)
    yield Figure(
        f"{name}, each of many solves",
        each,
        "s",
        "scipy spsolve",
        peer,
        detail={
            "reusing lines only, s": few,
            "deviation": deviation(loop.solve(many, offsets)[0], expected),
        },
        threads=THREADS,
    )


def _bias(rng: np.random.Generator, n: int) -> tuple[list[tuple[Floats, Floats]], float]:
    """One dense array with its diagonal in fixed resistors."""
    return [(rng.choice(LEVELS, (n, n)), np.ones(n))], float(LEVELS[-1] * np.sqrt(n))


def _differential(
    rng: np.random.Generator, n: int, errors: Floats
) -> tuple[list[tuple[Floats, Floats]], float]:
    """A positive and a negative array."""
    matrix = np.eye(n) + 0.35 * rng.standard_normal((n, n)) / np.sqrt(n)
    matrix *= LEVELS[-1] / np.abs(matrix).max()
    split = np.maximum(matrix, LEVELS[0]), np.maximum(-matrix, LEVELS[0])
    return [(split[0], np.ones(n)), (split[1], -1.0 - errors)], 0.0
