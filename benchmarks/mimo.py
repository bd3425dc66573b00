"""The 16 x 16 massive-MIMO matrix to 24 and to 32 bits, on one virtual chip a seed.

The whole job is timed: bench opened, arrays formed and programmed by write-verify, refined, run file written
and closed. The peer of the precision is LAPACK's solve in float32 of the same systems; for the whole job on
instruments there is none.
"""

from __future__ import annotations

import statistics

import numpy as np

from benchmarks._solves import MATRICES, PRESET, seeds, solve_on_chips, threads
from benchmarks._without_chip import without_chip
from benchmarks.registry import Figure
from mho.chip_maps.matrix_files import load_matrix, load_right_hand_sides
from mho.procedures import Solution

MATRIX = "mimo-16x16.mtx"
MOST_CYCLES = 10
WORST_ERROR = {24: 1e-6, 32: 1e-9}
LONGEST = 30.0  # s, for the 24-bit job


def run(repeat: int) -> list[Figure]:
    """Measure on four chips a repeat, a random right-hand side each."""
    chips = seeds(repeat)
    single = max(float32_error(seed) for seed in chips)
    figures = []
    for bits, allowed in WORST_ERROR.items():
        results = solve_on_chips(MATRIX, bits=bits, chips=chips, max_cycles=MOST_CYCLES)
        figures += _figures(results, bits, allowed, single)
    return figures


def _figures(results: list[Solution], bits: int, allowed: float, single: float) -> list[Figure]:
    converged = sum(result.converged for result in results)
    cycles = [len(result.cycles) for result in results]
    errors = [result.summary["relative_error"] for result in results]
    seconds = [result.summary["wall_seconds"] for result in results]
    longest = statistics.median(seconds)
    outputs = sum(result.summary["mvm_outputs"] for result in results)
    wrong = sum(result.summary["mvm_wrong"] for result in results)
    pulses = [result.summary["pulses"] for result in results]
    encodings = sorted({result.summary["encoding"] for result in results})
    summaries = [result.summary for result in results]
    return [
        Figure(
            f"{bits} bits: chips converged within {MOST_CYCLES} cycles",
            converged,
            f"of {len(results)}",
            target="all",
            met=converged == len(results),
            detail={
                "cycles min": min(cycles),
                "cycles median": statistics.median(cycles),
                "cycles max": max(cycles),
                "preset": PRESET,
                "encodings": ", ".join(encodings),
            },
            threads=threads(),
        ),
        Figure(
            f"{bits} bits: relative error to float64, worst chip",
            max(errors),
            "",
            "LAPACK in float32, worst",
            single,
            target=f"< {allowed:g}",
            met=max(errors) < allowed,
            detail={"min": min(errors), "median": statistics.median(errors)},
            threads=threads(),
        ),
        Figure(
            f"{bits} bits: wrong MVM outputs, all chips",
            wrong,
            "integers",
            detail={"outputs": outputs},
            threads=threads(),
        ),
        Figure(
            f"{bits} bits: the whole job, median",
            longest,
            "s",
            target=f"< {LONGEST:g} s" if bits == 24 else None,
            met=longest < LONGEST if bits == 24 else None,
            detail={
                "min": min(seconds),
                "max": max(seconds),
                "cells": results[0].summary["cells"],
                "pulses median": statistics.median(pulses),
            },
            threads=threads(),
        ),
        *without_chip(f"{bits} bits", summaries),
    ]


def float32_error(seed: int) -> float:
    """Return the relative error of a float32 solve, with the right-hand side that this seed draws."""
    matrix = load_matrix(str(MATRICES / MATRIX))
    rhs = load_right_hand_sides("random", len(matrix), np.random.default_rng(seed))
    exact = np.linalg.solve(matrix, rhs)
    found = np.linalg.solve(matrix.astype(np.float32), rhs.astype(np.float32))
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))
