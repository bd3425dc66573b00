"""What solves claim beside what they found: families, cells, stuck cells and waits, on `arrays` and at the wire.

A solve that says converged must be right to 4 times 2^-bits. Solves are spread over the usable cores, one thread each.
No other program gives a verdict on an analogue solve, so there is no peer.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from benchmarks._families import BASIC
from benchmarks._judging import BITS, Case, Verdict, judge_all
from benchmarks.registry import Figure

PRESETS = ("ideal", "quiet", "pku", "relaxing")
STUCK = (0.0, 0.01, 0.02, 0.05)
WAITS = (0.0, 1.0, 3600.0, 86400.0)  # s
SIZES = (2, 3, 4, 6, 8)
ON_ARRAYS, AT_THE_WIRE = 400, 6  # solves a repeat
WANTED = 0.95  # of the systems below a condition number of 10 that converge on these presets:
NOISY = ("quiet", "relaxing")


def cases(bench: str) -> Iterator[Case]:
    """Return cases without end, the same every time, each kind beside each other."""
    number, rng = 0, np.random.default_rng(0)
    while True:
        for family in rng.permutation(list(BASIC)):
            yield Case(
                number,
                str(family),
                int(rng.choice(SIZES)),
                PRESETS[number % len(PRESETS)],
                float(rng.choice(STUCK)),
                float(rng.choice(WAITS)),
                bench,
            )
            number += 1


def run(repeat: int) -> list[Figure]:
    """Judge 400 solves a repeat on `arrays`, 6 at the wire."""
    figures = []
    for bench, each, name in (("arrays", ON_ARRAYS, "on arrays"), ("simulated", AT_THE_WIRE, "at the wire")):
        verdicts = judge_all(list(islice(cases(bench), each * repeat)))
        figures += _figures(verdicts, name)
    return figures


def _figures(verdicts: list[Verdict], name: str) -> list[Figure]:
    false = sum(verdict.false for verdict in verdicts)
    converged = [verdict for verdict in verdicts if verdict.converged]
    worst = max((verdict.error * 2.0**BITS for verdict in converged), default=0.0)
    easy = [v for v in verdicts if v.case.preset in NOISY and v.condition < 10.0]
    reached = sum(verdict.converged for verdict in easy)
    return [
        Figure(
            f"{name}: solves that say converged and are not",
            false,
            f"of {len(verdicts)}",
            target="none",
            met=false == 0,
            detail={
                "said converged": len(converged),
                "said not converged": sum(not v.converged and not v.refused for v in verdicts),
                "refused": sum(bool(v.refused) for v in verdicts),
                "worst error of those converged, in 2^-bits": worst,
            },
        ),
        Figure(
            f"{name}: converged to {BITS} bits, quiet and relaxing, condition number below 10",
            reached / max(len(easy), 1),
            f"of {len(easy)}",
            target=f"{WANTED:.0%}",
            met=reached >= WANTED * len(easy),
            detail={
                "refused, which counts as not converged": sum(bool(v.refused) for v in easy),
                "by share of stuck cells": _by_stuck(easy),
            },
        ),
        _beside_no_chip(name, converged),
    ]


def _beside_no_chip(name: str, converged: list[Verdict]) -> Figure:
    """Return how many of the solves would not have taken more cycles without the chip."""
    both = [(verdict.cycles, verdict.without) for verdict in converged if verdict.without is not None]
    fewer = sum(cycles < without for cycles, without in both)
    same = sum(cycles == without for cycles, without in both)
    return Figure(
        f"{name}: solves that the chip saved no cycle",
        len(both) - fewer,
        f"of {len(both)}",
        detail={"as many": same, "more": len(both) - fewer - same, "needed it": len(converged) - len(both)},
    )


def _by_stuck(verdicts: list[Verdict]) -> dict[str, str]:
    shares: dict[str, list[bool]] = {}
    for verdict in verdicts:
        shares.setdefault(f"{verdict.case.stuck:.0%}", []).append(verdict.converged)
    return {share: f"{sum(each)} of {len(each)}" for share, each in sorted(shares.items())}
