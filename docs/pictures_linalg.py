"""Draws the picture of docs/linalg.md: ``python docs/make_pictures.py krylov``."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.sparse.linalg import LinearOperator, gmres

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import mho  # noqa: E402
import mho.extensions.linalg  # noqa: E402
from benchmarks._krylov_problems import Problem, fgmres, problems  # noqa: E402
from benchmarks.linalg import GRID, TOLERANCE, UNKNOWNS, digital, incomplete_lu, on_chip  # noqa: E402

SHOWN = "advection"
NONE, BENCH, HALVES, ILU, FIXED = "0.55", "C0", "C2", "C1", "C3"


def draw_krylov(pictures: Path) -> None:
    """Draw residuals of one problem against products, and the iterations of all families."""
    families = problems(UNKNOWNS, GRID)
    with mpl.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "savefig.dpi": 130}):
        figure = Figure((9, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.1))
        _residuals(left, families[SHOWN])
        _iterations(right, families)
        figure.savefig(pictures / "linalg-iterations.png")


def _residuals(axes: Axes, problem: Problem) -> None:
    with mho.open_bench("arrays", seed=1) as bench:
        held = mho.extensions.linalg.on_bench(problem.matrix, bench, seed=0)
        for preconditioner, colour, name in (
            (lambda vector: vector, NONE, "FGMRES, no preconditioner"),
            (held.preconditioner.matvec, BENCH, "FGMRES, one step of INV"),
        ):
            carried = fgmres(held.operator.matvec, problem.rhs, preconditioner, TOLERANCE)[1]
            axes.semilogy(range(1, len(carried) + 1), carried, color=colour, marker=".", label=name)
        counts, found = _restarts(held, problem)
    axes.semilogy(counts, found, color=FIXED, marker="s", ms=4, ls="--", label="SciPy's gmres, the same INV")
    axes.axhline(TOLERANCE, color="k", lw=0.8, ls=":")
    axes.set(xlabel="products with A on the chip", ylabel="relative residual", title="advection, 32 unknowns")
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.11), ncols=2, fontsize=8, frameon=False)


def _restarts(held: mho.extensions.linalg.BenchMatrix, problem: Problem) -> tuple[list[int], list[float]]:
    """Return products and residuals of SciPy's gmres at each of its restarts."""
    counts, found, so_far = [], [], 0

    def multiply(vector: np.ndarray) -> np.ndarray:
        nonlocal so_far
        so_far += 1
        return held.operator.matvec(vector)

    def restarted(x: np.ndarray) -> None:
        counts.append(so_far)
        found.append(float(np.linalg.norm(problem.rhs - problem.matrix @ x) / np.linalg.norm(problem.rhs)))

    operator = LinearOperator(held.shape, matvec=multiply, dtype=held.dtype)
    gmres(
        operator,
        problem.rhs,
        M=held.preconditioner,
        rtol=TOLERANCE,
        atol=0.0,
        callback=restarted,
        callback_type="x",
    )
    return counts, found


def _iterations(axes: Axes, families: dict[str, Problem]) -> None:
    names = sorted(families, key=lambda name: np.linalg.cond(families[name].matrix))
    rows = np.arange(len(names))
    several = {
        "none": (NONE, [digital(families[name], lambda vector: vector) for name in names]),
        "SciPy's spilu, coarse": (
            ILU,
            [digital(families[name], incomplete_lu(families[name].matrix)) for name in names],
        ),
        "one step of INV": (BENCH, [on_chip(families[name], 1).iterations for name in names]),
        "INV by blocks of half the size": (HALVES, [_halved(families[name]) for name in names]),
    }
    axes.hlines(rows, 0, several["none"][1], color="0.85", lw=1, zorder=1)
    for place, (name, (colour, counts)) in enumerate(several.items()):
        apart = 0.16 * (place - 1.5)  # so that equal counts are all seen
        axes.scatter(counts, rows + apart, color=colour, s=20, label=name, zorder=3)
    labels = [f"{name}  ({np.linalg.cond(families[name].matrix):.0f})" for name in names]
    axes.set(yticks=rows, yticklabels=labels, xlim=(0, None), xlabel=f"iterations of FGMRES to {TOLERANCE:g}")
    axes.set_title("families (condition number)")
    axes.grid(axis="y", visible=False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.3, -0.11), ncols=2, fontsize=8, frameon=False)


def _halved(problem: Problem) -> int:
    return on_chip(problem, 1, leaf=len(problem.rhs) // 2).iterations
