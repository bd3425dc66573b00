"""Solves by blocks on the bench `arrays`: cycles to 24 bits, time and memory, families beside each other and against N.

Each solve is the whole job in a process of its own: matrix cut, cells drawn and programmed, products calibrated, refined
with a residual in float64. No other program solves on arrays whose cells are programmed one by one, so there is no peer.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks._judging import MARGIN
from benchmarks._large_systems import draw
from benchmarks.blocks import fitted_exponent
from benchmarks.registry import Figure

BITS, LEAF, MOST_CYCLES = 24, 32, 25
SIZES = (256, 1024)
FAMILIES = ("Gram", "dominant", "Poisson", "convection-diffusion", "SPD 30", "SPD 1e3", "general")
GROWING, AGAINST = ("Gram", "Poisson"), (16, 32, 64, 128, 256, 512, 1024, 2048)  # one solve each
LONGEST, MEMORY = 120.0, 4.0  # s and GB, wanted at 1,024


@dataclass(frozen=True)
class Job:
    """What one solve came to; `false` where it said converged and was not. `processor` is the time of all cores, s."""

    converged: bool
    false: bool
    cycles: int
    inversions: int
    products: int
    cells: int
    seconds: float
    gigabytes: float
    reason: str
    effort: str
    processor: float = 0.0


def run(repeat: int) -> list[Figure]:
    """Solve each family at both sizes, a chip and a system a repeat, at most three; then some at all sizes, once."""
    figures = [figure for n in SIZES for family in FAMILIES for figure in _figures(family, n, min(repeat, 3))]
    return figures + [figure for family in GROWING for figure in _against_size(family, AGAINST)]


def solve(family: str, n: int, seed: int, most_cycles: int = MOST_CYCLES, **how: Any) -> Job:
    """Solve one system on one chip; `how` are further parameters of `Solve`."""
    import resource  # which Windows lacks; the rest of this module is for every system

    from mho.instruments import open_bench
    from mho.procedures import Solve
    from mho.running.execution import evaluate

    system = draw(family, n, seed)
    start, spent = time.perf_counter(), time.process_time()
    with open_bench("arrays", preset="pku", seed=seed) as bench:
        job = Solve(matrix=system.matrix, rhs=system.rhs, bits=BITS, leaf=LEAF, max_cycles=most_cycles, **how)
        found = evaluate(job, bench, seed=seed)
    seconds, spent = time.perf_counter() - start, time.process_time() - spent
    exact = np.linalg.solve(system.matrix, system.rhs)
    error = float(np.linalg.norm(found.solution - exact) / np.linalg.norm(exact))
    return Job(
        found.converged,
        found.converged and error > MARGIN * 2.0**-BITS,
        len(found.cycles),
        found.summary["inversions"],
        found.summary["products"],
        found.summary["cells"],
        seconds,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        found.summary["reason"],
        found.summary.get("effort", ""),
        spent,
    )


def _apart(family: str, n: int, seed: int) -> Job:
    """Solve in a process of its own, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(solve, family, n, seed).result()


def _figures(family: str, n: int, repeat: int) -> list[Figure]:
    jobs = [_apart(family, n, seed) for seed in range(1, repeat + 1)]
    cycles = statistics.median(job.cycles for job in jobs)
    converged = sum(job.converged and not job.false for job in jobs)
    seconds = statistics.median(job.seconds for job in jobs)
    memory = max(job.gigabytes for job in jobs)
    what = f"{family}, N = {n:,}, N0 = {LEAF}"
    detail = {
        "converged": f"{converged} of {len(jobs)}",
        "false": sum(job.false for job in jobs),
        "INV": jobs[0].inversions,
        "MVM": jobs[0].products,
        "cells": jobs[0].cells,
        "effort": jobs[0].effort,
        "why not": next((job.reason for job in jobs if job.reason), ""),
    }
    figures = [
        Figure(
            f"cycles to {BITS} bits, {what}",
            cycles,
            "",
            target=f"all converge in at most {MOST_CYCLES}",
            met=converged == len(jobs),
            detail=detail,
        ),
        Figure(
            f"the whole job, {what}",
            seconds,
            "s",
            target=f"{LONGEST:g} s" if n == SIZES[-1] else None,
            met=seconds < LONGEST if n == SIZES[-1] else None,
            detail={"processor s": statistics.median(job.processor for job in jobs)},
        ),
    ]
    if n == SIZES[-1]:
        figures.append(
            Figure(f"largest memory, {what}", memory, "GB", target=f"{MEMORY:g} GB", met=memory < MEMORY)
        )
    return figures


def _against_size(family: str, sizes: Sequence[int]) -> list[Figure]:
    """Solve one system of each size, and fit time and memory by a power of N over those above a leaf."""
    jobs = {n: _apart(family, n, 1) for n in sizes}
    figures = []
    for what, unit, values in (
        ("the whole job", "s", {n: job.seconds for n, job in jobs.items()}),
        ("largest memory", "GB", {n: job.gigabytes for n, job in jobs.items()}),
    ):
        figures.append(
            Figure(
                f"{what} against N, {family}, at N = {sizes[-1]:,}",
                values[sizes[-1]],
                unit,
                detail={
                    "exponent": fitted_exponent(values),
                    **{f"{unit} at {n}": value for n, value in values.items()},
                    **{f"converged at {n}": job.converged and not job.false for n, job in jobs.items()},
                },
            )
        )
    return figures
