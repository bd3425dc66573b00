"""Solves by blocks on the bench `arrays`: cycles to 24 bits, time and memory, families beside each other.

Each solve is the whole job in a process of its own: matrix cut, cells drawn and programmed, products calibrated, refined
with a residual in float64. No other program solves on arrays whose cells are programmed one by one, so there is no peer.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks._judging import MARGIN
from benchmarks._large_systems import draw
from benchmarks.registry import Figure

BITS, LEAF, MOST_CYCLES = 24, 32, 25
SIZES = (256, 1024)
FAMILIES = ("Gram", "dominant", "Poisson", "convection-diffusion", "SPD 30", "SPD 1e3")
LONGEST, MEMORY = 120.0, 4.0  # s and GB, wanted at 1,024


@dataclass(frozen=True)
class Job:
    """What one solve came to; `false` where it said converged and was not."""

    converged: bool
    false: bool
    cycles: int
    inversions: int
    products: int
    cells: int
    seconds: float
    gigabytes: float
    reason: str


def run(repeat: int) -> list[Figure]:
    """Solve each family at both sizes, a chip and a system a repeat, at most three."""
    return [figure for n in SIZES for family in FAMILIES for figure in _figures(family, n, min(repeat, 3))]


def solve(family: str, n: int, seed: int, most_cycles: int = MOST_CYCLES, **how: Any) -> Job:
    """Solve one system on one chip; `how` are further parameters of `Solve`."""
    from mho.instruments import open_bench
    from mho.procedures import Solve
    from mho.running.execution import evaluate

    system = draw(family, n, seed)
    start = time.perf_counter()
    with open_bench("arrays", preset="pku", seed=seed) as bench:
        job = Solve(matrix=system.matrix, rhs=system.rhs, bits=BITS, leaf=LEAF, max_cycles=most_cycles, **how)
        found = evaluate(job, bench, seed=seed)
    seconds = time.perf_counter() - start
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
    )


def _figures(family: str, n: int, repeat: int) -> list[Figure]:
    context = multiprocessing.get_context("spawn")
    jobs = []
    for seed in range(1, repeat + 1):
        with ProcessPoolExecutor(1, mp_context=context) as pool:  # so that its memory is its own
            jobs.append(pool.submit(solve, family, n, seed).result())
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
        ),
    ]
    if n == SIZES[-1]:
        figures.append(
            Figure(f"largest memory, {what}", memory, "GB", target=f"{MEMORY:g} GB", met=memory < MEMORY)
        )
    return figures
