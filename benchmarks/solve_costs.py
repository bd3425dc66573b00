"""What a solve costs beside its operations: a cycle of the loop, many right-hand sides, and memory that stays."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks._solves import threads
from benchmarks.registry import Figure
from mho.array_types import Floats
from mho.instruments import open_bench
from mho.procedures import Solve
from mho.procedures.equations.algorithms.refinement import METHODS, Method, refine
from mho.procedures.equations.certificates.certificate import exact_residual, norm
from mho.running.execution import evaluate

SIZE, OTHER_SIZES = 16, (4, 64)
SYSTEMS_A_REPEAT = 8
ROUNDS = 21  # times that each loop is timed, in turns with its operations alone
CYCLES = 30  # most of a loop
CYCLE_COST = 20.0  # us
COLUMNS = {"arrays": (16, 100), "simulated": (4, 10)}  # unknowns and right-hand sides
PROGRAMMINGS = 1.2
SOLVES = {"arrays": 100, "simulated": 20}
GROWTH = 1.0  # MB a solve
FIRST = 3  # solves after which what is loaded and cached is there


def run(repeat: int) -> list[Figure]:
    """Measure the loop by method, then the costs of columns, then the growth of this process."""
    figures = [_loop(method, SYSTEMS_A_REPEAT * repeat) for method in METHODS]
    figures.extend(_columns(bench, *sizes) for bench, sizes in COLUMNS.items())
    figures.extend(_growth(bench, solves) for bench, solves in SOLVES.items())
    return figures


# --- the loop ---


@dataclass(frozen=True)
class _Timed:
    """CPU time of one loop, us a cycle: beyond its operations, and of these; its cycles.

    Medians of many rounds; in each one the operations alone are timed right before the loop, so that both find the
    processor as fast as the other.
    """

    beyond: float
    operations: float
    cycles: int


def _loop(method: Method, systems: int) -> Figure:
    found = {n: [_time_loop(n, method, seed) for seed in range(systems)] for n in (SIZE, *OTHER_SIZES)}
    beyond = {n: statistics.median(one.beyond for one in timed) for n, timed in found.items()}
    quartiles = np.quantile([one.beyond for one in found[SIZE]], (0.25, 0.75))
    return Figure(
        f"a cycle of {method} beyond its operations, N = {SIZE}",
        beyond[SIZE],
        "us",
        target=f"<= {CYCLE_COST:g} us",
        met=beyond[SIZE] <= CYCLE_COST,
        detail={
            "beyond its operations by N, us": {n: round(us, 1) for n, us in beyond.items()},
            f"quartiles over systems, N = {SIZE}, us": [round(float(us), 1) for us in quartiles],
            "operations by N, us": {
                n: round(statistics.median(one.operations for one in timed), 1) for n, timed in found.items()
            },
            "cycles by N": {n: statistics.median(one.cycles for one in timed) for n, timed in found.items()},
            "systems": systems,
        },
    )


def _time_loop(n: int, method: Method, seed: int) -> _Timed:
    """Time a loop, in turns with a replay of the operations that it asked for, so that no clock runs within it."""
    matrix, inverse, rhs = _system(n, seed)
    enough = 1e-14 * norm(rhs)
    operations: tuple[Callable[..., object], ...] = (
        lambda residual: inverse @ residual,
        lambda vector: matrix @ vector.values,
        lambda solution: exact_residual(matrix, solution, rhs),
        lambda solution, size: size < enough,
    )
    calls: list[tuple[Callable[..., object], tuple[object, ...]]] = []

    def noted(operation: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object) -> object:
            calls.append((operation, given))
            return operation(*given)

        return call

    def loop(*given: Callable[..., object]) -> int:
        cycles = refine(rhs, *given, method=method, max_cycles=CYCLES)  # type: ignore[arg-type]
        return deque(cycles, maxlen=1)[0].number

    def replay() -> None:
        for operation, given in calls:
            operation(*given)

    cycles = loop(*map(noted, operations))
    rounds = [(_time(replay), _time(lambda: loop(*operations))) for _ in range(ROUNDS)]
    beyond = statistics.median(whole - alone for alone, whole in rounds)
    return _Timed(beyond / cycles, statistics.median(alone for alone, _ in rounds) / cycles, cycles)


def _system(n: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """Return a symmetric positive definite matrix, an inverse that is off by about a tenth, and a right-hand side."""
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal((n, n))
    matrix = factor @ factor.T / n + 0.5 * np.eye(n)
    achieved = matrix + 0.075 * rng.standard_normal((n, n)) / np.sqrt(n)
    return matrix, np.linalg.inv(achieved), rng.standard_normal(n)


def _time(work: Callable[[], object]) -> float:
    """Return the CPU time of a work, us."""
    start = time.process_time()
    work()
    return 1e6 * (time.process_time() - start)


# --- many right-hand sides ---


@dataclass(frozen=True)
class _Spent:
    """What a solve took: bench time (s), pulses, reads, cycles, CPU time (s)."""

    bench: float
    pulses: int
    reads: int
    cycles: int
    cpu: float


def _columns(bench: str, n: int, count: int) -> Figure:
    """Return what so many right-hand sides cost beside their cycles, in programmings.

    A cycle costs what the solves of one and of all right-hand sides differ by, and a programming is what one right-hand
    side costs beside its cycles.
    """
    _solve(bench, n, 1)  # what is imported and cached
    one, two, many = (_solve(bench, n, k) for k in (1, 2, count))
    cycle = (two.bench - one.bench) / (two.cycles - one.cycles)
    programming = one.bench - one.cycles * cycle
    ratio = (many.bench - many.cycles * cycle) / programming
    met = ratio <= PROGRAMMINGS and many.pulses <= PROGRAMMINGS * one.pulses
    return Figure(
        f"{count} right-hand sides beside their cycles, {n} x {n} on `{bench}`",
        ratio,
        "programmings",
        target=f"<= {PROGRAMMINGS:g}",
        met=met,
        detail={
            "programming, s of bench time": round(programming, 4),
            "cycle, s of bench time": round(cycle, 5),
            "right-hand sides: bench time (s), pulses, reads, cycles, CPU time (s)": {
                k: (round(s.bench, 3), s.pulses, s.reads, s.cycles, round(s.cpu, 2))
                for k, s in ((1, one), (2, two), (count, many))
            },
        },
        threads=threads(),
    )


def _solve(bench: str, n: int, count: int) -> _Spent:
    rng = np.random.default_rng(0)
    matrix = 2.0 * np.eye(n) + 0.5 * rng.standard_normal((n, n)) / np.sqrt(n)
    start = time.process_time()
    with open_bench(bench, preset="pku", seed=1) as opened:
        solved = evaluate(Solve(matrix=matrix, bits=24, count=count), opened, seed=1)
    cpu, found = time.process_time() - start, solved.summary
    return _Spent(found["virtual_seconds"], found["pulses"], found["reads"], len(solved.cycles), cpu)


# --- memory ---


def _growth(bench: str, solves: int) -> Figure:
    """Return what this process grows by in so many solves, each on a bench of its own; nothing asks for the collector."""
    for _ in range(FIRST):
        _solve(bench, 4, 1)
    before = _resident()
    for _ in range(solves):
        _solve(bench, 4, 1)
    grown = _resident() - before
    return Figure(
        f"growth of the process over {solves} solves of 4 x 4 on `{bench}`",
        grown,
        "MB",
        target=f"<= {GROWTH * solves:g} MB",
        met=grown <= GROWTH * solves,
        detail={"resident before, MB": round(before, 1)},
        threads=threads(),
    )


def _resident() -> float:
    """Return the memory of this process that is in RAM, MB; only Linux tells it without a package."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(float(line.split()[1]) * 1.024e-3 for line in status.splitlines() if line.startswith("VmRSS"))
