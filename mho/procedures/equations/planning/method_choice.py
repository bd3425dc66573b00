"""Choice of the method of refinement: the one in which the chip does the work, where its loop is good enough for that.

GCR never needs more cycles than the others, but for chance; it keeps and combines all earlier directions, and ends within
as many cycles as there are unknowns even without a chip. A plain step or a line search converges by the loop alone, with
fewer digital operations a cycle. It is taken where it is expected to need hardly more cycles (`auto`), or none more
(`fewest cycles`), which is judged by the refinements that the loop was chosen by: around the same inverses with drawn
cell errors, with the products' matrix and vectors as the run will have them. Once the cells are programmed, the choice is
held to what they came to hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self, cast

import numpy as np

from mho.array_types import Floats
from mho.procedures.equations.algorithms.refinement import Cycle, Method, method_name
from mho.procedures.equations.certificates.certificate import is_positive_definite, norm
from mho.procedures.equations.planning.linear_system import Goal
from mho.procedures.equations.planning.loop_choice import MOST_CYCLES, DrawnLoops

BY_COST: tuple[Method, ...] = ("plain", "line search", "cg", "gcr")
"""By digital operations a cycle: an addition; a projection; two, and a direction; as many as there were cycles."""

Chosen = Literal["auto", "fewest cycles"]

CHOSEN: dict[Chosen, tuple[float, float]] = {"auto": (1.25, 1.5), "fewest cycles": (1.0, 1.0)}
"""Ways to have the method chosen, and how many times GCR's cycles another method may be expected to take: in the median of
the drawn loops, and at most."""

ROUNDING = 2.0**-49
"""Of ||S|| ||x||: what float64 leaves of a residual in a judged refinement, below which nothing can be judged."""

LATE = 2  # times the most expected cycles, from which on GCR takes over

SYMMETRIC = 2.0**-48
"""Difference between an entry and its mirror image, relative to the largest entry, up to which a matrix is symmetric."""


@dataclass(frozen=True)
class ExpectedCycles:
    """The cycles that one method is expected to take."""

    method: Method
    median: float  # of the drawn loops
    most: int  # of the drawn loops; `MOST_CYCLES` where one takes more

    @classmethod
    def of(cls, method: Method, cycles: Sequence[int]) -> Self:
        """Return what the cycles around drawn loops come to."""
        return cls(method, float(np.median(cycles)), max(cycles))

    def plain(self) -> dict[str, str | float]:
        """Return the values by name, for a run file."""
        return {"method": method_name(self.method), "median": self.median, "most": self.most}


@dataclass(frozen=True)
class Judging:
    """What methods are judged with: that of the run."""

    goal: Goal
    correction_bits: int  # of the vectors that are multiplied

    def cycles(self, methods: Sequence[Method], loops: DrawnLoops, sliced: Floats) -> list[tuple[int, ...]]:
        """Return of each method the cycles to the goal around each loop, with products by S as these hold it.

        `sliced` (n, n): S as the products hold it.
        """
        limit = self._limit(loops)
        return [
            loops.cycles(one, sliced=sliced, limit=limit, correction_bits=self.correction_bits)
            for one in methods
        ]

    def _limit(self, loops: DrawnLoops) -> float:
        """Return the residual's norm that proves the bits, or that of the tolerance; none that rounding hides."""
        values = np.linalg.svd(loops.matrix, compute_uv=False)
        length = norm(_solution(loops.matrix, loops.rhs))
        bits, tolerance = self.goal.bits, self.goal.tolerance
        goal = 2.0**-bits * values[-1] * length if tolerance is None else tolerance * norm(loops.rhs)
        return float(max(goal, ROUNDING * values[0] * length))


@dataclass(frozen=True)
class MethodChoice:
    """A method, and how it was chosen.

    Attributes
    ----------
    judged : tuple of ExpectedCycles
        The methods that were considered, the cheapest a cycle first; empty for a method that was given.
    judging : Judging or None
        How they were judged.
    slower : float
        How many times GCR's cycles it may take at most.
    """

    method: Method
    judged: tuple[ExpectedCycles, ...] = ()
    judging: Judging | None = None
    slower: float = 1.0

    def outlasted(self, cycle: Cycle) -> bool:
        """Return whether the choice was wrong, as the method took far longer; one that was given never has."""
        most = [one.most for one in self.judged if one.method == self.method]
        return bool(most) and (cycle.end == "stalled" or cycle.number >= LATE * most[0])

    def in_words(self) -> str:
        """Return what was judged, in a sentence without a beginning."""
        each = ", ".join(
            f"{method_name(one.method)} {_count(one.median)} (at most {_count(one.most)})"
            for one in self.judged
        )
        return f"cycles expected from drawn loops: {each}"

    def confirmed(self, programmed: DrawnLoops, sliced: Floats) -> Method:
        """Return the method for the loop as programmed: GCR where the chosen one is expected to take more cycles.

        Parameters
        ----------
        sliced : (n, n) array
            The matrix as the products hold it.
        """
        if self.judging is None or self.method == "gcr":
            return self.method
        (most,), (expected,) = self.judging.cycles(("gcr", self.method), programmed, sliced)
        return self.method if most < MOST_CYCLES and expected <= self.slower * most else "gcr"


def choose_method(
    choice: Method | Chosen, drawn: DrawnLoops, sliced: Floats, judging: Judging, *, slack: bool = True
) -> MethodChoice:
    """Return the cheapest method that takes hardly more cycles than GCR, in the median of the drawn loops and at most.

    Where GCR itself does not get there around each of them, it is the method. CG counts where the matrix is symmetric
    positive definite in the loop's form. `choice`: one of `CHOSEN`, or the method that is taken whatever it takes;
    `sliced` (n, n): the matrix in the loop's form as the products hold it; `judging`: with what they are judged;
    `slack`: whether more cycles than GCR's may be taken at all: not where each takes products on the chip, whose
    digital corrections cost more than what a method saves.
    """
    if choice not in CHOSEN:
        return MethodChoice(cast(Method, choice))
    allowed = CHOSEN[choice] if slack else (1.0, 1.0)
    matrix = drawn.matrix
    symmetric = np.abs(matrix - matrix.T).max() <= SYMMETRIC * np.abs(matrix).max()
    by_cg = symmetric and is_positive_definite(matrix)
    considered = [one for one in BY_COST if one != "cg" or by_cg]
    judged = tuple(map(ExpectedCycles.of, considered, judging.cycles(considered, drawn, sliced)))
    gcr = judged[-1]

    def serves(one: ExpectedCycles) -> bool:
        slower, slowest = (1.0, 1.0) if one.method == "cg" else allowed
        few = one.median <= slower * gcr.median and one.most <= slowest * gcr.most
        return gcr.most < MOST_CYCLES and few

    chosen = next(filter(serves, judged), gcr).method
    return MethodChoice(chosen, judged, judging, 1.0 if chosen == "cg" else allowed[1])


def _count(cycles: float) -> str:
    return f"{cycles:g}" if cycles < MOST_CYCLES else f"{MOST_CYCLES} or more"


def _solution(matrix: Floats, rhs: Floats) -> Floats:
    """Return the solution in float64; of a singular matrix, which a residual may be asked of, the shortest nearest one."""
    try:
        return np.asarray(np.linalg.solve(matrix, rhs), dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(matrix, rhs, rcond=None)[0], dtype=np.float64)
