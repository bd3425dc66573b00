"""Applications of graphs and learning on virtual chips, one a seed: errors to the digital answers, operations, seconds.

On the bench `arrays`. The peers are the digital answers on the same input: LAPACK in float64, and for Longley's table
the certified values of NIST StRD, which were computed in 500 digits. The papers' own accuracies are not known here
(Sun et al., PNAS 116, 4123 (2019); Science Advances 6, eaay2378 (2020); Nature Communications 2026, s41467-026-68609-8).
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import mho
from benchmarks._solves import PRESET, threads
from benchmarks._without_chip import without_chip
from benchmarks.registry import Figure
from mho.extensions.applications import Eigenvector, Factorisation, PageRank, Regression
from mho.procedures import Procedure
from mho.runs import RunFile

CHIPS_A_REPEAT = 2
LONGLEY = (-3482258.63459582, 15.0618722713733, -0.0358191792925910, -2.02022980381683, -1.03322686717359,
           -0.0511041056535807, 1829.15146461355)  # fmt: skip
WELL = "gnp, unemployed, armed_forces"
"""Columns of Longley's table that hardly depend on one another."""

Row = Mapping[str, Any]


def run_all(procedure: Procedure, chips: int) -> list[dict[str, Any]]:
    """Return the results on so many chips, with seconds, and the coefficients where there are some."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, chips + 1):
            start, path = time.perf_counter(), Path(folder) / f"{seed}.h5"
            mho.run(procedure, "arrays", preset=PRESET, seed=seed, output=path)
            with RunFile(path) as file:
                result = dict(file.summary) | {"seconds": time.perf_counter() - start}
                if "coefficients" in file.tables:
                    result["fitted"] = file.table("coefficients")["coefficient"]
                found.append(result)
    return found


def figure(name: str, rows: list[Row], key: str, unit: str = "", **more: Any) -> Figure:
    """Return the median of one number of the results, with its extremes."""
    values = [float(row[key]) for row in rows]
    detail = {"min": min(values), "max": max(values), "chips": len(values)} | more.pop("detail", {})
    return Figure(name, statistics.median(values), unit, detail=detail, threads=threads(), **more)


def run(repeat: int) -> list[Figure]:
    """Measure on two chips a repeat."""
    chips = CHIPS_A_REPEAT * repeat
    circuit = Regression(features=WELL, circuit="generalised-inverse")
    return [
        *_page_rank(chips),
        *_eigenvector(chips),
        *_longley(chips),
        *_answers("generalised inverse, 16 x 3", run_all(circuit, chips)),
        *_logistic(chips),
        *_factorisation(chips),
    ]


def _page_rank(chips: int) -> list[Figure]:
    rows = run_all(PageRank(), chips)
    peer = float(rows[0]["digital_gcr_products"])
    return [
        *_answers("PageRank of 34 nodes", rows),
        figure("PageRank of 34 nodes: products of a power iteration", rows, "digital_products", "products",
               peer_name="GCR in float64, to the same error", peer_value=peer),
    ]  # fmt: skip


def _answers(name: str, rows: list[Row]) -> list[Figure]:
    """Return errors of one step and of the refined answer, cycles and seconds."""
    goal = 2.0**-24
    return [
        figure(f"{name}: error of one step", rows, "one_step_error"),
        figure(
            f"{name}: error of the refined answer",
            rows,
            "relative_error",
            target="24 bits on every chip",
            met=all(row["converged"] and row["relative_error"] < goal for row in rows),
        ),
        figure(f"{name}: cycles", rows, "cycles", "cycles"),
        figure(f"{name}: wall time", rows, "seconds", "s", target="under a minute", met=_quick(rows)),
        *without_chip(name, rows),
    ]


def _quick(rows: list[Row]) -> bool:
    return all(row["seconds"] < 60.0 for row in rows)


def _eigenvector(chips: int) -> list[Figure]:
    rows = run_all(Eigenvector(), chips)
    return [
        figure("eigenvector of 15 nodes: angle after one step of INV", rows, "one_step_angle", "rad"),
        figure(
            "eigenvector of 15 nodes: residual by Davidson's method",
            rows,
            "davidson_residual",
            target="2^-24 on every chip",
            met=all(row["converged"] for row in rows),
            detail={"steps": [row["davidson_steps"] for row in rows], "angle": max(row["davidson_angle"] for row in rows)},
        ),
        figure("eigenvector of 15 nodes: residual by inverse iteration", rows, "inverse_residual",
               detail={"steps": [row["inverse_steps"] for row in rows]}),
        figure("eigenvector of 15 nodes: residual by 30 products", rows, "power_residual"),
        figure("eigenvector of 15 nodes: wall time", rows, "seconds", "s", target="under a minute", met=_quick(rows)),
        *without_chip("eigenvector of 15 nodes, Davidson's method", rows),
    ]  # fmt: skip


def _longley(chips: int) -> list[Figure]:
    rows = run_all(Regression(), chips)
    certified = np.array(LONGLEY)
    off = [{"off": float(np.max(np.abs(row["fitted"] / certified - 1.0)))} for row in rows]
    ridge = run_all(Regression(kind="ridge"), 1)
    return [
        *_answers("Longley's table, 16 x 6", rows),
        figure("Longley's table: worst coefficient beside the certified ones", off, "off"),
        figure("ridge, nine penalties: error of the best one's weights", ridge, "relative_error"),
        figure(
            "ridge, nine penalties: wall time",
            ridge,
            "seconds",
            "s",
            target="under a minute",
            met=_quick(ridge),
        ),
    ]


def _logistic(chips: int) -> list[Figure]:
    figures = []
    for hessian in ("first", "each"):
        rows = run_all(Regression(kind="logistic", hessian=hessian), chips)
        name = f"logistic, {hessian} Hessian held"
        figures += [
            figure(f"{name}: error of the weights", rows, "relative_error"),
            figure(f"{name}: Newton steps", rows, "newton_steps", "steps", peer_name="float64",
                   peer_value=float(rows[0]["digital_newton_steps"])),
            figure(f"{name}: steps of INV", rows, "inversions", "inversions"),
            figure(f"{name}: pulses", rows, "pulses", "pulses", detail={"matrices": rows[0]["matrices"]}),
            figure(f"{name}: wall time", rows, "seconds", "s", target="under a minute", met=_quick(rows)),
            *without_chip(name, rows),
        ]  # fmt: skip
    return figures


def _factorisation(chips: int) -> list[Figure]:
    rows = run_all(Factorisation(), chips)
    return [
        figure("picture of 64 x 64, rank 16: error after 20 iterations", rows, "error", peer_name="float64",
               peer_value=float(rows[0]["digital_error"]), detail={"least of this rank": rows[0]["least_error"]}),
        figure("picture of 64 x 64, ranks 4 to 16: worst ratio to float64's error", rows, "worst_ratio"),
        figure("picture of 64 x 64, ranks 4 to 16: pulses", rows, "pulses", "pulses",
               detail={"matrices": rows[0]["matrices"], "inversions": rows[0]["inversions"]}),
        figure("picture of 64 x 64, ranks 4 to 16: wall time", rows, "seconds", "s", target="under a minute",
               met=_quick(rows)),
        *without_chip("picture of 64 x 64, ranks 4 to 16", rows),
    ]  # fmt: skip
