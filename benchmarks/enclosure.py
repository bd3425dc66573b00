"""Enclosures of exact solutions: whether they hold the truth, how wide they are, what they cost at N = 128.

Each enclosure is held to the solution in exact integers. Its width is the largest bound of |x_i - x*_i| over the largest
true |x_i - x*_i|. The peer, with python-flint, solves the same system in balls of arbitrary precision.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from benchmarks._exact_systems import ExactSystem, draw_exact_system
from benchmarks.registry import Figure, median_seconds
from mho.procedures.equations.certificates.enclosure import (
    Enclosure,
    arbitrary_precision_installed,
    enclose,
    enclose_arb,
)

SYSTEMS = 2000  # a repeat
CONDITION = 1e12  # up to which all must be certified
WIDTH = 10.0
SIZE = 128
TIME = 0.050  # s


@dataclass(frozen=True)
class Judged:
    """What one enclosure claimed, and what was so.

    Attributes
    ----------
    holds : bool
        Whether both of its forms hold the exact solution: centre and radius, and the ends.
    width : float
        Largest bound relative to the largest error of x; 1 where both are zero.
    end_width : float
        The same of the ends, which are doubles.
    """

    family: str
    condition: float
    certified: bool
    holds: bool
    width: float
    end_width: float


def judge(system: ExactSystem) -> Judged:
    """Enclose, and compare with the exact solution."""
    found = enclose(system.matrix, system.rhs, system.solution)
    if not found.certified:
        return Judged(system.family, system.condition, False, True, np.nan, np.nan)
    x = [Fraction(value) for value in system.solution.tolist()]
    errors = [truth - value for truth, value in zip(system.truth, x, strict=True)]
    most = max(abs(error) for error in errors)
    ends = max(
        max(abs(Fraction(low) - value), abs(Fraction(high) - value))
        for low, high, value in zip(found.lower.tolist(), found.upper.tolist(), x, strict=True)
    )
    return Judged(
        system.family,
        system.condition,
        True,
        holds(found, system.truth),
        _ratio(max(Fraction(bound) for bound in found.error.tolist()), most),
        _ratio(ends, most),
    )


def holds(found: Enclosure, truth: list[Fraction]) -> bool:
    """Tell whether both forms of an enclosure hold the exact solution."""
    rows = zip(
        *(
            values.tolist()
            for values in (found.solution, found.correction, found.radius, found.lower, found.upper)
        ),
        truth,
        strict=True,
    )
    return all(
        abs(exact - Fraction(x) - Fraction(correction)) <= Fraction(radius) and lower <= exact <= upper
        for x, correction, radius, lower, upper, exact in rows
    )


def _ratio(bound: Fraction, error: Fraction) -> float:
    if bound == error:
        return 1.0
    return float(bound / error) if error else np.inf


def run(repeat: int) -> list[Figure]:
    """Judge 2,000 systems a repeat, and time one of 128 equations."""
    judged = [judge(draw_exact_system(seed)) for seed in range(SYSTEMS * repeat)]
    return [_truth(judged), _certified(judged), _width(judged), _time(repeat)]


def _truth(judged: list[Judged]) -> Figure:
    inside = sum(each.holds for each in judged)
    return Figure(
        "enclosures that hold the exact solution",
        inside,
        f"of {len(judged)}",
        target="all",
        met=inside == len(judged),
        detail={"certified": sum(each.certified for each in judged)},
    )


def _certified(judged: list[Judged]) -> Figure:
    wanted = [each for each in judged if each.condition <= CONDITION]
    missed = [each for each in wanted if not each.certified]
    beyond = [each for each in judged if each.condition > CONDITION]
    return Figure(
        f"certified up to a condition number of {CONDITION:g}",
        len(wanted) - len(missed),
        f"of {len(wanted)}",
        target="all",
        met=not missed,
        detail={
            "missed, by family": dict(Counter(each.family for each in missed)),
            "beyond": f"{sum(each.certified for each in beyond)} of {len(beyond)}",
        },
    )


def _width(judged: list[Judged]) -> Figure:
    certified = [each for each in judged if each.certified]
    widths = np.array([each.width for each in certified if each.condition <= CONDITION])
    ends = np.array([each.end_width for each in certified if each.condition <= CONDITION])
    beyond = np.array([each.width for each in certified if each.condition > CONDITION])
    return Figure(
        f"largest bound over largest error: the worst up to a condition number of {CONDITION:g}",
        float(widths.max()),
        "times",
        target=f"<= {WIDTH:g}",
        met=bool(widths.max() <= WIDTH),
        detail={
            "median": float(np.median(widths)),
            "of the ends, rounded to doubles, median": float(np.median(ends)),
            "of the ends, within 10 times": f"{np.sum(ends <= WIDTH)} of {len(ends)}",
            "beyond that condition number, worst": float(beyond.max(initial=0.0)),
            "beyond, within 10 times": f"{np.sum(beyond <= WIDTH)} of {len(beyond)}",
        },
    )


def _time(repeat: int) -> Figure:
    rng = np.random.default_rng(0)
    matrix, rhs = rng.standard_normal((SIZE, SIZE)), rng.standard_normal(SIZE)
    solution = np.linalg.solve(matrix, rhs)
    seconds = median_seconds(lambda: enclose(matrix, rhs, solution), max(repeat, 5))
    peer = arbitrary_precision_installed()
    return Figure(
        f"an enclosure of {SIZE} unknowns",
        seconds * 1e3,
        "ms",
        "Arb, by python-flint",
        median_seconds(lambda: enclose_arb(matrix, rhs, solution), max(repeat, 5)) * 1e3 if peer else None,
        peer_package="python-flint",
        target=f"<= {TIME * 1e3:g} ms",
        met=seconds <= TIME,
        threads=1,
    )
