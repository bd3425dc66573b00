"""Blocks with wires: nodal solves beside badcrossbar and SciPy's sparse solver, and port matrices.

Solve times of ours include the set-up; those of `spsolve` leave the assembly of its matrix out.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import statistics
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks._nodal_solver import NodalSolver, port_matrix
from benchmarks._sparse_network import SparseBlock, solve_block
from benchmarks.registry import Figure, installed, median_seconds
from mho.array_types import Floats
from mho.instruments.simulated.physics.wires import WiredBlock

Result = TypeVar("Result")

WIRE = 1.73  # ohm between neighbouring cells, the reference chip
LEVELS = np.array([0.3, 5, 10, 15, 20, 25, 30, 35]) * 1e-6  # S
ACCURACY = 1e-10
THREADS = int(os.environ.get("OPENBLAS_NUM_THREADS", os.cpu_count() or 1))


def run(repeat: int) -> list[Figure]:
    return [*_nodal(repeat), *_megabit(repeat), *_ports(repeat)]


def deviation(value: Floats, expected: Floats) -> float:
    """Return the largest deviation over the largest value."""
    return float(np.abs(value - expected).max() / np.abs(expected).max())


def _draw(n: int) -> tuple[Floats, Floats, Floats, NDArray[np.int64]]:
    rng = np.random.default_rng(n)
    return rng.choice(LEVELS, (n, n)), rng.uniform(-0.2, 0.2, n), rng.uniform(-0.2, 0.2, n), np.arange(n)


def side_by_side(
    ours: Callable[[], object], peer: Callable[[], tuple[float, Result]], repeat: int
) -> tuple[float, float, Result]:
    """Return the median seconds of ours and of a peer that times itself, turn by turn, and its result.

    On a machine that is busy with other work, two medians taken one after the other do not compare.
    """
    _, result = peer()
    turns = [(median_seconds(ours, 1), peer()[0]) for _ in range(repeat)]
    mine, theirs = (statistics.median(seconds) for seconds in zip(*turns, strict=True))
    return mine, theirs, result


def _nodal(repeat: int) -> Iterator[Figure]:
    cells, u, w, lines = _draw(256)

    def build(wire: float) -> NodalSolver:
        return NodalSolver(WiredBlock.from_lines(cells, lines, lines, wire))

    def direct(wire: float) -> tuple[float, SparseBlock]:
        peer = solve_block(cells, lines, lines, wire, u, w)
        return peer.seconds, peer

    for wire, faster in ((WIRE, 40), (100 * WIRE, 1)):
        ours, seconds, peer = side_by_side(
            lambda r=wire: build(r).solve(u, w), lambda r=wire: direct(r), repeat
        )
        x = build(wire).solve(u, w, nodes=True)
        assert x.bit_volts is not None
        assert x.source_volts is not None
        worst = max(
            deviation(x.row_currents, peer.row_currents),
            deviation(x.column_currents, peer.column_currents),
            deviation(x.bit_volts, peer.bit),
            deviation(x.source_volts, peer.source),
        )
        yield Figure(
            f"nodal solve 256x256, {wire:g} ohm",
            ours,
            "s",
            "scipy spsolve",
            seconds,
            target=f"{faster} times faster, 1e-10" if faster > 1 else "converges, 1e-10",
            met=worst < ACCURACY and seconds > faster * ours,
            detail={"times faster": round(seconds / ours, 1), "deviation": worst, "iterations": x.iterations},
            threads=THREADS,
        )

    name = "nodal solve 256x256 for column currents"
    if not installed("badcrossbar"):
        ours = median_seconds(lambda: build(WIRE).solve(u), repeat)
        yield Figure(name, ours, "s", "badcrossbar", peer_package="badcrossbar", threads=THREADS)
        return
    ours, seconds, outputs = side_by_side(
        lambda: build(WIRE).solve(u), lambda: _badcrossbar(cells, u), repeat
    )
    worst = deviation(-build(WIRE).solve(u).column_currents, outputs)
    yield Figure(
        name,
        ours,
        "s",
        f"badcrossbar {importlib.metadata.version('badcrossbar')}",
        seconds,
        target="50 times faster, 1e-10",
        met=seconds > 50 * ours and worst < ACCURACY,
        detail={"times faster": round(seconds / ours, 1), "deviation": worst},
        threads=THREADS,
        peer_package="badcrossbar",
    )


def _badcrossbar(cells: Floats, volts: Floats) -> tuple[float, Floats]:
    """Return the seconds of one solve by badcrossbar, and its output currents."""
    with _quiet():
        from badcrossbar import compute

        start = time.perf_counter()
        # Its bit lines end below the last row, ours above the first.
        solution = compute(
            volts[::-1, None], 1.0 / cells[::-1], WIRE, node_voltages=False, all_currents=False
        )
        seconds = time.perf_counter() - start
    return seconds, np.asarray(solution.currents.output)[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep badcrossbar's logging, which it sends to standard output, out of a report."""
    handlers, disabled = logging.root.handlers[:], logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(record=True):  # it resets the filters itself
            yield
    finally:
        logging.disable(disabled)
        logging.root.handlers[:] = handlers


def _megabit(repeat: int) -> Iterator[Figure]:
    cells, u, w, lines = _draw(1024)
    for wire in (WIRE, 100 * WIRE):

        def work(wire: float = wire) -> int:
            return NodalSolver(WiredBlock.from_lines(cells, lines, lines, wire)).solve(u, w).iterations

        seconds = median_seconds(work, repeat)
        tracemalloc.start()
        iterations = work()
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        yield Figure(
            f"nodal solve 1024x1024, {wire:g} ohm",
            seconds,
            "s",
            target="under 2 s and 1024 MiB",
            met=seconds < 2.0 and peak < 1024,
            detail={"peak MiB": round(peak), "iterations": iterations},
            threads=THREADS,
        )


def _ports(repeat: int) -> Iterator[Figure]:
    for n, target in ((16, 0.5e-3), (64, 50e-3), (256, 1.0)):
        cells, u, _, lines = _draw(n)
        seconds = median_seconds(lambda c=cells, k=lines: port_matrix(c, k, k, WIRE), repeat)
        yield Figure(
            f"port matrix {n}x{n}",
            seconds,
            "s",
            target=f"under {target:g} s",
            met=seconds < target,
            threads=THREADS,
        )
    solver = NodalSolver(WiredBlock.from_lines(cells, lines, lines, WIRE))
    ports = port_matrix(cells, lines, lines, WIRE)
    full = median_seconds(lambda: solver.solve(u), repeat)
    cached = median_seconds(lambda: [u @ ports for _ in range(100)], repeat) / 100
    worst = deviation(u @ ports, -solver.solve(u).column_currents)
    yield Figure(
        "a vector through the cached port matrix 256x256",
        cached,
        "s",
        "our nodal solve, factorised",
        full,
        target="100 times cheaper, 1e-10",
        met=full > 100 * cached and worst < ACCURACY,
        detail={"times cheaper": round(full / cached), "deviation": worst},
        threads=THREADS,
    )
