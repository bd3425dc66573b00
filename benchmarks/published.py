"""The published 4 x 4 example at 12 bits, on one virtual chip a seed, beside the paper and an ideal array.

On the default bench by `mho solve`; and both published curves on the bench `zuo2025`, by the paper's own loop.

Zuo et al., Nature Electronics 8, 1222 (2025): measured relative errors after the cycles 1, 2, 3 were
0.18, 0.034 and 0.0076 (read off a figure, 1 to 5 %), and all 1,152 outputs of the products were right.
The second peer is the same iteration in numpy, with A rounded to 3 bits as the array that inverts.
"""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._solves import MATRICES, PRESET, seeds, solve_on_chips, threads
from benchmarks.registry import Figure
from mho.chip_maps.matrix_files import load_matrix, load_right_hand_sides
from mho.extensions.published import Setup
from mho.extensions.published.curves import TWELVE, TWENTY_FOUR
from mho.extensions.published.rejection import LEVEL

MATRIX, RHS = "zuo2025-4x4.mtx", "zuo2025-4x4-rhs.mtx"
BITS = 12
PAPER = (0.18, 0.034, 0.0076)
INV_ALONE = (0.05, 0.3)
CYCLES = (4, 6)
SEED = 1  # of the chips of the bench `zuo2025`

Reals = NDArray[np.floating[Any]]


def run(repeat: int) -> list[Figure]:
    """Measure on four chips a repeat."""
    chips = seeds(repeat)
    results = solve_on_chips(MATRIX, bits=BITS, rhs=str(MATRICES / RHS), chips=chips)
    curves = [[cycle["sliced_error"] for cycle in result.cycles] for result in results]
    ideal = ideal_errors(10)
    alone = [curve[0] for curve in curves]
    needed = [cycles_to(curve, BITS) for curve in curves]
    outputs = sum(result.summary["mvm_outputs"] for result in results)
    wrong = sum(result.summary["mvm_wrong"] for result in results)
    encodings = sorted({result.summary["encoding"] for result in results})
    about = {"chips": len(chips), "preset": PRESET, "encodings": ", ".join(encodings)}
    return [
        Figure(
            "relative error of INV alone, median",
            statistics.median(alone),
            "",
            "paper",
            PAPER[0],
            target="0.05 to 0.3 on every chip",
            met=INV_ALONE[0] <= min(alone) and max(alone) <= INV_ALONE[1],
            detail={"min": min(alone), "max": max(alone), "ideal rounded A0 in numpy": ideal[0], **about},
            threads=threads(),
        ),
        *(
            Figure(
                f"relative error after cycle {cycle}, median",
                statistics.median(reached(curve, cycle) for curve in curves),
                "",
                "paper",
                PAPER[cycle - 1],
                detail={
                    "min": min(reached(curve, cycle) for curve in curves),
                    "max": max(reached(curve, cycle) for curve in curves),
                    "ideal rounded A0 in numpy": ideal[cycle - 1],
                },
                threads=threads(),
            )
            for cycle in (2, 3)
        ),
        Figure(
            "cycles until the error is below 2^-12, median",
            statistics.median(needed),
            "cycles",
            "ideal rounded A0 in numpy",
            cycles_to(ideal, BITS),
            target="4 to 6 on every chip",
            met=CYCLES[0] <= min(needed) and max(needed) <= CYCLES[1],
            detail={"min": min(needed), "max": max(needed), "each": needed},
            threads=threads(),
        ),
        Figure(
            "wrong MVM outputs, all chips",
            wrong,
            "integers",
            "paper",
            0.0,
            detail={"outputs": outputs, "outputs of the paper": 1152},
            threads=threads(),
        ),
        *_published_bench(chips),
    ]


def _published_bench(chips: range) -> list[Figure]:
    """Both measured curves beside the bench that is the paper's set-up, in the paper's own loop: as `mho published`."""
    figures = []
    setup = Setup("zuo2025", None, len(chips), SEED)
    for experiment in (TWELVE, TWENTY_FOUR):
        outcome = experiment.carry_out(setup, lambda done, total: None)
        assert outcome.rejection is not None  # both are published
        figures += [
            Figure(
                f"bench zuo2025, {experiment.bits} bits: relative error after cycle {row.number}, median",
                row.median,
                "",
                "paper",
                row.published,
                detail={
                    "5 % of chips": row.low,
                    "95 %": row.high,
                    "share of chips below the paper's": row.below,
                },
                threads=threads(),
            )
            for row in outcome.rows
            if row.quantity == "relative error"
        ]
        figures.append(
            Figure(
                f"bench zuo2025, {experiment.bits} bits: p that the paper's curve is one of the chips'",
                outcome.rejection.p,
                "",
                target=f"above {LEVEL:g}",
                met=not outcome.rejection.rejected,
                detail={"smallest p of so many chips": outcome.rejection.least},
                threads=threads(),
            )
        )
    return figures


def ideal_errors(cycles: int) -> list[float]:
    """Return the relative errors after each cycle with the rounded A0 as it should be, in float64."""
    matrix = load_matrix(str(MATRICES / MATRIX)).astype(np.float64)
    rhs = load_right_hand_sides(str(MATRICES / RHS), len(matrix), np.random.default_rng(0)).astype(np.float64)
    leading = np.linalg.inv(np.rint(8.0 * matrix) / 8.0)
    exact = np.linalg.solve(matrix, rhs)
    errors, solution = [], np.zeros_like(rhs)
    for _ in range(cycles):
        solution = solution + leading @ (rhs - matrix @ solution)
        errors.append(_relative(solution, exact))
    return errors


def cycles_to(errors: list[float], bits: int) -> float:
    """Return the first cycle, from 1, whose error is below 2^-bits; infinity when there is none."""
    return next((cycle for cycle, error in enumerate(errors, 1) if error < 2.0**-bits), math.inf)


def reached(errors: list[float], cycle: int) -> float:
    """Return the error after a cycle; a run that ended before it keeps its last."""
    return errors[min(cycle, len(errors)) - 1]


def _relative(value: Reals, reference: Reals) -> float:
    return float(np.linalg.norm(value - reference) / np.linalg.norm(reference))
