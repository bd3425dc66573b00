"""Systems with their solutions, proved, and with what the same method makes of them without a chip.

In mho's own answers the chip inverts, and products are taken in float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps import Preconditioning, from_real_vector, to_real, to_real_vector
from mho.errors import ChipMapError, ConvergenceError, InputError
from mho.extensions.reach.families import FAMILIES, draw
from mho.extensions.reach.reader import GOAL_BITS, MOST_CYCLES, Answer, System, WithoutChip
from mho.instruments import open_bench
from mho.procedures import Goal, LinearSystem, NullStream, Solve, best_enclosure, solve_unaided

SIZES = (1, 2, 3, 4, 8, 16, 32)
PASSES = 4  # of enclosing, each around the corrected solution; two suffice
MANTISSA = 53.0


class CertifiedChoice(NamedTuple):
    """One system by its family, unknowns and seed."""

    family: str
    size: int
    seed: int


def choose(families: Sequence[str], sizes: Sequence[int], seeds: int) -> list[CertifiedChoice]:
    """Return the systems of these families and sizes, all where none are named, and of seeds 1 to `seeds`.

    Of a complex family there are even sizes only: each unknown counts as two real ones.

    Raises
    ------
    InputError
        A family that there is not, a number below 1, or odd sizes of complex families alone.
    """
    if unknown := [one for one in families if one not in FAMILIES]:
        raise InputError(f"there is no family {unknown[0]!r}; there are {', '.join(FAMILIES)}")
    if wrong := [one for one in (*sizes, seeds) if one < 1]:
        raise InputError(f"sizes and seeds are counted from 1, and {wrong[0]} was given")
    named, counted = dict.fromkeys(families or FAMILIES), dict.fromkeys(sizes or SIZES)
    chosen = [
        CertifiedChoice(*one)
        for one in product(named, counted, range(1, seeds + 1))
        if one[1] % 2 == 0 or not np.iscomplexobj(FAMILIES[one[0]](np.random.default_rng(0), 2))
    ]
    if not chosen:
        raise InputError(
            f"{', '.join(named)}: complex systems, whose unknowns count as two real ones each; give an even size"
        )
    return chosen


def identity(choice: CertifiedChoice) -> str:
    """Return the name of a system in the package."""
    return f"{slug(choice.family)}-{choice.size:03d}-{choice.seed:03d}"


def slug(family: str) -> str:
    """Return a family's name as that of a file."""
    return family.lower().replace(" ", "-")


def certified_system(choice: CertifiedChoice) -> System:
    """Draw a system, prove its solution, and solve it without a chip.

    Raises
    ------
    ConvergenceError
        Nothing can be proved of its solution.
    """
    drawn = draw(choice.family, choice.size, choice.seed)
    a, b = to_real(drawn.matrix), to_real_vector(drawn.rhs)
    x: Floats = np.asarray(np.linalg.solve(a, b), np.float64)
    for _ in range(PASSES):
        enclosure = best_enclosure(a, b, x)
        if not enclosure.certified:
            raise ConvergenceError(f"system {identity(choice)} cannot be certified: {enclosure.reason}")
        nearer = x + enclosure.correction
        if np.array_equal(nearer, x):
            break
        x = nearer
    error = best_enclosure(a, b, x).error
    solution: NDArray[Any] = x
    bound = error
    if np.iscomplexobj(drawn.matrix):
        real, imaginary = np.split(error, 2)
        solution, bound = from_real_vector(x), real + imaginary
    unsure, size = float(np.linalg.norm(bound)), float(np.linalg.norm(x))
    bits = math.floor(10.0 * -math.log2(unsure / (size - unsure))) / 10.0 if unsure else MANTISSA
    return System(
        identity(choice), choice.family, choice.size, choice.seed, drawn.condition, min(bits, MANTISSA),
        without_chip(drawn.matrix, drawn.rhs), drawn.matrix, drawn.rhs, solution, bound,
    )  # fmt: skip


def without_chip(matrix: NDArray[Any], rhs: NDArray[Any]) -> WithoutChip:
    """Solve by GCR in float64 whose corrections are the residuals themselves: what INV has to be better than.

    The system is equilibrated and its rows permuted, as mho does before anything is programmed. Counted as `digital_work`.
    """
    try:
        system = LinearSystem.load(matrix, rhs, 0, Goal(GOAL_BITS, None))
    except InputError:  # no solution in float64 could be proved to so many bits
        return WithoutChip(False, 0, 0, 0.0)
    form = Preconditioning.equilibrating(system.matrix)
    unaided = solve_unaided(system, form, form.matrix(system.matrix), 0, "gcr", MOST_CYCLES)
    bits = system.certify(unaided.solution, system.residual(unaided.solution, 0), 0).bits
    cycles = len(unaided.curve)
    work = digital_work(system.size, cycles, unaided.recomputed, "gcr")
    return WithoutChip(unaided.cycles is not None, cycles, work, math.floor(10.0 * bits) / 10.0)


def digital_work(n: int, products: int, recomputed: int, method: str) -> int:
    """Return the digital multiplications of a refinement of n real unknowns, as the benchmark counts them.

    Products with the matrix and residuals that were recomputed, n^2 each; of GCR to make the j-th product and its
    correction orthogonal to those before, once, 3 n j; of CG 4 n; of a line search 2 n. What both sides need beside it
    (scaling, permuting, the certificate) and what a plan takes is left out.
    """
    along = {
        "gcr": 3 * n * products * (products - 1) // 2,
        "cg": 4 * n * products,
        "line search": 2 * n * products,
    }
    return n * n * (products + recomputed) + along.get(method, 0)


class _Residuals(NullStream):
    """Counts the residuals that were recomputed, and keeps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.recomputed = 0

    def emit(self, table: str, **values: Any) -> None:
        """Count a cycle's residual where it was recomputed."""
        if table == "cycles" and not math.isnan(values["true_residual"]):
            self.recomputed += 1


def solve_systems(
    systems: Iterable[System], bench: str = "arrays", preset: str | None = None
) -> Iterator[Answer]:
    """Solve systems as `mho solve --residual float64` does, each on a chip drawn by the system's seed."""
    for system in systems:
        yield _answer(system, bench, preset)


def _answer(system: System, bench: str, preset: str | None) -> Answer:
    procedure = Solve(
        matrix=system.matrix, rhs=system.rhs, bits=GOAL_BITS, residual="float64", max_cycles=MOST_CYCLES
    )
    stream = _Residuals()
    with open_bench(bench, preset=preset, seed=system.seed) as opened:
        try:
            plan = procedure.prepare(procedure.check(), opened, np.random.default_rng([system.seed, 1]))
            result = procedure.execute(plan, opened, stream)
        except (ChipMapError, ConvergenceError, InputError) as error:
            return Answer(system.id, "refused", reason=str(error))
    cycles = len(result.cycles)
    return Answer(
        system.id, "converged" if result.converged else "not converged", result.solution, cycles,
        digital_work(system.size, cycles, stream.recomputed, result.summary["method"]),
        result.summary["reason"],
    )  # fmt: skip
