"""Sparse systems by subdomains, one loop each, beside the recursive inverse: cycles, inversions, cells; bench `arrays`.

Block Jacobi and restricted additive Schwarz with one layer of overlap, each without and with a coarse level, all of them
around GCR with a residual in float64. Their inversions of one cycle do not depend on each other: where every loop has
converters of its own, a cycle takes the time of one (of two with a coarse level). Those of the recursion follow each other.
"""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.block_solves import BITS, LEAF, Job, solve
from benchmarks.registry import Figure

SIZES = (256, 1024)
FAMILIES = ("Poisson", "convection-diffusion")
MOST_CYCLES = 100
RECURSIVE = "recursive"
WAYS: dict[str, dict[str, Any]] = {
    RECURSIVE: {},
    "block LU": {"blocks": "lu"},
    "block Jacobi": {"blocks": "jacobi"},
    "block Jacobi, coarse level": {"blocks": "jacobi", "coarse": True},
    "Schwarz, overlap 1": {"blocks": "schwarz"},
    "Schwarz, overlap 1, coarse level": {"blocks": "schwarz", "coarse": True},
}


def run(repeat: int) -> list[Figure]:
    """Solve each family at each size in each way, a chip and a right-hand side a repeat, at most three."""
    return [
        figure
        for n in SIZES
        for family in FAMILIES
        for figure in _figures(family, n, range(1, min(repeat, 3) + 1))
    ]


def _figures(family: str, n: int, seeds: range) -> list[Figure]:
    jobs = {way: [solve(family, n, seed, MOST_CYCLES, **how) for seed in seeds] for way, how in WAYS.items()}
    same = statistics.median(job.cycles for job in jobs[RECURSIVE])
    return [_figure(f"{family}, N = {n:,}, N0 = {LEAF}, {way}", each, same) for way, each in jobs.items()]


def _figure(name: str, jobs: list[Job], recursive: float) -> Figure:
    converged = sum(job.converged and not job.false for job in jobs)
    cycles = statistics.median(job.cycles for job in jobs)
    return Figure(
        f"cycles to {BITS} bits, {name}",
        cycles,
        "",
        RECURSIVE,
        recursive,
        target=f"all converge in at most {MOST_CYCLES}",
        met=converged == len(jobs),
        detail={
            "converged": f"{converged} of {len(jobs)}",
            "false": sum(job.false for job in jobs),
            "INV": jobs[0].inversions,
            "INV a cycle": round(jobs[0].inversions / jobs[0].cycles, 1),
            "MVM": jobs[0].products,
            "cells": jobs[0].cells,
            "wall time, s": round(statistics.median(job.seconds for job in jobs), 1),
            "why not": next((job.reason for job in jobs if job.reason), ""),
        },
    )
