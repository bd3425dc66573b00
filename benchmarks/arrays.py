"""The bench without instruments beside the one at the wire: time of a solve, and whether both distribute alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks._chip_samples import Samples, alike, pooled, program_blocks, sample_chip, sample_solve, square
from benchmarks._solves import MATRICES, threads
from benchmarks.registry import Figure
from mho.chip_maps.matrix_files import load_matrix
from mho.instruments import open_bench
from mho.procedures import Read, Solve
from mho.procedures.cells.programming.record import Block
from mho.running.execution import evaluate

WIRE = "the same on the bench `simulated`"
BITS = 24
PRESETS = ("pku", "quiet", "relaxing")
CHIPS_A_REPEAT, SOLVES_A_REPEAT = 2, 6  # at the wire
MORE = 8  # times as many without instruments
ALIKE = 1e-3  # p from which two samples count as of one distribution
SOLVED = ("zuo2025-4x4.mtx", "dominant-8x8.mtx", "mimo-16x16.mtx")
SIDES = (20, 64)  # of blocks that are programmed on both benches
LARGE = 256  # side of the block whose time is told by the cell
AT_THE_WIRE = 32  # side of the one beside it: at the wire all cells cost alike


def run(repeat: int) -> list[Figure]:
    """Time solves and programming, then compare the distributions of each preset."""
    figures = [_solving(name, repeat) for name in SOLVED]
    figures.extend(_programming(side, repeat) for side in SIDES)
    figures.extend(
        _per_cell(name, work, repeat) for name, work in (("write-verify", _program), ("read", _read))
    )
    figures.extend(_likeness(preset, repeat) for preset in PRESETS)
    return figures


def _solving(name: str, repeat: int) -> Figure:
    matrix = load_matrix(str(Path(MATRICES / name)))

    def solve(bench: str, seed: int) -> None:
        with open_bench(bench, preset="quiet", seed=seed) as opened:
            evaluate(Solve(matrix=matrix, bits=BITS, max_cycles=12, seed=seed), opened, seed=seed)

    return _timed(f"a solve of {Path(name).stem} to {BITS} bits, bench and chip included", solve, repeat)


def _programming(side: int, repeat: int) -> Figure:
    name = f"write-verify of {side} x {side} cells, bench and chip included"
    return _timed(name, lambda bench, seed: _program(bench, seed, side), repeat)


def _program(bench: str, seed: int, side: int) -> None:
    digits = np.random.default_rng(0).integers(0, 8, (side, side))
    with open_bench(bench, preset="quiet", seed=seed) as opened:
        program_blocks(opened, [Block(square("multiply", side), digits)])


def _read(bench: str, seed: int, side: int) -> None:
    with open_bench(bench, preset="quiet", seed=seed) as opened:
        evaluate(Read(rows=f"0:{side}", columns=f"0:{side}"), opened, seed=seed)


def _per_cell(name: str, work: Callable[[str, int, int], None], repeat: int) -> Figure:
    """Time a large block without instruments beside a small one at the wire, which would take minutes."""
    sides = {"arrays": LARGE, "simulated": AT_THE_WIRE}

    def per_cell(bench: str, seed: int) -> None:
        work(bench, seed, sides[bench])

    ours, theirs = (1e6 * s / sides[b] ** 2 for b, s in _seconds(per_cell, repeat).items())
    return Figure(
        f"{name}, a cell of {LARGE} x {LARGE}",
        ours,
        "us",
        f"a cell of {AT_THE_WIRE} x {AT_THE_WIRE} on the bench `simulated`",
        theirs,
        threads=threads(),
    )


def _timed(name: str, work: Callable[[str, int], None], repeat: int) -> Figure:
    ours, theirs = (1e3 * seconds for seconds in _seconds(work, repeat).values())
    return Figure(name, ours, "ms", WIRE, theirs, threads=threads())


def _seconds(work: Callable[[str, int], None], repeat: int) -> dict[str, float]:
    """Median time of the same work on both benches in turn, a chip a time."""
    taken: dict[str, list[float]] = {"arrays": [], "simulated": []}
    for bench in taken:
        work(bench, 0)  # what is imported and cached
    for seed in range(1, repeat + 1):
        for bench, seconds in taken.items():
            start = time.perf_counter()
            work(bench, seed)
            seconds.append(time.perf_counter() - start)
    return {bench: statistics.median(seconds) for bench, seconds in taken.items()}


def _likeness(preset: str, repeat: int) -> Figure:
    """The least likely of all compared samples, if both benches were one."""
    found: dict[str, tuple[float, float]] = {}
    sample: Callable[[str, str, int], Samples]
    for sample, count in ((sample_chip, CHIPS_A_REPEAT * repeat), (sample_solve, SOLVES_A_REPEAT * repeat)):
        wire = pooled(sample("simulated", preset, seed) for seed in range(count))
        arrays = pooled(sample("arrays", preset, seed) for seed in range(10_000, 10_000 + MORE * count))
        found |= alike(arrays, wire)
    least = min(p for _, p in found.values())
    return Figure(
        f"cells {preset}: least p of {len(found)} Kolmogorov-Smirnov tests against the wire",
        least,
        "",
        target=f">= {ALIKE:g}",
        met=least >= ALIKE,
        detail={name: {"distance": round(d, 4), "p": round(p, 4)} for name, (d, p) in found.items()},
        threads=threads(),
    )
